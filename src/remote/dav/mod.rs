//! WebDAV as a client: RFC 4918 over HTTP/2 where the server offers it, else HTTP/1.1 (RFC 9110, 9112, 9113).
//!
//! HTTP is hyper's, connections are those of [`crate::net`], and everything between is ours, so that each phase has its
//! deadline and each failure its place. [`connection`] and [`pool`] carry requests, [`exchange`] asks and logs in,
//! [`multistatus`] reads answers as they come, [`source`] and [`sink`] move files, [`probe`] tries what a server really
//! keeps, [`fault`] translates every failure once.

mod bounded;
mod challenge;
mod checksum;
mod connection;
mod digests;
mod entry;
mod exchange;
pub mod fault;
mod learned;
mod lister;
mod login;
mod multistatus;
mod names;
mod pool;
mod probe;
mod remote;
mod server;
mod shared;
mod sink;
mod source;
mod upload;

use std::sync::Arc;

use crate::model::{Endpoint, Fault, Protocol};
use crate::net::TlsClient;
use crate::remote::trust::trust;
use crate::remote::{Context, Remote};

/// Opens a WebDAV endpoint: one question about its folder, so that a wrong host, certificate, password or folder shows
/// at once. As a `target` the folder is made where it is missing, and the server is tried out.
///
/// # Errors
/// The first thing that did not work, in a sentence that says what to do.
pub(super) async fn open(endpoint: &Endpoint, ctx: &Context, target: bool) -> Result<Arc<dyn Remote>, Fault> {
    let tls = match endpoint.protocol {
        Protocol::Davs => Some(TlsClient::new(&endpoint.host, &trust(endpoint).await?)?.offering(connection::SPOKEN)),
        _ => None,
    };
    let pool = pool::Pool::new(shared::Shared::new(endpoint.clone(), ctx.clone(), tls));
    Ok(Arc::new(remote::DavRemote::start(pool, target).await?))
}
