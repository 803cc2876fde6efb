//! Names and paths: bytes first. The raw bytes are the identity and are what is sent back to a server;
//! decoded text is for people.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// Names that begin so belong to Causeway (part files, trash). Doors hide and refuse them, a mirror
/// refuses a source that contains one.
pub const RESERVED_PREFIX: &[u8] = b".causeway-";

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No bytes at all.
    #[error("a name must not be empty")]
    Empty,
    /// `.` or `..`.
    #[error("a name must not be '.' or '..'")]
    Dots,
    /// A slash inside a single name.
    #[error("a name must not contain '/'")]
    Separator,
    /// A NUL byte.
    #[error("a name must not contain a NUL byte")]
    Nul,
    /// A carriage return or line feed: a control channel would read it as the end of a command.
    #[error("a name must not contain a line break")]
    LineBreak,
    /// Longer than 255 bytes.
    #[error("a name must not be longer than 255 bytes")]
    TooLong,
    /// A path that starts at the root of something else.
    #[error("a path must be relative")]
    Absolute,
    /// The prefix that Causeway keeps for itself.
    #[error("names that begin with '.causeway-' are reserved")]
    Reserved,
}

/// One component of a path: 1 to 255 bytes without `/` and NUL, neither `.` nor `..`.
///
/// Line breaks are legal here, because local file systems hold them; see [`Name::check_wire`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Checks and takes the bytes.
    ///
    /// # Errors
    /// Says which rule the bytes break.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, NameError> {
        let bytes = bytes.as_ref();
        check(bytes)?;
        Ok(Self(bytes.into()))
    }

    /// The identity.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For system calls.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// Does Causeway keep this name for itself?
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(RESERVED_PREFIX)
    }

    /// For people; bytes that are not UTF-8 are shown as `\xNN`, so two names never look alike.
    #[must_use]
    pub fn display(&self) -> Cow<'_, str> {
        display_bytes(&self.0)
    }

    /// May it be sent in a line-based protocol?
    ///
    /// # Errors
    /// [`NameError::LineBreak`] when it holds CR or LF.
    pub fn check_wire(&self) -> Result<(), NameError> {
        if self.0.iter().any(|b| matches!(b, b'\r' | b'\n')) { Err(NameError::LineBreak) } else { Ok(()) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

/// A path below some root: names joined by `/`; empty for the root itself. It cannot climb out.
///
/// Ordering is by bytes of the joined path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RelPath(Vec<u8>);

impl RelPath {
    /// The root itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Checks every component. One leading slash is an error; `//` and a trailing slash are not
    /// accepted either: callers that take user input use [`RelPath::lenient`].
    ///
    /// # Errors
    /// Says which rule the bytes break.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, NameError> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() {
            return Ok(Self::root());
        }
        if bytes.first() == Some(&b'/') {
            return Err(NameError::Absolute);
        }
        bytes.split(|b| *b == b'/').try_for_each(check)?;
        Ok(Self(bytes.to_vec()))
    }

    /// Reads a path as a client of a door writes it: `/` is the root of its view, empty components and
    /// `.` vanish, `..` goes up and stops at the root (as POSIX does at `/`).
    ///
    /// # Errors
    /// When a component breaks a rule of [`Name`].
    pub fn lenient(bytes: impl AsRef<[u8]>) -> Result<Self, NameError> {
        let mut path = Self::root();
        for part in bytes.as_ref().split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => path = path.parent().unwrap_or_default(),
                name => path = path.join(&Name::new(name)?),
            }
        }
        Ok(path)
    }

    /// The joined bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For system calls relative to a directory descriptor; `.` for the root.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        if self.0.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(&self.0)) }
    }

    /// Is it the root itself?
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of a child.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        self.joined(name.as_bytes())
    }

    /// `self` followed by `other`.
    #[must_use]
    pub fn concat(&self, other: &Self) -> Self {
        if other.is_root() { self.clone() } else { self.joined(&other.0) }
    }

    fn joined(&self, bytes: &[u8]) -> Self {
        let mut joined = Vec::with_capacity(self.0.len() + 1 + bytes.len());
        joined.extend_from_slice(&self.0);
        if !joined.is_empty() {
            joined.push(b'/');
        }
        joined.extend_from_slice(bytes);
        Self(joined)
    }

    /// The last component; none for the root.
    #[must_use]
    pub fn name(&self) -> Option<Name> {
        self.0.rsplit(|b| *b == b'/').next().filter(|b| !b.is_empty()).map(|b| Name(b.into()))
    }

    /// The folder that holds it; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(Self(self.0.get(..cut).unwrap_or_default().to_vec()))
    }

    /// The components from the root down.
    pub fn names(&self) -> impl Iterator<Item = Name> + '_ {
        self.0.split(|b| *b == b'/').filter(|b| !b.is_empty()).map(|b| Name(b.into()))
    }

    /// How many components.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// Is `self` equal to `other` or below it?
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(other.0.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    }

    /// Does any component belong to Causeway?
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.split(|b| *b == b'/').any(|b| b.starts_with(RESERVED_PREFIX))
    }

    /// For people; bytes that are not UTF-8 are shown as `\xNN`.
    #[must_use]
    pub fn display(&self) -> Cow<'_, str> {
        display_bytes(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

// Paths may be any bytes, JSON strings may not: UTF-8 stays readable, the rest is hex behind a NUL,
// which no path contains.
impl Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_str(&format!("\0{}", HEXLOWER.encode(&self.0))),
        }
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = String::deserialize(deserializer)?;
        let bytes = match text.strip_prefix('\0') {
            Some(hex) => HEXLOWER.decode(hex.as_bytes()).map_err(D::Error::custom)?,
            None => text.into_bytes(),
        };
        Self::new(bytes).map_err(D::Error::custom)
    }
}

