//! Who comes in, through which door, with what.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::causeway::{Causeway, binary, command, run};
use crate::web::site::Curl;

const PASSWORD: &str = "correct horse battery";

fn status(served: &Causeway, more: &[&str], path: &str) -> (u16, String) {
    let base = format!("https://localhost:{}", served.https.port());
    let curl = Curl { base: &base, jar: tempfile::NamedTempFile::new().unwrap() };
    let answer = curl.call(path, more);
    (answer.status, format!("{}\n\n{}", answer.head, answer.body))
}

/// The browser sends the cookie by itself, so it may read, and nothing else.
#[test]
fn a_cookie_reads_files_and_changes_nothing() {
    let served = Causeway::serve();
    served.account("anna", PASSWORD, &[]);
    std::fs::write(served.tree().join("a.txt"), "hello").unwrap();
    let base = format!("https://localhost:{}", served.https.port());
    let browser = Curl::signed_in_at(&base, "anna", PASSWORD);
    assert_eq!(browser.get("/files/a.txt").body, "hello");
    for (method, path) in [
        ("PUT", "/files/new"),
        ("DELETE", "/files/a.txt"),
        ("PUT", "/dav/new"),
        ("DELETE", "/dav/a.txt"),
        ("PROPFIND", "/dav/"),
        ("GET", "/dav/a.txt"),
    ] {
        let answer = browser.call(path, &["-X", method, "-d", "x"]);
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.head);
    }
    assert_eq!(std::fs::read(served.tree().join("a.txt")).unwrap(), b"hello");
    assert!(!served.tree().join("new").exists());
    let login = format!("anna:{PASSWORD}");
    assert_eq!(status(&served, &["-u", &login, "-T", "/etc/hostname"], "/files/new").0, 201);
    // Signed out, the cookie is worth nothing.
    assert_eq!(browser.post("/browse/", "/sign-out", &[]).status, 303);
    assert_eq!(browser.get("/files/a.txt").status, 401);
}

/// After too many wrong passwords every door says so, to the right one too; a key still opens.
#[test]
fn a_locked_account_is_told_so_at_every_door() {
    let served = Causeway::serve();
    served.account("anna", PASSWORD, &[]);
    let key = served.folder().join("id");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let public = key.with_extension("pub");
    let (code, _, stderr) = run(&mut served.command(&["account", "key", "add", "anna", public.to_str().unwrap()]));
    assert_eq!(code, 0, "{stderr}");

    let mut last = (0, String::new());
    for _ in 0..15 {
        last = status(&served, &["-u", "anna:wrong"], "/dav/");
        if last.0 == 429 {
            break;
        }
        assert_eq!(last.0, 401, "{}", last.1);
    }
    assert_eq!(last.0, 429, "{}", last.1);
    assert!(last.1.contains("retry-after: "), "{}", last.1);
    let login = format!("anna:{PASSWORD}");
    assert_eq!(status(&served, &["-u", &login], "/files/").0, 429, "the right password too");
    let base = format!("https://localhost:{}", served.https.port());
    let browser = Curl { base: &base, jar: tempfile::NamedTempFile::new().unwrap() };
    let page = browser.post("/sign-in", "/sign-in", &[("name", "anna"), ("password", PASSWORD)]);
    assert_ne!(page.status, 303);
    assert!(page.body.to_ascii_lowercase().contains("too many failed"), "{}", page.body);

    let sftp = |more: &[&str], port: u16| {
        let mut sftp = Command::new("timeout");
        sftp.args([
            "60",
            "sftp",
            "-q",
            "-oBatchMode=yes",
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
        ]);
        sftp.args(["-oIdentitiesOnly=yes", &format!("-oPort={port}")]).args(more).arg("anna@127.0.0.1");
        run(sftp.stdin(Stdio::null()))
    };
    let (code, _, stderr) = sftp(&["-i", key.to_str().unwrap()], served.sftp.port());
    assert_eq!(code, 0, "{stderr}");
}

/// The first page tells the addresses by the name under which it was reached.
#[test]
fn the_first_page_tells_addresses_that_work() {
    let served = Causeway::serve();
    served.account("ops", PASSWORD, &["--admin"]);
    for host in ["localhost", "127.0.0.1"] {
        let base = format!("https://{host}:{}", served.https.port());
        let page = Curl::signed_in_at(&base, "ops", PASSWORD).get("/").body;
        for address in
            [format!("{base}/dav/"), format!("{base}/files/"), format!("sftp -P {} {host}", served.sftp.port())]
        {
            assert!(page.contains(&format!("<code>{address}</code>")), "{address}: {page}");
        }
    }
}

/// The usual soft limit of open files is less than what the doors admit.
#[test]
fn it_may_open_as_many_files_as_the_system_allows() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    for (name, value) in command(folder.path()).get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let free = "127.0.0.1:0";
    shell.env("CAUSEWAY_HTTPS_LISTEN", free).env("CAUSEWAY_SFTP_LISTEN", free).current_dir(folder.path());
    let mut serving = shell
        .args(["-c", "ulimit -Sn 200; exec \"$0\" serve"])
        .arg(binary())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let soft_and_hard = || {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.id())).unwrap_or_default();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default().to_owned();
        [3, 4].map(|n| line.split_whitespace().nth(n).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0))
    };
    let begin = Instant::now();
    let raised = loop {
        let [soft, hard] = soft_and_hard();
        if soft > 200 || begin.elapsed() > Duration::from_secs(30) {
            break soft == hard;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(raised);
}

/// Who administers reads in the log which algorithms an old client offered in vain.
#[test]
fn what_an_old_client_would_have_needed_is_in_the_log() {
    let served = Causeway::serve();
    for (option, kind) in [
        ("KexAlgorithms=diffie-hellman-group14-sha1", "Kex"),
        ("HostKeyAlgorithms=ssh-rsa", "Key"),
        ("Ciphers=aes128-cbc", "Cipher"),
    ] {
        let mut ssh = Command::new("ssh");
        ssh.args(["-oBatchMode=yes", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]);
        ssh.args([&format!("-o{option}"), &format!("-oPort={}", served.sftp.port()), "anna@127.0.0.1"]);
        let (_, _, stderr) = run(ssh.stdin(Stdio::null()));
        assert!(stderr.contains("no matching"), "{option}: {stderr}");
        let name = option.split('=').nth(1).unwrap();
        let begin = Instant::now();
        let told = |log: &str| {
            log.lines()
                .any(|line| line.contains("no algorithm in common") && line.contains(name) && line.contains(kind))
        };
        while !told(&served.log()) {
            assert!(begin.elapsed() < Duration::from_secs(10), "{option} is not in the log: {}", served.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
