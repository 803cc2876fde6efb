//! Paths in URLs: raw bytes, percent-encoded (RFC 3986, section 2.1). A name in GBK goes out and comes
//! back as the bytes that it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::model::{Name, NameError, RelPath};

/// Everything but the unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One segment, for a relative link.
#[must_use]
pub fn segment(name: &Name) -> String {
    encoded(name.as_bytes())
}

/// The bytes of one segment.
#[must_use]
pub fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, SEGMENT).to_string()
}

/// The URL path of `path` under `mount` (`/dav/`, `/files/`). A folder ends in a slash.
#[must_use]
pub fn path(mount: &str, path: &RelPath, is_dir: bool) -> String {
    let mut href = mount.to_owned();
    for (i, name) in path.names().enumerate() {
        if i > 0 {
            href.push('/');
        }
        href.extend(percent_encode(name.as_bytes(), SEGMENT));
    }
    if is_dir && !href.ends_with('/') {
        href.push('/');
    }
    href
}

/// Why a URL names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HrefError {
    /// It is not below the mount, or climbs out of it.
    #[error("the address does not lie in this folder")]
    Outside,
    /// A segment is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// The path that the URL path `url` names under `mount`. Segments are split before they are decoded,
/// so an encoded slash is a slash in a name, which no name has.
///
/// # Errors
/// [`HrefError`] when it climbs out or holds what no name may hold.
pub fn parse(mount: &str, url: &str) -> Result<RelPath, HrefError> {
    let rest = url.strip_prefix(mount.trim_end_matches('/')).ok_or(HrefError::Outside)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err(HrefError::Outside);
    }
    let mut path = RelPath::root();
    for part in rest.split('/') {
        let bytes: Vec<u8> = percent_decode_str(part).collect();
        match bytes.as_slice() {
            b"" | b"." => {}
            b".." => path = path.parent().ok_or(HrefError::Outside)?,
            name => path = path.join(&Name::new(name)?),
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stays_in_the_mount() {
        assert_eq!(parse("/dav/", "/dav/a%20b/c"), Ok(RelPath::new("a b/c").unwrap()));
        assert_eq!(parse("/dav/", "/dav"), Ok(RelPath::root()));
        assert_eq!(parse("/dav/", "/davfoo"), Err(HrefError::Outside));
        assert_eq!(parse("/dav/", "/dav/../etc"), Err(HrefError::Outside));
        assert_eq!(parse("/dav/", "/dav/%2e%2e/etc"), Err(HrefError::Outside));
        assert_eq!(parse("/dav/", "/dav/a%2fb"), Err(HrefError::Name(NameError::Separator)));
        assert_eq!(parse("/dav/", "/dav/a%00b"), Err(HrefError::Name(NameError::Nul)));
    }

    proptest! {
        #[test]
        fn every_name_comes_back(bytes in proptest::collection::vec(1u8.., 1..60)) {
            if let Ok(name) = Name::new(&bytes) {
                let whole = RelPath::root().join(&name);
                prop_assert_eq!(parse("/files/", &path("/files/", &whole, false)), Ok(whole));
            }
        }
    }
}
