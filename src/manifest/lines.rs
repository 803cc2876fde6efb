//! The lines of a manifest that are no files.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{JobId, RunId};

/// The format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// How the run ended that the manifest is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every folder was listed with nothing known to be missing, and every file of the source is there.
    Complete,
    /// The run went to its end, and something is missing or may be.
    Incomplete,
    /// The run ended early.
    Broken,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    #[serde(rename = "causeway_manifest")]
    pub format: u32,
    /// The program that wrote it.
    pub by: String,
    /// When it was written.
    pub written: Timestamp,
    /// Of which job.
    pub job: JobId,
    /// What people call it.
    pub job_name: String,
    /// After which run.
    pub run: RunId,
    /// The source's URL; it holds no password.
    pub source: String,
    /// The target's URL; it holds no password. Paths are relative to it.
    pub target: String,
    /// When the run began.
    pub started: Option<Timestamp>,
    /// When it had copied what it could.
    pub ended: Timestamp,
    /// Is everything there?
    pub verdict: Verdict,
    /// Was everything read from the source at some time (nothing merely believed)?
    pub verified: bool,
    /// How the job wants files to be proven.
    pub proof: String,
    /// How this run knew that unchanged files were unchanged.
    pub unchanged: String,
    /// The run in numbers.
    pub counts: BTreeMap<String, u64>,
}

/// The last line but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Bytes of those whose size is known.
    pub bytes: u64,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Of all lines before it with their line ends, in hexadecimal.
    pub sha256: String,
    /// `ed25519:` and the public key.
    pub key: String,
    /// Over [`signed_text`](super::signed_text), in hexadecimal.
    pub signature: String,
}

/// `{"total":{…}}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TotalLine {
    pub(super) total: Totals,
}

/// `{"seal":{…}}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealLine {
    pub(super) seal: Seal,
}
