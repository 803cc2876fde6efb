//! FTP and FTPS as a client: RFC 959, 2228, 2389, 2428, 3659, 4217, and what servers make of them.
//!
//! Our own protocol core, because the text of a closing reply, the time of each phase and the recovery
//! from a stray reply are what an honest mirror lives on. [`control`] speaks commands and replies,
//! [`session`] logs in and opens data connections, [`pool`] keeps as many sessions as the server bears,
//! [`listing`] reads listings, [`fault`] translates every failure once.

pub mod active;
pub mod control;
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
mod road;
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
    let remedies = ctx.manners.remedies(&endpoint.server(), ctx.clock.now()).await;
    let mut endpoint = endpoint.clone();
    if let Some(most) = remedies.connections {
        endpoint.options.connections = Some(endpoint.options.connections.map_or(most, |given| given.min(most)));
    }
    endpoint.options.trust_pasv_address &= !remedies.peer_address;
    let experience = experience::Experience::recall(&endpoint, ctx).await;
    let zone = RwLock::new(endpoint.options.zone.clone().unwrap_or_default());
    let pool = pool::Pool::new(session::Shared {
        endpoint,
        ctx: ctx.clone(),
        experience,
        tls,
        learned: OnceLock::new(),
        rest_fails: AtomicBool::new(false),
        epsv_misses: AtomicU8::new(if remedies.pasv { session::EPSV_MISSES } else { 0 }),
        dotless: AtomicBool::new(false),
        style: AtomicU8::new(0),
        zone,
        status: status::Trust::default(),
        ladder: ladder::Ladder::default(),
        glance_fails: AtomicBool::new(false),
        strikes: AtomicU8::new(0),
        slow_login: AtomicBool::new(false),
        wants_pret: AtomicBool::new(false),
        short_segments: AtomicBool::new(remedies.short_segments),
        keepalive: remedies.keepalive,
        rest: remedies.rest,
    });
    Ok(Arc::new(remote::FtpRemote::start(pool).await?))
}
