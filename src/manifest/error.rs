//! Why a manifest cannot be written, or cannot be believed.

use std::io;
use std::path::PathBuf;

use super::PublicKey;

/// Each says what to do where that is not obvious.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or folder.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The installation's key.
    #[error(
        "{path} is not the signing key of this installation ({why}): put it back from the backup of the data \
         folder; manifests that were signed with it can still be verified"
    )]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// The random generator or the signature refused.
    #[error("the manifest could not be signed")]
    Sign,
    /// A given public key.
    #[error("a public key is 'ed25519:' and 64 hexadecimal digits, as 'causeway manifest key' shows it")]
    KeyText,
    /// It is something else.
    #[error("line {line} is not of a manifest: {why}")]
    Form {
        /// From 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// A later program wrote it.
    #[error("the manifest is of format {0}, and this program knows format 1: use a newer one")]
    Newer(u32),
    /// The end is missing.
    #[error("the manifest is cut off after line {line}: its signature is missing")]
    Cut {
        /// The last whole line.
        line: u64,
    },
    /// Something was changed.
    #[error("the manifest was changed after it was signed: its lines have the SHA-256 {found}, {signed} was signed")]
    Changed {
        /// Of what is there.
        found: String,
        /// In its seal.
        signed: String,
    },
    /// The signature is no signature of the key that it names.
    #[error("the signature is wrong: the manifest was not signed by {0}, which it names")]
    Signature(PublicKey),
    /// Somebody else signed it.
    #[error("the manifest was signed by another key: {found}, not {wanted}")]
    OtherKey {
        /// That it names.
        found: PublicKey,
        /// That was asked for.
        wanted: PublicKey,
    },
}

impl ManifestError {
    /// For `map_err`.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
