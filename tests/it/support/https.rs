//! The HTTPS listener with its doors for files, in this process, over a tree in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway::account::{Accounts, HashCost, NewAccount, Settings as AccountSettings};
use causeway::audit::{Actor, AuditLog};
use causeway::db::{Db, Vault};
use causeway::digests::Digests;
use causeway::drive::{Books, Junk, Packing, Resumable, Trash};
use causeway::model::{Access, RelPath, Scope, Secret, SystemClock};
use causeway::net::{Counters, Refusal};
use causeway::reliability::{Observation, Recorder};
use causeway::serve::http::{Budget, HeaderAuth, Settings, bind, serve};
use causeway::serve::{dav, files};
use causeway::task::{Spot, Tasks};
use causeway::tree::Tree;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

pub const PASSWORD: &str = "correct horse battery";

/// The start of a request by `anna`, up to the headers that say what follows.
pub fn head(method: &str, path: &str) -> String {
    let auth = data_encoding::BASE64.encode(format!("anna:{PASSWORD}").as_bytes());
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {auth}\r\n")
}

/// A running listener with the accounts `anna` (everything), `reader` (everything, only to look) and
/// `bob` (the folder `bob`). Dropping it stops it.
pub struct Https {
    pub root: PathBuf,
    pub port: u16,
    pub fingerprint: String,
    pub accounts: Accounts,
    pub db: Db,
    pub observations: Receiver<Observation>,
    pub counters: Counters,
    per_second: u32,
    tasks: Tasks,
    data: Arc<TempDir>,
    settings: Settings,
    junk: Junk,
}

/// How long uploads can be gone on with.
const KEEP: Duration = Duration::from_secs(3600);

/// Archives that are made at once.
pub const ARCHIVES: usize = 4;

/// No test sends as much, but the one that wants to know what happens then.
pub const MAX_UPLOAD: u64 = 1 << 30;

impl Https {
    pub async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    /// With other settings than the usual ones.
    pub async fn with(settings: Settings) -> Self {
        let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..settings };
        Self::start_in(Arc::new(TempDir::new().unwrap()), settings, Junk::Keep, u32::MAX).await
    }

    /// Where each account may make so many requests a second.
    pub async fn with_budget(per_second: u32) -> Self {
        let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() };
        Self::start_in(Arc::new(TempDir::new().unwrap()), settings, Junk::Keep, per_second).await
    }

    /// Another on the same data, which treats so what systems leave beside files.
    pub async fn restart_with(mut self, junk: Junk) -> Self {
        self.junk = junk;
        self.restart().await
    }

    /// Ends it and starts another on the same data.
    pub async fn restart(self) -> Self {
        let data = Arc::clone(&self.data);
        assert!(self.tasks.drain(Duration::from_secs(25)).await, "connections are drained");
        self.db.close().await;
        Self::start_in(data, self.settings.clone(), self.junk, self.per_second).await
    }

    async fn start_in(data: Arc<TempDir>, settings: Settings, junk: Junk, per_second: u32) -> Self {
        let counters = Counters::default();
        let root = data.path().join("tree");
        std::fs::create_dir_all(&root).unwrap();
        let clock = Arc::new(SystemClock);
        let db = Db::open(&data.path().join("causeway.db")).await.unwrap();
        let hash = HashCost { memory_kib: 64, passes: 1, ..HashCost::DEFAULT };
        let vault = Arc::new(Vault::new(&[7; 32]).unwrap());
        let accounts =
            Accounts::with(db.clone(), vault, clock.clone(), AccountSettings { hash, ..AccountSettings::default() });
        for (name, home, access) in
            [("anna", "", Access::ReadWrite), ("reader", "", Access::ReadOnly), ("bob", "bob", Access::ReadWrite)]
        {
            let scope = Scope::of(RelPath::new(home).unwrap(), access);
            let new = NewAccount { name: name.to_owned(), password: Some(Secret::new(PASSWORD)), scope, admin: false };
            let _there_after_a_restart = accounts.create(&Actor::System, &new).await;
        }
        let (recorder, observations) = Recorder::channel(10_000);
        let tasks = Tasks::new();
        let audit = AuditLog::new(db.clone(), clock.clone());
        let tree = Tree::open(&root).unwrap();
        let watched = tree.clone();
        let books = Books {
            audit,
            recorder,
            digests: Digests::new(db.clone()),
            clock: clock.clone(),
            max_upload: MAX_UPLOAD,
            junk,
            trash: Trash::new(db.clone(), tree.clone(), Some(KEEP)),
            packing: Packing::new(ARCHIVES, counters.clone()),
            tasks: tasks.clone(),
            spot: Spot::watching("https mounts", move || watched.is_near(), &tasks),
        };
        let budget = Budget::new(per_second, counters.clone());
        let doorman = Arc::new(HeaderAuth { accounts: accounts.clone(), tree, books, budget });
        let listener = bind(&settings, data.path(), clock.clone()).await.unwrap();
        let (port, fingerprint) = (listener.address().port(), listener.certificate().borrow().fingerprint.clone());
        let dav = dav::Dav::open(db.clone(), doorman.clone(), clock).await.unwrap();
        let resumable = Resumable::new(db.clone(), KEEP);
        let files = files::Files { doorman, render: None, claims: dav.claims(), resumable };
        let router = dav::router(dav).merge(files::router(files));
        serve(listener.counted_in(counters.clone()), router, &tasks);
        Self { counters, per_second, root, port, fingerprint, accounts, db, observations, tasks, data, settings, junk }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Waits until so many were refused for this reason: some are counted only when their connection has its end.
    pub async fn counted(&self, why: Refusal, times: u64) {
        let begin = Instant::now();
        while self.counters.count(why) < times {
            assert!(begin.elapsed() < Duration::from_secs(60), "{why:?} is not counted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.counters.count(why), times, "{why:?}");
    }

    /// What Causeway keeps for itself at the top of the tree, the trash apart: parts of uploads, and what is staged.
    pub fn leftovers(&self) -> Vec<String> {
        let names =
            std::fs::read_dir(&self.root).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".causeway-") && name != ".causeway-trash").collect()
    }

    /// Runs curl as `anna`; the last argument is the path.
    pub fn curl(&self, args: &[&str], path: &str) -> Output {
        self.curl_as("anna", args, path)
    }

    pub fn curl_as(&self, account: &str, args: &[&str], path: &str) -> Output {
        Command::new("curl")
            .args(["-sSk", "--max-time", "60", "--path-as-is", "-u", &format!("{account}:{PASSWORD}")])
            .args(args)
            .arg(self.url(path))
            .output()
            .unwrap()
    }

    /// The status of a request that curl makes.
    pub fn status(&self, args: &[&str], path: &str) -> u16 {
        self.status_as("anna", args, path)
    }

    pub fn status_as(&self, account: &str, args: &[&str], path: &str) -> u16 {
        let all: Vec<&str> = args.iter().copied().chain(["-o", "/dev/null", "-w", "%{http_code}"]).collect();
        let output = self.curl_as(account, &all, path);
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
    }

    /// Headers and body of a request that curl makes.
    pub fn exchange(&self, args: &[&str], path: &str) -> (String, Vec<u8>) {
        let all: Vec<&str> = args.iter().copied().chain(["-i"]).collect();
        let output = self.curl(&all, path).stdout;
        let cut = output.windows(4).position(|four| four == b"\r\n\r\n").map_or(output.len(), |at| at + 4);
        (String::from_utf8_lossy(&output[..cut]).to_ascii_lowercase(), output[cut..].to_vec())
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}
