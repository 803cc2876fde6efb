//! Content digests.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use super::{Algorithm, Checksum};

/// How the content of files is hashed. Both give 32 bytes, and for neither a collision is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigestAlgorithm {
    /// SHA-256 (FIPS 180-4): what every tool and auditor can check.
    #[default]
    Sha256,
    /// BLAKE3: costs less where the processor has no instructions for SHA-256.
    Blake3,
}

impl DigestAlgorithm {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Sha256, Self::Blake3];

    /// The word of the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }

    /// What it is called in sentences.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Blake3 => "BLAKE3",
        }
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DigestAlgorithm {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|algorithm| algorithm.as_str() == text);
        found.ok_or_else(|| format!("'{text}' is not one of sha256, blake3"))
    }
}

impl From<DigestAlgorithm> for Algorithm {
    fn from(algorithm: DigestAlgorithm) -> Self {
        match algorithm {
            DigestAlgorithm::Sha256 => Self::Sha256,
            DigestAlgorithm::Blake3 => Self::Blake3,
        }
    }
}

/// The digest of a file's content. As text it is 64 hexadecimal digits, behind `blake3:` when it is no SHA-256.
///
/// Digests of two algorithms are never equal, and say nothing about each other: see [`Digest::differs`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: DigestAlgorithm,
    bytes: [u8; 32],
}

/// The text or checksum is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is a SHA-256 of 64 hexadecimal digits, or 'blake3:' and as many")]
pub struct DigestParseError;

const BLAKE3: &str = "blake3:";

impl Digest {
    /// Wraps the result of `algorithm`.
    #[must_use]
    pub const fn new(algorithm: DigestAlgorithm, bytes: [u8; 32]) -> Self {
        Self { algorithm, bytes }
    }

    /// By which algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// In lower-case hexadecimal, without the algorithm.
    #[must_use]
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.bytes)
    }

    /// Are both certainly of two contents?
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.bytes != other.bytes
    }
}

impl TryFrom<&Checksum> for Digest {
    type Error = DigestParseError;
    fn try_from(sum: &Checksum) -> Result<Self, Self::Error> {
        let algorithm = match sum.algorithm() {
            Algorithm::Sha256 => DigestAlgorithm::Sha256,
            Algorithm::Blake3 => DigestAlgorithm::Blake3,
            Algorithm::Sha512 | Algorithm::Sha1 | Algorithm::Md5 | Algorithm::Crc32 => return Err(DigestParseError),
        };
        sum.as_bytes().try_into().map(|bytes| Self::new(algorithm, bytes)).map_err(|_| DigestParseError)
    }
}

impl FromStr for Digest {
    type Err = DigestParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, digits) = match text.strip_prefix(BLAKE3) {
            Some(digits) => (DigestAlgorithm::Blake3, digits),
            None => (DigestAlgorithm::Sha256, text),
        };
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| DigestParseError)?;
        bytes.as_slice().try_into().map(|bytes| Self::new(algorithm, bytes)).map_err(|_| DigestParseError)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm {
            DigestAlgorithm::Sha256 => f.write_str(&self.hex()),
            DigestAlgorithm::Blake3 => write!(f, "{BLAKE3}{}", self.hex()),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_come_back_from_their_texts() {
        for algorithm in DigestAlgorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(*algorithm));
            let digest = Digest::new(*algorithm, [7; 32]);
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(Digest::try_from(&Checksum::from(digest)), Ok(digest));
        }
        // As every release before wrote it.
        let plain = "07".repeat(32);
        assert_eq!(plain.parse(), Ok(Digest::new(DigestAlgorithm::Sha256, [7; 32])));
        for bad in ["", "blake3:", "md5:07", &plain[2..], &format!("sha-256:{plain}")] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestParseError), "{bad}");
        }
    }

    #[test]
    fn digests_of_two_algorithms_neither_agree_nor_differ() {
        let (sha, blake) =
            (Digest::new(DigestAlgorithm::Sha256, [7; 32]), Digest::new(DigestAlgorithm::Blake3, [7; 32]));
        assert!(sha != blake && !sha.differs(&blake));
        assert!(sha.differs(&Digest::new(DigestAlgorithm::Sha256, [8; 32])) && !sha.differs(&sha));
    }
}
