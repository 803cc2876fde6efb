//! The dashboard over real TLS: `curl` for people without scripts, Chromium for the others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway::account::{Accounts, NewAccount, Sessions};
use causeway::audit::{Actor, AuditLog};
use causeway::db::{Db, Vault};
use causeway::job::{Jobs, MirrorEngine, Worker, WorkerOptions};
use causeway::model::{Access, Clock, RelPath, Scope, Secret, SystemClock};
use causeway::reliability::Recorder;
use causeway::serve::http;
use causeway::task::Tasks;
use causeway::tree::Tree;
use causeway::web::{self, DoorShown, WebState};

const PASSWORD: &str = "correct horse battery";

/// A dashboard with two accounts, on a free port, over a tree and a source folder of its own.
struct Site {
    base: String,
    folder: tempfile::TempDir,
    tasks: Tasks,
    runtime: tokio::runtime::Runtime,
}

impl Site {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let base = runtime.block_on(site(folder.path(), &tasks));
        Self { base, folder, tasks, runtime }
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.runtime.block_on(self.tasks.drain(Duration::from_secs(5)));
    }
}

async fn site(folder: &Path, tasks: &Tasks) -> String {
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
    let accounts = Accounts::new(db.clone(), clock.clone());
    for (name, home, access, admin) in [
        ("admin", "", Access::ReadWrite, true),
        ("partner", "partners/a", Access::ReadWrite, false),
        ("reader", "partners/a", Access::ReadOnly, false),
    ] {
        let scope = Scope { home: RelPath::new(home).unwrap(), access };
        let new = NewAccount { name: name.into(), password: Some(Secret::new(PASSWORD)), scope, admin };
        accounts.create(&Actor::System, &new).await.unwrap();
    }
    let jobs = Jobs::new(db.clone(), Arc::new(Vault::new(&[7; 32]).unwrap()), clock.clone());
    let recorder = Recorder::discard();
    let context = causeway::remote::Context { recorder, clock: clock.clone(), tasks: tasks.clone() };
    let engine = MirrorEngine::new(db.clone(), context);
    Worker::start(jobs.clone(), Arc::new(engine), WorkerOptions::default(), tasks);
    let settings = http::Settings { listen: ([127, 0, 0, 1], 0).into(), ..http::Settings::default() };
    let listener = http::bind(&settings, &folder.join("data"), clock.now()).await.unwrap();
    let base = format!("https://localhost:{}", listener.address().port());
    let door = DoorShown { icon: "web", name: "HTTPS".into(), address: base.clone(), fingerprint: None };
    let state = WebState {
        audit: AuditLog::new(db.clone(), clock.clone()),
        sessions: Sessions::new(db.clone(), clock.clone()),
        tree: Tree::open(&folder.join("tree")).unwrap(),
        doors: Arc::new(vec![door]),
        peer_of: Arc::new(|e| e.get::<http::Peer>().map_or(([0, 0, 0, 0], 0).into(), |peer| peer.address)),
        stop: tasks.token(),
        max_upload: u64::MAX,
        tasks: tasks.clone(),
        db,
        clock,
        accounts,
        jobs,
    };
    http::serve(listener, web::router(state), tasks);
    base
}

