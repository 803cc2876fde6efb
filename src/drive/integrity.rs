//! What a client says of the content that it sends, and whether that is true.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::model::{Algorithm, Checksum, Hasher};
use crate::net::http::digest::{CONTENT_DIGEST, DIGEST, OC_CHECKSUM, REPR_DIGEST, told};
use crate::task;

/// ownCloud keeps both of every file, whichever of them the client names: others may want to compare by the other.
const OWNCLOUD: [Algorithm; 2] = [Algorithm::Sha1, Algorithm::Md5];

/// What arrived is not what the client said that it would send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what arrived does not have the checksum that came with it: nothing was changed, send it again")]
pub struct Mismatch;

/// Hashes what comes, if the client said what the result must be. Nothing is hashed for who says nothing.
#[derive(Debug, Default)]
pub struct Integrity {
    said: Vec<Checksum>,
    hashers: Vec<Hasher>,
}

impl Integrity {
    /// By the headers of a PUT: `Content-Digest` and `Repr-Digest` (RFC 9530), which are the same of a whole file,
    /// `Digest` (RFC 3230), `OC-Checksum`. What is said by algorithms that are not known here cannot be looked at.
    ///
    /// # Errors
    /// 400 for a value that its algorithm cannot give.
    pub fn of(headers: &HeaderMap) -> Result<Self, StatusCode> {
        let said = told(headers, &[CONTENT_DIGEST, REPR_DIGEST, DIGEST, OC_CHECKSUM]);
        let said: Vec<Checksum> = said.into_iter().collect::<Result<_, _>>().map_err(|_| StatusCode::BAD_REQUEST)?;
        let more = if headers.contains_key(OC_CHECKSUM) { OWNCLOUD.as_slice() } else { &[] };
        Ok(Self::with(said, more))
    }

    /// It must be as all of these say.
    #[must_use]
    pub fn said(said: Vec<Checksum>) -> Self {
        Self::with(said, &[])
    }

    fn with(said: Vec<Checksum>, more: &[Algorithm]) -> Self {
        let mut algorithms: Vec<Algorithm> = said.iter().map(Checksum::algorithm).chain(more.iter().copied()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        Self { said, hashers: algorithms.into_iter().map(Hasher::new).collect() }
    }

    /// Does nobody say anything?
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.said.is_empty()
    }

    /// The next bytes.
    ///
    /// # Errors
    /// When the work was lost.
    pub(super) async fn update(&mut self, bytes: Bytes) -> io::Result<()> {
        if self.hashers.is_empty() {
            return Ok(());
        }
        let mut hashers = std::mem::take(&mut self.hashers);
        let hashed = task::blocking(move || {
            hashers.iter_mut().for_each(|hasher| hasher.update(&bytes));
            hashers
        });
        self.hashers = hashed.await.map_err(io::Error::other)?;
        Ok(())
    }

    /// All bytes are there: what was computed over them.
    ///
    /// # Errors
    /// When it is not what the client said.
    pub(super) fn finish(self) -> Result<Vec<Checksum>, Mismatch> {
        let computed: Result<Vec<Checksum>, _> = self.hashers.into_iter().map(Hasher::finish).collect();
        let computed = computed.map_err(|_| Mismatch)?;
        if self.said.iter().all(|said| computed.contains(said)) { Ok(computed) } else { Err(Mismatch) }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    async fn of_abc(all: &[(HeaderName, &str)]) -> Result<Vec<Algorithm>, Mismatch> {
        let mut integrity = Integrity::of(&headers(all)).unwrap();
        for piece in ["a", "bc"] {
            integrity.update(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
        Ok(integrity.finish()?.iter().map(Checksum::algorithm).collect())
    }

    #[tokio::test]
    async fn all_that_is_said_must_be_true() {
        let sha1 = "SHA1:a9993e364706816aba3e25717850c26c9cd0d89d";
        let sha256 = "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:";
        let wrong = "sha-256=:AAAWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:";
        assert_eq!(of_abc(&[]).await, Ok(vec![]), "nothing is hashed for nothing");
        assert_eq!(of_abc(&[(OC_CHECKSUM, sha1)]).await, Ok(vec![Algorithm::Sha1, Algorithm::Md5]));
        let both = [(OC_CHECKSUM, sha1), (REPR_DIGEST, sha256)];
        assert_eq!(of_abc(&both).await, Ok(vec![Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5]));
        assert_eq!(of_abc(&[(OC_CHECKSUM, sha1), (CONTENT_DIGEST, wrong)]).await, Err(Mismatch));
        assert_eq!(of_abc(&[(CONTENT_DIGEST, wrong)]).await, Err(Mismatch));
        assert_eq!(of_abc(&[(DIGEST, "SHA=qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")]).await, Ok(vec![Algorithm::Sha1]));
    }

    #[test]
    fn nonsense_is_refused_and_what_is_not_known_is_left_alone() {
        for nonsense in ["sha-256=:AA==:", "sha-256=ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="] {
            let headers = headers(&[(REPR_DIGEST, nonsense)]);
            assert_eq!(Integrity::of(&headers).unwrap_err(), StatusCode::BAD_REQUEST, "{nonsense}");
        }
        assert!(Integrity::of(&headers(&[(OC_CHECKSUM, "SHA1:zz")])).is_err());
        let unknown = Integrity::of(&headers(&[(REPR_DIGEST, "unixsum=:AA==:")])).unwrap();
        assert!(unknown.said.is_empty() && unknown.hashers.is_empty());
    }
}
