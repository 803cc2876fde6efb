//! How the server knows a path, and how we know its names. Raw bytes both ways.

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::{Name, NameError, RelPath};
use crate::remote::abroad;

/// The endpoint's root, and whether the server is another Causeway.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Absolute, without a slash at its end.
    base: Vec<u8>,
    abroad: bool,
}

impl Names {
    /// `home` is the login folder.
    pub(super) fn new(root: &[u8], home: &[u8], abroad: bool) -> Self {
        let (inside, home) = (trimmed(root), trimmed(home));
        let base = match inside {
            b"" if root.first() == Some(&b'/') => Vec::new(),
            b"" => home.to_vec(),
            inside if inside.first() == Some(&b'/') => inside.to_vec(),
            inside => [home, b"/", inside].concat(),
        };
        Self { base, abroad }
    }

    /// The absolute path of `path` on the server.
    pub(super) fn absolute(&self, path: &RelPath) -> Bytes {
        if self.base.is_empty() && path.is_root() {
            return Bytes::from_static(b"/");
        }
        let mut out = BytesMut::from(self.base.as_slice());
        for name in path.as_bytes().split(|b| *b == b'/').filter(|name| !name.is_empty()) {
            out.put_u8(b'/');
            out.put_slice(&self.swapped(name));
        }
        out.freeze()
    }

    /// How the server knows a single name.
    pub(super) fn outward(&self, name: &Name) -> Vec<u8> {
        self.swapped(name.as_bytes())
    }

    /// A name that the server lists.
    pub(super) fn inward(&self, name: &[u8]) -> Result<Name, NameError> {
        Name::new(self.swapped(name))
    }

    /// The root and every folder above it that a missing root may need, the highest first.
    pub(super) fn ladder(&self) -> Vec<Bytes> {
        let ends = self.base.iter().enumerate().filter(|(at, byte)| *at > 0 && **byte == b'/').map(|(at, _)| at);
        let ends = ends.chain(std::iter::once(self.base.len()));
        ends.filter_map(|end| self.base.get(..end)).map(Bytes::copy_from_slice).collect()
    }

    fn swapped(&self, name: &[u8]) -> Vec<u8> {
        if self.abroad { abroad::swapped(name) } else { name.to_vec() }
    }
}

fn trimmed(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(root: &str, path: &str) -> String {
        let names = Names::new(root.as_bytes(), b"/home/anna/", false);
        String::from_utf8(names.absolute(&RelPath::new(path).unwrap()).to_vec()).unwrap()
    }

    #[test]
    fn a_root_is_below_the_login_folder_or_absolute() {
        assert_eq!(at("", "a/b"), "/home/anna/a/b");
        assert_eq!(at("in/", "a"), "/home/anna/in/a");
        assert_eq!(at("/srv/x/", "a"), "/srv/x/a");
        assert_eq!((at("/", "a").as_str(), at("/", "").as_str()), ("/a", "/"));
        assert_eq!(at("", ""), "/home/anna");
        let names = Names::new(b"in/out", b"/home/anna", false);
        assert_eq!(names.ladder(), ["/home", "/home/anna", "/home/anna/in", "/home/anna/in/out"]);
    }

    #[test]
    fn another_causeway_keeps_its_own_names_and_none_is_lost() {
        let names = Names::new(b"", b"/", true);
        let part = RelPath::new(".causeway-trash/.causeway-part-1").unwrap();
        assert_eq!(names.absolute(&part), "/.causeway+trash/.causeway+part-1");
        for name in [&b".causeway-part-1"[..], b".causeway+x", b".causeway", b"\xd6\xd0", b"a"] {
            let abroad = names.absolute(&RelPath::new(name).unwrap());
            assert_eq!(names.inward(&abroad[1..]).unwrap().as_bytes(), name);
        }
        let plain = Names::new(b"", b"/", false);
        assert_eq!(plain.absolute(&part), "/.causeway-trash/.causeway-part-1");
    }
}
