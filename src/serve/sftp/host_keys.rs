//! The keys by which clients know this machine: made once, kept in files of mode 0600.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey, decode_secret_key};

use crate::tree::file;

mod rotation;

pub use rotation::Rotation;

type Make = fn() -> Option<PrivateKey>;

/// The file of each kind, in the order in which they are offered, and how one is made.
const KINDS: [(&str, Make); 3] = [
    ("ssh_host_ed25519_key", ed25519),
    // For clients that do not know ed25519.
    ("ssh_host_ecdsa_key", ecdsa),
    ("ssh_host_rsa_key", rsa),
];

/// A key file is a few kilobytes.
const MAX_FILE: usize = 64 << 10;

/// A host key as people compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The public key as a `known_hosts` line has it, behind the host name.
    pub public: String,
}

/// Why there are no host keys.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The file cannot be read or written.
    #[error("the SSH host key {0} cannot be read or made")]
    File(PathBuf, #[source] io::Error),
    /// It holds something else.
    #[error(
        "{0} is not an SSH private key without a passphrase: put the old file back, or remove it to make a new one (clients will be warned of the change)"
    )]
    Form(PathBuf),
    /// The random generator refused.
    #[error("an SSH host key could not be made")]
    Make,
}

/// Reads the keys in `folder`, or makes them. Blocks.
pub(super) fn load(folder: &Path) -> Result<Vec<PrivateKey>, HostKeyError> {
    file::ensure_dir(folder, true).map_err(|error| HostKeyError::File(folder.to_owned(), error))?;
    KINDS.iter().map(|(name, make)| one(&folder.join(name), *make)).collect()
}

fn one(path: &Path, make: Make) -> Result<PrivateKey, HostKeyError> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    let key = make().ok_or(HostKeyError::Make)?;
    let text = key.to_openssh(LineEnding::LF).map_err(|_| HostKeyError::Make)?;
    match file::write_new_private(path, text.as_bytes()) {
        // Another process made one in the meantime: the first one wins.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => one(path, make),
        Err(error) => Err(HostKeyError::File(path.to_owned(), error)),
        Ok(()) => Ok(key),
    }
}

/// The key at `path`, if there is a file.
fn read(path: &Path) -> Result<Option<PrivateKey>, HostKeyError> {
    match file::read_small(path, MAX_FILE) {
        Ok(bytes) => match std::str::from_utf8(&bytes).ok().and_then(|text| decode_secret_key(text, None).ok()) {
            Some(key) => Ok(Some(key)),
            None => Err(HostKeyError::Form(path.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HostKeyError::File(path.to_owned(), error)),
    }
}

fn ed25519() -> Option<PrivateKey> {
    let mut seed = [0; 32];
    crate::random::fill(&mut seed).ok()?;
    Some(Ed25519Keypair::from_seed(&seed).into())
}

fn ecdsa() -> Option<PrivateKey> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok()?;
    of_pkcs8(pair.to_pkcs8v1().ok()?.as_ref())
}

fn rsa() -> Option<PrivateKey> {
    let pair = KeyPair::generate(KeySize::Rsa3072).ok()?;
    let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    of_pkcs8(der.as_ref())
}

fn of_pkcs8(der: &[u8]) -> Option<PrivateKey> {
    let body = data_encoding::BASE64.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).ok()?);
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    decode_secret_key(&pem, None).ok()
}

/// What to show.
pub(super) fn shown(keys: &[PrivateKey]) -> Vec<HostKey> {
    let one = |key: &PrivateKey| HostKey {
        algorithm: key.algorithm().as_str().to_owned(),
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        public: key.public_key().to_openssh().unwrap_or_default(),
    };
    keys.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = shown(&load(dir.path()).unwrap());
        assert_eq!(first, shown(&load(dir.path()).unwrap()));
        assert_eq!(first[0].algorithm, "ssh-ed25519");
        assert!(first.iter().all(|key| key.fingerprint.starts_with("SHA256:")));
        let path = dir.path().join("ssh_host_rsa_key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "rubbish").unwrap();
        assert!(load(dir.path()).unwrap_err().to_string().contains("ssh_host_rsa_key is not an SSH private key"));
    }
}
