//! One file in a manifest.

use std::borrow::Cow;
use std::collections::BTreeMap;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Algorithm, Checksum, Digest, DigestAlgorithm, Mtime, Precision, Proof, RelPath, RunId, TimeSource};

/// One file that the target holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In the target.
    pub path: RelPath,
    /// In the source.
    pub source: RelPath,
    /// Bytes, when known.
    pub size: Option<u64>,
    /// Of the source, as it was told.
    pub mtime: Option<Mtime>,
    /// Of the content, when it was ever read.
    pub digest: Option<Digest>,
    /// How it was proven.
    pub proof: Proof,
    /// By which run.
    pub proof_run: RunId,
    /// When.
    pub proof_at: Timestamp,
}

impl Entry {
    /// All hashes of the content that are known, by their stable words.
    pub(super) fn digests(&self) -> BTreeMap<&'static str, String> {
        let own = self.digest.map(|digest| (Algorithm::from(digest.algorithm()).as_str(), digest.hex()));
        let told = match &self.proof {
            Proof::ServerHash(sum) => Some((sum.algorithm().as_str(), sum.hex())),
            _ => None,
        };
        own.into_iter().chain(told).collect()
    }

    /// Its line, without the line end.
    pub(super) fn to_line(&self) -> Result<String, serde_json::Error> {
        let (path, path_hex) = text(&self.path);
        let other = (self.source != self.path).then(|| text(&self.source));
        serde_json::to_string(&Line {
            path,
            path_hex,
            source: other.as_ref().map(|(text, _)| text.clone()),
            source_hex: other.and_then(|(_, hex)| hex),
            size: self.size,
            mtime: self.mtime.map(|mtime| mtime.at),
            mtime_precision: self.mtime.map(|mtime| mtime.precision),
            mtime_source: self.mtime.map(|mtime| mtime.source),
            digests: self.digests().into_iter().map(|(name, hex)| (Cow::Borrowed(name), hex)).collect(),
            proof: Cow::Owned(self.proof.method()),
            proof_run: self.proof_run,
            proof_at: self.proof_at,
        })
    }

    /// Reads its line.
    pub(super) fn of_line(line: &[u8]) -> Result<Self, String> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let path = bytes(&line.path, line.path_hex.as_deref())?;
        let source = match &line.source {
            Some(text) => bytes(text, line.source_hex.as_deref())?,
            None => path.clone(),
        };
        let sum = |algorithm: Algorithm| {
            line.digests.get(algorithm.as_str()).map(|hex| Checksum::from_hex(algorithm, hex)).transpose()
        };
        let mut digest = None;
        for algorithm in DigestAlgorithm::ALL {
            let told = sum((*algorithm).into()).map_err(|error| error.to_string())?;
            digest =
                digest.or(told.map(|sum| Digest::try_from(&sum)).transpose().map_err(|error| error.to_string())?);
        }
        let proof = match line.proof.strip_prefix("server-hash:") {
            Some(name) => {
                let algorithm = Algorithm::of(name).ok_or_else(|| format!("no algorithm is called '{name}'"))?;
                let told = sum(algorithm).map_err(|error| error.to_string())?;
                Proof::ServerHash(told.ok_or_else(|| format!("the {algorithm} that proves it is missing"))?)
            }
            None => line.proof.parse().map_err(|error: crate::model::ProofParseError| error.to_string())?,
        };
        let mtime = match (line.mtime, line.mtime_precision, line.mtime_source) {
            (Some(at), Some(precision), Some(source)) => Some(Mtime { at, precision, source }),
            (None, None, None) => None,
            _ => return Err("a time has a precision and a source".to_owned()),
        };
        let (proof_run, proof_at) = (line.proof_run, line.proof_at);
        Ok(Self { path, source, size: line.size, mtime, digest, proof, proof_run, proof_at })
    }
}

/// The line as it is written. A name that is not UTF-8 is decoded for people, and its bytes stand in `…_hex`.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    path_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    source_hex: Option<String>,
    size: Option<u64>,
    mtime: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mtime_precision: Option<Precision>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mtime_source: Option<TimeSource>,
    digests: BTreeMap<Cow<'a, str>, String>,
    proof: Cow<'a, str>,
    proof_run: RunId,
    proof_at: Timestamp,
}

fn text(path: &RelPath) -> (String, Option<String>) {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (path.display().into_owned(), Some(HEXLOWER.encode(path.as_bytes()))),
    }
}

fn bytes(text: &str, hex: Option<&str>) -> Result<RelPath, String> {
    let raw = match hex {
        Some(hex) => HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|error| error.to_string())?,
        None => text.as_bytes().to_vec(),
    };
    match RelPath::new(&raw) {
        Ok(path) if !path.is_root() && path.as_bytes() == raw => Ok(path),
        Ok(_) => Err("a path is not in its plain form".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
