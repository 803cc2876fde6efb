//! The SHA-256 of a file without the file: for who asks by `Want-Repr-Digest` in a HEAD (RFC 9530). In a GET it would
//! have to come before the bytes, which would be read twice for it.

use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::task;
use crate::tree::FileReader;

/// The header that answers.
pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const WANT: HeaderName = HeaderName::from_static("want-repr-digest");

/// Bytes per read,
const BLOCK: usize = 256 * 1024;
/// and per stay on a thread: a client that hangs up is noticed in between.
const STEP: u64 = 32 << 20;

/// Does the client want SHA-256? A weight of 0 is "not this one" (section 4).
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(WANT).iter().filter_map(|value| value.to_str().ok());
    let mut wishes = values.flat_map(|value| value.split(',')).filter_map(|wish| wish.trim().split_once('='));
    wishes.any(|(name, weight)| name.eq_ignore_ascii_case("sha-256") && weight.trim() != "0")
}

/// Hashes what `reader` gives.
///
/// # Errors
/// Those of reading; and that the file changed meanwhile.
pub(super) async fn of(mut reader: FileReader) -> io::Result<HeaderValue> {
    let (mut hash, mut at) = (Context::new(&SHA256), 0);
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
    let value = format!("sha-256=:{}:", BASE64.encode(hash.finish().as_ref()));
    HeaderValue::from_str(&value).map_err(io::Error::other)
}

fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_has_a_weight() {
        let wanted = |text: &str| is_wanted(&HeaderMap::from_iter([(WANT, text.parse().unwrap())]));
        assert!(wanted("sha-256=10, sha-512=3") && wanted("md5=1,SHA-256=1"));
        assert!(!wanted("sha-256=0") && !wanted("sha-512=10") && !wanted("sha-256"));
    }
}
