//! From a server's attributes to what we say of a file.

use jiff::Timestamp;

use crate::model::{Entry, EntryKind, Mtime, Name, Precision, TimeSource};
use crate::net::sftp::{Attributes, DIRECTORY, KIND, LINK, REGULAR};

/// What `attributes` say of `name`. The target of a link is asked for separately.
pub(super) fn entry(name: Name, attributes: &Attributes) -> Entry {
    let kind = match attributes.permissions.map(|mode| mode & KIND) {
        // Servers that leave the type out exist.
        None | Some(0) => EntryKind::Unknown,
        Some(REGULAR) => EntryKind::File,
        Some(DIRECTORY) => EntryKind::Dir,
        Some(LINK) => EntryKind::Symlink(None),
        Some(_) => EntryKind::Special,
    };
    let at = attributes.times.and_then(|(_, mtime)| Timestamp::from_second(i64::from(mtime)).ok());
    Entry {
        name,
        kind,
        size: attributes.size,
        mtime: at.map(|at| Mtime { at, precision: Precision::Second, source: TimeSource::Sftp }),
        mode: attributes.permissions.map(|mode| mode & 0o7777),
        unique: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays_unknown() {
        let of = |attributes: &Attributes| entry(Name::new("a").unwrap(), attributes);
        let nothing = of(&Attributes::default());
        assert_eq!((nothing.kind, nothing.size, nothing.mtime, nothing.mode), (EntryKind::Unknown, None, None, None));
        let file = Attributes {
            size: Some(3),
            permissions: Some(REGULAR | 0o4644),
            times: Some((1, 2)),
            ..Attributes::default()
        };
        let file = of(&file);
        assert_eq!((file.kind, file.size, file.mode), (EntryKind::File, Some(3), Some(0o4644)));
        assert_eq!(file.mtime.unwrap().at.as_second(), 2);
        let kind = |mode| of(&Attributes { permissions: Some(mode), ..Attributes::default() }).kind;
        assert_eq!(kind(LINK | 0o777), EntryKind::Symlink(None));
        assert_eq!(
            (kind(DIRECTORY), kind(0o010_000), kind(0o644)),
            (EntryKind::Dir, EntryKind::Special, EntryKind::Unknown)
        );
    }
}
