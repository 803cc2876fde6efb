//! What servers say of a file's content: `Repr-Digest` (RFC 9530), `Digest` (RFC 3230), and the checksums of ownCloud
//! and Nextcloud, as a header or a property.

use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::entry::text;
use crate::model::{Algorithm, Checksum};

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const DIGEST: HeaderName = HeaderName::from_static("digest");
const OC_CHECKSUM: HeaderName = HeaderName::from_static("oc-checksum");

/// What asks for them.
pub(super) fn wish() -> [(HeaderName, HeaderValue); 2] {
    [
        (HeaderName::from_static("want-repr-digest"), HeaderValue::from_static("sha-256=10, sha-512=5")),
        (
            HeaderName::from_static("want-digest"),
            HeaderValue::from_static("SHA-256;q=1, SHA-512;q=0.8, SHA;q=0.3, MD5;q=0.2"),
        ),
    ]
}

/// All that the headers of an answer about a whole file tell.
pub(super) fn of_headers(headers: &HeaderMap) -> Vec<Checksum> {
    let mut all = Vec::new();
    for value in headers.get_all(REPR_DIGEST).iter().filter_map(|value| value.to_str().ok()) {
        // `sha-256=:…:`, a dictionary of byte sequences (RFC 8941).
        all.extend(value.split(',').filter_map(|pair| {
            let (name, digest) = pair.trim().split_once('=')?;
            in_base64(name, digest.trim().strip_prefix(':')?.strip_suffix(':')?)
        }));
    }
    for value in headers.get_all(DIGEST).iter().filter_map(|value| value.to_str().ok()) {
        all.extend(value.split(',').filter_map(|pair| {
            let (name, digest) = pair.trim().split_once('=')?;
            in_base64(name, digest.trim())
        }));
    }
    all.extend(text(headers, &OC_CHECKSUM).map(of_property).unwrap_or_default());
    all
}

/// What the property `checksums` tells: `SHA1:… MD5:… ADLER32:…`, hexadecimal.
pub(super) fn of_property(text: &str) -> Vec<Checksum> {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once(':'));
    pairs.filter_map(|(name, digits)| Checksum::from_hex(algorithm(name)?, digits).ok()).collect()
}

fn in_base64(name: &str, digest: &str) -> Option<Checksum> {
    Checksum::new(algorithm(name)?, &BASE64.decode(digest.as_bytes()).ok()?).ok()
}

/// In RFC 3230 SHA-1 is just "SHA".
fn algorithm(name: &str) -> Option<Algorithm> {
    if name.eq_ignore_ascii_case("sha") { Some(Algorithm::Sha1) } else { Algorithm::of(name) }
}

/// The first of `wanted` that is told.
pub(super) fn best(told: &[Checksum], wanted: &[Algorithm]) -> Option<Checksum> {
    wanted.iter().find_map(|wanted| told.iter().find(|one| one.algorithm() == *wanted)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_way_of_telling() {
        let mut headers = HeaderMap::new();
        headers
            .insert(REPR_DIGEST, "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:, x=:AA==:".parse().unwrap());
        headers.append(DIGEST, "SHA=qZk+NkcGgWq6PiVxeFDCbJzQ2J0=,md5=kAFQmDzST7DWlj99KOF/cg==".parse().unwrap());
        headers.insert(OC_CHECKSUM, "ADLER32:024d0127 MD5:900150983CD24FB0D6963F7D28E17F72".parse().unwrap());
        let told = of_headers(&headers);
        assert_eq!(told.len(), 4, "{told:?}");
        let best = |wanted: &[Algorithm]| best(&told, wanted).map(|one| one.hex());
        assert_eq!(
            best(&[Algorithm::Sha512, Algorithm::Sha256]).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(best(&[Algorithm::Sha1]).unwrap(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(best(&[Algorithm::Crc32]), None);
        assert!(of_property("SHA1:zz MD5: :x").is_empty());
    }
}
