//! The tree over plain HTTP at `/files/`: listing, downloads, uploads. WebDAV shares the downloads and
//! the uploads.

pub mod conditional;
mod download;
mod listing;
pub mod media;
mod page;
mod range;
mod repr_digest;
mod router;
mod upload;

pub use download::{Show, download};
pub use listing::{Listing, Order, Page, Row, listing};
pub use page::html as plain_page;
pub use router::{Files, MOUNT, Render, router};
pub use upload::{Claims, Terms, Unfinished, Upload, put, wanted_mtime};
