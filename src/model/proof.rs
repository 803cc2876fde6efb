//! How the content of a mirrored file was proven, in stable words.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

/// A hash of a file's content, the strongest first. The weak ones guard against accidents, not against
/// people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// BLAKE3, which no server is known to tell.
    Blake3,
    /// SHA-1.
    Sha1,
    /// MD5 (RFC 1321).
    Md5,
    /// The CRC of ISO 3309, as in zip files.
    Crc32,
}

impl Algorithm {
    /// Every value, the strongest first.
    pub const ALL: &'static [Self] = &[Self::Sha256, Self::Sha512, Self::Blake3, Self::Sha1, Self::Md5, Self::Crc32];

    /// The stable word for the store, manifests and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
            Self::Blake3 => "blake3",
            Self::Sha1 => "sha-1",
            Self::Md5 => "md5",
            Self::Crc32 => "crc32",
        }
    }

    /// Bytes of its result.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
            Self::Sha1 => 20,
            Self::Md5 => 16,
            Self::Crc32 => 4,
        }
    }

    /// Reads its name as servers write it (`SHA-256`, `sha256`, `CRC32`); [`None`] for any other.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(|c| *c != '-').collect();
        Self::ALL.iter().copied().find(|a| a.as_str().replace('-', "").eq_ignore_ascii_case(&plain))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The result of one [`Algorithm`] over a file's content.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checksum {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

/// The text is no checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is an algorithm and as many hexadecimal digits as it has")]
pub struct ChecksumError;

impl Checksum {
    /// A finished hash.
    ///
    /// # Errors
    /// When `algorithm` gives results of another length.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, ChecksumError> {
        if bytes.len() == algorithm.length() {
            Ok(Self { algorithm, bytes: bytes.to_vec() })
        } else {
            Err(ChecksumError)
        }
    }

    /// Reads hexadecimal digits in either case.
    ///
    /// # Errors
    /// When they are no digits or of another number.
    pub fn from_hex(algorithm: Algorithm, digits: &str) -> Result<Self, ChecksumError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| ChecksumError)?;
        Self::new(algorithm, &bytes)
    }

    /// By which algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// In lower-case hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.bytes)
    }
}

impl From<super::Digest> for Checksum {
    fn from(digest: super::Digest) -> Self {
        Self { algorithm: digest.algorithm().into(), bytes: digest.as_bytes().to_vec() }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;
    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let (name, digits) = text.split_once(':').ok_or(ChecksumError)?;
        Self::from_hex(Algorithm::of(name).ok_or(ChecksumError)?, digits)
    }
}

/// What is known about a file in the target, and from what. Only ever what was done, never what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Proof {
    /// Nothing was read: a file that lay in the target has the source's size and time.
    Believed,
    /// As many bytes arrived as the source said before and after.
    Size,
    /// As [`Proof::Size`], and the digest of the bytes as they came from the source is known.
    StreamHash,
    /// The source was read a second time and gave the same digest.
    SecondRead,
    /// The source's own server hashed its file and told the same.
    ServerHash(Checksum),
}

/// The text names no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proof is 'believed', 'size', 'stream-hash', 'second-read' or 'server-hash:<algorithm>:<hexadecimal>'")]
pub struct ProofParseError;

const SERVER_HASH: &str = "server-hash";

impl Proof {
    /// How it was done, without the values: `stream-hash`, `server-hash:sha-256`.
    #[must_use]
    pub fn method(&self) -> String {
        match self {
            Self::Believed => "believed".to_owned(),
            Self::Size => "size".to_owned(),
            Self::StreamHash => "stream-hash".to_owned(),
            Self::SecondRead => "second-read".to_owned(),
            Self::ServerHash(sum) => format!("{SERVER_HASH}:{}", sum.algorithm()),
        }
    }

    /// Was content read, and is that what is claimed?
    #[must_use]
    pub const fn is_of_content(&self) -> bool {
        match self {
            Self::Believed | Self::Size => false,
            Self::StreamHash | Self::SecondRead | Self::ServerHash(_) => true,
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerHash(sum) => write!(f, "{SERVER_HASH}:{sum}"),
            other => f.write_str(&other.method()),
        }
    }
}

impl FromStr for Proof {
    type Err = ProofParseError;
    fn from_str(text: &str) -> Result<Self, ProofParseError> {
        match text {
            "believed" => Ok(Self::Believed),
            "size" => Ok(Self::Size),
            "stream-hash" => Ok(Self::StreamHash),
            "second-read" => Ok(Self::SecondRead),
            other => {
                let sum = other.strip_prefix(SERVER_HASH).and_then(|rest| rest.strip_prefix(':'));
                sum.and_then(|sum| sum.parse().ok()).map(Self::ServerHash).ok_or(ProofParseError)
            }
        }
    }
}

impl TryFrom<String> for Proof {
    type Error = ProofParseError;
    fn try_from(text: String) -> Result<Self, ProofParseError> {
        text.parse()
    }
}

impl From<Proof> for String {
    fn from(proof: Proof) -> Self {
        proof.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_servers_write_them() {
        for (name, wanted) in [
            ("SHA-256", Some(Algorithm::Sha256)),
            ("sha256", Some(Algorithm::Sha256)),
            ("SHA-1", Some(Algorithm::Sha1)),
            ("MD5", Some(Algorithm::Md5)),
            ("CRC32", Some(Algorithm::Crc32)),
            ("SHA-3", None),
            ("", None),
        ] {
            assert_eq!(Algorithm::of(name), wanted, "{name}");
        }
    }

    #[test]
    fn proofs_come_back_from_their_words() {
        let sum = Checksum::from_hex(Algorithm::Crc32, "CBF43926").unwrap();
        let all = [Proof::Believed, Proof::Size, Proof::StreamHash, Proof::SecondRead, Proof::ServerHash(sum.clone())];
        for proof in all {
            assert_eq!(proof.to_string().parse(), Ok(proof.clone()));
        }
        assert_eq!(Proof::ServerHash(sum).to_string(), "server-hash:crc32:cbf43926");
        for bad in ["", "server-hash", "server-hash:md5:00", "server-hash:sha-3:00", "hash"] {
            assert_eq!(bad.parse::<Proof>(), Err(ProofParseError), "{bad}");
        }
    }
}
