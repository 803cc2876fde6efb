//! The SFTP door, used by clients that nobody here wrote: OpenSSH's `sftp`, lftp, rclone, curl and
//! paramiko; and by a raw client of ours for what a well-behaved one never sends.

mod certificate;
mod clients;
mod commands;
pub mod door;
mod extensions;
mod hostile;
mod interop;
mod login;
#[path = "../fuzz/sftp/model.rs"]
mod model;
mod order;
#[path = "../fuzz/sftp/packet.rs"]
mod packet;
mod patterns;
mod presence;
mod proxied;
mod quota;
mod raw;
mod resume;
mod transport;
