//! Hashes, computed here: the digests of our own and those that servers tell.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use md5::Digest as _;

use super::{Algorithm, Checksum, ChecksumError, Digest, DigestAlgorithm, DigestParseError};

/// One hash under way. All but MD5 and the CRC use the processor's own instructions where it has them.
#[derive(Clone)]
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

#[derive(Clone)]
enum State {
    Sha(Context),
    Blake3(Box<blake3::Hasher>),
    Md5(md5::Md5),
    Crc32(crc32fast::Hasher),
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hasher({})", self.algorithm)
    }
}

impl Hasher {
    /// Over no bytes yet.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Sha256 => State::Sha(Context::new(&SHA256)),
            Algorithm::Sha512 => State::Sha(Context::new(&SHA512)),
            Algorithm::Blake3 => State::Blake3(Box::default()),
            Algorithm::Sha1 => State::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            Algorithm::Md5 => State::Md5(md5::Md5::new()),
            Algorithm::Crc32 => State::Crc32(crc32fast::Hasher::new()),
        };
        Self { algorithm, state }
    }

    /// Of a digest, over no bytes yet.
    #[must_use]
    pub fn of_digest(algorithm: DigestAlgorithm) -> Self {
        Self::new(algorithm.into())
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha(context) => context.update(bytes),
            State::Blake3(hasher) => drop(hasher.update(bytes)),
            State::Md5(hasher) => hasher.update(bytes),
            State::Crc32(hasher) => hasher.update(bytes),
        }
    }

    /// The result.
    ///
    /// # Errors
    /// Never, as long as the algorithms keep their lengths.
    pub fn finish(self) -> Result<Checksum, ChecksumError> {
        match self.state {
            State::Sha(context) => Checksum::new(self.algorithm, context.finish().as_ref()),
            State::Blake3(hasher) => Checksum::new(self.algorithm, hasher.finalize().as_bytes()),
            State::Md5(hasher) => Checksum::new(self.algorithm, &hasher.finalize()),
            State::Crc32(hasher) => Checksum::new(self.algorithm, &hasher.finalize().to_be_bytes()),
        }
    }
}

impl TryFrom<Hasher> for Digest {
    type Error = DigestParseError;
    /// The result, when the algorithm is one of digests.
    fn try_from(hasher: Hasher) -> Result<Self, Self::Error> {
        hasher.finish().map_err(|_| DigestParseError).and_then(|sum| Self::try_from(&sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the standards: "123456789" for the CRC, "abc" for the others.
    #[test]
    fn known_answers() {
        for (algorithm, text, wanted) in [
            (Algorithm::Crc32, "123456789", "cbf43926"),
            (Algorithm::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Algorithm::Blake3, "abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
            (
                Algorithm::Sha512,
                "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let mut hasher = Hasher::new(algorithm);
            text.as_bytes().chunks(2).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish().unwrap().hex(), wanted, "{algorithm}");
        }
    }
}
