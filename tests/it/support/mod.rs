//! Fixtures: each starts a real peer on a free loopback port, checks that it answers, and ends it when dropped.

pub mod apache;
#[allow(dead_code, reason = "a fixture has more verbs than the tests of the day use")]
pub mod causeway;
pub mod davfs2;
pub mod fated;
pub mod footprint;
pub mod frames;
pub mod ftpd;
pub mod haproxy;
pub mod http3;
pub mod https;
pub mod link;
pub mod odd_sftp;
pub mod pebble;
pub mod port;
pub mod process;
pub mod proxy;
pub mod pyftpdlib;
pub mod rclone;
pub mod relay;
pub mod scripted;
pub mod scripted_http;
pub mod skip;
pub mod sshd;
pub mod tls;
pub mod totp;
