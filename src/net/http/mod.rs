//! What both roles of HTTP share: dates, digests, and paths in URLs.

pub mod date;
pub mod digest;
pub mod href;
