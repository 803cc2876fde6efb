//! Sealing of stored secrets: AES-256-GCM under a key that lies in a file of its own beside the
//! database (mode 0600), so that a stolen database alone tells no password.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};

use crate::model::Secret;

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key file does not hold 32 bytes.
    #[error("the key file must hold exactly 32 bytes")]
    Key,
    /// Wrong key, or the sealed bytes were changed or moved to another row.
    #[error("a stored secret cannot be opened: the key file does not belong to this job store, or the row was changed")]
    Open,
    /// The random generator or the cipher refused.
    #[error("a secret could not be sealed")]
    Seal,
}

const NONCE: usize = 12;

/// Seals and opens secrets.
pub struct Vault(RandomizedNonceKey);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// Takes the 32 bytes of the key file.
    ///
    /// # Errors
    /// [`VaultError::Key`] when they are not 32.
    pub fn new(key: &[u8]) -> Result<Self, VaultError> {
        RandomizedNonceKey::new(&AES_256_GCM, key).map(Self).map_err(|_| VaultError::Key)
    }

    /// Seals `secret` for one place, named by `context` (table, row, column): sealed bytes that are
    /// copied elsewhere do not open there.
    ///
    /// # Errors
    /// [`VaultError::Seal`] when the random generator fails.
    pub fn seal(&self, context: &str, secret: &Secret) -> Result<Vec<u8>, VaultError> {
        let mut sealed = secret.expose().as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut sealed)
            .map_err(|_| VaultError::Seal)?;
        let mut stored = nonce.as_ref().to_vec();
        stored.append(&mut sealed);
        Ok(stored)
    }

    /// Opens what [`Vault::seal`] made for the same `context`.
    ///
    /// # Errors
    /// [`VaultError::Open`] on a wrong key, a wrong context or changed bytes.
    pub fn open(&self, context: &str, stored: &[u8]) -> Result<Secret, VaultError> {
        let (nonce, sealed) = stored.split_at_checked(NONCE).ok_or(VaultError::Open)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Open)?;
        let mut sealed = sealed.to_vec();
        let plain =
            self.0.open_in_place(nonce, Aad::from(context.as_bytes()), &mut sealed).map_err(|_| VaultError::Open)?;
        std::str::from_utf8(plain).map(Secret::new).map_err(|_| VaultError::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_in_its_place() {
        let vault = Vault::new(&[7; 32]).unwrap();
        let sealed = vault.seal("endpoints/1/password", &Secret::new("hush")).unwrap();
        assert_eq!(vault.open("endpoints/1/password", &sealed).unwrap().expose(), "hush");
        assert_eq!(vault.open("endpoints/2/password", &sealed), Err(VaultError::Open));
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(vault.open("endpoints/1/password", &changed), Err(VaultError::Open));
    }
}
