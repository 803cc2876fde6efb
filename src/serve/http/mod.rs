//! The TLS and HTTP listener under WebDAV, file downloads and the dashboard.
//!
//! [`bind`] reads or makes the certificate and takes the port; [`serve`] accepts. Between the two a
//! caller can print the address and the certificate's fingerprint.

pub mod auth;
pub mod body;
mod certificate;
mod coding;
mod connection;
mod doorman;
mod layers;
mod linger;
mod listener;
mod pace;
mod polite;
mod settings;
mod stall;

pub use crate::net::http::{href, status};
pub use auth::HeaderAuth;
pub use certificate::{CertificateError, Identity, Served, read as read_certificate};
pub use connection::Peer;
pub use doorman::{Doorman, peer_of};
pub use listener::{ListenError, Listener, bind, serve};
pub use settings::Settings;

/// A short plain answer that says what to do.
#[must_use]
pub fn problem(status: http::StatusCode) -> axum::response::Response {
    plain(status, status::sentence(status))
}

/// As [`problem`], in other words than those that the status stands for.
#[must_use]
pub fn plain(status: http::StatusCode, sentence: &str) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    (status, [(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{sentence}\n")).into_response()
}
