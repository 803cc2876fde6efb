//! The tree over plain HTTP at `/files/`: listing, downloads, archives, uploads in one request or resumable. WebDAV
//! shares what answers GET and PUT.

mod delete;
mod listing;
mod page;
mod pick;
mod put;
mod router;
mod tus;

pub use listing::{Listing, Order, Page, Row, listing};
pub use page::html as plain_page;
pub use put::put;
pub use router::{Files, MOUNT, Render, router};
