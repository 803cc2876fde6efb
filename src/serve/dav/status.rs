//! What a failed file operation means to `dav-server`.

use std::io;

use dav_server::fs::FsError;
use http::StatusCode;

use crate::serve::http::status;

/// The nearest of the errors that `dav-server` knows; the statuses are those of [`status::of`].
pub(super) fn fs_error(error: &io::Error) -> FsError {
    match status::of(error) {
        StatusCode::NOT_FOUND => FsError::NotFound,
        StatusCode::FORBIDDEN | StatusCode::LOCKED => FsError::Forbidden,
        StatusCode::CONFLICT | StatusCode::METHOD_NOT_ALLOWED => FsError::Exists,
        StatusCode::INSUFFICIENT_STORAGE => FsError::InsufficientStorage,
        StatusCode::PAYLOAD_TOO_LARGE => FsError::TooLarge,
        StatusCode::LOOP_DETECTED => FsError::LoopDetected,
        StatusCode::BAD_GATEWAY => FsError::IsRemote,
        StatusCode::BAD_REQUEST if error.kind() == io::ErrorKind::InvalidFilename => FsError::PathTooLong,
        StatusCode::BAD_REQUEST => FsError::Forbidden,
        _ => {
            tracing::warn!(io.error = %error, "a WebDAV operation failed");
            FsError::GeneralFailure
        }
    }
}
