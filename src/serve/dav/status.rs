//! What a failed file operation means to `dav-server`, and to a person where a status is too little.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use dav_server::fs::FsError;
use http::StatusCode;

use crate::serve::http::status;

/// What a 207 says to a person, beside the statuses. The first one counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Remark(Arc<OnceLock<&'static str>>);

impl Remark {
    /// Says this.
    pub(super) fn make(&self, sentence: &'static str) {
        self.0.get_or_init(|| sentence);
    }

    /// What was said.
    pub(super) fn made(&self) -> Option<&'static str> {
        self.0.get().copied()
    }

    /// A 207 with what was said (RFC 4918, 14.25).
    pub(super) fn added_to(&self, multistatus: Bytes) -> Bytes {
        const END: &str = "</D:multistatus>";
        let text = std::str::from_utf8(&multistatus).ok().and_then(|text| text.rsplit_once(END));
        match (self.0.get(), text) {
            (Some(sentence), Some((before, after))) => {
                let described = format!("<D:responsedescription>{sentence}</D:responsedescription>");
                Bytes::from([before, &described, END, after].concat())
            }
            _ => multistatus,
        }
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
