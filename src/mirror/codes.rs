//! The numbers under which kinds, precisions and sources of times are stored.

use jiff::Timestamp;

use super::plan::Kind;
use crate::model::{EntryKind, Mtime, Precision, TimeSource};

const KINDS: [Kind; 5] = [Kind::File, Kind::Dir, Kind::Link, Kind::Special, Kind::Unknown];
const PRECISIONS: [Precision; 4] = [Precision::Nanosecond, Precision::Second, Precision::Minute, Precision::Day];
const TOLD: [TimeSource; 6] = [
    TimeSource::FileSystem,
    TimeSource::Mdtm,
    TimeSource::Mlsd,
    TimeSource::List,
    TimeSource::Sftp,
    TimeSource::WebDav,
];

fn number<T: PartialEq>(all: &[T], one: &T) -> i64 {
    all.iter().position(|x| x == one).and_then(|n| i64::try_from(n).ok()).unwrap_or(-1)
}

fn value<T: Copy>(all: &[T], number: i64) -> Option<T> {
    usize::try_from(number).ok().and_then(|n| all.get(n)).copied()
}

pub(super) fn kind_number(kind: Kind) -> i64 {
    number(&KINDS, &kind)
}

pub(super) fn kind(number: i64) -> Kind {
    value(&KINDS, number).unwrap_or(Kind::Unknown)
}

pub(super) fn kind_of(kind: &EntryKind) -> Kind {
    match kind {
        EntryKind::File => Kind::File,
        EntryKind::Dir => Kind::Dir,
        EntryKind::Symlink(_) => Kind::Link,
        EntryKind::Special => Kind::Special,
        EntryKind::Unknown => Kind::Unknown,
    }
}

/// The number of who told a time.
pub(super) fn told_number(told: TimeSource) -> i64 {
    number(&TOLD, &told)
}

/// The number of how exact a time is.
pub(super) fn precision_number(precision: Precision) -> i64 {
    number(&PRECISIONS, &precision)
}

/// A file time in three columns: nanoseconds, precision, who told it.
pub(super) type Columns = (Option<i64>, Option<i64>, Option<i64>);

pub(super) fn columns(mtime: Option<Mtime>) -> Columns {
    let Some(mtime) = mtime else { return (None, None, None) };
    match i64::try_from(mtime.at.as_nanosecond()) {
        Ok(at) => (Some(at), Some(number(&PRECISIONS, &mtime.precision)), Some(number(&TOLD, &mtime.source))),
        // Before 1677 or after 2262: no file was written then.
        Err(_) => (None, None, None),
    }
}

pub(super) fn mtime((at, precision, told): Columns) -> Option<Mtime> {
    Some(Mtime {
        at: Timestamp::from_nanosecond(at?.into()).ok()?,
        precision: value(&PRECISIONS, precision?)?,
        source: value(&TOLD, told?)?,
    })
}
