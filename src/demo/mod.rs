//! `causeway demo`: a whole Causeway beside an old FTP server, on this machine only.

mod clients;
mod comparison;
mod jobs;
mod legacy;
mod sample;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::account::{AccountError, NewAccount, NoRandom, readable_password};
use crate::app::{Service, StartError, Store, StoreError};
use crate::audit::Actor;
use crate::config::{Config, Loaded, Origin};
use crate::db::DbError;
use crate::job::JobError;
use crate::model::{Clock, Scope, Secret};
use crate::task::{Lost, blocking};
use crate::tree::{Tree, View, file};

pub use clients::{Clients, Line};

/// The demo's login, at the doors and at the old server.
pub const USER: &str = "demo";
/// The old server's password is an old server's password.
const LEGACY_PASSWORD: &str = "welcome1";
const LEGACY_PORT: u16 = 2121;
const PASSWORD_FILE: &str = "demo-password";
/// How often a partner still uploads something to the old server.
const ARRIVAL: Duration = Duration::from_secs(20);

/// Why the demo does not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The data folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its account.
    #[error("the demo's account cannot be made: {0}")]
    Account(#[from] AccountError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Its jobs.
    #[error("the demo's jobs cannot be made: {0}")]
    Job(#[from] JobError),
    /// Files.
    #[error("the demo's files cannot be written: {0}; it needs about 200 MB in the data folder")]
    Files(#[from] io::Error),
    /// The random generator.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// Work of another thread.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The HTTPS door is off.
    #[error("the demo shows itself over HTTPS: set https.listen to an address")]
    NoHttps,
}

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    service: Service,
    clients: Clients,
    password: Secret,
    files: usize,
    legacy: SocketAddr,
}

impl Demo {
    /// Makes what is missing of the sample tree, starts the old server and Causeway, and sees that the
    /// jobs are there. `every` is the minutes between their starts.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn start(loaded: &Loaded, every: u8) -> Result<Self, DemoError> {
        let config = on_this_machine(loaded);
        let store = Store::open(&config).await?;
        let password = account(&store).await?;
        let visitor = comparison::account(&store).await?;
        store.db.close().await;

        let (view, files) = sample_tree(&config, Arc::clone(&store.clock)).await?;
        let legacy = free_port(LEGACY_PORT);
        let service = Service::start_with(&config, Some(comparison::REMARK)).await?;
        let secret = Secret::new(LEGACY_PASSWORD);
        legacy::start(legacy, &view, USER, secret.clone(), Arc::clone(&store.clock), service.tasks())?;
        jobs::ensure(&service, &config.tree, legacy, &secret, every).await?;
        arrivals(&service, view);
        comparison::start(&service, &jobs::whole_server(legacy, &secret), visitor).await?;

        let https = service.https().ok_or(DemoError::NoHttps)?;
        let certificate = service.certificate().ok_or(DemoError::NoHttps)?.file.clone();
        let folder = config.data.join("clients");
        let (doors, keys) =
            ((https, service.sftp()), service.host_keys().iter().map(|key| key.public.clone()).collect::<Vec<_>>());
        let login = (USER, password.clone());
        let clients =
            blocking(move || Clients::write(&folder, &certificate, (login.0, &login.1), doors, &keys)).await??;
        Ok(Self { service, clients, password, files, legacy })
    }

    /// What to print.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The login's password.
    #[must_use]
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// Files in the old server's tree at the start.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files
    }

    /// Where the old server is.
    #[must_use]
    pub fn legacy(&self) -> SocketAddr {
        self.legacy
    }

    /// Ends everything; see [`Service::stop`].
    pub async fn stop(self) -> bool {
        self.service.stop().await
    }
}

/// The demo is for this machine: what nobody set listens on the loopback only, and on another port when
/// the usual one is taken.
fn on_this_machine(loaded: &Loaded) -> Config {
    let mut config = loaded.config.clone();
    let is_default =
        |name| loaded.shown.iter().any(|setting| setting.name == name && setting.origin == Origin::Default);
    if is_default("https.listen") {
        config.https.listen = Some(free_port(8443));
    }
    if is_default("sftp.listen") {
        config.sftp.listen = Some(free_port(2022));
    }
    config
}

/// `port` on the loopback if it is free, else any that is.
fn free_port(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = TcpListener::bind(wanted).or_else(|_| TcpListener::bind(any)).and_then(|socket| socket.local_addr());
    bound.unwrap_or(wanted)
}

/// The demo's account: made at the first start, its password kept in a private file so that the next
/// start can print it again, and its SSH key beside it.
async fn account(store: &Store) -> Result<Secret, DemoError> {
    let folder = store.folder.join("clients");
    file::ensure_dir(&folder, true)?;
    let path = folder.join(PASSWORD_FILE);
    let kept = read_password(&path)?;
    let known = store.accounts.get(USER).await?.is_some();
    let password = match kept {
        Some(password) if known => return Ok(password),
        Some(password) => password,
        None => readable_password()?,
    };
    let key = ssh_key(&folder.join("id_ed25519"))?;
    file::write_private(&path, password.expose().as_bytes())?;
    if known {
        store.accounts.set_password(&Actor::System, USER, &password).await?;
        return Ok(password);
    }
    let new =
        NewAccount { name: USER.to_owned(), password: Some(password.clone()), scope: Scope::whole(), admin: true };
    store.accounts.create(&Actor::System, &new).await?;
    store.accounts.add_key(&Actor::System, USER, &key).await?;
    Ok(password)
}

fn read_password(path: &Path) -> io::Result<Option<Secret>> {
    match file::read_small(path, 4096) {
        Ok(bytes) => Ok(Some(Secret::new(String::from_utf8_lossy(&bytes).trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the key and returns its public line.
fn ssh_key(path: &Path) -> io::Result<String> {
    use russh::keys::ssh_key::LineEnding;
    use russh::keys::{Algorithm, PrivateKey};
    let mut seed = [0; 32];
    crate::random::fill(&mut seed)?;
    let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&seed);
    let key = PrivateKey::from(pair);
    debug_assert_eq!(key.algorithm(), Algorithm::Ed25519);
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    file::write_private(path, text.as_bytes())?;
    key.public_key().to_openssh().map_err(io::Error::other)
}

async fn sample_tree(config: &Config, clock: Arc<dyn Clock>) -> Result<(View, usize), DemoError> {
    let folder = config.data.join("legacy-ftp");
    Ok(blocking(move || {
        file::ensure_dir(&folder, true)?;
        let view = Tree::open(&folder)?.view(&Scope::whole())?;
        let files = sample::generate(&view, clock.now())?;
        io::Result::Ok((view, files))
    })
    .await??)
}

/// Partners still upload to the old server while it is being retired.
fn arrivals(service: &Service, view: View) {
    let tasks = service.tasks().clone();
    let clock = Arc::clone(&service.store().clock);
    service.tasks().spawn("demo: arrivals", async move {
        loop {
            tokio::select! {
                () = tasks.stopped() => return,
                () = tokio::time::sleep(ARRIVAL) => {}
            }
            let (view, now) = (view.clone(), clock.now());
            match blocking(move || sample::arrival(&view, now)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "nothing arrived at the demo's old server"),
                Err(lost) => tracing::debug!(error = %lost, "nothing arrived at the demo's old server"),
            }
        }
    });
}
