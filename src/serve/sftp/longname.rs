//! The line that `ls -l` would show, in the shape of OpenSSH's: some clients take it apart.

use bytes::{BufMut, Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};

use crate::model::EntryKind;
use crate::tree::Stat;

/// Half a year: older and future files show the year instead of the time of day.
const RECENT: SignedDuration = SignedDuration::from_hours(24 * 182);

/// One line, in UTC.
#[must_use]
pub fn line(name: &[u8], stat: &Stat, now: Timestamp) -> Bytes {
    let age = now.duration_since(stat.mtime);
    let format = if age >= SignedDuration::ZERO && age < RECENT { "%b %e %H:%M" } else { "%b %e  %Y" };
    let head = format!(
        "{} {:>3} {:<8} {:<8} {:>8} {:>12} ",
        mode(stat),
        stat.nlink,
        stat.uid,
        stat.gid,
        stat.size,
        stat.mtime.strftime(format)
    );
    let mut line = BytesMut::with_capacity(head.len() + name.len());
    line.put_slice(head.as_bytes());
    line.put_slice(name);
    line.freeze()
}

fn mode(stat: &Stat) -> String {
    let kind = match stat.kind {
        EntryKind::File => '-',
        EntryKind::Dir => 'd',
        EntryKind::Symlink(_) => 'l',
        EntryKind::Special | EntryKind::Unknown => '?',
    };
    let bits =
        [(0o400, 'r'), (0o200, 'w'), (0o100, 'x'), (0o40, 'r'), (0o20, 'w'), (0o10, 'x'), (4, 'r'), (2, 'w'), (1, 'x')];
    let special = [(0o4000, 2_usize, 's', 'S'), (0o2000, 5, 's', 'S'), (0o1000, 8, 't', 'T')];
    let mut text = String::from(kind);
    for (place, (bit, letter)) in bits.into_iter().enumerate() {
        let set = stat.mode & bit != 0;
        let letter = match special.iter().find(|(bit, at, ..)| *at == place && stat.mode & bit != 0) {
            Some((_, _, with, without)) => {
                if set {
                    *with
                } else {
                    *without
                }
            }
            None if set => letter,
            None => '-',
        };
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_ls() {
        let at: Timestamp = "2026-03-04T05:06:07Z".parse().unwrap();
        let mut stat = Stat {
            kind: EntryKind::File,
            size: 1234,
            mtime: at,
            ctime: at,
            atime: at,
            mode: 0o104_754,
            uid: 1000,
            gid: 100,
            ino: 1,
            dev: 1,
            nlink: 1,
            born: None,
        };
        let now = "2026-04-01T00:00:00Z".parse().unwrap();
        assert_eq!(&line(b"a b", &stat, now)[..], b"-rwsr-xr--   1 1000     100          1234 Mar  4 05:06 a b");
        stat.kind = EntryKind::Dir;
        stat.mode = 0o41_755;
        let later = "2027-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            &line(b"\xd6\xd0", &stat, later)[..],
            b"drwxr-xr-t   1 1000     100          1234 Mar  4  2026 \xd6\xd0"
        );
    }
}
