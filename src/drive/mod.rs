//! The served tree for people who come over HTTP: what WebDAV, `/files/` and the dashboard do alike.
//!
//! A [`Guest`] is somebody who was let in, with a view of the tree and the books of the house. [`download`] answers
//! with a file, whole or in ranges; an [`Upload`] takes one in and gives it its name when it is complete, and so does a
//! [`Resumable`] one, in as many requests as it takes. Who may come in, and how a refusal looks, is the doors' and the
//! dashboard's own.

mod body;
pub mod conditional;
mod download;
mod guest;
mod integrity;
pub mod media;
mod range;
mod resumable;
mod share;
mod terms;
mod upload;
mod wanted_digest;

pub use body::FileBody;
pub use download::{Show, download};
pub use guest::{Books, Guest, Meter};
pub use integrity::{Integrity, Mismatch};
pub use resumable::{Entry, Metadata, MetadataError, Resumable, Writer};
pub use share::{MAX_SHARES, NewShare, Opened, Share, ShareError, Shares, Standing};
pub use terms::{Claims, Terms};
pub use upload::{Unfinished, Upload};
