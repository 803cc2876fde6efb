//! Whom we trust, and how we get in.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use causeway::model::{Endpoint, Fault, FaultKind, Phase, Retry, Secret};
use causeway::remote::{host_key, open};
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
