//! Clients and a test suite that nobody here wrote.

use std::process::{Command, Output};
use std::time::Duration;

use crate::support::https::{Https, PASSWORD};
use crate::support::skip::not_run;
use crate::support::tls::tunnel;

#[tokio::test(flavor = "multi_thread")]
async fn litmus_passes_in_all_suites() {
    let door = Https::start().await;
    // Over TLS, litmus itself leaves one test of `http` out; through a tunnel it runs that as well.
    litmus(&door.url("/dav/"), &[("basic", 16), ("copymove", 13), ("props", 30), ("locks", 41), ("http", 3)]);
    let tunnel = tunnel(&door).await;
    litmus(&format!("http://localhost:{tunnel}/dav/"), &[("http", 4)]);
}

fn litmus(url: &str, suites: &[(&str, u32)]) {
    let work = tempfile::tempdir().unwrap();
    let names: Vec<&str> = suites.iter().map(|(name, _)| *name).collect();
    let output = Command::new("timeout")
        .args(["120", "litmus", "-k", url, "anna", PASSWORD])
        .current_dir(work.path())
        .env("TESTS", names.join(" "))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    for (suite, tests) in suites {
        let summary = format!("summary for `{suite}': of {tests} tests run: {tests} passed, 0 failed. 100.0%");
        assert!(text.contains(&summary), "no line: {summary}");
    }
    assert!(output.status.success());
}

