//! Ways in that need somebody else: a host that forwards, and an authority that vouches for a key.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use causeway::model::{Endpoint, Fault, FaultKind, Phase};
use causeway::remote::{host_key, jump_host, open};
use tempfile::TempDir;

use super::context;
use crate::support::sshd::{PASSWORD, Sshd, USER};

async fn refused(endpoint: &Endpoint) -> Fault {
    open(endpoint, &context()).await.err().expect("it must not open")
}

/// A server, and a host that forwards to it and takes the same key.
fn behind(gate: &[&str]) -> (Sshd, Sshd, Endpoint) {
    let (inside, gate) = (Sshd::start(), Sshd::start_with(gate));
    fs::copy(inside.file("authorized"), gate.file("authorized")).unwrap();
    let mut endpoint = inside.endpoint();
    endpoint.options.jump = Some(format!("{USER}@127.0.0.1:{}", gate.port));
    endpoint.options.jump_pin = Some(gate.pin());
    (inside, gate, endpoint)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_in_between_forwards_to_the_server() {
    let (inside, gate, mut endpoint) = behind(&[]);
    fs::write(inside.root().join("file"), "content").unwrap();
    let remote = open(&endpoint, &context()).await.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(gate.sessions() > 0 && inside.sessions() > 0, "both are on the way");
    let entry = remote.stat(&causeway::model::RelPath::new("file").unwrap()).await.unwrap();
    assert_eq!(entry.unwrap().size, Some(7));
    remote.close().await;
    let end = Instant::now() + Duration::from_secs(10);
    while gate.sessions() > 0 {
        assert!(Instant::now() < end, "the host in between is left, too");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Both host keys count, each for its own.
    let pin = endpoint.options.pin.take();
    let unknown = refused(&endpoint).await;
    assert!(unknown.kind == FaultKind::Tls && unknown.message.contains(&inside.pin()), "{unknown}");
    assert_eq!(host_key(&endpoint).await.unwrap().fingerprint, inside.pin());
    (endpoint.options.pin, endpoint.options.jump_pin) = (pin.clone(), None);
    let unknown = refused(&endpoint).await;
    assert!(unknown.kind == FaultKind::Tls && unknown.message.contains(&gate.pin()), "{unknown}");
    assert_eq!(host_key(&jump_host(&endpoint).unwrap().unwrap()).await.unwrap().fingerprint, gate.pin());
    endpoint.options.jump_pin = pin;
    let changed = refused(&endpoint).await;
    assert!(changed.kind == FaultKind::Tls && changed.message.contains("is pinned"), "{changed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_forward_says_so_and_never_sees_the_password() {
    let (inside, gate, mut endpoint) = behind(&["AllowTcpForwarding no"]);
    let fault = refused(&endpoint).await;
    assert_eq!((fault.phase, fault.kind), (Phase::Connect, FaultKind::Refused), "{fault}");
    assert!(fault.message.contains(&format!("does not reach 127.0.0.1 port {}", inside.port)), "{fault}");
    endpoint.options.key_file = None;
    endpoint.password = Some(causeway::model::Secret::new(PASSWORD));
    let fault = refused(&endpoint).await;
    assert_eq!((fault.phase, fault.kind), (Phase::Login, FaultKind::Auth), "{fault}");
    assert!(!gate.words().contains("password"), "it was not tried there: {}", gate.words());
}

/// An authority of its own, and a server that trusts it and no key.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Self(dir);
        authority.keygen(&["-t", "ed25519", "-N", "", "-f", &authority.file("ca")]);
        authority
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn keygen(&self, arguments: &[&str]) {
        let out = Command::new("ssh-keygen").arg("-q").args(arguments).output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {out:?}");
    }

    /// A key of this type with a certificate for the user.
    fn certified(&self, kind: &str, validity: &str) -> String {
        let file = self.file(&format!("{kind}{}", validity.len()));
        self.keygen(&["-t", kind, "-N", "", "-f", &file]);
        let public = format!("{file}.pub");
        self.keygen(&["-s", &self.file("ca"), "-I", "the badge", "-n", USER, "-V", validity, &public]);
        file
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_beside_the_key_opens_the_door() {
    let authority = Authority::new();
    let sshd = Sshd::start_with(&[&format!("TrustedUserCAKeys {}.pub", authority.file("ca"))]);
    let mut endpoint = sshd.endpoint();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        endpoint.options.key_file = Some(authority.certified(kind, "-5m:+5m"));
        let remote = open(&endpoint, &context()).await.unwrap_or_else(|fault| panic!("{kind}: {fault}"));
        remote.close().await;
    }
    let old = authority.certified("ed25519", "20200101:20200102");
    endpoint.options.key_file = Some(old.clone());
    let fault = refused(&endpoint).await;
    assert!(fault.kind == FaultKind::Auth && fault.message.contains("certificate “the badge”"), "{fault}");
    fs::write(format!("{old}-cert.pub"), "rubbish").unwrap();
    assert!(refused(&endpoint).await.message.contains("is not an OpenSSH certificate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_shows_its_certificates() {
    let authority = Authority::new();
    let sshd = Sshd::start_with(&[&format!("TrustedUserCAKeys {}.pub", authority.file("ca"))]);
    let socket = authority.file("agent");
    let mut agent = Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while !fs::exists(&socket).unwrap() {
        assert!(Instant::now() < end, "no agent");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut endpoint = sshd.endpoint();
    (endpoint.options.key_file, endpoint.options.agent) = (None, Some(socket.clone()));
    for kind in ["ed25519", "rsa"] {
        let key = authority.certified(kind, "-5m:+5m");
        let ssh_add = |arguments: &[&str]| {
            Command::new("ssh-add").arg("-q").args(arguments).env("SSH_AUTH_SOCK", &socket).output().unwrap()
        };
        assert!(ssh_add(&[&key]).status.success());
        let opened = open(&endpoint, &context()).await;
        assert!(ssh_add(&["-D"]).status.success());
        opened.unwrap_or_else(|fault| panic!("{kind}: {fault}")).close().await;
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
}
