//! The doors: the same tree over SFTP, WebDAV and HTTPS, to the same accounts.
//!
//! Every door turns a login into a grant, the grant into a [`crate::tree::View`], and does all file
//! work through that view. Listeners bind first, where a port in use is still somebody's error
//! message, and accept later.

pub mod dav;
pub mod files;
pub mod http;
pub mod sftp;
