//! How long each kind of wait may take. A session that missed one is thrown away.

use std::time::Duration;

/// Deadlines by class; the defaults suit servers across an ocean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Look-up, TCP connect, TLS handshake, data connection: each.
    pub connect: Duration,
    /// From connect to the greeting.
    pub banner: Duration,
    /// From a command to its reply.
    pub command: Duration,
    /// Between two bytes of data.
    pub stall: Duration,
    /// From the last byte of data to the closing reply.
    pub closing: Duration,
    /// From LIST to its first byte: mainframes recall tapes, and a million names take minutes to sort.
    pub listing: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            banner: Duration::from_secs(15),
            command: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            closing: Duration::from_secs(60),
            listing: Duration::from_secs(600),
        }
    }
}
