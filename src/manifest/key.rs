//! The key by which auditors know this installation: Ed25519 (RFC 8032), made once, kept with mode 0600.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};

use super::ManifestError;
use crate::tree::file;

/// A key file is a few hundred bytes.
const MAX_FILE: usize = 4096;
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The private key. Its debug form tells the public one.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

impl SigningKey {
    /// Reads the key at `path` (PKCS#8 in PEM), or makes it. Of two processes that make one, the first wins. Blocks.
    ///
    /// # Errors
    /// [`ManifestError::Key`] when something else lies there; it stays.
    pub fn load_or_make(path: &Path) -> Result<Self, ManifestError> {
        for _ in 0..2 {
            match file::read_small(path, MAX_FILE) {
                Ok(bytes) => return Self::from_pem(&bytes).ok_or_else(|| not_a_key(path)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(ManifestError::file(path)(error)),
            }
            match file::write_new_private(path, Self::new_pem()?.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(ManifestError::file(path)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Err(not_a_key(path))
    }

    fn new_pem() -> Result<String, ManifestError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| ManifestError::Sign)?;
        let der = pair.to_pkcs8v1().map_err(|_| ManifestError::Sign)?;
        Ok(format!("{BEGIN}\n{}\n{END}\n", BASE64.encode(der.as_ref())))
    }

    fn from_pem(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let body: String = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?.split_whitespace().collect();
        Ed25519KeyPair::from_pkcs8(&BASE64.decode(body.as_bytes()).ok()?).ok().map(Self)
    }

    /// To be given to those who verify.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.0.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        PublicKey(bytes)
    }

    /// 64 bytes over `text`.
    ///
    /// # Errors
    /// [`ManifestError::Sign`].
    pub(super) fn sign(&self, text: &str) -> Result<Vec<u8>, ManifestError> {
        Ok(self.0.try_sign(text.as_bytes()).map_err(|_| ManifestError::Sign)?.as_ref().to_vec())
    }
}

fn not_a_key(path: &Path) -> ManifestError {
    ManifestError::Key { path: path.to_owned(), why: "it holds no Ed25519 key in PKCS#8" }
}

/// The public half: `ed25519:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Is `signature` this key's, over `text`?
    #[must_use]
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(text.as_bytes(), signature).is_ok()
    }
}

const PREFIX: &str = "ed25519:";

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", HEXLOWER.encode(&self.0))
    }
}

impl FromStr for PublicKey {
    type Err = ManifestError;
    fn from_str(text: &str) -> Result<Self, ManifestError> {
        let digits = text.trim();
        let digits = digits.strip_prefix(PREFIX).unwrap_or(digits);
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| ManifestError::KeyText)?;
        bytes.try_into().map(Self).map_err(|_| ManifestError::KeyText)
    }
}
