//! The TLS and HTTP listener under WebDAV, file downloads and the dashboard.
//!
//! [`bind`] reads or makes the certificate and takes the port; [`serve`] accepts. Between the two a
//! caller can print the address and the certificate's fingerprint.

pub mod auth;
pub mod body;
mod budget;
mod calm;
mod certificate;
mod coding;
mod connection;
mod doorman;
mod layers;
mod linger;
mod listener;
mod pace;
mod plain;
mod polite;
mod quic;
mod service;
mod settings;
mod squeeze;
mod stall;
mod taken;
mod visit;

pub use crate::net::http::{href, status};
pub use auth::HeaderAuth;
pub use budget::Budget;
pub use certificate::{
    AcmeSettings, CertificateError, Directory, Identity, Served, plan as acme_plan, read as read_certificate,
};
pub use doorman::{Doorman, peer_of};
pub use listener::{ListenError, Listener, bind, serve};
pub use service::Peer;
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
