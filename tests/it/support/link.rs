//! A link with faults between a real FTP server and the program: `tests/netlab` in two network namespaces, vsftpd in
//! one, `causeway mirror` in the other.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use super::causeway;
use super::ftpd::{PASSWORD, USER, peers};

/// Where the server is, seen from the client.
const SERVER: &str = "10.9.0.2";
/// No run of a small tree over a broken link takes longer.
const PATIENCE: Duration = Duration::from_secs(150);

/// A lab with a server in it; ended when dropped.
pub struct Link {
    name: String,
    emulator: Child,
    server: Option<Child>,
    folder: TempDir,
    options: String,
}

/// How a mirror run went.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    /// What was said, for messages.
    pub words: String,
    pub seconds: f64,
}

impl Link {
    /// A link with these settings, and vsftpd with these options behind it, serving an empty folder.
    pub fn up(settings: &str, options: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("it-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut emulator = Command::new(program())
            .args(["up", &name, "until=eof"])
            .args(settings.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        BufReader::new(emulator.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        assert!(greeting.contains("is up"), "no link: tests/netlab needs root and /dev/net/tun, its reason is above");
        let folder = tempfile::Builder::new().prefix("causeway-link-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for made in ["root", "empty", "target"] {
            fs::create_dir(folder.path().join(made)).unwrap();
        }
        let mut link = Self { name, emulator, server: None, folder, options: options.to_owned() };
        link.serve();
        link
    }

    /// The folder that is served.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Where the copy goes.
    pub fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    /// Puts `count` files of about `each` bytes into folders of ten, old enough to be settled. Returns their bytes.
    pub fn make_tree(&self, count: usize, each: usize) -> u64 {
        (0..count.div_ceil(10)).map(|folder| self.make_folder(folder, (count - folder * 10).min(10), each)).sum()
    }

    /// Puts `count` such files into folder number `number`. Returns their bytes.
    pub fn make_folder(&self, number: usize, count: usize, each: usize) -> u64 {
        let old = SystemTime::now() - Duration::from_secs(86_400 * 30);
        let folder = self.root().join(format!("folder {number:02}"));
        fs::create_dir(&folder).unwrap();
        let mut noise = u32::try_from(number).unwrap();
        let mut all = 0;
        for file in 0..count {
            let size = each / 2 + each * (file % 11) / 10;
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .take(size)
            .collect();
            let path = folder.join(format!("file {file:03}.dat"));
            fs::write(&path, bytes).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
            all += size as u64;
        }
        all
    }

    /// Starts the server, which must not run.
    pub fn serve(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let dir = self.folder.path().display();
        let conf = self.folder.path().join("vsftpd.conf");
        let text = format!(
            "listen=YES\nlisten_ipv6=NO\nlisten_port=21\nbackground=NO\nanonymous_enable=NO\nlocal_enable=YES\n\
             guest_enable=YES\nguest_username=daemon\nvirtual_use_local_privs=YES\npam_service_name=causeway-peers\n\
             local_root={dir}/root\nchroot_local_user=YES\nallow_writeable_chroot=YES\nsecure_chroot_dir={dir}/empty\n\
             seccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nuse_localtime=NO\nxferlog_enable=NO\n\
             nopriv_user=nobody\n{}\n",
            self.options
        );
        fs::write(&conf, text).unwrap();
        fs::set_permissions(&conf, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = self.exec("s", &peers().join("usr/sbin/vsftpd"));
        self.server = Some(command.arg(&conf).stdin(Stdio::null()).spawn().unwrap());
        let begin = Instant::now();
        // From its own side: what the link counts is the program's alone.
        while !self
            .exec("s", Path::new("bash"))
            .args(["-c", "exec 3<>/dev/tcp/127.0.0.1/21"])
            .output()
            .unwrap()
            .status
            .success()
        {
            assert!(begin.elapsed() < Duration::from_secs(10), "vsftpd does not answer in its namespace");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the server and its sessions; they say nothing more.
    pub fn kill_server(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // Its sessions have process groups of their own.
        self.say("kill", "s");
        server.wait().unwrap();
    }

    fn exec(&self, side: &str, command: &Path) -> Command {
        let mut exec = Command::new(program());
        exec.args(["exec", &self.name, side]).arg(command);
        exec
    }

    /// A fault, as `netlab fault` takes it.
    pub fn fault(&self, rule: &str) {
        self.say("fault", rule);
    }

    /// What the link counted.
    pub fn stat(&self) -> Value {
        serde_json::from_str(&self.say("stat", "")).unwrap()
    }

    /// How many flows the first fault has hit.
    pub fn hits(&self) -> u64 {
        self.stat()["rule_hits"][0].as_u64().unwrap()
    }

    /// Payload bytes that data connections carried, both ways.
    pub fn data_bytes(&self) -> u64 {
        self.stat()["data"]["bytes"].as_u64().unwrap()
    }

    fn say(&self, verb: &str, words: &str) -> String {
        let said = Command::new(program()).args([verb, &self.name]).args(words.split_whitespace()).output().unwrap();
        assert!(said.status.success(), "{verb} {words}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    }

    /// `causeway mirror` from the server into the target, started.
    pub fn start(&self, more: &str) -> Mirror {
        let log = self.folder.path().join("log");
        let open = || fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = self
            .exec("c", &causeway::binary())
            .args(["mirror", &format!("ftp://{USER}@{SERVER}/")])
            .arg(self.target())
            .arg("--state")
            .arg(self.folder.path().join("state"))
            .args(["--progress", "never"])
            .args(more.split_whitespace())
            .current_dir(self.folder.path())
            .env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        Mirror { child, begin: Instant::now(), log }
    }

    /// `causeway doctor` of the server, with what it keeps where the mirror looks for it. Its exit code and its report.
    pub fn doctor(&self, more: &str) -> (i32, Value) {
        let done = self
            .exec("c", &causeway::binary())
            .args(["doctor", &format!("ftp://{USER}@{SERVER}/"), "--json", "--progress", "never", "--state"])
            .arg(self.folder.path().join("state"))
            .args(more.split_whitespace())
            .current_dir(self.folder.path())
            .env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let report = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        (done.status.code().unwrap_or(-1), report)
    }

    /// The same, to its end.
    pub fn mirror(&self, more: &str) -> Run {
        self.start(more).wait()
    }

    /// Every file is there, bit for bit, and nothing else.
    pub fn assert_equal(&self, run: &Run) {
        let (source, copy) = (files(&self.root()), files(&self.target()));
        assert!(!source.is_empty());
        let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&source), names(&copy), "{run:?}");
        for ((name, there), (_, here)) in source.iter().zip(&copy) {
            assert!(there == here, "{} differs: {run:?}", name.display());
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The end of its input is the end of the lab, and of the server in it.
        drop(self.emulator.stdin.take());
        self.emulator.wait().ok();
        if let Some(mut server) = self.server.take() {
            server.kill().ok();
            server.wait().ok();
        }
    }
}

/// A mirror run under way; killed when dropped.
pub struct Mirror {
    child: Child,
    begin: Instant,
    log: PathBuf,
}

impl Mirror {
    /// Waits for its end.
    pub fn wait(mut self) -> Run {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let seconds = self.begin.elapsed().as_secs_f64();
                return Run {
                    code: status.code().unwrap_or(-1),
                    words: fs::read_to_string(&self.log).unwrap(),
                    seconds,
                };
            }
            let log = || fs::read_to_string(&self.log).unwrap();
            assert!(self.begin.elapsed() < PATIENCE, "the run does not end: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Names below `root` and contents, sorted; folders and the program's own files are left out.
fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let own = path.file_name().unwrap().as_encoded_bytes().starts_with(b".causeway-");
            match path.is_dir() {
                _ if own => {}
                true => left.push(path),
                false => found.push((path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

/// The emulator, built if it is not.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = top.join("target/netlab");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--manifest-path"])
            .arg(top.join("tests/netlab/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status()
            .unwrap();
        assert!(built.success(), "tests/netlab does not build");
        target.join("release/netlab")
    })
}