/// Runs rclone as `anna`; `:webdav:` is the door, which it takes for an ownCloud.
pub(super) fn rclone(door: &Https, args: &[&str]) -> Output {
    let obscured = Command::new("rclone").args(["obscure", PASSWORD]).output().unwrap().stdout;
    let password = String::from_utf8(obscured).unwrap().trim().to_owned();
    Command::new("timeout")
        .args(["120", "rclone", "--no-check-certificate", "--config", "/dev/null", "--webdav-vendor", "owncloud"])
        .args(["--webdav-url", &door.url("/dav/"), "--webdav-user", "anna", "--webdav-pass", &password])
        .args(args)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_compares_by_hashes() {
    let door = Https::start().await;
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir(source.path().join("d")).unwrap();
    let from = source.path().to_str().unwrap();
    // The second time, contents of the same length take the place of the first ones.
    for (round, byte) in [b'a', b'b'].into_iter().enumerate() {
        for (name, length) in [("one", 3_000_000), ("d/two", 5), ("empty", 0)] {
            std::fs::write(source.path().join(name), vec![byte; length]).unwrap();
        }
        let copied = rclone(&door, &["copy", "--checksum", from, ":webdav:copy"]);
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let checked = rclone(&door, &["check", "--checksum", from, ":webdav:copy"]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success() && said.contains(" 0 differences found"), "{said}");
        assert!(!said.contains("could not be checked"), "{said}");
        for (kind, tool) in [("SHA1", "sha1sum"), ("MD5", "md5sum")] {
            let told = rclone(&door, &["hashsum", kind, ":webdav:copy"]).stdout;
            let lines = |text: &[u8]| {
                let mut lines: Vec<String> = String::from_utf8_lossy(text).lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            let own = Command::new(tool).args(["one", "d/two", "empty"]).current_dir(source.path()).output().unwrap();
            assert_eq!(lines(&told), lines(&own.stdout), "{kind} in round {round}");
        }
        let touched = rclone(&door, &["touch", "-t", "2020-01-02T03:04:05", ":webdav:copy/one"]);
        assert!(touched.status.success(), "{}", String::from_utf8_lossy(&touched.stderr));
        let checked = rclone(&door, &["check", "--checksum", from, ":webdav:copy"]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(said.contains(" 0 differences found") && !said.contains("could not be checked"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_keeps_times_and_has_nothing_to_do_twice() {
    let door = Https::start().await;
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir(source.path().join("ä b")).unwrap();
    for (name, age) in [("one.txt", 1_000_000), ("ä b/50%#?.bin", 20_000_000), ("empty", 300)] {
        let path = source.path().join(name);
        std::fs::write(&path, if name == "empty" { Vec::new() } else { vec![7; 300_000] }).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    let rclone = |args: &[&str]| rclone(&door, args);
    let source_path = source.path().to_str().unwrap();
    let first = rclone(&["sync", source_path, ":webdav:copy"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let second = rclone(&["sync", "-v", source_path, ":webdav:copy"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.success() && said.contains("Transferred:   \t          0 B / 0 B"), "{said}");
    for name in ["one.txt", "ä b/50%#?.bin", "empty"] {
        let second = |path: std::path::PathBuf| {
            let modified = std::fs::metadata(path).unwrap().modified().unwrap();
            modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!(second(source.path().join(name)), second(door.root.join("copy").join(name)), "{name}");
    }
    let back = tempfile::tempdir().unwrap();
    assert!(rclone(&["copy", ":webdav:copy", back.path().to_str().unwrap()]).status.success());
    let same = Command::new("diff").args(["-r", source_path, back.path().to_str().unwrap()]).status().unwrap();
    assert!(same.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn cadaver_does_its_whole_round() {
    let door = Https::start().await;
    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("local"), "content").unwrap();
    std::fs::write(work.path().join(".netrc"), format!("machine localhost login anna password \"{PASSWORD}\"\n"))
        .unwrap();
    let script = "mkcol c\nput local c/f\ncopy c/f c/g\nmove c/g c/h\nlock c/f\ndiscover c/f\nunlock c/f\n\
        propset c/f colour red\npropget c/f colour\nget c/h back\ndelete c/f\nrmcol c\nquit\n";
    // It asks about a self-signed certificate on a terminal only.
    let url = format!("http://localhost:{}/dav/", tunnel(&door).await);
    let mut child = Command::new("timeout")
        .args(["60", "cadaver", &url])
        .current_dir(work.path())
        .env("HOME", work.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("failed"), "{said}");
    assert_eq!(std::fs::read_to_string(work.path().join("back")).unwrap(), "content", "{said}");
    assert!(!door.root.join("c").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_davfs2_mount_is_a_drive() {
    if !std::path::Path::new("/dev/fuse").exists() || !nix_root() {
        not_run("a davfs2 mount", "no /dev/fuse, or not root");
        return;
    }
    let door = Https::start().await;
    let work = tempfile::tempdir().unwrap();
    let (mount, cache) = (work.path().join("mnt"), work.path().join("cache"));
    std::fs::create_dir(&mount).unwrap();
    std::fs::create_dir(&cache).unwrap();
    let own = Command::new("chown").args(["root:davfs2", cache.to_str().unwrap()]).status();
    assert!(own.is_ok_and(|status| status.success()), "davfs2 is missing: `tests/run setup` installs it");
    Command::new("chmod").args(["755", work.path().to_str().unwrap()]).status().unwrap();
    Command::new("chmod").args(["775", cache.to_str().unwrap()]).status().unwrap();
    let conf = work.path().join("davfs2.conf");
    let certificate = door.data().join("tls/certificate.pem");
    let readable = work.path().join("ca.pem");
    std::fs::copy(certificate, &readable).unwrap();
    let secrets = work.path().join("secrets");
    std::fs::write(&secrets, format!("{} anna \"{PASSWORD}\"\n", door.url("/dav/"))).unwrap();
    Command::new("chmod").args(["600", secrets.to_str().unwrap()]).status().unwrap();
    Command::new("chmod").args(["644", readable.to_str().unwrap()]).status().unwrap();
    let settings = format!(
        "secrets {}\ncache_dir {}\ntrust_ca_cert {}\ndelay_upload 0\nask_auth 0\nif_match_bug 0\n",
        secrets.display(),
        cache.display(),
        readable.display()
    );
    std::fs::write(&conf, settings).unwrap();
    let option = format!("conf={},uid=0,gid=0", conf.display());
    let mounted = Command::new("timeout")
        .args(["30", "mount", "-t", "davfs", "-o", &option, &door.url("/dav/"), mount.to_str().unwrap()])
        .output()
        .unwrap();
    if !mounted.status.success() {
        let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
        assert!(why.contains("permitted") || why.contains("fuse"), "davfs2 cannot mount: {why}");
        not_run("a davfs2 mount", &why);
        return;
    }
    let exercised = std::panic::catch_unwind(|| exercise(&mount));
    let gone = Command::new("timeout").args(["60", "umount", mount.to_str().unwrap()]).status().unwrap();
    let model = exercised.expect("the operations through the mount");
    assert!(gone.success(), "the mount ends, with everything uploaded");
    for (name, content) in &model {
        assert_eq!(std::fs::read(door.root.join(name)).ok().as_ref(), Some(content), "{name}");
    }
    let files = Command::new("find").arg(&door.root).args(["-type", "f"]).output().unwrap().stdout;
    let aside = |line: &&str| line.contains("lost+found") || line.contains(".causeway-trash");
    let files = String::from_utf8_lossy(&files).lines().filter(|line| !aside(line)).count();
    assert_eq!(files, model.len());
}

fn nix_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// Random operations on a mounted folder; returns what must be there afterwards.
fn exercise(mount: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut state = 12345_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut model = std::collections::BTreeMap::new();
    std::fs::create_dir(mount.join("d")).unwrap();
    for step in 0..120 {
        let name = |n: u64| if n.is_multiple_of(2) { format!("d/file {n}") } else { format!("füle-{n}") };
        let (a, b) = (name(random(12)), name(random(12)));
        match random(5) {
            0 | 1 => {
                let content = vec![u8::try_from(step).unwrap(); usize::try_from(random(40_000)).unwrap()];
                std::fs::write(mount.join(&a), &content).unwrap();
                model.insert(a, content);
            }
            2 if model.contains_key(&a) => {
                use std::io::Write as _;
                let mut file = std::fs::OpenOptions::new().append(true).open(mount.join(&a)).unwrap();
                file.write_all(b"more").unwrap();
                drop(file);
                model.get_mut(&a).unwrap().extend_from_slice(b"more");
            }
            3 if model.contains_key(&a) && a != b => {
                std::fs::rename(mount.join(&a), mount.join(&b)).unwrap();
                let content = model.remove(&a).unwrap();
                model.insert(b, content);
            }
            4 if model.contains_key(&a) => {
                std::fs::remove_file(mount.join(&a)).unwrap();
                model.remove(&a);
            }
            _ => {
                if let Some(content) = model.get(&a) {
                    assert_eq!(&std::fs::read(mount.join(&a)).unwrap(), content);
                }
            }
        }
    }
    model
}
