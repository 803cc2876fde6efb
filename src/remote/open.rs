//! From an endpoint to an open remote: the one place that knows which protocol has which folder.

use std::sync::Arc;

use super::Remote;
use crate::manners::Manners;
use crate::model::{Clock, Endpoint, Fault, FaultKind, Protocol};
use crate::reliability::{Detail, Observation, Recorder, Role, What};
use crate::task::Tasks;

/// What every remote may need from the house.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where observations of connections and transfers go.
    pub recorder: Recorder,
    /// What is known from earlier runs about how servers bear to be asked, and where more of it goes.
    pub manners: Manners,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where background work (keeping pools tidy) is spawned.
    pub tasks: Tasks,
}

impl Context {
    /// Records what happened on a connection of ours to `endpoint`.
    pub(super) fn record(&self, endpoint: &Endpoint, what: What, detail: Detail) {
        self.recorder.record(Observation {
            at: self.clock.now(),
            protocol: endpoint.protocol,
            role: Role::Client,
            endpoint: place(endpoint),
            what,
            detail,
        });
    }
}

/// The endpoint as observations name it.
pub(super) fn place(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.host, endpoint.port)
}

/// Can a source of this protocol be opened?
#[must_use]
pub const fn can_read(protocol: Protocol) -> bool {
    match protocol {
        Protocol::Ftp
        | Protocol::FtpTls
        | Protocol::Ftps
        | Protocol::Sftp
        | Protocol::Dav
        | Protocol::Davs
        | Protocol::Local => true,
    }
}

/// Can a target of this protocol be written?
#[must_use]
pub const fn can_write(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Local | Protocol::Sftp | Protocol::Dav | Protocol::Davs)
}

/// Opens an endpoint that must be there already.
///
/// # Errors
/// The fault of the first thing that did not work: look-up, connect, TLS, login, folder.
pub async fn open(endpoint: &Endpoint, ctx: &Context) -> Result<Arc<dyn Remote>, Fault> {
    match endpoint.protocol {
        Protocol::Ftp | Protocol::FtpTls | Protocol::Ftps => super::ftp::open(endpoint, ctx).await,
        Protocol::Sftp => super::sftp::open(endpoint, ctx, false).await,
        Protocol::Dav | Protocol::Davs => super::dav::open(endpoint, ctx, false).await,
        Protocol::Local => super::local::open(endpoint, false).await,
    }
}

/// Opens an endpoint as a target: a folder that is missing is made.
///
/// # Errors
/// As [`open`].
pub async fn open_or_create(endpoint: &Endpoint, ctx: &Context) -> Result<Arc<dyn Remote>, Fault> {
    match endpoint.protocol {
        Protocol::Local => super::local::open(endpoint, true).await,
        Protocol::Sftp => super::sftp::open(endpoint, ctx, true).await,
        Protocol::Dav | Protocol::Davs => super::dav::open(endpoint, ctx, true).await,
        Protocol::Ftp | Protocol::FtpTls | Protocol::Ftps => open(endpoint, ctx).await,
    }
}

/// Opens an endpoint as a target that is only compared with: a folder that is missing counts as an empty one,
/// and is not made.
///
/// # Errors
/// As [`open`].
pub async fn open_or_imagine(endpoint: &Endpoint, ctx: &Context) -> Result<Arc<dyn Remote>, Fault> {
    match open(endpoint, ctx).await {
        Err(fault) if fault.kind == FaultKind::Missing && can_write(endpoint.protocol) => {
            Ok(Arc::new(super::memory::Memory::new()))
        }
        opened => opened,
    }
}
