//! GET and HEAD of one file: ranges, validators, and a body that never lies about its length.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::{Frame, SizeHint};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::range::{Wanted, wanted};
use super::wanted_digest::Wanted as WantedDigest;
use super::{conditional, media};
use crate::model::{FaultKind, RelPath};
use crate::reliability::Direction;
use crate::serve::http::{Guest, Meter, date, problem, status};
use crate::task;
use crate::tree::{FileReader, Stat};

/// Measured: 256 KiB per read gives twice the throughput of 64 KiB and as much as 1 MiB.
const BLOCK: usize = 256 * 1024;

/// How a browser should treat the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// As WebDAV clients expect it: no hint at all.
    Plain,
    /// In place when that is safe, else as a download.
    IfSafe,
    /// As a download.
    Never,
}

/// Answers GET or HEAD of the file `path`.
pub async fn download(guest: &Guest, path: &RelPath, method: &Method, headers: &HeaderMap, show: Show) -> Response {
    let (view, at) = (guest.view.clone(), path.clone());
    let opened = match task::blocking(move || view.open_read(&at)).await {
        Ok(Ok(reader)) => reader,
        Ok(Err(error)) => return problem(status::of(&error)),
        Err(lost) => return problem(status::of(&io::Error::other(lost))),
    };
    let stat = opened.opened().clone();
    let mut answer = describe(path, &stat, show);
    if let Err(status) = conditional::check(headers, method, Some(&stat)) {
        *answer.status_mut() = status;
        answer.headers_mut().remove(CONTENT_TYPE);
        return answer;
    }
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let wanted = match asked.filter(|_| method == Method::GET && conditional::range_applies(headers, &stat)) {
        Some(value) => wanted(value, stat.size),
        None => Wanted::Whole,
    };
    let content_type = media::of(path.name().map(|name| name.as_bytes().to_vec()).unwrap_or_default().as_slice());
    let pieces = match wanted {
        Wanted::Whole => VecDeque::from([Piece::File { at: 0, left: stat.size }]),
        Wanted::Unsatisfiable => {
            let mut answer = problem(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut answer, CONTENT_RANGE, &format!("bytes */{}", stat.size));
            return answer;
        }
        Wanted::Parts(parts) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            partial(&mut answer, &parts, content_type, stat.size)
        }
    };
    let length = pieces.iter().map(Piece::len).sum::<u64>();
    set(&mut answer, CONTENT_LENGTH, &length.to_string());
    let digest = WantedDigest::of(headers);
    if method == Method::HEAD {
        let Some(digest) = digest else { return answer };
        return match digest.computed(&guest.books.digests, opened).await {
            Ok(told) => with(answer, told),
            Err(error) => problem(status::of(&error)),
        };
    }
    if let Some(digest) = digest {
        answer = with(answer, digest.known(&guest.books.digests, &stat).await);
    }
    let body = FileBody::new(opened, pieces, guest.measure(Direction::Download));
    answer.map(|_| Body::new(body))
}

