//! Fixtures: each starts a real peer on a free loopback port, checks that it answers, and ends it when dropped.

pub mod ftpd;
pub mod https;
