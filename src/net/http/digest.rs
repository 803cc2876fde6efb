//! What headers and properties say of a content: `Repr-Digest` and `Content-Digest` (RFC 9530), `Digest` (RFC 3230),
//! and the checksums of ownCloud and Nextcloud.

use data_encoding::BASE64;
use http::{HeaderMap, HeaderName};

use crate::model::{Algorithm, Checksum, ChecksumError};

/// Of the whole file, whatever part of it is sent (RFC 9530, 3).
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// Of what is sent (RFC 9530, 2).
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// As [`REPR_DIGEST`], older.
pub const DIGEST: HeaderName = HeaderName::from_static("digest");
/// As [`REPR_DIGEST`], of ownCloud: `SHA1:…`.
pub const OC_CHECKSUM: HeaderName = HeaderName::from_static("oc-checksum");

/// Every checksum by an algorithm that is known here, from those of the headers `names` that are there. An `Err` is one
/// that its algorithm cannot give.
pub fn told(headers: &HeaderMap, names: &[HeaderName]) -> Vec<Result<Checksum, ChecksumError>> {
    let values = names.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
    values
        .flat_map(|(name, value)| match value.to_str() {
            Ok(text) if *name == OC_CHECKSUM => spaced(text),
            Ok(text) => listed(text, *name == DIGEST),
            Err(_) => vec![Err(ChecksumError)],
        })
        .collect()
}

/// `SHA1:… MD5:… ADLER32:…` in hexadecimal, as ownCloud's header and property tell.
fn spaced(text: &str) -> Vec<Result<Checksum, ChecksumError>> {
    let read = |word: &str| match word.split_once(':') {
        Some((name, digits)) => Some(Checksum::from_hex(algorithm(name)?, digits)),
        None => Some(Err(ChecksumError)),
    };
    text.split_whitespace().filter_map(read).collect()
}

/// `sha-256=:…:`, a dictionary of byte sequences (RFC 9651); or, when `bare`, without the colons.
fn listed(text: &str, bare: bool) -> Vec<Result<Checksum, ChecksumError>> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let read = |algorithm: Algorithm, value: &str| {
        let inner = if bare { Some(value) } else { value.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')) };
        let bytes = BASE64.decode(inner.ok_or(ChecksumError)?.as_bytes()).map_err(|_| ChecksumError)?;
        Checksum::new(algorithm, &bytes)
    };
    words
        .filter_map(|word| match word.split_once('=') {
            Some((name, value)) => Some(read(algorithm(name)?, value.trim())),
            None => Some(Err(ChecksumError)),
        })
        .collect()
}

/// What ownCloud's property tells, as far as it can be read.
#[must_use]
pub fn of_property(text: &str) -> Vec<Checksum> {
    spaced(text).into_iter().flatten().collect()
}

/// The algorithm of a name; SHA-1 is just "sha" there.
#[must_use]
pub fn algorithm(name: &str) -> Option<Algorithm> {
    if name.eq_ignore_ascii_case("sha") { Some(Algorithm::Sha1) } else { Algorithm::of(name) }
}

/// The name of an algorithm in these headers; none for one that is not registered for them.
#[must_use]
pub const fn name(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Sha256 => Some("sha-256"),
        Algorithm::Sha512 => Some("sha-512"),
        Algorithm::Sha1 => Some("sha"),
        Algorithm::Md5 => Some("md5"),
        Algorithm::Blake3 | Algorithm::Crc32 => None,
    }
}

/// The value of ownCloud's property for `sums`; none when it has a name for none of them.
#[must_use]
pub fn property(sums: &[Checksum]) -> Option<String> {
    let named = |sum: &Checksum| {
        let name = match sum.algorithm() {
            Algorithm::Sha1 => "SHA1",
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 | Algorithm::Blake3 | Algorithm::Crc32 => return None,
        };
        Some(format!("{name}:{}", sum.hex()))
    };
    let named: Vec<String> = sums.iter().filter_map(named).collect();
    if named.is_empty() { None } else { Some(named.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_telling_is_read_and_nonsense_is_said() {
        let mut headers = HeaderMap::new();
        headers
            .insert(REPR_DIGEST, "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:, x=:AA==:".parse().unwrap());
        headers.append(DIGEST, "SHA=qZk+NkcGgWq6PiVxeFDCbJzQ2J0=,md5=kAFQmDzST7DWlj99KOF/cg==".parse().unwrap());
        headers.insert(OC_CHECKSUM, "ADLER32:024d0127 MD5:900150983CD24FB0D6963F7D28E17F72".parse().unwrap());
        let all = told(&headers, &[REPR_DIGEST, DIGEST, OC_CHECKSUM]);
        let hex: Vec<String> = all.into_iter().map(|sum| sum.unwrap().to_string()).collect();
        let md5 = "md5:900150983cd24fb0d6963f7d28e17f72";
        let sha256 = "sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex, [sha256, "sha-1:a9993e364706816aba3e25717850c26c9cd0d89d", md5, md5]);
        assert_eq!(told(&headers, &[CONTENT_DIGEST]), []);
        for nonsense in
            ["sha-256=ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "sha-256=:AA==:", "sha-512=:?:", "sha-256"]
        {
            headers.insert(CONTENT_DIGEST, nonsense.parse().unwrap());
            assert_eq!(told(&headers, &[CONTENT_DIGEST]), [Err(ChecksumError)], "{nonsense}");
        }
        for nonsense in [&b"SHA1=a9993e36"[..], b"SHA1:\xff"] {
            headers.insert(OC_CHECKSUM, http::HeaderValue::from_bytes(nonsense).unwrap());
            assert_eq!(told(&headers, &[OC_CHECKSUM]), [Err(ChecksumError)], "{nonsense:?}");
        }
        assert!(of_property("SHA1:zz MD5: :x").is_empty());
    }

    #[test]
    fn what_is_told_is_read_again() {
        let sums: Vec<Checksum> =
            Algorithm::ALL.iter().map(|a| Checksum::new(*a, &vec![7; a.length()]).unwrap()).collect();
        let told = of_property(&property(&sums).unwrap());
        assert_eq!(
            told.iter().map(Checksum::algorithm).collect::<Vec<_>>(),
            [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5]
        );
        assert_eq!(property(&[]), None);
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha1, Algorithm::Md5] {
            assert_eq!(super::algorithm(name(algorithm).unwrap()), Some(algorithm));
        }
    }
}
