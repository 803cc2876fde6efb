//! What a failed file operation means in HTTP.

use std::io;

use http::StatusCode;

/// The status for `error`. A new kind that nobody thought of is our fault: 500.
#[must_use]
pub fn of(error: &io::Error) -> StatusCode {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => StatusCode::NOT_FOUND,
        // A file stands where the path has a folder: nothing can be there.
        Kind::NotADirectory => StatusCode::NOT_FOUND,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => StatusCode::FORBIDDEN,
        Kind::AlreadyExists | Kind::DirectoryNotEmpty | Kind::ResourceBusy => StatusCode::CONFLICT,
        Kind::WouldBlock => StatusCode::LOCKED,
        Kind::IsADirectory => StatusCode::METHOD_NOT_ALLOWED,
        Kind::StorageFull | Kind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
        Kind::FileTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::InvalidFilename | Kind::InvalidInput | Kind::InvalidData | Kind::UnexpectedEof => StatusCode::BAD_REQUEST,
        Kind::TimedOut => StatusCode::REQUEST_TIMEOUT,
        Kind::CrossesDevices => StatusCode::BAD_GATEWAY,
        // ELOOP has no stable kind of its own.
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => StatusCode::LOOP_DETECTED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// One sentence for people, without paths of this machine.
#[must_use]
pub fn sentence(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "the request cannot be understood: check the name and the headers",
        401 => "sign in with the name and password of your account: none came, or they do not belong together",
        403 => {
            "not allowed here: the account may only read, or the name leads out of its folder or is reserved; \
             ask an administrator for the right, or use another name"
        }
        404 => "there is nothing under this name",
        405 => "this cannot be done here: the header Allow names what can; a folder takes no file's content",
        408 => "no bytes came for too long: try again",
        409 => "the folder above is missing, or something is in the way",
        412 => "the file is not the version that you know: look again first",
        413 => "too large: send less at once, or ask an administrator to raise the limit of uploads",
        416 => "the file has no such range",
        423 => "somebody else is changing this: try again when it is unlocked",
        429 => {
            "too many failed sign-ins: wait a quarter of an hour, or have it lifted on the server with \
             'causeway account unlock' and the account's name"
        }
        502 => "it cannot go there: that is another server, or another disk (the trash lies on one, too)",
        503 => "busy: try again in a moment",
        507 => "no space left: nothing was changed",
        508 => "links lead in a circle",
        _ => "this did not work: the server's log says why",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_507() {
        assert_eq!(of(&io::Error::from_raw_os_error(28)), StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(of(&io::Error::from_raw_os_error(40)), StatusCode::LOOP_DETECTED);
        assert_eq!(of(&io::Error::from(io::ErrorKind::PermissionDenied)), StatusCode::FORBIDDEN);
        assert_eq!(of(&io::Error::from_raw_os_error(5)), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
