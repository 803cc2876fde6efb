//! From a name in the source to a name in the target: never guessed, never mangled.

use encoding_rs::{Encoding, UTF_8};

use super::{MirrorError, Policy};
use crate::model::{Fault, FaultKind, Name, Phase};

/// How names are carried over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    charset: Option<&'static Encoding>,
}

impl Names {
    /// # Errors
    /// When the policy names a character set that nobody knows.
    pub(super) fn new(policy: &Policy) -> Result<Self, MirrorError> {
        let charset = policy
            .charset
            .as_ref()
            .map(|label| {
                Encoding::for_label(label.as_bytes()).ok_or_else(|| {
                    MirrorError::Policy(format!(
                        "the character set '{label}' is not known: use a label such as gbk or windows-1252"
                    ))
                })
            })
            .transpose()?;
        Ok(Self { charset })
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
        let Some(charset) = self.charset else { return Ok(name.clone()) };
        let decoded = charset.decode_without_bom_handling_and_without_replacement(name.as_bytes());
        let Some(text) = decoded else { return Err(not_in(name, charset)) };
        let (back, _, lossy) = charset.encode(&text);
        if charset != UTF_8 && (lossy || back.as_ref() != name.as_bytes()) {
            return Err(not_in(name, charset));
        }
        Name::new(text.as_bytes()).map_err(|error| bad(format!("{error}, once it is UTF-8")))
    }
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

    fn names(charset: Option<&str>) -> Names {
        Names::new(&Policy { charset: charset.map(str::to_owned), ..Policy::default() }).unwrap()
    }

    #[test]
    fn gbk_becomes_utf8_and_nothing_else_does() {
        let gbk = names(Some("gbk"));
        assert_eq!(gbk.map(&Name::new([0xd6, 0xd0]).unwrap()).unwrap().as_bytes(), "中".as_bytes());
        assert_eq!(gbk.map(&Name::new([0xd6, 0xff]).unwrap()).unwrap_err().kind, FaultKind::BadName);
        assert_eq!(names(None).map(&Name::new([0xd6, 0xff]).unwrap()).unwrap().as_bytes(), [0xd6, 0xff]);
    }

    #[test]
    fn own_names_are_refused() {
        assert_eq!(names(None).map(&Name::new(".causeway-part-1").unwrap()).unwrap_err().kind, FaultKind::BadName);
    }
}
