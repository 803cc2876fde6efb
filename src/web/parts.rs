//! A multipart body (RFC 7578), part by part, in bounded memory. What is read of a part's content is up to the
//! page; what the parser must keep to find the next part is bounded here, since it bounds nothing itself.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use bytes::Bytes;
use futures_util::Stream;

use super::problem::Problem;

/// Bytes that may lie between the content of one part and that of the next.
const HEAD_BYTES: usize = 64 * 1024;
/// Bytes of a field that is no file.
const TEXT_BYTES: usize = 256;

/// The parts of a request.
pub(super) struct Parts {
    form: Multipart,
    left: Arc<AtomicUsize>,
}

impl Parts {
    /// Of a body of any length.
    ///
    /// # Errors
    /// [`Problem::Bad`]: it is no form with parts.
    pub(super) async fn of(request: Request) -> Result<Self, Problem> {
        let left = Arc::new(AtomicUsize::new(HEAD_BYTES));
        let counted = Arc::clone(&left);
        let mut request = request.map(|body| {
            let body = body.into_data_stream();
            Body::from_stream(Measured { body, left: counted, rests: false })
        });
        DefaultBodyLimit::disable().apply(&mut request);
        let form = Multipart::from_request(request, &())
            .await
            .map_err(|error| Problem::Bad(format!("the upload was not understood: {error}")))?;
        Ok(Self { form, left })
    }

    /// The next part. The one before must have been read to its end.
    ///
    /// # Errors
    /// The body broke off, or is none.
    pub(super) async fn next(&mut self) -> Result<Option<Field<'_>>, MultipartError> {
        self.left.store(HEAD_BYTES, Ordering::Relaxed);
        let part = self.form.next_field().await?;
        self.left.store(usize::MAX, Ordering::Relaxed);
        Ok(part)
    }
}

/// The content of a short field; none when it is longer than any of ours.
///
/// # Errors
/// The body broke off.
pub(super) async fn text(mut field: Field<'_>) -> Result<Option<String>, MultipartError> {
    let mut content = Vec::new();
    while let Some(chunk) = field.chunk().await? {
        if content.len() + chunk.len() > TEXT_BYTES {
            return Ok(None);
        }
        content.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(content).ok())
}

/// Reads to the end what nobody wants.
///
/// # Errors
/// The body broke off.
pub(super) async fn skip(mut field: Field<'_>) -> Result<(), MultipartError> {
    while field.chunk().await?.is_some() {}
    Ok(())
}

/// Hands on one piece of the body for each time that it is asked: the parser takes all that it gets at once. Ends
/// with an error when more was taken than is `left`.
struct Measured {
    body: BodyDataStream,
    left: Arc<AtomicUsize>,
    rests: bool,
}

impl Stream for Measured {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rests) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left.load(Ordering::Relaxed) == 0 {
            return Poll::Ready(Some(Err(io::Error::other("what describes a file is too long"))));
        }
        let next = ready!(Pin::new(&mut self.body).poll_next(cx));
        self.rests = true;
        Poll::Ready(next.map(|piece| {
            let piece = piece.map_err(io::Error::other)?;
            let left = self.left.load(Ordering::Relaxed);
            self.left.store(left.saturating_sub(piece.len()), Ordering::Relaxed);
            Ok(piece)
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;
    use futures_util::stream;

    use super::*;

    const PIECE: usize = 16 * 1024;

    /// A request that begins with `head` and goes on with `filler` for 32 MiB; and how much of that was read.
    fn endless(head: &'static str, filler: u8) -> (Request, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let pieces = (0..2048).map(move |number| {
            let piece = if number == 0 { Bytes::from_static(head.as_bytes()) } else { vec![filler; PIECE].into() };
            counted.fetch_add(piece.len(), Ordering::Relaxed);
            Ok::<_, io::Error>(piece)
        });
        let request = Request::post("/upload/").header(CONTENT_TYPE, "multipart/form-data; boundary=cut");
        (request.body(Body::from_stream(stream::iter(pieces))).unwrap(), read)
    }

    #[tokio::test]
    async fn what_is_no_file_stays_small_in_memory() {
        let token = "--cut\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n";
        let (request, read) = endless(token, b'x');
        let mut parts = Parts::of(request).await.unwrap();
        assert_eq!(text(parts.next().await.unwrap().unwrap()).await.unwrap(), None);
        assert!(read.load(Ordering::Relaxed) < 10 * PIECE, "{read:?}");
        let open = ["--cut\r\nX-Long: ", "no boundary at all", "--cut"];
        for head in open {
            let (request, read) = endless(head, b'y');
            let mut parts = Parts::of(request).await.unwrap();
            assert!(parts.next().await.is_err(), "{head}");
            assert!(read.load(Ordering::Relaxed) < 10 * PIECE, "{head}: {read:?}");
        }
    }

    #[tokio::test]
    async fn a_file_may_be_of_any_length() {
        let file = "--cut\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\n";
        let (request, _) = endless(file, b'x');
        let mut parts = Parts::of(request).await.unwrap();
        let mut field = parts.next().await.unwrap().unwrap();
        let mut length = 0;
        while let Ok(Some(chunk)) = field.chunk().await {
            length += chunk.len();
        }
        assert!(length > 2000 * PIECE, "{length}");
    }
}
