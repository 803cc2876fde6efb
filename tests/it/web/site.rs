//! A dashboard in this process, and a browser without scripts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use causeway::account::{Accounts, NewAccount, Sessions};
use causeway::audit::{Actor, AuditLog};
use causeway::db::{Db, Vault};
use causeway::diagnose::incident::Terms;
use causeway::diagnose::{Alarms, Diagnoses, Incidents, alarm};
use causeway::digests::Digests;
use causeway::drive::{Books, Junk, Packing, Shares, Trash};
use causeway::job::{Jobs, MirrorEngine, Worker, WorkerOptions};
use causeway::model::{Access, Clock, RelPath, Scope, Secret, SystemClock};
use causeway::net::Counters;
use causeway::presence::Presence;
use causeway::probe::Probes;
use causeway::reliability::Recorder;
use causeway::reliability::objective::Objectives;
use causeway::serve::dav::Dav;
use causeway::serve::http::{self, Budget, HeaderAuth};
use causeway::survey::Surveys;
use causeway::task::Tasks;
use causeway::tree::Tree;
use causeway::web::{self, DoorShown, Reach, WebState};

/// Of every account.
pub const PASSWORD: &str = "correct horse battery";

/// A dashboard with two accounts, on a free port, over a tree and a source folder of its own.
pub struct Site {
    pub base: String,
    pub presence: Presence,
    folder: tempfile::TempDir,
    tasks: Tasks,
    runtime: tokio::runtime::Runtime,
}

impl Site {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let presence = Presence::default();
        let base = runtime.block_on(site(folder.path(), &presence, &tasks));
        Self { base, presence, folder, tasks, runtime }
    }

    /// Waits for something that must happen soon.
    pub fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(limit, work).await.expect("not in time") })
    }

    pub fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    pub fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.runtime.block_on(self.tasks.drain(Duration::from_secs(5)));
    }
}

