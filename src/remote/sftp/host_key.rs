//! Whose server is it? One key is pinned; no other server gets to see a name or a password.
//! RFC 4253 section 8, fingerprints as in RFC 4255.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use russh::Names;
use russh::client::{DisconnectReason, Handler, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};

use super::{HostKey, fault};
use crate::model::{Fault, FaultKind, Phase};

/// How a host key is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Only the key with this SHA-256.
    Pin([u8; 32]),
    /// None is known yet: the one that is shown is said, and refused.
    Nobody,
    /// Any.
    Anything,
}

impl Trust {
    /// The pin as people write it: `SHA256:…` as `ssh-keygen -l` shows it, or 64 hexadecimal digits.
    pub(super) fn of(pin: Option<&str>, insecure: bool) -> Result<Self, Fault> {
        match pin.map(str::trim) {
            None if insecure => Ok(Self::Anything),
            None => Ok(Self::Nobody),
            Some(pin) => read_pin(pin).map(Self::Pin).ok_or_else(|| {
                let why = "the pin must be the SHA-256 of the server's host key: SHA256:… as 'ssh-keygen -lf \
                           /etc/ssh/ssh_host_ed25519_key.pub' shows it there, or 64 hexadecimal digits";
                Fault::new(Phase::Tls, FaultKind::Tls, why)
            }),
        }
    }
}

/// Do two pins mean the same key, however they are written?
#[must_use]
pub fn same_pin(one: &str, other: &str) -> bool {
    one.trim() == other.trim() || read_pin(one.trim()).is_some_and(|key| read_pin(other.trim()) == Some(key))
}

fn read_pin(pin: &str) -> Option<[u8; 32]> {
    let bytes = match pin.strip_prefix("SHA256:") {
        Some(base64) => BASE64_NOPAD.decode(base64.trim_end_matches('=').as_bytes()).ok()?,
        None => HEXLOWER_PERMISSIVE.decode(pin.replace([':', ' '], "").as_bytes()).ok()?,
    };
    bytes.try_into().ok()
}

/// As `ssh-keygen -l` shows it.
fn shown(print: &[u8; 32]) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(print))
}

/// What the connection learns from the SSH layer while it works.
#[derive(Debug, Default)]
struct Seen {
    key: Option<([u8; 32], String)>,
    names: Option<Negotiated>,
    end: Option<Fault>,
}

/// What both sides agreed on, for the log and for reports: it explains half of all speed complaints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Negotiated {
    pub(super) kex: String,
    pub(super) cipher: String,
}

/// Shared between the SSH session and the connection above it.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness(Arc<Mutex<Seen>>);

impl Witness {
    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the session ended, when the SSH layer knows.
    pub(super) fn end(&self) -> Option<Fault> {
        self.with(|seen| seen.end.clone())
    }

    /// What was agreed on.
    pub(super) fn negotiated(&self) -> Option<Negotiated> {
        self.with(|seen| seen.names.clone())
    }

    /// The key that the server showed.
    pub(super) fn key(&self) -> Option<HostKey> {
        let (print, algorithm) = self.with(|seen| seen.key.clone())?;
        Some(HostKey { fingerprint: shown(&print), algorithm })
    }

    /// The sentence about a key that is not trusted; none when no key was the reason.
    pub(super) fn refusal(&self, host: &str, trust: Trust) -> Option<Fault> {
        let (print, algorithm) = self.with(|seen| seen.key.clone())?;
        let key = format!("{} ({algorithm})", shown(&print));
        let message = match trust {
            Trust::Pin(pin) if pin == print => return None,
            Trust::Anything => return None,
            Trust::Pin(pin) => format!(
                "the host key of {host} is {key}, but {} is pinned: nothing was sent. If the server was given a new \
                 key, pin that; if not, somebody is in between",
                shown(&pin)
            ),
            Trust::Nobody => format!(
                "the host key of {host} is not known yet, it is {key}: compare it with what 'ssh-keygen -lf \
                 /etc/ssh/ssh_host_*_key.pub' says on the server, then pin it with pin = \"{}\"",
                shown(&print)
            ),
        };
        Some(Fault::new(Phase::Tls, FaultKind::Tls, message))
    }
}

/// The client side of one SSH session.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) trust: Trust,
    pub(super) witness: Witness,
}

impl Handler for Judge {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let key = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.clone(),
            PublicKeyOrCertificate::Certificate(certificate) => PublicKey::from(certificate.public_key().clone()),
        };
        let blob = key.to_bytes()?;
        let mut print = [0; 32];
        print.iter_mut().zip(digest(&SHA256, &blob).as_ref()).for_each(|(to, from)| *to = *from);
        self.witness.with(|seen| seen.key = Some((print, key.algorithm().as_str().to_owned())));
        Ok(match self.trust {
            Trust::Pin(pin) => pin == print,
            Trust::Nobody => false,
            Trust::Anything => true,
        })
    }

    async fn kex_done(
        &mut self,
        _secret: Option<&[u8]>,
        names: &Names,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (kex, cipher) = (names.kex.as_ref().to_owned(), names.cipher.as_ref().to_owned());
        self.witness.with(|seen| seen.names = Some(Negotiated { kex, cipher }));
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        let (end, passed_on) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                (fault::of_goodbye(Phase::Command, info.reason_code, &info.message), Ok(()))
            }
            DisconnectReason::Error(error) => {
                (fault::of_ssh(Phase::Command, "lost the SSH connection", &error), Err(error))
            }
        };
        self.witness.with(|seen| seen.end = Some(end));
        passed_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_people_write_it() {
        let print = [7; 32];
        let base64 = shown(&print);
        let hex = data_encoding::HEXUPPER.encode(&print);
        let colons = hex.as_bytes().chunks(2).map(|b| std::str::from_utf8(b).unwrap()).collect::<Vec<_>>().join(":");
        for written in [base64.as_str(), &format!("{base64}="), &hex, &hex.to_lowercase(), &colons] {
            assert_eq!(Trust::of(Some(written), false).unwrap(), Trust::Pin(print), "{written}");
        }
        assert!(same_pin(&base64, &colons) && same_pin("unreadable", " unreadable"));
        assert!(!same_pin(&base64, &shown(&[8; 32])) && !same_pin("unreadable", "MD5:00"));
        for wrong in ["", "SHA256:", "SHA256:abc", "12:34", "MD5:00"] {
            assert!(Trust::of(Some(wrong), true).unwrap_err().message.contains("SHA-256"), "{wrong}");
        }
        assert_eq!(Trust::of(None, false).unwrap(), Trust::Nobody);
        assert_eq!(Trust::of(None, true).unwrap(), Trust::Anything);
    }

    #[test]
    fn a_key_that_is_not_the_pinned_one_is_said_in_one_sentence() {
        let witness = Witness::default();
        assert_eq!(witness.refusal("h", Trust::Nobody), None);
        witness.with(|seen| seen.key = Some(([1; 32], "ssh-ed25519".into())));
        let first = witness.refusal("h", Trust::Nobody).unwrap();
        assert!(first.message.contains(&format!("pin = \"{}\"", shown(&[1; 32]))), "{first}");
        let changed = witness.refusal("h", Trust::Pin([2; 32])).unwrap();
        assert!(changed.message.contains(&shown(&[1; 32])) && changed.message.contains(&shown(&[2; 32])), "{changed}");
        assert_eq!(changed.retry, crate::model::Retry::Never);
        assert_eq!(witness.refusal("h", Trust::Pin([1; 32])), None);
    }
}
