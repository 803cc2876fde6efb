//! Whom we trust, and how we get in.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use causeway::model::{Endpoint, Fault, FaultKind, Phase, Retry, Secret};
use causeway::remote::{host_key, open};
use russh::MethodKind;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use tokio::io::AsyncWriteExt as _;

use super::context;
use crate::support::odd_sftp::{self, Odd, OddSftp};
use crate::support::sshd::{PASSPHRASE, PASSWORD, Sshd};

async fn refused(endpoint: &Endpoint) -> Fault {
    open(endpoint, &context()).await.err().expect("it must not open")
}

async fn comes_in(endpoint: &Endpoint) {
    let remote = open(endpoint, &context()).await.unwrap_or_else(|fault| panic!("{fault}"));
    remote.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_is_told_then_pinned_and_a_change_is_refused() {
    let mut sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    let pin = endpoint.options.pin.take().unwrap();
    let unknown = refused(&endpoint).await;
    assert_eq!((unknown.phase, unknown.kind, unknown.retry), (Phase::Tls, FaultKind::Tls, Retry::Never));
    assert!(unknown.message.contains(&pin) && unknown.message.contains("ssh-keygen"), "{unknown}");
    let shown = host_key(&endpoint).await.unwrap();
    assert_eq!((shown.fingerprint.as_str(), shown.algorithm.as_str()), (pin.as_str(), "ssh-ed25519"));
    endpoint.options.pin = Some(pin.clone());
    comes_in(&endpoint).await;
    sshd.stop();
    sshd.change_host_key();
    sshd.start_again();
    let changed = refused(&endpoint).await;
    assert_eq!((changed.kind, changed.retry), (FaultKind::Tls, Retry::Never));
    assert!(changed.message.contains(&pin) && changed.message.contains(&sshd.pin()), "{changed}");
    assert!(changed.message.contains("nothing was sent"), "{changed}");
    // The server saw neither a name nor a password.
    assert!(!sshd.words().contains("Accepted") && !sshd.words().contains("Failed"), "{}", sshd.words());
    endpoint.options.pin = Some(sshd.pin());
    comes_in(&endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_open_the_door() {
    let sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    for key in ["key", "rsa_key"] {
        endpoint.options.key_file = Some(sshd.file(key));
        comes_in(&endpoint).await;
    }
    endpoint.options.key_file = Some(sshd.file("locked_key"));
    let locked = refused(&endpoint).await;
    assert!(locked.kind == FaultKind::Auth && locked.message.contains("passphrase"), "{locked}");
    endpoint.password = Some(Secret::new("wrong"));
    let wrong = refused(&endpoint).await;
    assert!(wrong.message.contains("does not open") && !wrong.message.contains("wrong"), "{wrong}");
    endpoint.password = Some(Secret::new(PASSPHRASE));
    comes_in(&endpoint).await;
    endpoint.options.key_file = Some(sshd.file("conf"));
    assert!(refused(&endpoint).await.message.contains("cannot be used as an SSH private key"));
    endpoint.options.key_file = Some(sshd.file("nowhere"));
    assert!(refused(&endpoint).await.message.contains("cannot read the key file"));
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_opens_the_door_and_a_dead_one_does_not_close_it() {
    let sshd = Sshd::start();
    let socket = sshd.file("agent");
    let agent = Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
    let agent = Agent(agent);
    let end = Instant::now() + Duration::from_secs(10);
    while !fs::exists(&socket).unwrap() {
        assert!(Instant::now() < end, "no agent");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut endpoint = sshd.endpoint();
    (endpoint.options.key_file, endpoint.options.agent) = (None, Some(socket.clone()));
    let empty = refused(&endpoint).await;
    assert!(empty.kind == FaultKind::Auth && empty.message.contains("nothing to log in"), "{empty}");
    let added = Command::new("ssh-add").args(["-q", &sshd.file("key")]).env("SSH_AUTH_SOCK", &socket).status();
    assert!(added.unwrap().success());
    comes_in(&endpoint).await;
    drop(agent);
    endpoint.password = Some(Secret::new(PASSWORD));
    comes_in(&endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_the_door_and_a_wrong_one_is_sent_once() {
    let sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    endpoint.options.key_file = None;
    endpoint.password = Some(Secret::new(PASSWORD));
    comes_in(&endpoint).await;
    endpoint.password = Some(Secret::new("wrong-horse"));
    let wrong = refused(&endpoint).await;
    assert_eq!((wrong.phase, wrong.kind, wrong.retry), (Phase::Login, FaultKind::Auth, Retry::Never));
    assert!(!wrong.message.contains("wrong-horse"), "{wrong}");
    assert_eq!(sshd.words().matches("Failed password").count(), 1, "{}", sshd.words());
    endpoint.user = String::new();
    assert!(refused(&endpoint).await.message.contains("sftp://user@host"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_question_that_means_the_password_is_answered() {
    let server = OddSftp::start(Odd { asks: true, ..Odd::default() }).await;
    comes_in(&server.endpoint()).await;
    let mut endpoint = server.endpoint();
    endpoint.password = Some(Secret::new("wrong-horse"));
    assert_eq!(refused(&endpoint).await.kind, FaultKind::Auth);
    assert_eq!(*server.tried.lock().unwrap(), [odd_sftp::PASSWORD, "wrong-horse"]);
}

/// What a plain server says to whoever comes.
async fn says(words: &'static [u8]) -> Fault {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(words).await.unwrap();
        drop(socket);
    });
    let fault = refused(&Endpoint::parse(&format!("sftp://a@127.0.0.1:{port}/")).unwrap()).await;
    server.await.unwrap();
    fault
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_ssh_server_is_said() {
    let ftp = says(b"220 Welcome to the FTP service\r\n").await;
    assert_eq!((ftp.phase, ftp.kind), (Phase::Banner, FaultKind::Protocol));
    assert!(ftp.message.contains("220 Welcome"), "{ftp}");
    let full = says(b"Exceeded MaxStartups\r\n").await;
    assert_eq!((full.phase, full.kind), (Phase::Banner, FaultKind::Limit));
    let gone = says(b"").await;
    assert_eq!((gone.phase, gone.kind), (Phase::Banner, FaultKind::ClosedEarly));
}

/// A key that nobody knows, in a file.
fn stray_key(folder: &Path) -> String {
    let file = folder.join("stray");
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[9; 32]));
    fs::write(&file, key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_two_ways_gets_both_in_its_order() {
    for (methods, missing) in [("publickey,password", "password"), ("password,publickey", "publickey")] {
        let sshd = Sshd::start_with(&[&format!("AuthenticationMethods {methods}")]);
        let mut endpoint = sshd.endpoint();
        endpoint.password = Some(Secret::new(PASSWORD));
        comes_in(&endpoint).await;
        // One of the two is not enough, and what is missing is said.
        if missing == "password" {
            endpoint.password = None;
        } else {
            endpoint.options.key_file = None;
        }
        let half = refused(&endpoint).await;
        assert_eq!((half.phase, half.kind), (Phase::Login, FaultKind::Auth), "{half}");
        assert!(half.message.contains("asks for more") && half.message.contains(missing), "{methods}: {half}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_an_agent_open_a_door_that_asks_for_two() {
    let sshd = Sshd::start_with(&["AuthenticationMethods publickey,publickey"]);
    let mut endpoint = sshd.endpoint();
    let one = refused(&endpoint).await;
    assert!(one.message.contains("asks for more") && one.message.contains("publickey"), "{one}");
    let socket = sshd.file("agent");
    let agent = Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
    let _agent = Agent(agent);
    let end = Instant::now() + Duration::from_secs(10);
    while !fs::exists(&socket).unwrap() {
        assert!(Instant::now() < end, "no agent");
        std::thread::sleep(Duration::from_millis(20));
    }
    for key in ["key", "rsa_key"] {
        let added = Command::new("ssh-add").args(["-q", &sshd.file(key)]).env("SSH_AUTH_SOCK", &socket).status();
        assert!(added.unwrap().success());
    }
    (endpoint.options.key_file, endpoint.options.agent) = (None, Some(socket));
    comes_in(&endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_goes_only_where_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let code = Some(("Verification code: ", false));
    for (second, question, asks_for) in [
        (MethodKind::PublicKey, None, "publickey"),
        // Hidden, and no password all the same.
        (MethodKind::KeyboardInteractive, code, "Verification code"),
    ] {
        let server = OddSftp::start(Odd { second: Some(second), question, ..Odd::default() }).await;
        let mut endpoint = server.endpoint();
        endpoint.options.key_file = Some(stray_key(folder.path()));
        let more = refused(&endpoint).await;
        assert!(more.kind == FaultKind::Auth && more.message.contains(asks_for), "{more}");
        assert!(server.tried.lock().unwrap().is_empty(), "{:?} for {second:?}", server.tried);
    }
    for (second, question) in [(MethodKind::Password, None), (MethodKind::KeyboardInteractive, None)] {
        let server = OddSftp::start(Odd { second: Some(second), question, ..Odd::default() }).await;
        let mut endpoint = server.endpoint();
        endpoint.options.key_file = Some(stray_key(folder.path()));
        comes_in(&endpoint).await;
        assert_eq!(*server.tried.lock().unwrap(), [odd_sftp::PASSWORD]);
    }
    // Without a key, and only a key would do.
    let server = OddSftp::start(Odd { second: Some(MethodKind::Password), ..Odd::default() }).await;
    let keys = refused(&server.endpoint()).await;
    assert!(keys.message.contains("by publickey only") && server.tried.lock().unwrap().is_empty(), "{keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_asks_is_shown_on_one_line_and_shortened() {
    let long: &'static str = format!("\x1b[2J\r\ncode {}", "x".repeat(5000)).leak();
    let server = OddSftp::start(Odd { asks: true, question: Some((long, true)), ..Odd::default() }).await;
    let asked = refused(&server.endpoint()).await;
    assert!(asked.message.contains("code xx") && asked.message.chars().count() < 400, "{asked}");
    assert!(!asked.message.chars().any(char::is_control), "{asked:?}");
}
