//! Second factors, required factors and certificate authorities at the command line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::support::causeway::{command, run};
use crate::support::totp;

#[test]
fn a_second_factor_is_made_required_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let causeway = |arguments: &[&str]| run(command(folder.path()).args(arguments));
    let (code, ..) =
        run(command(folder.path()).args(["account", "add", "anna"]).env("CAUSEWAY_PASSWORD", "correct horse"));
    assert_eq!(code, 0);
    let (code, _, stderr) = causeway(&["account", "change", "anna", "--require", "key+code"]);
    assert!(code == 1 && stderr.contains("'anna' has no second factor"), "{stderr}");
    let (code, _, stderr) = causeway(&["account", "change", "anna", "--require", "code"]);
    assert!(code == 2 && stderr.contains("password+code"), "{stderr}");

    let mut command = command(folder.path());
    command.args(["account", "totp", "on", "anna"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut typed, mut said) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut until = |word: &str| {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "no line with '{word}'");
        }
        line
    };
    let line = until("secret  ");
    let secret = line.split_whitespace().last().unwrap();
    assert!(until("otpauth://").contains(&format!("secret={secret}&issuer=Causeway")));
    writeln!(typed, "000000").unwrap();
    until("the code is not right");
    writeln!(typed, "{}", totp::code_after(secret, 0)).unwrap();
    until("holds");
    assert!(child.wait().unwrap().success());

    assert_eq!(causeway(&["account", "change", "anna", "--require", "key+code"]).0, 0);
    let shown: serde_json::Value = serde_json::from_str(&causeway(&["account", "list", "--json"]).1).unwrap();
    assert_eq!((&shown[0]["second-factor"], &shown[0]["requires"]), (&true.into(), &"key+code".into()));
    let (code, _, stderr) = causeway(&["account", "totp", "off", "anna"]);
    assert!(code == 1 && stderr.contains("require something else first"), "{stderr}");
    assert_eq!(causeway(&["account", "change", "anna", "--require", "any"]).0, 0);
    assert_eq!(causeway(&["account", "totp", "off", "anna"]).0, 0);
    assert!(causeway(&["account", "list"]).1.contains("any"));
    assert!(!causeway(&["audit", "export"]).1.contains(secret));
}

#[test]
fn authorities_are_added_listed_revoked_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let causeway = |arguments: &[&str]| run(command(folder.path()).args(arguments));
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMGehDU+r7CITpshUtSc5bczaYKr5h3AdCe8b4cIOEh3 our CA";
    let fingerprint = "SHA256:YPUHrvrxnz8bsqk+uiYdRuJ1+a5mJ0In3U7d3MMnhoU";
    std::fs::write(folder.path().join("ca.pub"), line).unwrap();
    assert_eq!(causeway(&["ca", "add", "ca.pub"]).0, 0);
    let (code, _, stderr) = causeway(&["ca", "add", "ca.pub"]);
    assert!(code == 1 && stderr.contains("accepted already"), "{stderr}");
    let listed = causeway(&["ca", "list"]).1;
    assert!(listed.contains(fingerprint) && listed.contains("our CA"), "{listed}");
    assert_eq!(causeway(&["ca", "revoke", fingerprint, "--serial", "0"]).0, 2, "0 is no number of a certificate");
    assert_eq!(causeway(&["ca", "revoke", fingerprint]).0, 2);
    assert_eq!(causeway(&["ca", "revoke", fingerprint, "--serial", "17"]).0, 0);
    assert_eq!(causeway(&["ca", "revoke", fingerprint, "--key-id", "anna@laptop"]).0, 0);
    let (code, _, stderr) = causeway(&["ca", "revoke", "SHA256:x", "--serial", "17"]);
    assert!(code == 1 && stderr.contains("no certificate authority SHA256:x"), "{stderr}");
    assert_eq!(causeway(&["ca", "remove", fingerprint]).0, 0);
    assert!(causeway(&["ca", "list"]).1.contains("no authority"));
    let log = causeway(&["audit", "export"]).1;
    for word in ["authority-added", "serial 17", "key id anna@laptop", "authority-removed"] {
        assert!(log.contains(word), "{word}: {log}");
    }
}

#[test]
fn a_quota_is_set_shown_and_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let causeway = |arguments: &[&str]| run(command(folder.path()).args(arguments));
    let add = |name: &str, more: &[&str]| {
        let arguments = [&["account", "add", name, "--no-password", "--home", name], more].concat();
        causeway(&arguments)
    };
    assert_eq!(add("anna", &["--quota", "10GiB"]).0, 0);
    assert_eq!(add("bert", &[]).0, 0);
    let (code, _, stderr) = add("carl", &["--quota-files", "0"]);
    assert!(code == 2 && stderr.contains("--quota-files"), "{stderr}");
    let shown = || serde_json::from_str::<serde_json::Value>(&causeway(&["account", "list", "--json"]).1).unwrap();
    assert_eq!(shown()[0]["quota"], serde_json::json!({"bytes": 10_u64 << 30, "files": null}));
    assert_eq!(causeway(&["account", "change", "anna", "--quota-files", "5000"]).0, 0);
    let table = causeway(&["account", "list"]).1;
    assert!(table.contains("10GiB, 5000 files") && table.contains("none"), "{table}");
    assert_eq!(causeway(&["account", "change", "anna", "--quota", "none"]).0, 0);
    assert_eq!(shown()[0]["quota"], serde_json::json!({"bytes": null, "files": 5000}));
    let (code, _, stderr) = causeway(&["account", "change", "anna", "--quota", "much"]);
    assert!(code == 2 && stderr.contains("for example 500KiB"), "{stderr}");
    assert!(causeway(&["audit", "export"]).1.contains("quota"));
}
