//! Signed manifests: what a target holds after a run, file by file, and how each was proven.
//!
//! A manifest is a text of JSON lines in a fixed order, so that two of them can be compared by any tool:
//!
//! 1. the [`Header`]: job, run, source and target without secrets, times, verdict, policy, counts;
//! 2. one [`Entry`] a file, in the order of the bytes of their paths in the target;
//! 3. the [`Totals`]: how many files and bytes came before;
//! 4. the [`Seal`]: the SHA-256 of all lines before it, and its Ed25519 signature (RFC 8032).
//!
//! Writing, checking ([`check`]) and comparing ([`diff`]) go through it line by line: a million files cost no more
//! memory than one folder of them. What is checked or compared is [`Sealed`] before: it is what was signed. What is signed is not the file but [`signed_text`] with its SHA-256, so that a
//! verifier never needs to hold it whole. `static/verify-manifest.py` does the same without Causeway.

mod blocks;
mod check;
mod diff;
mod entry;
mod error;
mod kept;
mod key;
mod lines;
mod read;
mod sealed;
mod walk;
mod write;

#[cfg(test)]
mod tests;

pub use check::{Check, Finding, check};
pub use diff::{Change, Diff, diff};
pub use entry::Entry;
pub use error::ManifestError;
pub use kept::{Kept, Manifests};
pub use key::{PublicKey, SigningKey};
pub use lines::{FORMAT, Header, Seal, Totals, Verdict};
pub use read::{Reader, Verified};
pub use sealed::{Sealed, verify};
pub use write::{Writer, Written};

/// What the signature is over, for the SHA-256 (in hexadecimal) of all lines before the seal.
#[must_use]
pub fn signed_text(sha256: &str) -> String {
    format!("causeway manifest {FORMAT}\nsha256 {sha256}\n")
}
