//! SSH public keys, as people paste them and as SSH sends them.

use jiff::Timestamp;
use russh::keys::{Algorithm, HashAlg, PublicKey as SshKey};

/// A public key that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) blob: Vec<u8>,
    pub(super) fingerprint: String,
    pub(super) algorithm: String,
    pub(super) comment: String,
}

/// A key of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// What stood behind the key.
    pub comment: String,
    /// When it was added.
    pub added: Timestamp,
    /// When it last let somebody in.
    pub last_used: Option<Timestamp>,
}

/// Why a text is no usable key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A private key was pasted.
    #[error("this is a private key: keep it secret, and paste the file that ends in .pub")]
    Private,
    /// Not in the OpenSSH form.
    #[error("not an OpenSSH public key ({0}): it is one line such as 'ssh-ed25519 AAAA… name'")]
    Form(String),
    /// Options before the key.
    #[error("options such as '{0}' before the key are not kept: paste the line from 'ssh-' on")]
    Options(String),
    /// Too weak.
    #[error("{0} keys are too weak: make a new one with ssh-keygen -t ed25519")]
    Weak(String),
    /// More than one line.
    #[error("more than one key: add them one at a time")]
    Many,
}

impl PublicKey {
    /// Reads one line of an `authorized_keys` or `.pub` file. Blank lines and `#` lines around it are fine.
    ///
    /// # Errors
    /// Says what is wrong and what to paste instead.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        let line = lines.next().ok_or_else(|| KeyError::Form("nothing was given".to_owned()))?;
        if lines.next().is_some() {
            return Err(KeyError::Many);
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        let known = ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| first.starts_with(prefix));
        if !known && line.split_whitespace().any(|word| word.starts_with("ssh-") || word.starts_with("ecdsa-")) {
            return Err(KeyError::Options(first.chars().take(40).collect()));
        }
        let key = SshKey::from_openssh(line).map_err(|error| KeyError::Form(error.to_string()))?;
        Self::of(&key)
    }

    pub(super) fn of(key: &SshKey) -> Result<Self, KeyError> {
        match key.algorithm() {
            Algorithm::Dsa => return Err(KeyError::Weak("DSA".to_owned())),
            Algorithm::Rsa { .. } => {
                let bits = key.key_data().rsa().map_or(0, |rsa| rsa.key_size());
                if bits < 2048 {
                    return Err(KeyError::Weak(format!("{bits}-bit RSA")));
                }
            }
            _ => {}
        }
        let blob = key.to_bytes().map_err(|error| KeyError::Form(error.to_string()))?;
        Ok(Self {
            blob,
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            algorithm: key.algorithm().as_str().to_owned(),
            comment: key.comment().as_str_lossy().chars().filter(|c| !c.is_control()).take(200).collect(),
        })
    }

    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Such as `ssh-ed25519`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }
}

/// The fingerprint of a key as SSH sends it (RFC 4253, section 6.6): `SHA256:` and the unpadded base64 of
/// its hash.
pub(super) fn fingerprint(blob: &[u8]) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    format!("SHA256:{}", data_encoding::BASE64_NOPAD.encode(digest(&SHA256, blob).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `ssh-keygen -t ed25519 -C anna@laptop`; the fingerprint by `ssh-keygen -lf`.
    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMGehDU+r7CITpshUtSc5bczaYKr5h3AdCe8b4cIOEh3 anna@laptop";
    const FINGERPRINT: &str = "SHA256:YPUHrvrxnz8bsqk+uiYdRuJ1+a5mJ0In3U7d3MMnhoU";

    #[test]
    fn reads_what_ssh_keygen_writes() {
        let key = PublicKey::parse(&format!("# mine\n\n{LINE}\n")).unwrap();
        assert_eq!(key.fingerprint(), FINGERPRINT);
        assert_eq!(fingerprint(&key.blob), FINGERPRINT);
        assert_eq!(key.algorithm(), "ssh-ed25519");
        assert_eq!(key.comment, "anna@laptop");
    }

    #[test]
    fn refuses_with_a_reason() {
        assert_eq!(PublicKey::parse("-----BEGIN OPENSSH PRIVATE KEY-----"), Err(KeyError::Private));
        assert_eq!(PublicKey::parse(&format!("{LINE}\n{LINE}")), Err(KeyError::Many));
        assert!(matches!(PublicKey::parse(&format!("no-pty {LINE}")), Err(KeyError::Options(_))));
        assert!(matches!(PublicKey::parse("ssh-ed25519 AAAA"), Err(KeyError::Form(_))));
        assert!(matches!(PublicKey::parse(""), Err(KeyError::Form(_))));
    }

    #[test]
    fn short_rsa_is_weak() {
        let line = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDUU0ecQYWEkrTMOwHIJmz/vcYG5bBgP+fSDGyUo35EpoHM2UrWag1l5kdSjz5MEe2/oJSVW2wtffLZSSMSRMQb/1sOVKeFq8y5st2eovwo9i//GtpGAhljnmdtUvfXZH5qUcGkIOR/U6sh5hKIE4IDDp+ftLCxuIJzUsVUuGMYRw== x";
        assert_eq!(PublicKey::parse(line), Err(KeyError::Weak("1024-bit RSA".to_owned())));
    }
}
