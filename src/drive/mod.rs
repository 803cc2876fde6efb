//! The served tree for people who come over HTTP: what WebDAV, `/files/` and the dashboard do alike.
//!
//! A [`Guest`] is somebody who was let in, with a view of the tree and the books of the house. [`download`] answers
//! with a file, whole or in ranges, [`archive()`] with a folder; an [`Upload`] takes one in and gives it its name when it
//! is complete, and so does a [`Resumable`] one, in as many requests as it takes. What is deleted goes to the
//! [`Trash`]. Who may come in, and how a refusal looks, is the doors' and the dashboard's own.

mod archive;
mod body;
mod change;
pub mod conditional;
mod download;
mod guest;
mod intake;
mod integrity;
mod junk;
pub mod media;
mod range;
mod resumable;
mod share;
mod terms;
mod trash;
mod upload;
mod wanted_digest;

pub use archive::{Format, Packing, archive};
pub use body::FileBody;
pub use change::rename;
pub use download::{Show, download};
pub use guest::{Books, Guest, Meter};
pub use integrity::{Integrity, Mismatch};
pub use junk::Junk;
pub use resumable::{Entry, Metadata, MetadataError, Resumable, Writer};
pub use share::{Arriving, MAX_SHARES, NewShare, Opened, Share, ShareError, Shares, Standing, Taken};
pub use terms::{Claims, Terms};
pub use trash::{Eyes, Trash, Trashed};
pub use upload::{Unfinished, Upload};