fn check(bytes: &[u8]) -> Result<(), NameError> {
    match bytes {
        b"" => Err(NameError::Empty),
        b"." | b".." => Err(NameError::Dots),
        _ if bytes.contains(&b'/') => Err(NameError::Separator),
        _ if bytes.contains(&0) => Err(NameError::Nul),
        _ if bytes.len() > 255 => Err(NameError::TooLong),
        _ => Ok(()),
    }
}

/// Bytes for people: what is no UTF-8 is shown as `\xNN`, control characters by their escapes.
#[must_use]
pub fn display_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(char::is_control)
    {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_leaves_the_tree() {
        for (bytes, error) in [
            (&b"a/../b"[..], NameError::Dots),
            (b"/etc", NameError::Absolute),
            (b"a//b", NameError::Empty),
            (b"a\0b", NameError::Nul),
        ] {
            assert_eq!(RelPath::new(bytes), Err(error));
        }
    }

    #[test]
    fn lenient_stops_at_the_root() {
        let path = RelPath::lenient("/../a/./b//../c/").unwrap();
        assert_eq!(path.as_bytes(), b"a/c");
    }

    proptest! {
        #[test]
        fn lenient_never_climbs(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(path) = RelPath::lenient(&bytes) {
                prop_assert!(path.names().all(|n| n.as_bytes() != b".."));
                prop_assert_eq!(RelPath::new(path.as_bytes()).unwrap(), path);
            }
        }

        #[test]
        fn json_keeps_every_byte(bytes in proptest::collection::vec(1u8.., 1..40)) {
            if let Ok(path) = RelPath::new(&bytes) {
                let json = serde_json::to_string(&path).unwrap();
                prop_assert_eq!(serde_json::from_str::<RelPath>(&json).unwrap(), path);
            }
        }

        #[test]
        fn parent_and_name_rejoin(bytes in "[a-z/]{0,30}") {
            if let Ok(path) = RelPath::new(&bytes) && let (Some(parent), Some(name)) = (path.parent(), path.name()) {
                prop_assert_eq!(parent.join(&name), path);
            }
        }
    }
}
