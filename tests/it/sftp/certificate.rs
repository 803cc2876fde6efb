//! OpenSSH's user certificates, made by its `ssh-keygen` and shown by its `sftp`.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use causeway::account::{Change, Revocation};
use causeway::audit::{Actor, AuditLog, Event, Filter, LoginMethod, LoginRefusal};
use causeway::model::{Clock as _, ManualClock, SystemClock};
use causeway::serve::sftp::Settings;
use jiff::SignedDuration;

use super::door::{Fixture, bad, good, run};

/// A door that believes one authority, and that authority.
struct House {
    door: Fixture,
    clock: Arc<ManualClock>,
    authority: String,
}

fn keygen(arguments: &[&str]) {
    let output = Command::new("ssh-keygen").arg("-q").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let door = Fixture::at(&Settings::default(), clock.clone());
        let mut house = Self { door, clock, authority: String::new() };
        let line = house.key("ca", "ed25519", "");
        let accounts = house.door.accounts.clone();
        house.authority = house.door.runtime().block_on(accounts.add_authority(&Actor::System, &line)).unwrap();
        house
    }

    fn path(&self, name: &str) -> String {
        self.door.local(name).to_str().unwrap().to_owned()
    }

    /// Makes a key, and returns its public line.
    fn key(&self, name: &str, kind: &str, bits: &str) -> String {
        let path = self.path(name);
        let bits: Vec<&str> = if bits.is_empty() { Vec::new() } else { vec!["-b", bits] };
        keygen(&[&["-t", kind, "-N", "", "-C", name, "-f", &path], &bits[..]].concat());
        std::fs::read_to_string(PathBuf::from(path).with_extension("pub")).unwrap()
    }

    /// Signs the public key `name`.
    fn sign(&self, authority: &str, name: &str, more: &[&str]) {
        let (authority, subject) = (self.path(authority), self.path(&format!("{name}.pub")));
        keygen(&[&["-s", &authority, "-I", "anna@laptop"], more, &[&subject]].concat());
    }

    fn sftp(&self, user: &str, name: &str) -> Output {
        let mut command = Command::new("sftp");
        command.args(["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oBatchMode=yes"]);
        command.args(["-F", "none", "-oIdentityAgent=none", "-oIdentitiesOnly=yes"]);
        command.arg(format!("-oIdentityFile={}", self.path(name)));
        command.args(["-b", "-", &format!("-oPort={}", self.door.address.port()), &format!("{user}@127.0.0.1")]);
        run(command, Some("ls\n"), Duration::from_secs(60))
    }

    /// `ssh anna@…` with the key `user` and its certificate.
    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oBatchMode=yes", "-F", "none"]);
        command.args(["-oIdentityAgent=none", "-oIdentitiesOnly=yes", "-i", &self.path("user")]);
        command.args(["-p", &self.door.address.port().to_string(), "anna@127.0.0.1"]);
        command
    }

    fn last(&self) -> Event {
        let log = AuditLog::new(self.door.db.clone(), self.clock.clone());
        let page = self.door.runtime().block_on(log.page(&Filter::default())).unwrap();
        page.into_iter().find_map(|record| record.event).unwrap()
    }

    #[track_caller]
    fn is_refused(&self, why: LoginRefusal) {
        let said = bad(&self.sftp("anna", "user"));
        assert!(said.contains("Permission denied"), "{said}");
        let last = self.last();
        assert!(matches!(last, Event::LoginFailed { reason, certificate: Some(_), .. } if reason == why), "{last:?}");
    }
}

