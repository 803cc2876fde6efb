//! Reading a request's body.

use std::io;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

/// The next bytes; `None` at the end.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the client went away, [`io::ErrorKind::TimedOut`] when it keeps us
/// waiting, [`io::ErrorKind::FileTooLarge`] when a stranger sends more than strangers may.
pub async fn next(body: &mut Body) -> io::Result<Option<Bytes>> {
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => return Ok(Some(data)),
            // Trailers.
            Ok(Err(_)) => {}
            Err(error) => {
                let cause = error.into_inner().downcast::<io::Error>();
                return Err(cause.map_or_else(|other| io::Error::new(io::ErrorKind::UnexpectedEof, other), |io| *io));
            }
        }
    }
    Ok(None)
}

/// All of it.
///
/// # Errors
/// As [`next`]; [`io::ErrorKind::FileTooLarge`] when there are more than `most` bytes.
pub async fn whole(mut body: Body, most: usize) -> io::Result<Bytes> {
    let mut all = BytesMut::new();
    while let Some(bytes) = next(&mut body).await? {
        if all.len().saturating_add(bytes.len()) > most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} bytes")));
        }
        all.extend_from_slice(&bytes);
    }
    Ok(all.freeze())
}
