//! The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02): pure, byte-clean, bounded.
//!
//! Names and handles are bytes. A name in GBK or one that is no text at all passes unchanged.

mod attributes;
mod extension;
mod frame;
mod read;
mod reply;
mod request;

#[cfg(test)]
mod tests;

pub use attributes::Attributes;
pub use extension::Extension;
pub use frame::Frames;
pub use read::Malformed;
pub use reply::{Reply, data_header};
pub use request::{Packet, Request};

/// The version that is spoken.
pub const VERSION: u32 = 3;

/// The longest packet, without its length field: what OpenSSH allows and what `limits@openssh.com` tells.
pub const MAX_PACKET: usize = 256 * 1024;

/// The most bytes that one READ returns and one WRITE brings (a packet less its header).
pub const MAX_DATA: usize = MAX_PACKET - 1024;

/// Handles open at once in one channel.
pub const MAX_HANDLES: usize = 1024;

/// The most names in one answer to READDIR. OpenSSH sends as many.
pub const MAX_NAMES: usize = 100;

/// The most bytes of names in one answer: sshfs drops connections that send 128 KiB.
pub const MAX_NAME_BYTES: usize = 48 * 1024;
