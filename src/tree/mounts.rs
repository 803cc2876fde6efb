//! Does whatever is asked of a tree come back? Disks of this machine answer or fail; what lies behind a network, or in
//! somebody's program, may keep a thread for ever.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::file;

/// Kinds of file systems that lie on disks of this machine, or in its memory (`/proc/self/mountinfo`, proc(5)).
const NEAR: &[&str] = &[
    "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs", "xfs", "zfs",
];
/// Longer than the list of any machine.
const LONGEST: usize = 16 << 20;

/// Do `folder`, a path without links, and everything that is mounted below it lie on this machine? Nothing is asked of
/// the folder itself.
pub(super) fn are_near(folder: &Path) -> io::Result<bool> {
    let list = file::read_special(Path::new("/proc/self/mountinfo"), LONGEST)?;
    Ok(near(&list, folder.as_os_str().as_bytes()))
}

fn near(list: &[u8], folder: &[u8]) -> bool {
    let mut under: Option<(usize, bool)> = None;
    for line in list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Some((place, kind)) = parts(line) else { return false };
        let is_near = NEAR.iter().any(|near| near.as_bytes() == kind);
        if is_below(folder, &place) {
            // Of two at one place the later one is seen.
            if under.is_none_or(|(length, _)| place.len() >= length) {
                under = Some((place.len(), is_near));
            }
        } else if is_below(&place, folder) && !is_near {
            return false;
        }
    }
    under.is_some_and(|(_, is_near)| is_near)
}

/// Where it is mounted, and of what kind it is.
fn parts(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut fields = line.split(|byte| *byte == b' ');
    let place = unescaped(fields.nth(4)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some((place, kind))
}

/// Blanks and the like stand as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(field.len()), field);
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

fn is_below(inner: &[u8], outer: &[u8]) -> bool {
    let outer = outer.strip_suffix(b"/").unwrap_or(outer);
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
        23 22 0:21 / /proc rw - proc proc rw\n\
        30 22 8:1 / /srv/tree rw - xfs /dev/sdb1 rw\n\
        31 30 0:40 / /srv/tree/far\\040away rw shared:7 - nfs4 server:/x rw\n\
        32 22 0:41 / /srv/treehouse rw - fuse.sshfs there rw\n\
        33 22 0:42 / /mnt rw - nfs4 server:/y rw\n\
        34 22 8:2 / /mnt rw - ext4 /dev/sdc rw\n";

    #[test]
    fn what_is_mounted_below_counts_and_what_lies_beside_does_not() {
        for (folder, expected) in [
            ("/srv/tree", false),
            ("/srv/tree/near", true),
            ("/srv/tree/far away", false),
            ("/srv/tree/far away/x", false),
            ("/home", true),
            ("/srv/treehouse", false),
            ("/srv/tree2", true),
            ("/mnt/y", true),
            ("/", false),
        ] {
            assert_eq!(near(LIST.as_bytes(), folder.as_bytes()), expected, "{folder}");
        }
        assert!(!near(b"nonsense\n", b"/"));
        assert!(!near(b"", b"/"));
    }

    #[test]
    fn the_list_of_this_machine_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        are_near(&folder.path().canonicalize().unwrap()).unwrap();
        assert!(!are_near(Path::new("/proc")).unwrap());
    }
}
