//! A private key that signs for its certificate. The library's own way signs RSA with SHA-1, which no server takes any
//! more.

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey};

/// The key.
pub(super) struct KeySigner<'a>(pub(super) &'a PrivateKey);

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    /// The session has ended.
    #[error("the session has ended")]
    Gone(#[from] russh::SendError),
    /// The key refuses.
    #[error("the key cannot sign: {0}")]
    Key(#[from] russh::keys::signature::Error),
    /// The signature cannot be written.
    #[error("the signature cannot be written: {0}")]
    Form(#[from] russh::keys::ssh_encoding::Error),
}

impl Signer for KeySigner<'_> {
    type Error = SignError;

    /// `to_sign` with the signature behind it (RFC 4252, section 7).
    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let signature: Signature = match self.0.key_data() {
            KeypairData::Rsa(pair) => (pair, hash).try_sign(&to_sign)?,
            _ => self.0.try_sign(&to_sign)?,
        };
        signature.encode_prefixed(&mut to_sign)?;
        Ok(to_sign)
    }
}
