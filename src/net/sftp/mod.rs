//! The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02): pure, byte-clean, bounded.
//!
//! Names and handles are bytes. A name in GBK or one that is no text at all passes unchanged. Both sides of the
//! protocol are here, each packet written and read by one description: our door reads [`Request`]s and writes
//! [`Reply`]s, our client writes requests and reads [`Answer`]s. So the packets stand on the shelf above both, beside
//! the other things that are said over a connection.

mod answer;
mod attributes;
mod extension;
mod frame;
mod read;
mod reply;
mod request;

#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use attributes::{Attributes, DIRECTORY, KIND, LINK, REGULAR};
pub use extension::{Extension, HASHES, Sums};
pub use frame::Frames;
pub use read::Malformed;
pub use reply::{NameLine, Reply, data_header};
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
