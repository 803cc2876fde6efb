//! The tree over plain HTTP at `/files/`: listing, downloads, uploads. WebDAV shares the downloads and
//! the uploads.

pub mod conditional;
mod download;
mod integrity;
mod listing;
pub mod media;
mod page;
mod range;
mod router;
mod upload;
mod wanted_digest;

pub use download::{Show, download};
pub use integrity::{Integrity, Mismatch};
pub use listing::{Listing, Order, Page, Row, listing};
pub use page::html as plain_page;
pub use router::{Files, MOUNT, Render, router};
pub use upload::{Claims, Terms, Unfinished, Upload, put};
