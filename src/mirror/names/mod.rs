//! From a name in the source to a name in the target: never guessed, never mangled.

use encoding_rs::{Encoding, UTF_8};

pub(super) mod collide;
pub(super) mod store;

use super::portable::portable;
use super::{MirrorError, Naming as Rule, Policy};
use crate::model::{Fault, FaultKind, Folds, Name, Phase, RelPath, charset};

/// The word of a policy that lets the character set be found out.
const AUTO: &str = "auto";

/// How names are carried over, by the policy.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// The same way in every folder.
    Everywhere(Naming),
    /// As is found out for each folder; so are names that every character set agrees on.
    FoundOut(Naming),
}

impl Names {
    /// # Errors
    /// When the policy names a character set that nobody knows.
    pub(super) fn new(policy: &Policy) -> Result<Self, MirrorError> {
        let plain = Naming { charset: None, strict: false, portable: policy.names == Rule::Portable };
        let Some(label) = &policy.charset else { return Ok(Self::Everywhere(plain)) };
        if label.eq_ignore_ascii_case(AUTO) {
            return Ok(Self::FoundOut(plain));
        }
        let charset = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
            MirrorError::Policy(format!(
                "the character set '{label}' is not known: use a label such as gbk or windows-1252, or auto"
            ))
        })?;
        Ok(Self::Everywhere(Naming { charset: Some(charset), strict: true, ..plain }))
    }

    /// How names are carried over everywhere; none where each folder has its own way.
    pub(super) const fn everywhere(self) -> Option<Naming> {
        match self {
            Self::Everywhere(naming) => Some(naming),
            Self::FoundOut(_) => None,
        }
    }

    /// How names are carried over that are written alike in every character set.
    pub(super) const fn plain(self) -> Naming {
        match self {
            Self::Everywhere(naming) | Self::FoundOut(naming) => naming,
        }
    }
}

/// How the names of a folder are carried over. By default their bytes are kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Naming {
    charset: Option<&'static Encoding>,
    /// Somebody named the character set: a name that is none in it is refused. Else its bytes are kept.
    strict: bool,
    /// They are to be such as every client can hold.
    portable: bool,
}

impl Naming {
    /// Names in a character set that was found out, or that could not be (none).
    pub(super) const fn in_charset(self, charset: Option<&'static Encoding>) -> Self {
        Self { charset, strict: false, ..self }
    }

    /// The name in the target. With a character set it is UTF-8, and only when the way back gives the
    /// very same bytes: then two names never become one.
    ///
    /// # Errors
    /// [`FaultKind::BadName`], with what to do about it.
    pub(super) fn map(self, name: &Name) -> Result<Name, Fault> {
        if name.is_reserved() {
            return Err(bad(
                "names that begin with '.causeway-' are reserved: rename the file in the source".to_owned()
            ));
        }
        let name = self.decoded(name)?;
        if !self.portable {
            return Ok(name);
        }
        portable(&name).map_err(|error| bad(format!("{error}, once it is written so that every client can hold it")))
    }

    fn decoded(self, name: &Name) -> Result<Name, Fault> {
        let Some(charset) = self.charset else { return Ok(name.clone()) };
        if !self.strict {
            return Ok(lenient(name, charset));
        }
        let decoded = charset.decode_without_bom_handling_and_without_replacement(name.as_bytes());
        let Some(text) = decoded else { return Err(not_in(name, charset)) };
        let (back, _, lossy) = charset.encode(&text);
        if charset != UTF_8 && (lossy || back.as_ref() != name.as_bytes()) {
            return Err(not_in(name, charset));
        }
        Name::new(text.as_bytes()).map_err(|error| bad(format!("{error}, once it is UTF-8")))
    }
}

/// The path that all paths have in common whose names, in the same folder, may be taken for one.
pub(super) fn key(path: &RelPath) -> RelPath {
    let (Some(folder), Some(name)) = (path.parent(), path.name()) else { return RelPath::root() };
    // A key is as good a name as what it is the key of; where it is longer than a name may be, nothing is like it.
    Name::new(Folds::BOTH.key(&name)).map_or_else(|_| path.clone(), |key| folder.join(&key))
}

/// The text of a name that is one in `charset`. The bytes of any other name are kept, as are those of names that are
/// UTF-8 already; nothing is lost, and bytes that are no UTF-8 are never another's text.
fn lenient(name: &Name, charset: &'static Encoding) -> Name {
    let bytes = name.as_bytes();
    let text = if std::str::from_utf8(bytes).is_ok() { None } else { charset::decode(bytes, charset) };
    // Too long, or holding what no name may hold once it is UTF-8.
    text.and_then(|text| Name::new(text.as_bytes()).ok()).unwrap_or_else(|| name.clone())
}

fn not_in(name: &Name, charset: &'static Encoding) -> Fault {
    bad(format!("{} is not a name in {}: check the job's character set", name.display(), charset.name()))
}

fn bad(message: String) -> Fault {
    Fault::new(Phase::List, FaultKind::BadName, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(charset: Option<&str>) -> Naming {
        Names::new(&Policy { charset: charset.map(str::to_owned), ..Policy::default() }).unwrap().everywhere().unwrap()
    }

    #[test]
    fn what_was_found_out_refuses_nothing() {
        let gbk = Naming::default().in_charset(Some(encoding_rs::GBK));
        for (name, target) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"\xd6\xd0", "中".as_bytes()),
            (b"\xd6\xff", b"\xd6\xff"),
            ("中文".as_bytes(), "中文".as_bytes()),
        ] {
            assert_eq!(gbk.map(&Name::new(name).unwrap()).unwrap().as_bytes(), target);
        }
        let long = Name::new([0xd6, 0xd0].repeat(100)).unwrap();
        assert_eq!(gbk.map(&long).unwrap(), long, "300 bytes of UTF-8 are no name: its own bytes are");
        assert!(gbk.map(&Name::new(".causeway-x").unwrap()).is_err());
        let auto = Policy { charset: Some("auto".to_owned()), ..Policy::default() };
        assert!(Names::new(&auto).unwrap().everywhere().is_none());
    }

    #[test]
    fn gbk_becomes_utf8_and_nothing_else_does() {
        let gbk = names(Some("gbk"));
        assert_eq!(gbk.map(&Name::new([0xd6, 0xd0]).unwrap()).unwrap().as_bytes(), "中".as_bytes());
        assert_eq!(gbk.map(&Name::new([0xd6, 0xff]).unwrap()).unwrap_err().kind, FaultKind::BadName);
        assert_eq!(names(None).map(&Name::new([0xd6, 0xff]).unwrap()).unwrap().as_bytes(), [0xd6, 0xff]);
    }

    #[test]
    fn a_name_becomes_text_first_and_then_portable() {
        let policy = Policy { charset: Some("gbk".to_owned()), names: Rule::Portable, ..Policy::default() };
        let naming = Names::new(&policy).unwrap().plain();
        assert_eq!(naming.map(&Name::new(b"\xd6\xd0:").unwrap()).unwrap().as_bytes(), "中%3A".as_bytes());
        assert_eq!(naming.map(&Name::new([b'?'; 90]).unwrap()).unwrap_err().kind, FaultKind::BadName);
    }

    #[test]
    fn own_names_are_refused() {
        assert_eq!(names(None).map(&Name::new(".causeway-part-1").unwrap()).unwrap_err().kind, FaultKind::BadName);
    }
}
