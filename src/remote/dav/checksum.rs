//! What servers say of a file's content.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::model::{Algorithm, Checksum};
use crate::net::http::digest::{DIGEST, OC_CHECKSUM, REPR_DIGEST, told};

pub(super) use crate::net::http::digest::of_property;

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
    told(headers, &[REPR_DIGEST, DIGEST, OC_CHECKSUM]).into_iter().flatten().collect()
}

/// The first of `wanted` that is told.
pub(super) fn best(told: &[Checksum], wanted: &[Algorithm]) -> Option<Checksum> {
    wanted.iter().find_map(|wanted| told.iter().find(|one| one.algorithm() == *wanted)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_wanted_is_taken() {
        let told = of_property("MD5:900150983CD24FB0D6963F7D28E17F72 SHA1:a9993e364706816aba3e25717850c26c9cd0d89d");
        let best = |wanted: &[Algorithm]| best(&told, wanted).map(|one| one.algorithm());
        assert_eq!(best(&[Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5]), Some(Algorithm::Sha1));
        assert_eq!(best(&[Algorithm::Crc32]), None);
    }
}