async fn site(folder: &Path, presence: &Presence, tasks: &Tasks) -> String {
    for name in ["source/sub folder", "tree/partners/a", "data"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    for number in 0..40 {
        std::fs::write(folder.join(format!("source/sub folder/file {number}.txt")), format!("content {number}"))
            .unwrap();
    }
    std::fs::write(folder.join("tree/partners/a/<b>&.txt"), "hello").unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let db = Db::open(&folder.join("data/causeway.db")).await.unwrap();
    let vault = Arc::new(Vault::new(&[7; 32]).unwrap());
    let accounts = Accounts::new(db.clone(), vault.clone(), clock.clone());
    for (name, home, access, admin) in [
        ("admin", "", Access::ReadWrite, true),
        ("partner", "partners/a", Access::ReadWrite, false),
        ("reader", "partners/a", Access::ReadOnly, false),
    ] {
        let scope = Scope::of(RelPath::new(home).unwrap(), access);
        let new = NewAccount { name: name.into(), password: Some(Secret::new(PASSWORD)), scope, admin };
        accounts.create(&Actor::System, &new).await.unwrap();
    }
    let jobs = Jobs::new(db.clone(), vault, clock.clone()).with_manifests(&folder.join("data"));
    let recorder = Recorder::discard();
    let audit = AuditLog::new(db.clone(), clock.clone());
    let tree = Tree::open(&folder.join("tree")).unwrap();
    let books = Books {
        audit: audit.clone(),
        recorder: recorder.clone(),
        digests: Digests::new(db.clone()),
        clock: clock.clone(),
        max_upload: u64::MAX,
        junk: Junk::default(),
        trash: Trash::new(db.clone(), tree.clone(), Some(Duration::from_secs(30 * 24 * 3600))),
        packing: Packing::new(4, Counters::default()),
        tasks: tasks.clone(),
        spot: Arc::default(),
    };
    let counters = Counters::default();
    let budget = Budget::new(u32::MAX, counters.clone());
    let doorman = HeaderAuth { accounts: accounts.clone(), tree: tree.clone(), books: books.clone(), budget };
    let claims = Dav::open(db.clone(), Arc::new(doorman), clock.clone()).await.unwrap().claims();
    let manners = causeway::manners::Manners::new(db.clone(), tasks);
    let context = causeway::remote::Context { recorder, manners, clock: clock.clone(), tasks: tasks.clone() };
    let surveys = Surveys::open(db.clone(), context.clone()).await.unwrap();
    let diagnoses = Diagnoses::open(db.clone(), context.clone()).await.unwrap();
    let terms = Terms { beat: Duration::from_millis(100), ..Terms::default() };
    let incidents = Incidents::new(db.clone(), clock.clone(), terms);
    incidents.start(tasks);
    let terms = alarm::Terms { beat: Duration::from_millis(100), ..alarm::Terms::default() };
    let alarms = Alarms::new(db.clone(), clock.clone(), terms);
    alarms.start(tasks);
    let probes = Probes::new(db.clone(), context.clone(), Arc::new(jobs.clone()));
    probes.start();
    let engine = MirrorEngine::new(db.clone(), context);
    Worker::start(jobs.clone(), Arc::new(engine), WorkerOptions::default(), tasks);
    let settings = http::Settings { listen: ([127, 0, 0, 1], 0).into(), ..http::Settings::default() };
    let listener = http::bind(&settings, &folder.join("data"), clock.clone()).await.unwrap();
    let base = format!("https://localhost:{}", listener.address().port());
    let door = DoorShown { icon: "web", name: "HTTPS".into(), address: base.clone(), fingerprint: None };
    let served = listener.certificate().clone();
    let reach = move || {
        let identity = served.borrow();
        Reach { own_certificate: Some(identity.pem()), fingerprint: identity.fingerprint.clone(), sftp: None }
    };
    let state = WebState {
        audit,
        shares: Shares::new(db.clone(), accounts.clone(), tree.clone(), books.clone()),
        books,
        claims,
        naming: Arc::default(),
        probes,
        sessions: Sessions::new(db.clone(), clock.clone()),
        tree,
        doors: Arc::new(move |_| vec![door.clone()]),
        reach: Arc::new(reach),
        remark: None,
        peer_of: Arc::new(|e| e.get::<http::Peer>().map_or(([0, 0, 0, 0], 0).into(), |peer| peer.address)),
        welcome: Arc::new(|e| e.get::<http::Peer>().into_iter().for_each(http::Peer::welcome)),
        stop: tasks.token(),
        tasks: tasks.clone(),
        presence: presence.clone(),
        counters: counters.clone(),
        db,
        clock,
        accounts,
        jobs,
        surveys,
        diagnoses,
        incidents,
        alarms,
        objectives: Objectives::default(),
    };
    http::serve(listener.counted_in(counters), web::router(state), tasks);
    base
}

/// `curl` with a cookie jar: a browser without scripts.
pub struct Curl<'a> {
    pub base: &'a str,
    pub jar: tempfile::NamedTempFile,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl<'a> Curl<'a> {
    pub fn new(site: &'a Site) -> Self {
        Self { base: &site.base, jar: tempfile::NamedTempFile::new().unwrap() }
    }

    pub fn call(&self, path: &str, more: &[&str]) -> Answer {
        let jar = self.jar.path().to_str().unwrap();
        let url = format!("{}{path}", self.base);
        let output = Command::new("curl")
            .args(["-sk", "-i", "--max-time", "20", "-b", jar, "-c", jar, "-H", "Accept: text/html"])
            .args(more)
            .arg(&url)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split_whitespace().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// Sends one form after the other to `path` and follows to the page that says what was done.
    pub fn told(&self, of: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(of, path, fields);
        if answer.status != 303 {
            return answer.body;
        }
        let to = answer.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().trim().to_owned();
        self.get(&to).body
    }

    /// Bytes on the wire, as a browser asks for them.
    pub fn weight(&self, path: &str) -> usize {
        let jar = self.jar.path().to_str().unwrap();
        let url = format!("{}{path}", self.base);
        let asked = ["-sk", "--compressed", "--max-time", "20", "-b", jar, "-o", "/dev/null", "-w", "%{size_download}"];
        let output = Command::new("curl").args(asked).arg(&url).output().unwrap();
        String::from_utf8_lossy(&output.stdout).parse().unwrap()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call(path, &[])
    }

    /// Sends a form of the page `of` to `path`, with that page's token.
    pub fn post(&self, of: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = token(&self.get(of).body);
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let csrf = format!("csrf={token}");
        let mut arguments = vec!["--data-urlencode", csrf.as_str()];
        for field in &fields {
            arguments.extend(["--data-urlencode", field.as_str()]);
        }
        let origin = format!("Origin: {}", self.base);
        arguments.extend(["-H", origin.as_str()]);
        self.call(path, &arguments)
    }

    pub fn signed_in(site: &'a Site, name: &str) -> Self {
        Self::signed_in_at(&site.base, name, PASSWORD)
    }

    /// Somewhere else.
    pub fn signed_in_at(base: &'a str, name: &str, password: &str) -> Self {
        let curl = Self { base, jar: tempfile::NamedTempFile::new().unwrap() };
        let answer = curl.post("/sign-in", "/sign-in", &[("name", name), ("password", password)]);
        assert_eq!(answer.status, 303, "{}", answer.head);
        curl
    }
}

pub fn token(page: &str) -> String {
    page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

pub fn links(page: &str) -> BTreeSet<String> {
    let found = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    found
        .filter(|h| h.starts_with('/'))
        .map(|h| h.split('#').next().unwrap().replace("&amp;", "&").replace("&#38;", "&"))
        .collect()
}
