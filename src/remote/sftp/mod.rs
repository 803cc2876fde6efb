//! SFTP as a client: version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions, over SSH (RFC 4251–4254).
//!
//! SSH itself is russh's, the packets are those of [`crate::net::sftp`], and the requests are ours: many on their way
//! at once, answered in any order, names as raw bytes. [`road`] finds the way and [`connection`] gets in, [`channel`] carries requests and
//! answers, [`pool`] keeps as many connections as are of use, [`source`] and [`sink`] move files, [`fault`] translates
//! every failure once.

mod algorithms;
mod channel;
mod connection;
mod entry;
pub mod fault;
mod host_key;
mod inspect;
mod lister;
mod login;
mod names;
mod pool;
mod remote;
mod road;
mod shared;
mod signer;
mod sink;
mod source;
mod window;

use std::sync::Arc;

pub use self::host_key::same_pin;
use crate::model::{Endpoint, Fault};
use crate::remote::{Context, Remote};

/// A server's host key, as people compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
}

/// The host key that the server of `endpoint` shows now. Nothing else is said to it.
///
/// # Errors
/// What the connection failed of.
pub async fn host_key(endpoint: &Endpoint) -> Result<HostKey, Fault> {
    connection::host_key(endpoint).await
}

/// The host that forwards to the server of `endpoint`, as an endpoint of its own, if there is one.
///
/// # Errors
/// That its address is none.
pub fn jump_host(endpoint: &Endpoint) -> Result<Option<Endpoint>, Fault> {
    road::jump_host(endpoint)
}

/// Opens an SFTP endpoint: one login, so that a wrong host, host key, password or folder shows at once. A root that is
/// missing is made where `create` says so.
///
/// # Errors
/// The first thing that did not work, in a sentence that says what to do.
pub(super) async fn open(endpoint: &Endpoint, ctx: &Context, create: bool) -> Result<Arc<dyn Remote>, Fault> {
    let options = &endpoint.options;
    let trust = host_key::Trust::of(options.pin.as_deref(), options.insecure)?;
    let pool = pool::Pool::new(shared::Shared::new(endpoint.clone(), ctx.clone(), trust));
    Ok(Arc::new(remote::SftpRemote::start(pool, create).await?))
}
