//! A folder, or some names of it, as one archive that is made while it is sent.
//!
//! The walk is made in steps on blocking threads, a block of the archive each, one block ahead of the client: a slow
//! client holds no thread, memory stays flat, and a client that stops ends the walk. What cannot be put in as it is (a
//! file that became shorter, one that cannot be read) cuts the answer: nobody takes a short archive for a whole one.

mod body;
mod room;
mod tar;
mod walk;
mod zip;

use std::io;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method};

use self::body::ArchiveBody;
pub use self::room::Packing;
use self::walk::Walk;
use super::{Guest, download};
use crate::model::{Name, RelPath};
use crate::task;
use crate::tree::Stat;

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ZIP (PKWARE's APPNOTE 6.3.10) with ZIP64 where it is needed.
    Zip,
    /// tar (POSIX.1-2001, pax) in zstd (RFC 8878).
    TarZst,
}

impl Format {
    /// The one that a query asks for: `?zip` or `?tar.zst`.
    #[must_use]
    pub fn wanted(query: Option<&str>) -> Option<Self> {
        query.unwrap_or_default().split('&').find_map(|pair| Self::named(pair.split('=').next()?))
    }

    /// By its extension.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "zip" => Some(Self::Zip),
            "tar.zst" => Some(Self::TarZst),
            _ => None,
        }
    }

    /// What a file of it ends in.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::TarZst => "tar.zst",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::TarZst => "application/zstd",
        }
    }
}

/// Writes an archive: what it makes is appended to `out`.
trait Pack: Send {
    /// A folder. Names are relative, joined by `/`, raw bytes, without a slash at the end.
    fn folder(&mut self, name: &[u8], stat: &Stat, out: &mut Vec<u8>) -> io::Result<()>;

    /// A file begins: exactly `stat.size` bytes follow, then [`Pack::end`].
    fn begin(&mut self, name: &[u8], stat: &Stat, out: &mut Vec<u8>) -> io::Result<()>;

    /// More of the file.
    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()>;

    /// The file is complete.
    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()>;

    /// Nothing follows.
    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()>;
}

/// What went into an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    /// Files and folders.
    entries: u64,
    /// Bytes that were sent.
    size: u64,
    /// Did the client take all of it?
    whole: bool,
}

/// Answers with the folder `path` as an archive: with `chosen`, only these names of it, which stand at the archive's
/// top. Without, the folder itself stands there (the root, which has no name: what is in it). With as many on their way as
/// there may be, the answer is 503.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] and others of [`crate::tree::View::stat_follow`] for the folder and each name that was
/// chosen; [`io::ErrorKind::NotADirectory`] when `path` is no folder.
pub async fn archive(
    guest: &Guest,
    path: &RelPath,
    chosen: Option<Vec<Name>>,
    format: Format,
    method: &Method,
) -> io::Result<Response> {
    let folder = guest.whole(path).name();
    let named = match chosen.as_deref() {
        Some([one]) => Some(one),
        _ => folder.as_ref(),
    };
    let mut name = named.map_or_else(|| b"files".to_vec(), |name| name.as_bytes().to_vec());
    name.extend_from_slice(format!(".{}", format.extension()).as_bytes());
    let mut answer = Response::new(Body::empty());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    // It is another one each time.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    download::disposed(&mut answer, "attachment", &name);
    let (seen, at) = ((guest.view.clone(), guest.books.junk), path.clone());
    let begun = task::blocking(move || {
        let pack: Box<dyn Pack> = match format {
            Format::Zip => Box::new(zip::Zip::default()),
            Format::TarZst => Box::new(tar::TarZst::new()?),
        };
        Walk::begin(seen, &at, chosen, pack)
    });
    let walk = begun.await.map_err(io::Error::other)??;
    if method == Method::HEAD {
        return Ok(answer);
    }
    Ok(match guest.books.packing.place() {
        Some(place) => answer.map(|_| Body::new(ArchiveBody::new(guest, path, format, walk, place))),
        None => room::crowded(),
    })
}
