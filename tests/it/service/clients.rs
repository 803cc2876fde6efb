//! OpenSSH, rclone, lftp, curl and a mounted drive write one tree, and each reads what the others wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::causeway::{Causeway, run};
use crate::support::skip::not_run;

const PASSWORD: &str = "correct horse battery";

/// From a file of the client's own and a name in the served folder to the command that carries one to the other.
type Way = Box<dyn Fn(&Path, &str) -> Command>;

/// One client: how it brings a file, and how it gets one.
struct Client {
    name: &'static str,
    put: Way,
    get: Way,
}

fn sh(script: String) -> Command {
    let mut shell = Command::new("timeout");
    shell.args(["60", "sh", "-c"]).arg(script).env("SSHPASS", PASSWORD).env("LFTP_PASSWORD", PASSWORD);
    shell.stdin(Stdio::null());
    shell
}

fn clients(served: &Causeway, mounted: Option<PathBuf>) -> Vec<Client> {
    let (https, sftp) = (served.https.port(), served.sftp.port());
    let trust = served.certificate();
    let home = served.folder().to_owned();
    let batch = move |line: String| {
        sh(format!(
            "printf '%s\\n' '{line}' | sshpass -e sftp -q -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null \
             -oBatchMode=no -P {sftp} -b - anna@127.0.0.1"
        ))
    };
    let curl = {
        let trust = trust.clone();
        move |more: String, name: &str| {
            let trust = trust.display();
            sh(format!(
                "curl -sSf --cacert {trust} -u \"anna:$SSHPASS\" {more} https://localhost:{https}/files/drop/{name}"
            ))
        }
    };
    let rclone = move |what: String| {
        let trust = trust.display();
        sh(format!(
            "export RCLONE_CONFIG={}/none; export RCLONE_WEBDAV_PASS=$(printf %s \"$SSHPASS\" | rclone obscure -); \
             rclone -q --ca-cert {trust} --webdav-url https://localhost:{https}/dav/ --webdav-user anna \
             --webdav-vendor owncloud {what}",
            home.display()
        ))
    };
    let lftp = move |what: String| {
        sh(format!(
            "lftp --env-password -u anna -e 'set sftp:auto-confirm yes; set net:max-retries 2; {what}; bye' \
             sftp://127.0.0.1:{sftp}"
        ))
    };
    let (batch_get, curl_get, rclone_get, lftp_get) = (batch, curl.clone(), rclone.clone(), lftp);
    let mut all = vec![
        Client {
            name: "sftp",
            put: Box::new(move |local, name| batch(format!("put -p {} drop/{name}", local.display()))),
            get: Box::new(move |local, name| batch_get(format!("get drop/{name} {}", local.display()))),
        },
        Client {
            name: "curl",
            put: Box::new(move |local, name| curl(format!("-T {}", local.display()), name)),
            get: Box::new(move |local, name| curl_get(format!("-o {}", local.display()), name)),
        },
        Client {
            name: "rclone",
            put: Box::new(move |local, name| rclone(format!("copyto {} :webdav:drop/{name}", local.display()))),
            get: Box::new(move |local, name| rclone_get(format!("copyto :webdav:drop/{name} {}", local.display()))),
        },
        Client {
            name: "lftp",
            put: Box::new(move |local, name| lftp(format!("put {} -o drop/{name}", local.display()))),
            get: Box::new(move |local, name| lftp_get(format!("get drop/{name} -o {}", local.display()))),
        },
    ];
    if let Some(mount) = mounted {
        let there = mount.clone();
        all.push(Client {
            name: "davfs2",
            put: Box::new(move |local, name| sh(format!("cp {} {}/drop/{name}", local.display(), mount.display()))),
            get: Box::new(move |local, name| sh(format!("cp {}/drop/{name} {}", there.display(), local.display()))),
        });
    }
    all
}

fn must(client: &str, mut command: Command) {
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!(code, 0, "{client}: {command:?}\n{stdout}{stderr}");
}

/// Mounts the WebDAV door, where this machine lets it.
fn mount(served: &Causeway) -> Option<PathBuf> {
    if !Path::new("/dev/fuse").exists() {
        not_run("a davfs2 mount beside the other clients", "no /dev/fuse");
        return None;
    }
    let (work, at) = (served.folder(), served.folder().join("mnt"));
    fs::create_dir(&at).unwrap();
    let trust = work.join("trust.pem");
    fs::copy(served.certificate(), &trust).unwrap();
    let url = format!("https://localhost:{}/dav/", served.https.port());
    let script = format!(
        "set -e; cd {}; mkdir cache; chown root:davfs2 cache; chmod 775 cache; chmod 755 .; chmod 644 trust.pem
         printf '%s anna \"{PASSWORD}\"\\n' {url} > secrets; chmod 600 secrets
         printf 'secrets %s\\ncache_dir %s\\ntrust_ca_cert %s\\ndelay_upload 0\\nask_auth 0\\n' \
           $PWD/secrets $PWD/cache $PWD/trust.pem > davfs2.conf
         mount -t davfs -o conf=$PWD/davfs2.conf {url} {}",
        work.display(),
        at.display()
    );
    let (code, _, stderr) = run(&mut sh(script));
    if code == 0 {
        return Some(at);
    }
    assert!(stderr.contains("permitted") || stderr.contains("fuse"), "davfs2 cannot mount: {stderr}");
    not_run("a davfs2 mount beside the other clients", &stderr);
    None
}

/// A drive uploads when the copy to it has ended; the others are done then.
fn arrives(path: &Path, content: &[u8]) {
    let begin = Instant::now();
    while fs::read(path).unwrap_or_default() != content {
        assert!(begin.elapsed() < Duration::from_secs(30), "{} did not arrive", path.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn five_clients_share_one_tree() {
    let served = Causeway::serve();
    served.account("anna", PASSWORD, &[]);
    fs::create_dir(served.tree().join("drop")).unwrap();
    let mounted = mount(&served);
    let all = clients(&served, mounted.clone());
    let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let content = |name: &str| name.repeat(20_000).into_bytes();
        for client in &all {
            let local = served.folder().join(format!("from-{}", client.name));
            fs::write(&local, content(client.name)).unwrap();
            must(client.name, (client.put)(&local, client.name));
            arrives(&served.tree().join("drop").join(client.name), &content(client.name));
        }
        for reader in &all {
            for writer in &all {
                let local = served.folder().join(format!("{}-reads-{}", reader.name, writer.name));
                must(reader.name, (reader.get)(&local, writer.name));
                assert!(fs::read(&local).unwrap() == content(writer.name), "{} reads {}", reader.name, writer.name);
            }
        }
    }));
    if let Some(at) = &mounted {
        let gone = Command::new("timeout").args(["60", "umount"]).arg(at).status().unwrap();
        assert!(gone.success(), "the mount ends");
    }
    worked.expect("every client reads what the others wrote");
    let names = fs::read_dir(served.tree().join("drop")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    names.retain(|name| name != "lost+found");
    names.sort();
    let mut wanted: Vec<_> = all.iter().map(|client| client.name).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "nothing is left over");
}
