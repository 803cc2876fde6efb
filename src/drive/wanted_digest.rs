//! The digest of a file for who asks for it: by `Want-Repr-Digest` (RFC 9530), or by the older `Want-Digest` (RFC
//! 3230).
//!
//! In answer to a HEAD the file is read if nobody has hashed it yet. In a GET the digest has to come before the bytes,
//! which would be read twice for it: there it is told if it is known.

use std::io;

use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::digests::Digests;
use crate::model::{Algorithm, Checksum, Hasher};
use crate::net::http::digest::{DIGEST, REPR_DIGEST, algorithm, name};
use crate::task;
use crate::tree::{FileReader, Stat};

const WANT_REPR: HeaderName = HeaderName::from_static("want-repr-digest");
const WANT: HeaderName = HeaderName::from_static("want-digest");

/// Bytes per read,
const BLOCK: usize = 256 * 1024;
/// and per stay on a thread: a client that hangs up is noticed in between.
const STEP: u64 = 32 << 20;

/// What a client wants, and how it wants to hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    algorithm: Algorithm,
    old: bool,
}

impl Wanted {
    /// Of those that are known here, the one that the client prefers: it gives each a weight, and 0 is "not this one".
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let best = |header: &HeaderName, weight: fn(&str) -> Option<(&str, f32)>| {
            let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
            let wishes = values.flat_map(|value| value.split(',')).filter_map(|wish| weight(wish.trim()));
            let known =
                wishes.filter_map(|(word, weight)| Some((algorithm(word).filter(|a| name(*a).is_some())?, weight)));
            // Of equal ones the strongest, which is the least.
            known
                .filter(|(_, weight)| *weight > 0.0)
                .min_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)))
        };
        let new = best(&WANT_REPR, |wish| {
            let (name, weight) = wish.split_once('=')?;
            Some((name.trim(), weight.trim().parse().ok()?))
        });
        let old = || {
            best(&WANT, |wish| match wish.split_once(';') {
                None => Some((wish, 1.0)),
                Some((name, weight)) => Some((name.trim(), weight.trim().strip_prefix("q=")?.parse().ok()?)),
            })
        };
        match new {
            Some((algorithm, _)) => Some(Self { algorithm, old: false }),
            None => old().map(|(algorithm, _)| Self { algorithm, old: true }),
        }
    }

    /// The header that tells `sum`.
    fn told(self, sum: &Checksum) -> Option<(HeaderName, HeaderValue)> {
        let (name, digest) = (name(sum.algorithm())?, BASE64.encode(sum.as_bytes()));
        let (header, value) =
            if self.old { (DIGEST, format!("{name}={digest}")) } else { (REPR_DIGEST, format!("{name}=:{digest}:")) };
        Some((header, HeaderValue::from_str(&value).ok()?))
    }

    /// The header, if the digest of the content that `stat` describes is known.
    pub(super) async fn known(self, digests: &Digests, stat: &Stat) -> Option<(HeaderName, HeaderValue)> {
        self.told(digests.of(&[stat]).await.by(stat, self.algorithm)?)
    }

    /// The header, from what is known or from what `reader` gives, which is known from then on.
    ///
    /// # Errors
    /// Those of reading; and that the file changed meanwhile.
    pub(super) async fn computed(
        self,
        digests: &Digests,
        reader: FileReader,
    ) -> io::Result<Option<(HeaderName, HeaderValue)>> {
        if let Some(known) = self.known(digests, reader.opened()).await {
            return Ok(Some(known));
        }
        let stat = reader.opened().clone();
        let sum = hash(self.algorithm, reader).await?;
        digests.note(&stat, std::slice::from_ref(&sum)).await;
        Ok(self.told(&sum))
    }
}

/// Hashes what `reader` gives.
async fn hash(algorithm: Algorithm, mut reader: FileReader) -> io::Result<Checksum> {
    let (mut hash, mut at) = (Hasher::new(algorithm), 0);
    let size = reader.opened().size;
    while at < size {
        let step = move || {
            let end = size.min(at + STEP);
            let mut buffer = vec![0; BLOCK];
            while at < end {
                let got = reader.read_at(&mut buffer, at)?;
                // What is appended meanwhile belongs to another version.
                let left = usize::try_from(size - at).unwrap_or(BLOCK);
                let bytes = buffer.get(..got.min(left)).unwrap_or_default();
                if bytes.is_empty() {
                    return Err(changed());
                }
                hash.update(bytes);
                at += bytes.len() as u64;
            }
            Ok((reader, hash, at))
        };
        (reader, hash, at) = task::blocking(step).await.map_err(io::Error::other)??;
    }
    let now = reader.stat()?;
    if (now.size, now.mtime) != (size, reader.opened().mtime) {
        return Err(changed());
    }
    hash.finish().map_err(io::Error::other)
}

fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_has_a_weight() {
        let wanted = |name: HeaderName, text: &str| {
            Wanted::of(&HeaderMap::from_iter([(name, text.parse().unwrap())])).map(|wanted| wanted.algorithm)
        };
        let new = |text: &str| wanted(WANT_REPR, text);
        assert_eq!(new("sha-256=10, sha-512=3"), Some(Algorithm::Sha256));
        assert_eq!(new("md5=1,SHA-256=1"), Some(Algorithm::Sha256), "the stronger of two");
        assert_eq!(new("sha-512=10, sha-256=0"), Some(Algorithm::Sha512));
        assert_eq!(new("unixsum=10, sha=1"), Some(Algorithm::Sha1));
        assert_eq!((new("sha-256=0"), new("sha-256"), new("crc32=1")), (None, None, None));
        let old = |text: &str| wanted(WANT, text);
        assert_eq!(old("SHA-256;q=0.5, SHA-512;q=0.8"), Some(Algorithm::Sha512));
        assert_eq!((old("MD5, SHA;q=0.3"), old("md5;q=0")), (Some(Algorithm::Md5), None));
    }

    #[test]
    fn the_newer_wish_counts_and_is_answered_in_its_words() {
        let sum = Checksum::new(Algorithm::Md5, &[0; 16]).unwrap();
        let mut headers = HeaderMap::from_iter([(WANT, HeaderValue::from_static("md5"))]);
        let told = |headers: &HeaderMap| Wanted::of(headers).unwrap().told(&sum).unwrap();
        assert_eq!(told(&headers), (DIGEST, HeaderValue::from_static("md5=AAAAAAAAAAAAAAAAAAAAAA==")));
        headers.insert(WANT_REPR, HeaderValue::from_static("md5=1"));
        assert_eq!(told(&headers), (REPR_DIGEST, HeaderValue::from_static("md5=:AAAAAAAAAAAAAAAAAAAAAA==:")));
    }
}