#[test]
fn keys_of_every_kind_come_in_by_their_certificate() {
    let house = House::new();
    for (kind, bits) in [("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "521"), ("rsa", "3072")] {
        let name = format!("{kind}{bits}");
        house.key(&name, kind, bits);
        bad(&house.sftp("anna", &name));
        house.sign("ca", &name, &["-n", "anna,other", "-z", "18446744073709551615"]);
        good(&house.sftp("anna", &name));
        let Event::LoginSucceeded { account, method, with, certificate: Some(shown), .. } = house.last() else {
            panic!("{kind}: {:?}", house.last())
        };
        assert_eq!((account.as_str(), method, with.len()), ("anna", LoginMethod::Certificate, 0));
        assert_eq!((shown.key_id.as_str(), shown.serial.as_str()), ("anna@laptop", "18446744073709551615"));
        assert_eq!(shown.authority, house.authority);
    }
    for (kind, bits) in [("rsa", "2048"), ("ecdsa", "384")] {
        let name = format!("ca-{kind}");
        let line = house.key(&name, kind, bits);
        house.door.runtime().block_on(house.door.accounts.add_authority(&Actor::System, &line)).unwrap();
        house.key(&format!("by-{kind}"), "ed25519", "");
        house.sign(&name, &format!("by-{kind}"), &["-n", "anna"]);
        good(&house.sftp("anna", &format!("by-{kind}")));
    }
}

#[test]
fn a_certificate_is_looked_at_from_every_side() {
    let house = House::new();
    house.key("user", "ed25519", "");
    house.key("stranger", "ed25519", "");
    house.sign("stranger", "user", &["-n", "anna"]);
    house.is_refused(LoginRefusal::CertificateAuthority);
    house.sign("ca", "user", &["-n", "bert"]);
    house.is_refused(LoginRefusal::CertificatePrincipal);
    house.sign("ca", "user", &[]);
    house.is_refused(LoginRefusal::CertificatePrincipal);
    house.sign("ca", "user", &["-n", "anna", "-O", "source-address=192.0.2.0/24,::1"]);
    house.is_refused(LoginRefusal::CertificateAddress);
    house.sign("ca", "user", &["-n", "anna", "-O", "source-address=192.0.2.0/24,127.0.0.0/8"]);
    good(&house.sftp("anna", "user"));
    house.sign("ca", "user", &["-n", "anna", "-O", "force-command=/bin/sh"]);
    house.is_refused(LoginRefusal::CertificateOption);
    house.sign("ca", "user", &["-n", "anna", "-O", "critical:unheard@example.org=1"]);
    house.is_refused(LoginRefusal::CertificateOption);
    house.sign("ca", "user", &["-n", "anna", "-O", "extension:unheard@example.org=1"]);
    good(&house.sftp("anna", "user"));
    // One that has run out by the machine's clock is refused before we are asked; this one has by ours.
    house.sign("ca", "user", &["-n", "anna", "-V", "-2d:-1d"]);
    bad(&house.sftp("anna", "user"));
    house.sign("ca", "user", &["-n", "anna", "-V", "-1d:+1d"]);
    good(&house.sftp("anna", "user"));
    house.clock.advance(SignedDuration::from_hours(25));
    house.is_refused(LoginRefusal::CertificateExpired);
    house.sign("ca", "user", &["-n", "anna"]);
    let off = Change { disabled: Some(true), ..Change::default() };
    house.door.runtime().block_on(house.door.accounts.change(&Actor::System, "anna", &off)).unwrap();
    house.is_refused(LoginRefusal::Disabled);
}

#[test]
fn a_certificate_for_hosts_or_with_a_weak_signature_opens_nothing() {
    let house = House::new();
    let line = house.key("ca-rsa", "rsa", "3072");
    house.door.runtime().block_on(house.door.accounts.add_authority(&Actor::System, &line)).unwrap();
    house.key("user", "ed25519", "");
    house.sign("ca-rsa", "user", &["-n", "anna", "-t", "ssh-rsa"]);
    bad(&house.sftp("anna", "user"));
    house.sign("ca-rsa", "user", &["-n", "anna", "-t", "rsa-sha2-256"]);
    good(&house.sftp("anna", "user"));
    // OpenSSH's client keeps one for hosts to itself; paramiko shows it.
    house.sign("ca", "user", &["-h", "-n", "anna"]);
    let program = format!(
        "import paramiko\n\
         t = paramiko.Transport(('127.0.0.1', {}))\n\
         k = paramiko.Ed25519Key.from_private_key_file('{path}')\n\
         k.load_certificate('{path}-cert.pub')\n\
         t.connect(username='anna', pkey=k)\n",
        house.door.address.port(),
        path = house.path("user")
    );
    let mut command = Command::new("python3");
    command.args(["-c", &program]);
    let said = bad(&run(command, None, Duration::from_secs(60)));
    assert!(said.contains("AuthenticationException"), "{said}");
    let last = house.last();
    assert!(matches!(last, Event::LoginFailed { reason: LoginRefusal::CertificateKind, .. }), "{last:?}");
}

#[test]
fn a_certificate_for_sftp_only_runs_no_command() {
    let house = House::new();
    house.key("user", "ed25519", "");
    house.sign("ca", "user", &["-n", "anna", "-O", "force-command=internal-sftp"]);
    good(&house.sftp("anna", "user"));
    let mut command = house.ssh();
    command.args(["md5sum", "x"]);
    let said = bad(&run(command, None, Duration::from_secs(60)));
    assert!(said.contains("your certificate is for SFTP only"), "{said}");
}

#[test]
fn what_is_revoked_opens_nothing_and_ends() {
    let house = House::new();
    let accounts = house.door.accounts.clone();
    house.key("user", "ed25519", "");
    house.sign("ca", "user", &["-n", "anna", "-z", "17"]);
    good(&house.sftp("anna", "user"));
    let seventeen = Revocation::Serial(17.try_into().unwrap());
    house.door.runtime().block_on(accounts.revoke(&Actor::System, &house.authority, &seventeen)).unwrap();
    house.is_refused(LoginRefusal::CertificateRevoked);
    house.sign("ca", "user", &["-n", "anna", "-z", "18"]);

    // One that is open ends with its authority.
    let mut open = house.ssh().arg("-N").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let eighteen =
        |event: &Event| matches!(event, Event::LoginSucceeded { certificate: Some(shown), .. } if shown.serial == "18");
    house.door.eventually("it is in", || eighteen(&house.last()));
    assert!(open.try_wait().unwrap().is_none());
    house.door.runtime().block_on(accounts.remove_authority(&Actor::System, &house.authority)).unwrap();
    house.door.eventually("it has ended", || open.try_wait().unwrap().is_some());
    bad(&house.sftp("anna", "user"));

    let line = std::fs::read_to_string(house.path("ca.pub")).unwrap();
    house.door.runtime().block_on(accounts.add_authority(&Actor::System, &line)).unwrap();
    good(&house.sftp("anna", "user"));
    let all = Revocation::KeyId("anna@laptop".to_owned());
    house.door.runtime().block_on(accounts.revoke(&Actor::System, &house.authority, &all)).unwrap();
    house.is_refused(LoginRefusal::CertificateRevoked);
}