/// `curl` with a cookie jar: a browser without scripts.
struct Curl<'a> {
    base: &'a str,
    jar: tempfile::NamedTempFile,
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl<'a> Curl<'a> {
    fn new(site: &'a Site) -> Self {
        Self { base: &site.base, jar: tempfile::NamedTempFile::new().unwrap() }
    }

    fn call(&self, path: &str, more: &[&str]) -> Answer {
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

    /// Bytes on the wire, as a browser asks for them.
    fn weight(&self, path: &str) -> usize {
        let jar = self.jar.path().to_str().unwrap();
        let url = format!("{}{path}", self.base);
        let asked = ["-sk", "--compressed", "--max-time", "20", "-b", jar, "-o", "/dev/null", "-w", "%{size_download}"];
        let output = Command::new("curl").args(asked).arg(&url).output().unwrap();
        String::from_utf8_lossy(&output.stdout).parse().unwrap()
    }

    fn get(&self, path: &str) -> Answer {
        self.call(path, &[])
    }

    /// Sends a form of the page `of` to `path`, with that page's token.
    fn post(&self, of: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
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

    fn signed_in(site: &'a Site, name: &str) -> Self {
        let curl = Self::new(site);
        let answer = curl.post("/sign-in", "/sign-in", &[("name", name), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{}", answer.head);
        curl
    }
}

fn token(page: &str) -> String {
    page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

fn links(page: &str) -> BTreeSet<String> {
    let found = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    found
        .filter(|h| h.starts_with('/'))
        .map(|h| h.split('#').next().unwrap().replace("&amp;", "&").replace("&#38;", "&"))
        .collect()
}

#[test]
fn every_page_works_without_scripts() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let target = [
        ("name", "A & B"),
        ("source", site.source().to_str().unwrap()),
        ("target", "jobs/a"),
        ("schedule", "now"),
        ("connections", "2"),
    ]
    .map(|(n, v)| (n, v.to_owned()));
    let fields: Vec<_> = target.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let added = curl.post("/jobs/new", "/jobs", &fields);
    assert_eq!(added.status, 303, "{}", added.body);
    let started = Instant::now();
    while !curl.get("/").body.contains("Everything is here") {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", curl.get("/").body);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(std::fs::read(site.tree().join("jobs/a/sub folder/file 7.txt")).unwrap(), b"content 7");
    let (mut todo, mut seen) = (BTreeSet::from(["/".to_owned()]), BTreeSet::new());
    while let Some(path) = todo.pop_first() {
        if !seen.insert(path.clone()) || path.starts_with("/download/") || path == "/audit/checkpoint" {
            continue;
        }
        let answer = curl.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        if path.starts_with("/static/") {
            assert!(answer.head.contains("immutable") && answer.head.contains("etag"), "{path}");
            continue;
        }
        assert!(answer.body.contains("<title>") && answer.body.contains("lang=\"en\""), "{path}");
        assert!(
            answer.head.contains("content-security-policy: default-src 'none'") && !answer.head.contains("unsafe"),
            "{path}"
        );
        assert!(
            answer.head.contains("x-content-type-options: nosniff") && answer.head.contains("referrer-policy"),
            "{path}"
        );
        for inline in [" style=", "<style", "<script>", " onclick=", " onload=", "javascript:"] {
            assert!(!answer.body.contains(inline), "{path} has {inline}");
        }
        let loaded = ["/static/causeway.css", "/static/causeway.js", "/static/icons.svg", "/static/mark.svg"];
        let weight: usize = loaded.iter().map(|asset| curl.weight(asset)).sum::<usize>() + curl.weight(&path);
        assert!(weight < 100_000, "{path} weighs {weight} bytes");
        todo.extend(links(&answer.body));
    }
    for page in [
        "/jobs",
        "/jobs/new",
        "/jobs/1",
        "/jobs/1/edit",
        "/runs/1",
        "/browse/",
        "/reliability",
        "/audit",
        "/accounts",
        "/accounts/partner",
    ] {
        assert!(seen.contains(page), "no link leads to {page}: {seen:?}");
    }
    assert_eq!(curl.get("/nothing-here").status, 404);
    assert!(curl.get("/nothing-here").body.contains("There is no such page"));
    let verified = curl.post("/audit", "/audit/verify", &[]);
    assert!(verified.body.contains("The chain is whole"), "{}", verified.body);
    let paused = curl.post("/jobs/1", "/jobs/1/pause", &[]);
    assert_eq!(paused.status, 303);
    assert!(curl.get("/jobs").body.contains("Paused"));
    let json = curl.get("/api/runs/1").body;
    assert!(json.contains("\"state\":\"done\""), "{json}");
}

#[test]
fn forms_without_their_token_are_refused() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let fields = ["--data-urlencode", "name=x", "--data-urlencode", "csrf=wrong"];
    assert_eq!(curl.call("/jobs", &fields).status, 403);
    assert_eq!(curl.call("/jobs", &["--data-urlencode", "name=x"]).status, 403);
    let token = format!("csrf={}", token(&curl.get("/jobs/new").body));
    let evil = ["--data-urlencode", token.as_str(), "--data-urlencode", "name=x", "-H", "Origin: https://evil.example"];
    assert_eq!(curl.call("/jobs", &evil).status, 403);
    assert!(!curl.get("/jobs").body.contains("/jobs/1"), "a refused form made a job");
    // Before signing in as well, and a wrong password says nothing about the name.
    let stranger = Curl::new(&site);
    assert_eq!(
        stranger.call("/sign-in", &["--data-urlencode", "name=admin", "--data-urlencode", "password=x"]).status,
        403
    );
    for name in ["admin", "nobody"] {
        let refused = stranger.post("/sign-in", "/sign-in", &[("name", name), ("password", "wrong")]);
        assert_eq!(refused.status, 401);
        assert!(refused.body.contains("do not belong together"));
    }
    let cookies = curl.post("/", "/theme", &[("theme", "dark"), ("back", "//evil.example/")]);
    assert!(
        cookies.head.contains("location: /\r")
            || cookies.head.ends_with("location: /")
            || cookies.head.contains("location: /\n"),
        "{}",
        cookies.head
    );
    assert!(cookies.head.contains("secure; httponly; samesite=lax"), "{}", cookies.head);
    assert!(curl.get("/").body.contains("data-theme=\"dark\""));
    // Signing out ends the session itself, not only the cookie.
    let kept = std::fs::read_to_string(curl.jar.path()).unwrap();
    assert_eq!(curl.post("/", "/sign-out", &[]).status, 303);
    std::fs::write(curl.jar.path(), kept).unwrap();
    assert_eq!(curl.get("/jobs").status, 303);
}

#[test]
fn other_accounts_see_only_their_files() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "partner");
    assert!(curl.get("/").head.contains("location: /browse/"));
    for page in [
        "/jobs",
        "/jobs/new",
        "/runs/1",
        "/audit",
        "/accounts",
        "/reliability",
        "/live/overview",
        "/api/runs/1",
        "/accounts/admin",
    ] {
        assert_eq!(curl.get(page).status, 403, "{page}");
    }
    assert_eq!(curl.post("/browse/", "/accounts/partner", &[("admin", "yes")]).status, 403);
    let listing = curl.get("/browse/").body;
    assert!(listing.contains("&#60;b&#62;&#38;.txt") && !listing.contains("<b>&"), "{listing}");
    assert!(!listing.contains("/accounts"));
    assert_eq!(curl.get("/download/%3Cb%3E%26.txt").body, "hello");
    assert_eq!(curl.call("/download/..%2f..%2f..%2fsource/x", &["--path-as-is"]).status, 404);
    // Make, upload, rename, delete.
    assert_eq!(curl.post("/browse/", "/browse/", &[("do", "folder"), ("name", "new ü")]).status, 303);
    let home = site.tree().join("partners/a");
    assert!(home.join("new ü").is_dir());
    let form = format!("csrf={}", token(&listing));
    let file = format!("files=@{};filename=up load.bin", site.source().join("sub folder/file 3.txt").display());
    let sent = curl.call("/upload/new%20%C3%BC/", &["-F", form.as_str(), "-F", file.as_str()]);
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert_eq!(std::fs::read(home.join("new ü/up load.bin")).unwrap(), b"content 3");
    assert_eq!(curl.call("/upload/", &["-F", "csrf=wrong", "-F", file.as_str()]).status, 403);
    let here = "/browse/new%20%C3%BC/";
    assert_eq!(curl.post(here, here, &[("do", "rename"), ("from", "up%20load.bin"), ("name", "b")]).status, 303);
    assert!(home.join("new ü/b").is_file());
    curl.post("/browse/", "/browse/", &[("do", "delete"), ("from", "new%20%C3%BC")]);
    assert!(home.join("new ü/b").is_file(), "a folder with something in it was deleted");
    curl.post(here, here, &[("do", "delete"), ("from", "b")]);
    assert!(!home.join("new ü/b").exists());
    let reader = Curl::signed_in(&site, "reader");
    assert!(reader.get("/browse/").body.contains("Read only"));
    reader.post("/browse/", "/browse/", &[("do", "delete"), ("from", "%3Cb%3E%26.txt")]);
    assert!(home.join("<b>&.txt").is_file());
}

/// Headless Chromium behind chromedriver, spoken to by `curl`.
struct Browser {
    driver: Child,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: install chromium-driver");
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{port}/session"), _profile: profile };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ]
        .map(|a| format!("\"{a}\""))
        .join(",");
        let wish = format!(
            r#"{{"capabilities":{{"alwaysMatch":{{"acceptInsecureCerts":true,"goog:chromeOptions":{{"args":[{arguments}]}}}}}}}}"#
        );
        let began = Instant::now();
        loop {
            let answer = browser.send("POST", "", &wish);
            if let Some(id) = answer["sessionId"].as_str() {
                browser.session = format!("{}/{id}", browser.session);
                return browser;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no browser: {answer}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn send(&self, method: &str, command: &str, body: &str) -> serde_json::Value {
        let url = format!("{}{command}", self.session);
        let mut curl = Command::new("curl");
        curl.args(["-s", "--max-time", "60", "-X", method, &url]);
        if method == "POST" {
            curl.args(["-H", "Content-Type: application/json", "-d", body]);
        }
        let output = curl.output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).map(|v| v["value"].clone()).unwrap_or_default()
    }

    fn open(&self, url: &str) {
        self.send("POST", "/url", &serde_json::json!({ "url": url }).to_string());
    }

    fn script(&self, text: &str) -> serde_json::Value {
        self.send("POST", "/execute/sync", &serde_json::json!({ "script": text, "args": [] }).to_string())
    }

    fn find(&self, selector: &str) -> String {
        let wish = serde_json::json!({ "using": "css selector", "value": selector }).to_string();
        let found = self.send("POST", "/element", &wish);
        let id = found.as_object().and_then(|o| o.values().next()).and_then(|v| v.as_str()).map(str::to_owned);
        id.unwrap_or_else(|| panic!("no {selector}: {found}, {}", self.script("return document.body.innerText")))
    }

    fn write(&self, selector: &str, text: &str) {
        let id = self.find(selector);
        self.send("POST", &format!("/element/{id}/clear"), "{}");
        self.send("POST", &format!("/element/{id}/value"), &serde_json::json!({ "text": text }).to_string());
    }

    fn click(&self, selector: &str) {
        let id = self.find(selector);
        self.send("POST", &format!("/element/{id}/click"), "{}");
    }

    fn wait(&self, what: &str, condition: &str) {
        let began = Instant::now();
        while self.script(&format!("return Boolean({condition})")) != serde_json::Value::Bool(true) {
            let text = self.script("return location.href + '\\n' + document.body.innerText");
            assert!(
                began.elapsed() < Duration::from_secs(40),
                "{what} did not happen: {}",
                text.as_str().unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(150));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.send("DELETE", "", "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[test]
fn a_browser_signs_in_adds_a_job_and_watches_it_finish() {
    let site = Site::start();
    // Large enough, and slow enough by the job's bandwidth limit, to be watched.
    for number in 0..4 {
        std::fs::write(site.source().join(format!("big {number}.bin")), vec![b'x'; 1_000_000]).unwrap();
    }
    let browser = Browser::start();
    browser.open(&format!("{}/jobs/new", site.base));
    browser.wait("the sign-in page", "document.querySelector('#password')");
    browser.write("#name", "admin");
    browser.write("#password", PASSWORD);
    browser.click("form[action='/sign-in'] button");
    browser.wait("the job form after signing in", "location.pathname === '/jobs/new'");
    browser.write("#name", "Watched job");
    browser.write("#source", site.source().to_str().unwrap());
    browser.write("#target", "watched");
    browser.write("#bandwidth", "1000");
    browser.click("form.sheetlike .btn.main");
    browser.wait("the job's page", "document.querySelector('h1').innerText.includes('Watched job')");
    browser.click("form[action$='/run'] button");
    browser.wait("the run's page", "location.pathname === '/runs/1'");
    browser.wait("live progress", "document.querySelector('[data-live] progress')");
    browser.script("window.never_reloaded = true");
    browser.wait(
        "progress that moves by itself",
        "window.never_reloaded && document.querySelector('[data-live] .facts')?.innerText.match(/[1-9]\\d* %/)",
    );
    browser.wait("the end, by itself", "document.querySelector('h1').innerText.includes('Verified')");
    browser.wait("the verdict", "document.body.innerText.includes('Everything is here')");
    assert_eq!(std::fs::read(site.tree().join("watched/big 2.bin")).unwrap().len(), 1_000_000);
    let problems = browser.send("POST", "/se/log", r#"{"type":"browser"}"#);
    let errors: Vec<_> = problems.as_array().into_iter().flatten().filter(|p| p["level"] == "SEVERE").collect();
    assert!(errors.is_empty(), "{errors:?}");
}
