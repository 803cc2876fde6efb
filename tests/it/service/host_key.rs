//! The host keys are changed, and OpenSSH's `sftp` knows the new ones by what it was told before.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::sftp::door::{bad, good, run};
use crate::support::causeway::{Causeway, run as ran};

const PASSWORD: &str = "correct horse battery";
const KINDS: [&str; 3] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"];

/// Comes in with these keys known, and no other.
fn sftp(served: &Causeway, known: &Path, kind: &str) -> Output {
    let mut command = Command::new("sshpass");
    command.args(["-p", PASSWORD, "sftp", "-oLogLevel=ERROR", "-oStrictHostKeyChecking=yes", "-oUpdateHostKeys=yes"]);
    command.args(["-oHostKeyAlias=files.example", "-oPubkeyAuthentication=no", "-oBatchMode=no", "-F", "none"]);
    command.args([&format!("-oUserKnownHostsFile={}", known.display()), "-oGlobalKnownHostsFile=/dev/null"]);
    command.args([&format!("-oHostKeyAlgorithms={kind}"), "-b", "-", &format!("-oPort={}", served.sftp.port())]);
    command.arg("anna@127.0.0.1");
    run(command, Some("pwd\n"), Duration::from_secs(60))
}

fn host_key(served: &Causeway, words: &[&str]) -> (i32, String, String) {
    ran(&mut served.command(&[&["host-key"], words].concat()))
}

/// What clients are told.
fn told(served: &Causeway, name: &str) -> std::path::PathBuf {
    let (code, lines, stderr) = host_key(served, &["list", "--known-hosts", "files.example"]);
    assert_eq!(code, 0, "{stderr}");
    let path = served.folder().join(name);
    std::fs::write(&path, lines).unwrap();
    path
}

#[test]
fn clients_that_were_told_of_the_next_keys_see_no_change() {
    let mut served = Causeway::serve();
    served.account("anna", PASSWORD, &[]);
    let (code, _, stderr) = host_key(&served, &["change"]);
    assert!(code == 1 && stderr.contains("causeway host-key prepare"), "{code}: {stderr}");
    let old = told(&served, "old");
    let (code, stdout, stderr) = host_key(&served, &["prepare"]);
    assert!(code == 0 && stdout.matches("SHA256:").count() == KINDS.len(), "{stdout}{stderr}");
    let both = told(&served, "both");
    let lines = std::fs::read_to_string(&both).unwrap();
    assert_eq!(lines.lines().count(), 2 * KINDS.len(), "{lines}");
    for kind in KINDS {
        good(&sftp(&served, &old, kind));
        good(&sftp(&served, &both, kind));
    }
    let (code, _, stderr) = host_key(&served, &["change"]);
    assert_eq!(code, 0, "{stderr}");
    good(&sftp(&served, &old, KINDS[0]));
    assert_eq!(served.stop(), 0);
    served.again();
    for kind in KINDS {
        good(&sftp(&served, &both, kind));
        assert!(bad(&sftp(&served, &old, kind)).contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{kind}");
    }
    assert_eq!(std::fs::read_to_string(&both).unwrap(), lines, "the door announces nothing");
    let (_, listed, _) = host_key(&served, &["list", "--json"]);
    assert!(listed.contains("\"used\"") && !listed.contains("\"next\""), "{listed}");
    let (_, log, _) = ran(&mut served.command(&["audit", "list"]));
    assert_eq!(log.matches("host-key-changed").count(), KINDS.len(), "{log}");
}
