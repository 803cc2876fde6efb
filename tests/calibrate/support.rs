//! Fixtures of the integration tests: a real FTP server and the proxy that breaks connections.

#[path = "../it/support/fated.rs"]
pub mod fated;
#[path = "../it/support/ftpd.rs"]
pub mod ftpd;
#[path = "../it/support/process.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
pub mod process;
#[path = "../it/support/proxy.rs"]
pub mod proxy;
