//! The running service: doors, worker and records, started in order and ended in the other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::account::{AccountError, PasswordError};
use crate::audit::{Actor, Event, Filter};
use crate::config::Config;
use crate::db::DbError;
use crate::drive::{Resumable, Trash};
use crate::job::{Engine, Jobs, MirrorEngine, Worker, WorkerOptions};
use crate::manners::Manners;
use crate::model::Secret;
use crate::net::Counters;
use crate::presence::Presence;
use crate::probe::Probes;
use crate::reliability::Recorder;
use crate::remote::Context;
use crate::serve::http::{self, ListenError};
use crate::serve::sftp;
use crate::task::Tasks;
use crate::tree::{Tree, file};

use super::running::{Running, RunningError};
use super::watching::Watching;
use super::{Store, StoreError, doors, files, ports, sweep, ways};

/// How long the records may take to reach the disk after everything else has ended.
const RECORDS_GRACE: Duration = Duration::from_secs(5);
/// The head of the audit log at the last orderly end.
const CHECKPOINT: &str = "audit-checkpoint";

/// Why the service does not start. Nothing keeps running behind it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database, later.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Another one runs here.
    #[error(transparent)]
    Running(#[from] RunningError),
    /// The served folder.
    #[error(
        "the tree {path} cannot be used: {source}; make it a folder that this user may read and write, or name another with 'tree'"
    )]
    Tree {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What must never be served lies in it.
    #[error(
        "the data folder {data} lies inside the served tree {tree}: keys and database would be served; put the tree beside or below it"
    )]
    Exposed {
        /// Database and keys.
        data: PathBuf,
        /// What is served.
        tree: PathBuf,
    },
    /// The HTTPS door.
    #[error("https: {0}")]
    Https(#[from] ListenError),
    /// The SFTP door.
    #[error("sftp: {0}")]
    Sftp(#[from] sftp::ListenError),
    /// The first account.
    #[error("the first account cannot be made: {0}")]
    Account(#[from] AccountError),
    /// Passwords cannot be checked.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// What was started.
#[derive(Debug)]
pub struct Service {
    store: Store,
    tree: Arc<Tree>,
    jobs: Jobs,
    probes: Probes,
    /// Doors and worker: end first.
    work: Tasks,
    /// The recorder: ends after those who write to it.
    records: Tasks,
    context: Context,
    running: Running,
    drain: Duration,
    first_admin: Option<(String, Secret)>,
    identity: Option<Certificate>,
    host_keys: Vec<sftp::HostKey>,
}

/// The HTTPS door's certificate, for people.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// SHA-256, as browsers show it.
    pub fingerprint: String,
    /// A file that clients can trust.
    pub file: PathBuf,
    /// Nobody vouches for it.
    pub self_signed: bool,
    /// It was made at this start.
    pub made: bool,
}

impl Certificate {
    fn of(served: &http::Identity) -> Self {
        let http::Identity { fingerprint, file, self_signed, made, .. } = served.clone();
        Self { fingerprint, file, self_signed, made }
    }
}

impl Service {
    /// Opens the data folder, takes the ports, and lets people in.
    ///
    /// # Errors
    /// [`StartError`], with what to do.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_with(config, None).await
    }

    /// The same, with a remark that stands above the reliability figures.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_with(config: &Config, remark: Option<&'static str>) -> Result<Self, StartError> {
        files::raise(config);
        let store = Store::open(config).await?;
        let mut running = Running::claim(&store.folder)?;
        store.check().await?;
        let tree = open_tree(config, served_before(&store).await?)?;
        check_apart(config, &store)?;
        store.accounts.warm_up().await?;
        let (work, records) = (Tasks::new(), Tasks::new());
        let recorder = Recorder::start(store.db.clone(), &records);
        let manners = Manners::new(store.db.clone(), &records);
        let context =
            Context { recorder: recorder.clone(), manners, clock: Arc::clone(&store.clock), tasks: work.child() };
        let jobs = Jobs::new(store.db.clone(), Arc::clone(&store.vault), Arc::clone(&store.clock))
            .keeping(config.jobs.keep_runs)
            .with_manifests(&store.folder)
            .keeping_out_of(&store.folder, &config.tree);

        // Every port is taken before the first client is let in: an error here leaves nothing behind.
        let https = ports::https(config, &store).await?;
        let sftp = ports::sftp(config, &store).await?;

        let (presence, counters) = (Presence::default(), Counters::default());
        let probes = {
            let context = Context { tasks: work.clone(), ..context.clone() };
            Probes::new(store.db.clone(), context, Arc::new(jobs.clone()))
        };
        let watching = Watching::new(&store);
        let resumable = Resumable::new(store.db.clone(), config.limits.keep_parts);
        let trash = Trash::new(store.db.clone(), Arc::clone(&tree), config.files.trash);
        let mut router = None;
        if let Some(listener) = &https {
            running.https = Some(listener.address());
            let shown = (ways::doors_at(listener, sftp.as_ref()), ways::reach(listener, sftp.as_ref()), remark);
            let settings = (config, &resumable, &trash);
            let shared = doors::Shared {
                tree: &tree,
                jobs: &jobs,
                probes: &probes,
                watching: &watching,
                context: &context,
                presence: &presence,
                counters: &counters,
            };
            router = Some(doors::router(&store, shared, shown, settings, &work).await?);
        }
        running.sftp = sftp.as_ref().map(sftp::Listener::address);
        let started = Event::ServiceStarted { version: env!("CARGO_PKG_VERSION").to_owned() };
        store.audit.record(&Actor::System, &started).await?;
        // The last that can fail: its password is told this once, and a start that fails tells nothing.
        let first_admin = store.accounts.ensure_first_admin().await?;

        let engine: Arc<dyn Engine> = Arc::new(MirrorEngine::new(store.db.clone(), context.clone()));
        let options = WorkerOptions { parallel: usize::from(config.jobs.parallel), ..WorkerOptions::default() };
        Worker::start(jobs.clone(), engine, options, &work);
        probes.start();
        watching.start(&work);
        let swept = sweep::Swept { tree: Arc::clone(&tree), uploads: resumable, trash, audit: store.audit.clone() };
        sweep::start(swept, Arc::clone(&store.clock), config.limits.keep_parts, &work);
        let identity = https.as_ref().map(|listener| Certificate::of(&listener.certificate().borrow()));
        if let (Some(listener), Some(router)) = (https, router) {
            http::serve(listener.counted_in(counters.clone()), router, &work);
        }
        let host_keys = sftp.as_ref().map(|listener| listener.host_keys().to_vec()).unwrap_or_default();
        if let Some(listener) = sftp {
            let door = sftp::Door {
                tree: Arc::clone(&tree),
                accounts: store.accounts.clone(),
                audit: store.audit.clone(),
                recorder: recorder.clone(),
                clock: Arc::clone(&store.clock),
                presence,
                counters,
            };
            let address = listener.address();
            sftp::serve(listener, door, &work).map_err(|error| sftp::ListenError::Other(address, error))?;
        }
        if let Err(error) = running.announce() {
            tracing::error!(%error, "other commands will not find this process");
        }
        Ok(Self {
            store,
            tree,
            jobs,
            probes,
            work,
            records,
            context,
            running,
            drain: config.limits.drain,
            first_admin,
            identity,
            host_keys,
        })
    }

    /// The open data folder.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The served folder.
    #[must_use]
    pub fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// The job store.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// What is compared.
    #[must_use]
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// For clients of this program's own.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { tasks: self.work.child(), ..self.context.clone() }
    }

    /// For work that ends with the service.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.work
    }

    /// Name and password of the account that was made because there was none; told this once.
    #[must_use]
    pub fn first_admin(&self) -> Option<&(String, Secret)> {
        self.first_admin.as_ref()
    }

    /// Where the dashboard, WebDAV and downloads are.
    #[must_use]
    pub fn https(&self) -> Option<SocketAddr> {
        self.running.https
    }

    /// Where SFTP is.
    #[must_use]
    pub fn sftp(&self) -> Option<SocketAddr> {
        self.running.sftp
    }

    /// The SFTP door's host keys, to print and to trust.
    #[must_use]
    pub fn host_keys(&self) -> &[sftp::HostKey] {
        &self.host_keys
    }

    /// The HTTPS door's certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.identity.as_ref()
    }

    /// Lets nobody in any more, lets transfers end within the grace, and closes the records. Returns
    /// whether all ended in time.
    pub async fn stop(self) -> bool {
        let drained = self.work.drain(self.drain).await;
        if !drained {
            tracing::warn!("some transfers did not end in time: they were cut, and their clients will see it");
        }
        let recorded = self.records.drain(RECORDS_GRACE).await;
        if let Err(error) = self.last_words(drained).await {
            tracing::error!(%error, "the audit log could not be closed in good order");
        }
        self.store.db.close().await;
        self.running.forget();
        drained && recorded
    }

    /// The end in the audit log, and its head beside the database: whoever copies that file elsewhere can
    /// show later that nothing was cut off.
    async fn last_words(&self, drained: bool) -> Result<(), DbError> {
        self.store.audit.record(&Actor::System, &Event::ServiceStopped { drained }).await?;
        let path = self.store.folder.join(CHECKPOINT);
        if let Err(error) = self.store.audit.checkpoint(&Actor::System, &path).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, path = %path.display(), "the audit checkpoint was not written");
        }
        Ok(())
    }
}

/// Did a service start over this store, ever?
async fn served_before(store: &Store) -> Result<bool, DbError> {
    let filter = Filter { action: Some("service-started".to_owned()), limit: 1, ..Filter::default() };
    Ok(!store.audit.page(&filter).await?.is_empty())
}

/// A tree that was served and is gone may be a mount that did not come up: an empty folder in its place
/// would make partners believe that everything was deleted.
fn open_tree(config: &Config, served_before: bool) -> Result<Arc<Tree>, StartError> {
    let wrong = |source| StartError::Tree { path: config.tree.clone(), source };
    if !served_before {
        file::ensure_dir(&config.tree, false).map_err(wrong)?;
    }
    Tree::open(&config.tree).map_err(wrong)
}

/// What Causeway keeps for itself is not served.
fn check_apart(config: &Config, store: &Store) -> Result<(), StartError> {
    if file::is_inside(&store.folder, &config.tree) {
        return Err(StartError::Exposed { data: store.folder.clone(), tree: config.tree.clone() });
    }
    Ok(())
}
