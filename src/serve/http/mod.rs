//! The TLS and HTTP listener under WebDAV, file downloads and the dashboard.
//!
//! [`bind`] reads or makes the certificate and takes the port; [`serve`] accepts. Between the two a
//! caller can print the address and the certificate's fingerprint.

mod certificate;
mod connection;
mod layers;
mod listener;
mod settings;
mod stall;

pub use certificate::{CertificateError, Identity};
pub use connection::Peer;
pub use listener::{ListenError, Listener, bind, serve};
pub use settings::Settings;
