//! How the server knows a path, and what the addresses in its answers name. Raw bytes both ways, percent-encoded in
//! between (RFC 3986, section 2.1; RFC 4918, section 8.3).

use percent_encoding::percent_decode_str;

use crate::model::{Name, RelPath};
use crate::net::http::href::encoded;
use crate::remote::abroad;

/// The endpoint's root, and whether the server is another Causeway.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The folders down to the root.
    base: Vec<Vec<u8>>,
    abroad: bool,
}

impl Names {
    pub(super) fn new(root: &[u8], abroad: bool) -> Self {
        let mut base: Vec<Vec<u8>> = Vec::new();
        for part in root.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(base.pop()),
                name => base.push(name.to_vec()),
            }
        }
        Self { base, abroad }
    }

    /// The path of a file in a request; `/` for the root of the server.
    pub(super) fn file(&self, path: &RelPath) -> String {
        joined(&self.segments(path))
    }

    /// The path of a folder in a request: it ends in a slash.
    pub(super) fn folder(&self, path: &RelPath) -> String {
        let path = self.file(path);
        if path.ends_with('/') { path } else { path + "/" }
    }

    /// The root and every folder above it that a missing root may need, the highest first.
    pub(super) fn ladder(&self) -> Vec<String> {
        (1..=self.base.len()).filter_map(|length| self.base.get(..length)).map(|base| joined(base) + "/").collect()
    }

    /// For reading what an answer about `path` names.
    pub(super) fn around(&self, path: &RelPath) -> Around {
        Around { segments: self.segments(path), abroad: self.abroad }
    }

    fn segments(&self, path: &RelPath) -> Vec<Vec<u8>> {
        let inside = path.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        self.base.iter().cloned().chain(inside.map(|name| swapped(name, self.abroad))).collect()
    }
}

fn swapped(name: &[u8], abroad: bool) -> Vec<u8> {
    if abroad { abroad::swapped(name) } else { name.to_vec() }
}

fn joined(segments: &[Vec<u8>]) -> String {
    if segments.is_empty() {
        return "/".to_owned();
    }
    segments.iter().map(|name| format!("/{}", encoded(name))).collect()
}

/// What an address in an answer names, as seen from the path that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// What was asked about.
    Itself,
    /// Something in it.
    Child(Name),
    /// Something in it whose name cannot be used here.
    BadName,
    /// Nothing that was asked about.
    Elsewhere,
}

/// A path that was asked about.
#[derive(Debug, Clone)]
pub(super) struct Around {
    segments: Vec<Vec<u8>>,
    abroad: bool,
}

impl Around {
    /// What `href` names: a whole address or its path (RFC 4918, section 8.3). Behind a proxy the host may be another
    /// one than we know; the path counts.
    pub(super) fn place(&self, href: &str) -> Place {
        let Some(path) = path_of(href.trim()) else { return Place::Elsewhere };
        // What follows these marks would belong to the name if it were encoded properly: nobody can say.
        let unclear = path.contains(['?', '#']);
        let mut own = self.segments.iter();
        let mut child = None;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let name: Vec<u8> = percent_decode_str(part).collect();
            match own.next() {
                Some(wanted) if *wanted == name => {}
                Some(_) => return Place::Elsewhere,
                None if child.is_none() && name != b"." && name != b".." => child = Some(name),
                None => return Place::Elsewhere,
            }
        }
        match child {
            _ if own.next().is_some() => Place::Elsewhere,
            None => Place::Itself,
            Some(_) if unclear => Place::BadName,
            Some(name) => Name::new(swapped(&name, self.abroad)).map_or(Place::BadName, Place::Child),
        }
    }
}

/// The path of an address; `None` for one that is relative to something.
fn path_of(href: &str) -> Option<&str> {
    if href.starts_with('/') {
        return Some(href);
    }
    let (scheme, rest) = href.split_once("://")?;
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    Some(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    fn child(name: impl AsRef<[u8]>) -> Place {
        Place::Child(Name::new(name).unwrap())
    }

    #[test]
    fn paths_are_encoded_byte_by_byte() {
        let names = Names::new(b"/dav//a b/./x/../", false);
        assert_eq!(names.file(&path("c#d/\u{fc}?")), "/dav/a%20b/c%23d/%C3%BC%3F");
        assert_eq!(
            (names.file(&RelPath::root()), names.folder(&path("c"))),
            ("/dav/a%20b".into(), "/dav/a%20b/c/".into())
        );
        assert_eq!(names.ladder(), ["/dav/", "/dav/a%20b/"]);
        let bare = Names::new(b"", false);
        assert_eq!((bare.folder(&RelPath::root()), bare.file(&path("a"))), ("/".into(), "/a".into()));
        assert!(bare.ladder().is_empty());
    }

    #[test]
    fn an_address_names_the_folder_or_something_in_it() {
        let around = Names::new(b"dav", false).around(&path("a b"));
        for href in ["/dav/a%20b/", "/dav/a%20b", "/dav/a b/", "http://other:81/dav/a%20b/", "//dav//a%20b"] {
            assert_eq!(around.place(href), Place::Itself, "{href}");
        }
        assert_eq!(around.place("/dav/a%20b/c%2523"), child("c%23"));
        assert_eq!(around.place("https://h/dav/a%20b/%D6%D0/"), child(b"\xd6\xd0"));
        for href in ["/dav/", "/dav/other/c", "/dav/a%20b/c/d", "/dav/a%20b/..", "/dav/a%20b/%2e%2e/x", "c", "", "/"] {
            assert_eq!(around.place(href), Place::Elsewhere, "{href}");
        }
        for href in ["/dav/a%20b/c%2Fd", "/dav/a%20b/c%00", "/dav/a%20b/c?d", "/dav/a%20b/c#d"] {
            assert_eq!(around.place(href), Place::BadName, "{href}");
        }
        let server = Names::new(b"", false).around(&RelPath::root());
        assert_eq!((server.place("http://h"), server.place("/")), (Place::Itself, Place::Itself));
    }

    #[test]
    fn another_causeway_keeps_its_own_names() {
        let names = Names::new(b"dav", true);
        assert_eq!(names.file(&path(".causeway-part-1")), "/dav/.causeway%2Bpart-1");
        assert_eq!(names.around(&RelPath::root()).place("/dav/.causeway%2Bpart-1"), child(".causeway-part-1"));
    }

    proptest! {
        #[test]
        fn every_name_comes_back(bytes in proptest::collection::vec(1u8.., 1..60)) {
            if let Ok(name) = Name::new(&bytes) {
                let names = Names::new(b"dav/x", false);
                let href = names.file(&path("f").join(&name));
                prop_assert_eq!(names.around(&path("f")).place(&href), Place::Child(name));
            }
        }
    }
}
