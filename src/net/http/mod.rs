//! What both roles of HTTP share: dates, digests, paths in URLs, and what a failed file operation means.

pub mod date;
pub mod digest;
pub mod href;
pub mod status;
