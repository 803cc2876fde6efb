//! What an error of the tree is in SFTP: the one place where status codes are chosen.
//!
//! The codes are those that OpenSSH's server gives for the same errors, because clients were written
//! against it; the text is ours.

use std::io::{self, ErrorKind};

use russh_sftp::protocol::StatusCode;

use crate::net::sftp::Reply;

/// Its kind has no stable name yet.
const LOOP: i32 = rustix::io::Errno::LOOP.raw_os_error();

/// The answer to a failed request.
#[must_use]
pub fn of(error: &io::Error) -> Reply {
    if error.raw_os_error() == Some(LOOP) {
        return Reply::Status { code: StatusCode::NoSuchFile, text: "the links form a circle".to_owned() };
    }
    Reply::Status { code: code(error.kind()), text: text(error) }
}

/// The end of a file or of a directory.
#[must_use]
pub fn eof() -> Reply {
    Reply::Status { code: StatusCode::Eof, text: "end of file".to_owned() }
}

/// A handle that is not open.
#[must_use]
pub fn bad_handle() -> Reply {
    Reply::Status { code: StatusCode::Failure, text: "this handle is not open".to_owned() }
}

/// A request that this server does not know.
#[must_use]
pub fn unsupported(what: &str) -> Reply {
    Reply::Status { code: StatusCode::OpUnsupported, text: format!("{what} is not supported") }
}

/// Another failure, in words.
#[must_use]
pub fn failure(text: impl Into<String>) -> Reply {
    Reply::Status { code: StatusCode::Failure, text: text.into() }
}

fn code(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => StatusCode::NoSuchFile,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StatusCode::PermissionDenied,
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename => StatusCode::BadMessage,
        ErrorKind::Unsupported => StatusCode::OpUnsupported,
        // Version 3 has no words for: exists, not empty, is a directory, disk full, quota, too large,
        // busy. The text says which.
        _ => StatusCode::Failure,
    }
}

/// What went wrong, for people.
#[must_use]
pub fn text(error: &io::Error) -> String {
    let plain = match error.kind() {
        // As OpenSSH says it: scripts look for these words.
        ErrorKind::NotFound => "No such file",
        ErrorKind::NotADirectory => "a part of the path is not a directory",
        ErrorKind::AlreadyExists => "there is something of that name already",
        ErrorKind::DirectoryNotEmpty => "the directory is not empty",
        ErrorKind::IsADirectory => "this is a directory",
        ErrorKind::StorageFull => "the disk is full: nothing was changed, free some space and send it again",
        ErrorKind::QuotaExceeded => "the quota is used up: nothing was changed",
        ErrorKind::FileTooLarge => "the file would be too large for the disk",
        ErrorKind::InvalidFilename => "the name is too long",
        ErrorKind::CrossesDevices => "the two places lie on different disks",
        ErrorKind::ReadOnlyFilesystem => "the disk is mounted read-only",
        // Our own sentences; everything else is the system's, without its number.
        _ if error.raw_os_error().is_none() => return error.to_string(),
        ErrorKind::PermissionDenied => "permission denied",
        kind => return kind.to_string(),
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_openssh() {
        use rustix::io::Errno;
        for (errno, expected) in [
            (Errno::NOENT, StatusCode::NoSuchFile),
            (Errno::NOTDIR, StatusCode::NoSuchFile),
            (Errno::LOOP, StatusCode::NoSuchFile),
            (Errno::ACCESS, StatusCode::PermissionDenied),
            (Errno::PERM, StatusCode::PermissionDenied),
            (Errno::NAMETOOLONG, StatusCode::BadMessage),
            (Errno::INVAL, StatusCode::BadMessage),
            (Errno::NOSYS, StatusCode::OpUnsupported),
            (Errno::EXIST, StatusCode::Failure),
            (Errno::NOTEMPTY, StatusCode::Failure),
            (Errno::NOSPC, StatusCode::Failure),
            (Errno::IO, StatusCode::Failure),
        ] {
            let error = io::Error::from(errno);
            let Reply::Status { code, text } = of(&error) else { panic!("not a status") };
            assert_eq!(code, expected, "{errno:?}");
            assert!(!text.is_empty() && !text.contains("os error"), "{text}");
        }
    }
}
