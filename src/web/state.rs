//! What the pages work with.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::Extensions;
use axum::http::uri::Authority;
use tokio_util::sync::CancellationToken;

use crate::account::{Accounts, Sessions};
use crate::audit::AuditLog;
use crate::db::Db;
use crate::diagnose::{Alarms, Diagnoses, Incidents};
use crate::drive::{Books, Claims, Shares};
use crate::job::Jobs;
use crate::model::Clock;
use crate::net::Counters;
use crate::presence::Presence;
use crate::probe::Probes;
use crate::reliability::objective::Objectives;
use crate::survey::Surveys;
use crate::task::Tasks;
use crate::tree::Tree;

/// One way in for people and programs, as the first page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorShown {
    /// `sftp`, `dav` or `web`: which symbol.
    pub icon: &'static str,
    /// "SFTP".
    pub name: String,
    /// An address or a command to paste.
    pub address: String,
    /// Of the host key or certificate, with the name of the hash.
    pub fingerprint: Option<String>,
}

/// The ways in as somebody reaches them who came to this authority (host, perhaps with a port).
pub type DoorsAt = Arc<dyn Fn(&Authority) -> Vec<DoorShown> + Send + Sync>;

/// What programs must know of the doors to come in, whatever they are called there.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The certificate in PEM, where no authority vouches for it.
    pub own_certificate: Option<String>,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// None while the SFTP door is shut.
    pub sftp: Option<SftpReach>,
}

/// What programs must know of the SFTP door.
#[derive(Debug, Clone)]
pub struct SftpReach {
    /// Where it listens.
    pub port: u16,
    /// The host keys as `known_hosts` has them behind the name.
    pub host_keys: Vec<String>,
    /// Of the first of them.
    pub fingerprint: String,
}

/// Tells it as it is now: certificates are renewed.
pub type ReachNow = Arc<dyn Fn() -> Reach + Send + Sync>;

/// Finds the client's address in a request's extensions; the listener knows how.
pub type PeerOf = Arc<dyn Fn(&Extensions) -> SocketAddr + Send + Sync>;

/// Tells the listener, by a request's extensions, that its sender has logged in.
pub type Welcome = Arc<dyn Fn(&Extensions) + Send + Sync>;

/// Everything behind the dashboard. Clones share it.
#[derive(Clone)]
pub struct WebState {
    /// The store, for the journal and the statistics.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who may come in.
    pub accounts: Accounts,
    /// Who is in.
    pub sessions: Sessions,
    /// The operation log.
    pub audit: AuditLog,
    /// Who is connected.
    pub presence: Presence,
    /// What was refused.
    pub counters: Counters,
    /// Jobs and runs.
    pub jobs: Jobs,
    /// Looks at servers before they are migrated.
    pub surveys: Surveys,
    /// Looks at why transfers break.
    pub diagnoses: Diagnoses,
    /// What kept going wrong.
    pub incidents: Incidents,
    /// What endpoints and doors should do.
    pub objectives: Objectives,
    /// What changes for the worse.
    pub alarms: Alarms,
    /// Visits endpoints that are compared.
    pub probes: Probes,
    /// The served tree.
    pub tree: Arc<Tree>,
    /// The ways in, in the order of the page.
    pub doors: DoorsAt,
    /// What programs must know to come in.
    pub reach: ReachNow,
    /// What must be said with the reliability figures of this instance.
    pub remark: Option<&'static str>,
    /// Finds the client's address.
    pub peer_of: PeerOf,
    /// Called for every request of somebody who has logged in.
    pub welcome: Welcome,
    /// Ends the live streams, so that the server can drain.
    pub stop: CancellationToken,
    /// For changes that must come to their end, whether or not the browser still waits.
    pub tasks: Tasks,
    /// What people do with files is written down here, as at the doors.
    pub books: Books,
    /// Links for people without an account.
    pub shares: Shares,
    /// What others hold: WebDAV's locks.
    pub claims: Arc<dyn Claims>,
    /// Held by who looks for a free name until it has it.
    pub naming: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for WebState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebState")
    }
}
