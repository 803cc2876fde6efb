//! What both roles of HTTP share: dates and paths in URLs.

pub mod date;
pub mod href;
