//! FTP and FTPS as a client: RFC 959, 2228, 2389, 2428, 3659, 4217, and what servers make of them.
//!
//! Our own protocol core, because the text of a closing reply, the time of each phase and the recovery
//! from a stray reply are what an honest mirror lives on. [`control`] speaks commands and replies,
//! [`session`] logs in and opens data connections, [`pool`] keeps as many sessions as the server bears,
//! [`listing`] reads listings, [`fault`] translates every failure once.

pub mod active;
mod control;
mod experience;
pub mod fault;
pub mod features;
mod flight;
mod glance;
pub mod hashes;
mod inspect;
pub mod ladder;
mod lister;
pub mod listing;
mod login;
mod looks;
pub mod passive;
pub mod pool;
mod remote;
pub mod reply;
pub mod session;
mod sink;
mod source;
mod status;
mod transfer;

use std::sync::atomic::{AtomicBool, AtomicU8};
use std::sync::{Arc, OnceLock, RwLock};

use crate::model::{Endpoint, Fault, Protocol};
use crate::net::TlsClient;
use crate::remote::trust::trust;
use crate::remote::{Context, Remote};

/// Opens an FTP endpoint: one login, so that a wrong host, certificate, password or folder shows at once.
///
/// # Errors
/// The first thing that did not work, in a sentence that says what to do.
pub async fn open(endpoint: &Endpoint, ctx: &Context) -> Result<Arc<dyn Remote>, Fault> {
    let tls = match endpoint.protocol {
        Protocol::FtpTls | Protocol::Ftps => Some(TlsClient::new(&endpoint.host, &trust(endpoint).await?)?),
        _ => None,
    };
    let pool = pool::Pool::new(session::Shared {
        endpoint: endpoint.clone(),
        ctx: ctx.clone(),
        experience: experience::Experience::recall(endpoint, ctx).await,
        tls,
        learned: OnceLock::new(),
        rest_fails: AtomicBool::new(false),
        epsv_misses: AtomicU8::new(0),
        dotless: AtomicBool::new(false),
        style: AtomicU8::new(0),
        zone: RwLock::new(endpoint.options.zone.clone().unwrap_or_default()),
        status: status::Trust::default(),
        ladder: ladder::Ladder::default(),
        glance_fails: AtomicBool::new(false),
        strikes: AtomicU8::new(0),
        slow_login: AtomicBool::new(false),
        wants_pret: AtomicBool::new(false),
        short_segments: AtomicBool::new(false),
    });
    Ok(Arc::new(remote::FtpRemote::start(pool).await?))
}
