//! What a failed file operation means to `dav-server`, and to the client where `dav-server` has no word for it.

use std::io;
use std::sync::{Arc, OnceLock};

use dav_server::fs::FsError;
use http::StatusCode;

use crate::serve::http::status;

/// The status of a request that `dav-server` would answer with a vaguer one. The first one counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict(Arc<OnceLock<StatusCode>>);

impl Verdict {
    /// This is why it failed.
    pub(super) fn give(&self, status: StatusCode) {
        self.0.get_or_init(|| status);
    }

    /// Why it failed, if somebody said so.
    pub(super) fn given(&self) -> Option<StatusCode> {
        self.0.get().copied()
    }
}

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
