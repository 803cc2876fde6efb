//! Who is here, with what, and how somebody is shown out; clients that know nothing newer than what is outdated.

use std::process::Command;
use std::time::Duration;

use causeway::audit::{AuditLog, Filter};
use causeway::model::SystemClock;
use causeway::serve::sftp::Settings;

use super::door::{Fixture, PASSWORD, good, noise, run};
use super::raw::Field::{L, S, U};
use super::raw::Raw;

const OPEN: u8 = 3;
const WRITE: u8 = 6;
const RENAME: u8 = 18;

/// OpenSSH's `ssh` with only these algorithms asks for a digest, which needs a login.
fn asks(f: &Fixture, options: &[&str]) -> std::process::Output {
    let mut command = Command::new("sshpass");
    command.args(["-p", PASSWORD, "ssh", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]);
    command.args(["-oPubkeyAuthentication=no", "-oLogLevel=VERBOSE", &format!("-oPort={}", f.address.port())]);
    command.args(options).args(["anna@127.0.0.1", "md5sum", "x"]);
    run(command, None, Duration::from_secs(60))
}

fn logged(f: &Fixture, action: &str) -> Vec<String> {
    let log = AuditLog::new(f.db.clone(), std::sync::Arc::new(SystemClock));
    let filter = Filter { action: Some(action.to_owned()), limit: 100, ..Filter::default() };
    let page = f.runtime().block_on(log.page(&filter)).unwrap();
    page.iter().map(|record| format!("{:?}", record.event)).collect()
}

#[test]
fn whoever_is_here_is_seen_and_can_be_shown_out() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "bert");
    let file = raw.handle(OPEN, 1, &[S(b"a.part"), U(0x1a), U(0)]);
    assert_eq!(raw.status(WRITE, 2, &[S(&file), L(0), S(&noise(30_000))]), 0);
    let seen = f.presence.list();
    let [bert] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((bert.who.account.as_str(), bert.who.peer.ip().to_string().as_str()), ("bert", "127.0.0.1"));
    assert!(bert.who.client.starts_with("SSH-2.0-OpenSSH_"), "{bert:?}");
    // What OpenSSH 9.2 and the door have in common.
    assert_eq!(bert.who.kex.as_deref(), Some("curve25519-sha256"));
    assert!(bert.who.cipher.as_deref().is_some_and(|cipher| cipher.starts_with("chacha20")), "{bert:?}");
    assert_eq!((bert.moving[0].path.as_str(), bert.moving[0].bytes), ("home/bert/a.part", 30_000));
    assert_eq!((bert.uploaded, bert.downloaded), (30_000, 0));
    assert_eq!(raw.status(RENAME, 3, &[S(b"a.part"), S(b"a")]), 0);
    assert_eq!(f.presence.list()[0].moving[0].path, "home/bert/a");
    assert!(f.presence.show_out(bert.id, None).is_some());
    assert!(raw.ended().contains("this connection was ended on the dashboard"));
    f.eventually("the place is free", || f.presence.list().is_empty());
    assert_eq!(f.presence.show_out(bert.id, None).map(|who| who.account), None);
}

#[test]
fn what_was_agreed_on_is_what_the_client_says() {
    let f = Fixture::new();
    for cipher in ["aes128-gcm@openssh.com", "aes256-ctr"] {
        let out = asks(&f, &["-v", &format!("-oCiphers={cipher}"), "-oKexAlgorithms=diffie-hellman-group16-sha512"]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains("kex: algorithm: diffie-hellman-group16-sha512"), "{said}");
        assert!(said.contains(&format!("cipher: {cipher}")) && said.contains("compression: none"), "{said}");
        assert!(said.contains("strict") || said.contains("kex: host key algorithm: ssh-ed25519"), "{said}");
    }
    assert!(logged(&f, "outdated-client").is_empty(), "none of this is outdated");
}

#[test]
fn one_account_does_not_take_every_place() {
    let f = Fixture::with(&Settings { per_account: 1, ..Settings::default() });
    let first = Raw::greeted(&f, "anna");
    let said = Raw::new(&f, "anna").ended();
    assert!(said.contains("has 1 connections already"), "{said}");
    good(&f.sftp("reader", &[], "pwd\n"));
    drop(first);
    f.eventually("the place is free", || f.presence.of("anna") == 0);
    good(&f.sftp("anna", &[], "pwd\n"));
}

#[test]
fn outdated_clients_are_refused_or_borne_and_written_down() {
    let old = [
        &["-oKexAlgorithms=diffie-hellman-group14-sha1"][..],
        &["-oHostKeyAlgorithms=ssh-rsa"],
        &["-oCiphers=aes128-cbc", "-oMACs=hmac-sha1"],
    ];
    let f = Fixture::new();
    for options in old {
        let out = asks(&f, options);
        assert!(String::from_utf8_lossy(&out.stderr).contains("no matching"), "{options:?}: {out:?}");
    }
    let f = Fixture::with(&Settings { legacy: true, ..Settings::default() });
    asks(&f, &[]);
    assert!(logged(&f, "outdated-client").is_empty(), "a current client agrees on what is current");
    for options in old {
        let out = asks(&f, options);
        assert!(String::from_utf8_lossy(&out.stderr).contains("x: No such file"), "{options:?}: {out:?}");
    }
    let written = logged(&f, "outdated-client").join("\n");
    for name in ["diffie-hellman-group14-sha1", "ssh-rsa", "aes128-cbc", "hmac-sha1", "anna", "OpenSSH"] {
        assert!(written.contains(name), "{name}: {written}");
    }
}
