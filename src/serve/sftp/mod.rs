//! The SFTP door: SSH file transfer version 3 (draft-ietf-secsh-filexfer-02) over SSH (RFC 4251–4254).
//!
//! SSH itself is russh's. The packets ([`crate::net::sftp`]) and the request loop ([`work`]) are ours: names are raw
//! bytes, a damaged packet ends its channel, and nothing that a client keeps in flight makes a session
//! stand still. Uploads appear under their name at CLOSE, complete, or not at all. Beside SFTP a few commands are
//! answered ([`exec`]): `scp` as it was before it spoke SFTP, and the digests that rclone asks for.
//!
//! Who comes in, and in how many steps, is decided in [`auth`].
//!
//! [`bind`] reads or makes the host keys and takes the port; [`serve`] accepts. Between the two a caller
//! can print the address and the keys' fingerprints.

mod algorithms;
mod attributes;
mod auth;
mod dialect;
mod exec;
mod handler;
mod host_keys;
mod listener;
mod longname;
mod porch;
mod session;
mod settings;
mod status;
mod stream;
mod work;

pub use host_keys::{HostKey, HostKeyError, Rotation};
pub use listener::{Door, ListenError, Listener, bind, serve};
pub use settings::{Ciphers, Settings};
pub use stream::converse;
