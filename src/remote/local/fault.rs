//! What goes wrong on this machine's disks, in sentences: which place, and what to do about it.

use std::io::{self, ErrorKind};

use crate::model::{Fault, Phase, RelPath};

/// Translates an error met at `path`.
pub(super) fn at(phase: Phase, path: &RelPath, error: &io::Error) -> Fault {
    of(phase, &place(path), error)
}

/// Translates an error met while doing `what`.
pub(super) fn of(phase: Phase, what: &str, error: &io::Error) -> Fault {
    let fault = Fault::io(phase, what, error);
    match remedy(error) {
        Some(remedy) => Fault { message: format!("{}: {remedy}", fault.message), ..fault },
        None => fault,
    }
}

/// Parts have names that nobody knows: what is said is where the file is to be.
fn place(path: &RelPath) -> String {
    match path.parent() {
        Some(parent) if path.is_reserved() && parent.is_root() => "a file in the top folder".to_owned(),
        Some(parent) if path.is_reserved() => format!("a file in {}", parent.display()),
        Some(_) => path.display().into_owned(),
        None => "the top folder".to_owned(),
    }
}

fn remedy(error: &io::Error) -> Option<String> {
    Some(match error.kind() {
        ErrorKind::StorageFull => "make room on its disk, then it goes on".to_owned(),
        ErrorKind::QuotaExceeded => "make room or raise the quota, then it goes on".to_owned(),
        ErrorKind::FileTooLarge => "its file system cannot hold a file of this size, use another one".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "mount it for writing, or name another folder".to_owned(),
        ErrorKind::PermissionDenied => {
            let user = rustix::process::geteuid().as_raw();
            format!("allow it to the user that this runs as (uid {user}), or name another folder")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FaultKind;
    use rustix::io::Errno;

    fn said(path: &str, errno: Errno) -> (FaultKind, String) {
        let fault = at(Phase::Transfer, &RelPath::new(path.as_bytes()).unwrap(), &errno.into());
        (fault.kind, fault.to_string())
    }

    #[test]
    fn a_place_that_people_know_and_what_to_do() {
        let (kind, text) = said("a/b/.causeway-part-0123456789abcdef", Errno::NOSPC);
        assert_eq!(kind, FaultKind::DiskFull);
        assert!(text.contains("a file in a/b: ") && text.contains("make room"), "{text}");
        assert!(said(".causeway-part-0123456789abcdef", Errno::ROFS).1.contains("a file in the top folder"));
        let (kind, text) = said("a/c.txt", Errno::PERM);
        assert!(kind == FaultKind::Permission && text.contains("a/c.txt: ") && text.contains("uid"), "{text}");
        let (kind, text) = said("a/c.txt", Errno::FBIG);
        assert!(kind == FaultKind::Unsupported && text.contains("of this size"), "{text}");
        assert!(!said("a/c.txt", Errno::IO).1.contains(", "), "no advice where none is known");
    }
}
