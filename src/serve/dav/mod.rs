//! WebDAV, class 1 and 2 (RFC 4918), at `/dav/`.
//!
//! `dav-server` knows the methods, the locks' protocol and the `If` header; the file system under it
//! ([`fs`]), the locks ([`locks`]) and the properties ([`properties`]) are ours. GET and PUT ([`files`](super::files))
//! and PROPFIND ([`propfind`]) do not go through it at all: see `router` for who answers what.

mod checksums;
mod fs;
mod fs_types;
mod if_header;
mod locks;
mod mkcol;
mod mtime;
mod properties;
mod propfind;
mod request;
mod router;
mod status;
mod store;
mod terms;
mod xml;

pub use router::{Dav, MOUNT, router};