/// Status 200 and every header that does not depend on the range.
fn describe(path: &RelPath, stat: &Stat, show: Show) -> Response {
    let name = path.name();
    let bytes = name.as_ref().map(|name| name.as_bytes()).unwrap_or_default();
    let content_type = media::of(bytes);
    let mut answer = Response::new(Body::empty());
    set(&mut answer, CONTENT_TYPE, content_type);
    set(&mut answer, ETAG, &stat.etag());
    set(&mut answer, ACCEPT_RANGES, "bytes");
    // Always ask again: the tag makes that cheap, and no proxy may keep what needs a login.
    set(&mut answer, CACHE_CONTROL, "private, no-cache");
    if let Some(date) = date::print(stat.mtime) {
        set(&mut answer, LAST_MODIFIED, &date);
    }
    // An uploaded page must not become a page of ours, with our cookies.
    set(&mut answer, CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    let disposition = match show {
        Show::Plain => return answer,
        Show::IfSafe if media::shows_safely(content_type) => "inline",
        Show::IfSafe | Show::Never => "attachment",
    };
    let plain: String = String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let exact = percent_encode(bytes, NON_ALPHANUMERIC);
    // RFC 6266: the plain form for old clients, the exact one in UTF-8.
    let value = match std::str::from_utf8(bytes) {
        Ok(_) => format!("{disposition}; filename=\"{plain}\"; filename*=UTF-8''{exact}"),
        Err(_) => format!("{disposition}; filename=\"{plain}\""),
    };
    set(&mut answer, CONTENT_DISPOSITION, &value);
    answer
}

fn with(mut answer: Response, header: Option<(HeaderName, HeaderValue)>) -> Response {
    answer.headers_mut().extend(header);
    answer
}

fn set(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Headers and pieces of a 206: one part as it is, several as `multipart/byteranges`.
fn partial(answer: &mut Response, parts: &[(u64, u64)], content_type: &str, size: u64) -> VecDeque<Piece> {
    if let [(at, left)] = *parts {
        set(answer, CONTENT_RANGE, &format!("bytes {at}-{}/{size}", at + left - 1));
        return VecDeque::from([Piece::File { at, left }]);
    }
    let mut random = [0; 12];
    // Without randomness the boundary is a fixed one: legal, only guessable.
    let _filled = crate::random::fill(&mut random).is_ok();
    let boundary = data_encoding::HEXLOWER.encode(&random);
    set(answer, CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    let mut pieces = VecDeque::new();
    for (at, left) in parts.iter().copied() {
        let last = at + left - 1;
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {at}-{last}/{size}\r\n\r\n"
        );
        pieces.push_back(Piece::Text(Bytes::from(head)));
        pieces.push_back(Piece::File { at, left });
    }
    pieces.push_back(Piece::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    pieces
}

#[derive(Debug)]
enum Piece {
    Text(Bytes),
    File { at: u64, left: u64 },
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
            Self::File { left, .. } => *left,
        }
    }
}

type Reading = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;

/// Streams pieces of a file. What is in memory already is read on the spot, the rest off the async
/// threads. A file that became shorter, or was changed in place, ends the body with an error: the
/// connection is cut, and the client knows that it does not have the file.
struct FileBody {
    reader: Arc<FileReader>,
    pieces: VecDeque<Piece>,
    reading: Option<Reading>,
    left: u64,
    meter: Meter,
}

impl FileBody {
    fn new(reader: FileReader, pieces: VecDeque<Piece>, mut meter: Meter) -> Self {
        let pieces: VecDeque<Piece> = pieces.into_iter().filter(|piece| piece.len() > 0).collect();
        let left = pieces.iter().map(Piece::len).sum();
        if left == 0 {
            meter.clean();
        }
        Self { reader: Arc::new(reader), pieces, reading: None, left, meter }
    }

    /// The next bytes; `None` at the end.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(reading) = self.reading.as_mut() {
            let result = ready!(reading.as_mut().poll(cx));
            self.reading = None;
            return Poll::Ready(Some(result));
        }
        match self.pieces.front_mut() {
            None => Poll::Ready(None),
            Some(Piece::Text(_)) => match self.pieces.pop_front() {
                Some(Piece::Text(text)) => Poll::Ready(Some(Ok(text))),
                _ => Poll::Ready(None),
            },
            Some(Piece::File { at, left }) => {
                let offset = *at;
                let want = usize::try_from(*left).unwrap_or(BLOCK).min(BLOCK);
                let step = u64::try_from(want).unwrap_or(u64::MAX);
                *at = at.saturating_add(step);
                *left = left.saturating_sub(step);
                if *left == 0 {
                    self.pieces.pop_front();
                }
                let last = self.pieces.is_empty();
                let mut buffer = BytesMut::zeroed(want);
                match self.reader.read_at_cached(&mut buffer, offset) {
                    Ok(Some(got)) => Poll::Ready(Some(checked(&self.reader, buffer, got, last))),
                    Ok(None) => {
                        let reader = Arc::clone(&self.reader);
                        self.reading = Some(Box::pin(async move {
                            let read = move || {
                                let got = reader.read_at(&mut buffer, offset)?;
                                checked(&reader, buffer, got, last)
                            };
                            task::blocking(read).await.map_err(io::Error::other)?
                        }));
                        self.poll_bytes(cx)
                    }
                    Err(error) => Poll::Ready(Some(Err(error))),
                }
            }
        }
    }
}

/// All bytes are there, and at the end of the answer the file is still the one that was announced.
fn checked(reader: &FileReader, buffer: BytesMut, got: usize, last: bool) -> io::Result<Bytes> {
    let changed = || io::Error::other("the file changed while it was read");
    if got < buffer.len() {
        return Err(changed());
    }
    if last {
        let (before, now) = (reader.opened(), reader.stat()?);
        if before.size != now.size || before.mtime != now.mtime {
            return Err(changed());
        }
    }
    Ok(buffer.freeze())
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match ready!(self.poll_bytes(cx)) {
            None => Poll::Ready(None),
            Some(Ok(bytes)) => {
                self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                self.meter.add(bytes.len());
                if self.left == 0 {
                    self.meter.clean();
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(error)) => {
                self.pieces.clear();
                self.meter.failed(FaultKind::of_io(&error));
                tracing::warn!(io.error = %error, "a download was cut");
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
