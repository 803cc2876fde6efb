//! The mirror with SFTP at one end or both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use causeway::audit::Actor;
use causeway::db::Db;
use causeway::mirror::{Deletions, Extent, Links, MirrorRun, Policy, Progress, Summary, run};
use causeway::model::{Endpoint, JobId, RunId, SystemClock};
use causeway::remote::{Remote, open, open_or_create};
use tokio_util::sync::CancellationToken;

use super::{context, door_endpoint};
use crate::mirror::{assert_equal, links};
use crate::sftp::door::{Fixture, noise};
use crate::support::causeway::{binary, command, run as run_program};
use crate::support::footprint;
use crate::support::ftpd::{self, Ftpd, Server};
use crate::support::odd_sftp::{Odd, OddSftp};
use crate::support::sshd::Sshd;
use crate::web::site::{Curl, Site};

/// A journal of its own.
pub struct Lab {
    folder: tempfile::TempDir,
    db: Db,
    runs: i64,
}

impl Lab {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        Self { folder, db, runs: 0 }
    }

    /// The folder of the journal.
    pub fn state(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    pub fn local(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    pub async fn mirror(&mut self, source: &Endpoint, target: &Endpoint, policy: Policy) -> Summary {
        let context = context();
        let source = open(source, &context).await.unwrap();
        let target = open_or_create(target, &context).await.unwrap();
        self.between(source, target, policy).await
    }

    pub async fn between(&mut self, source: Arc<dyn Remote>, target: Arc<dyn Remote>, policy: Policy) -> Summary {
        self.runs += 1;
        let context = context();
        let order = MirrorRun {
            db: self.db.clone(),
            clock: Arc::new(SystemClock),
            recorder: context.recorder,
            job: JobId(1),
            run: RunId(self.runs),
            source: Arc::clone(&source),
            target: Arc::clone(&target),
            extent: Extent::Whole,
            server: "source".to_owned(),
            zone: None,
            place: "target".to_owned(),
            policy,
            actor: Actor::Job(JobId(1)),
        };
        let work = run(order, Arc::new(Progress::new()), CancellationToken::new());
        let summary = tokio::time::timeout(Duration::from_secs(300), work).await.expect("the run ends in time");
        source.close().await;
        target.close().await;
        summary.unwrap()
    }
}

pub fn age(path: &Path, days: u64) {
    let at = SystemTime::now() - Duration::from_secs(86_400 * days);
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

/// Bytes of the largest file.
pub const LARGEST: u64 = 12_000_000;

/// A few hundred files in a few folders, one with a name that is no UTF-8, one of some megabytes.
fn fill(root: &Path) -> u64 {
    use std::os::unix::ffi::OsStrExt as _;
    let gbk = std::ffi::OsStr::from_bytes(b"\xd6\xd0\xce\xc4.txt");
    for folder in ["a", "a/b", "c d"] {
        fs::create_dir(root.join(folder)).unwrap();
        for n in 0..100 {
            let file = root.join(folder).join(format!("file {n}"));
            fs::write(&file, noise(n * 173)).unwrap();
            age(&file, 30 + n as u64);
        }
    }
    fs::write(root.join(gbk), "name").unwrap();
    age(&root.join(gbk), 20);
    fs::write(root.join("big"), noise(LARGEST as usize)).unwrap();
    age(&root.join("big"), 10);
    302
}

/// First all, then nothing, then what changed.
async fn three_runs(source: &Endpoint, from: &Path, target: &Endpoint, to: &Path, own: &dyn Fn()) {
    let mut lab = Lab::new().await;
    let files = fill(from);
    own();
    let begin = Instant::now();
    let state = lab.state();
    let work = Box::pin(lab.mirror(source, target, Policy::default()));
    let (first, held) = footprint::watch(&state, &[from, to], work).await;
    assert!(first.complete && first.verified, "{first:?}");
    assert!(held < LARGEST / 2, "it goes through, and never lies here: {held} bytes of a file of {LARGEST}");
    assert_eq!(first.counts.files_published, files);
    assert_eq!(assert_equal(from, to) as u64, files);
    println!("{files} files in {:?}", begin.elapsed());
    let second = lab.mirror(source, target, Policy::default()).await;
    assert!(second.complete && second.verified, "{second:?}");
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, files), "{second:?}");
    // Ours is replaced, somebody else's is kept in the trash.
    for (name, text) in [("a/file 7", "newer"), ("a/b/file 9", "newer too"), ("new", "nobody's")] {
        fs::write(from.join(name), text).unwrap();
        age(&from.join(name), 5);
    }
    for (name, text) in [("a/b/file 9", "changed in the target"), ("new", "was here before")] {
        fs::write(to.join(name), text).unwrap();
        age(&to.join(name), 3);
    }
    own();
    let third = lab.mirror(source, target, Policy::default()).await;
    assert!(third.complete && third.verified, "{third:?}");
    assert_eq!(third.counts.files_published, 3, "{third:?}");
    for (name, text) in [("a/file 7", "newer"), ("a/b/file 9", "newer too"), ("new", "nobody's")] {
        assert_eq!(fs::read_to_string(to.join(name)).unwrap(), text);
    }
    let trash = trash_of(to);
    let kept: Vec<_> = trash.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert_eq!(kept, ["changed in the target", "was here before"], "{:?}", trash.keys());
    assert!(parts(to).is_empty(), "{:?}", parts(to));
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Whatever lies in the trash, our own or that of a Causeway behind a door.
pub fn trash_of(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = Vec::new();
    for name in [".causeway-trash", ".causeway+trash"] {
        if root.join(name).exists() {
            walk(&root.join(name), &mut found);
        }
    }
    found.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

pub fn parts(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(root, &mut found);
    found.retain(|path| path.file_name().unwrap().to_string_lossy().contains("part-"));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_goes_to_openssh() {
    let (ftpd, sshd) = (Ftpd::start(Server::Vsftpd), Sshd::start());
    let own = || {
        ftpd.own();
        sshd.own();
    };
    three_runs(&ftpd.endpoint(), &ftpd.root(), &sshd.endpoint(), &sshd.root(), &own).await;
}

/// A server that renames over what is there and cannot set modes: the look before the rename is what there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_to_a_server_that_keeps_to_the_draft_only() {
    let from = tempfile::tempdir().unwrap();
    let server = OddSftp::start(Odd { replaces: true, shuffles: true, modeless: true, ..Odd::default() }).await;
    let source = Endpoint::local(from.path().as_os_str().as_encoded_bytes());
    three_runs(&source, from.path(), &server.endpoint(), server.root(), &|| {}).await;
}

#[test]
fn vsftpd_goes_to_our_own_door() {
    let door = Fixture::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ftpd = Ftpd::start(Server::Vsftpd);
    let own = || ftpd.own();
    let target = door_endpoint(&door);
    runtime.block_on(three_runs(&ftpd.endpoint(), &ftpd.root(), &target, &door.served(""), &own));
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_is_a_source_and_a_missing_target_is_made() {
    let (from, to) = (Sshd::start(), Sshd::start());
    let files = fill(&from.root());
    from.own();
    let mut target = to.endpoint();
    target.root.extend_from_slice(b"/made/for/this");
    let mut lab = Lab::new().await;
    for published in [files, 0] {
        let summary = lab.mirror(&from.endpoint(), &target, Policy::default()).await;
        assert!(summary.complete && summary.verified, "{summary:?}");
        assert_eq!(summary.counts.files_published, published);
    }
    assert_eq!(assert_equal(&from.root(), &to.root().join("made/for/this")) as u64, files);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_moves_into_the_trash_of_the_server() {
    let sshd = Sshd::start();
    let mut lab = Lab::new().await;
    let from = lab.local("source");
    for name in ["stays", "goes"] {
        fs::write(from.join(name), name).unwrap();
        age(&from.join(name), 3);
    }
    let source = Endpoint::local(from.as_os_str().as_encoded_bytes());
    let deleting = || Policy {
        delete: Deletions { enabled: true, max_percent: 100, ..Deletions::default() },
        ..Policy::default()
    };
    assert!(lab.mirror(&source, &sshd.endpoint(), deleting()).await.complete);
    fs::remove_file(from.join("goes")).unwrap();
    let mut trashed = 0;
    for _ in 0..3 {
        trashed += lab.mirror(&source, &sshd.endpoint(), deleting()).await.counts.files_trashed;
    }
    assert_eq!(trashed, 1);
    assert!(sshd.root().join("stays").exists() && !sshd.root().join("goes").exists());
    assert_eq!(trash_of(&sshd.root()).into_values().collect::<Vec<_>>(), [b"goes"]);
}

/// The program, from vsftpd to OpenSSH.
struct Program<'a> {
    folder: PathBuf,
    ftpd: &'a Ftpd,
    sshd: &'a Sshd,
}

impl Program<'_> {
    fn command(&self, more: &[&str]) -> Command {
        let mut command = command(&self.folder);
        command.args(["mirror", &self.ftpd.url(), &self.sshd.url(), "--state", "state", "--progress", "lines"]);
        command.args(["--target-pin", &self.sshd.pin(), "--target-identity", &self.sshd.file("key")]).args(more);
        command.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD).env_remove("SSH_AUTH_SOCK");
        command
    }

    fn start(&self, more: &[&str]) -> Child {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = self.command(more);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Bytes that have arrived, parts too.
    fn arrived(&self) -> u64 {
        let mut found = Vec::new();
        // A walk beside a working mirror may miss some.
        let Ok(entries) = fs::read_dir(self.sshd.root()) else { return 0 };
        found.extend(entries.flatten().map(|entry| entry.path()));
        found
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .filter(|meta| meta.is_file())
            .map(|meta| meta.len())
            .sum()
    }

    fn wait_for(&self, child: &mut Child, bytes: u64) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.arrived() < bytes {
            assert!(Instant::now() < end, "{} of {bytes} bytes: {}", self.arrived(), self.log());
            assert!(child.try_wait().unwrap().is_none(), "it ended early: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn ends_well(mut child: Child, program: &Program<'_>) {
    let end = Instant::now() + Duration::from_secs(120);
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(Instant::now() < end, "it does not end: {}", program.log()),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(status.success(), "{}", program.log());
}

const BIG: usize = 60_000_000;

fn program_over<'a>(folder: &Path, ftpd: &'a Ftpd, sshd: &'a Sshd) -> Program<'a> {
    fs::write(ftpd.root().join("big"), noise(BIG)).unwrap();
    age(&ftpd.root().join("big"), 10);
    ftpd.own();
    Program { folder: folder.to_path_buf(), ftpd, sshd }
}

/// The connections to the target are killed in mid-file: the file goes on from what was durable there, and nothing of it
/// lies on this machine meanwhile.
#[test]
fn killed_connections_cost_a_moment() {
    let (ftpd, sshd, folder) = (Ftpd::start(Server::Vsftpd), Sshd::start(), tempfile::tempdir().unwrap());
    let program = program_over(folder.path(), &ftpd, &sshd);
    let mut child = program.start(&["--bandwidth", "12MiB"]);
    for part in 1..4 {
        program.wait_for(&mut child, BIG as u64 * part / 4);
        assert!(sshd.kill_sessions() > 0);
        let mut here = Vec::new();
        walk(folder.path(), &mut here);
        let held: u64 = here.iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum();
        assert!(held < 8_000_000, "{held} bytes lie here: {here:?}");
    }
    ends_well(child, &program);
    assert_equal(&ftpd.root(), &sshd.root());
    let (code, stdout, _) = run_program(&mut program.command(&["--json"]));
    assert_eq!(code, 0, "{stdout}");
    let json: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(json["summary"]["counts"]["files_published"], 0, "{stdout}");
    assert!(parts(&sshd.root()).is_empty());
}

#[test]
fn killed_at_many_points_it_ends_equal() {
    let (ftpd, sshd, folder) = (Ftpd::start(Server::Vsftpd), Sshd::start(), tempfile::tempdir().unwrap());
    for n in 0..200 {
        let file = ftpd.root().join(format!("small {n:03}"));
        fs::write(&file, noise(n * 500)).unwrap();
        age(&file, 30 + n as u64);
    }
    let program = program_over(folder.path(), &ftpd, &sshd);
    // Somebody else's file lies in a place that will be needed.
    fs::write(sshd.root().join("small 100"), "somebody else's").unwrap();
    sshd.own();
    for kill in 1..7_u64 {
        let mut child = program.start(&["--bandwidth", "15MiB"]);
        program.wait_for(&mut child, BIG as u64 * kill / 8);
        std::thread::sleep(Duration::from_millis(37 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ends_well(program.start(&[]), &program);
    assert_equal(&ftpd.root(), &sshd.root());
    let kept: Vec<_> = trash_of(&sshd.root()).into_values().collect();
    assert_eq!(kept, [b"somebody else's"]);
    assert!(parts(&sshd.root()).is_empty());
    assert!(binary().exists());
}

#[test]
fn a_host_key_that_is_not_known_is_told_and_a_known_one_is_remembered() {
    let (ftpd, sshd, folder) = (Ftpd::start(Server::Vsftpd), Sshd::start(), tempfile::tempdir().unwrap());
    fs::write(ftpd.root().join("a"), "hello").unwrap();
    age(&ftpd.root().join("a"), 3);
    let mirror = |more: &[&str]| {
        let mut command = command(folder.path());
        command.args(["mirror", &ftpd.url(), &sshd.url(), "--state", "state", "--patience", "1s"]).args(more);
        command.args(["--target-identity", &sshd.file("key")]).env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD);
        run_program(&mut command)
    };
    let (code, stdout, stderr) = mirror(&[]);
    assert_eq!(code, 1);
    assert!(format!("{stdout}{stderr}").contains(&sshd.pin()), "{stdout}{stderr}");
    let (code, _, stderr) = mirror(&["--target-pin", &sshd.pin()]);
    assert_eq!(code, 0, "{stderr}");
    // The store knows it now.
    let (code, _, stderr) = mirror(&[]);
    assert_eq!(code, 0, "{stderr}");
    let mut ls = command(folder.path());
    ls.args(["ls", &sshd.url(), "--json", "--pin", &sshd.pin(), "--identity", &sshd.file("key")]);
    let (code, stdout, stderr) = run_program(&mut ls);
    assert!(code == 0 && stdout.contains("\"name\":\"a\""), "{stdout}{stderr}");
    let other = format!("SHA256:{}", "A".repeat(43));
    let (code, stdout, stderr) = mirror(&["--target-pin", &other]);
    assert!(code == 1 && format!("{stdout}{stderr}").contains("nothing was sent"), "{stdout}{stderr}");
}

#[test]
fn a_job_of_the_dashboard_writes_to_an_sftp_server() {
    let (site, sshd) = (Site::start(), Sshd::start());
    let curl = Curl::signed_in(&site, "admin");
    let (source, pin, key) = (site.source(), sshd.pin(), sshd.file("locked_key"));
    let target = sshd.url();
    let mut fields = vec![
        ("name", "to the new server"),
        ("source", source.to_str().unwrap()),
        ("target", target.as_str()),
        ("target_pin", pin.as_str()),
        ("target_key_file", key.as_str()),
        ("target_password", crate::support::sshd::PASSPHRASE),
        ("schedule", "now"),
    ];
    let answer = curl.post("/jobs/new", "/jobs", &fields);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let end = Instant::now() + Duration::from_secs(60);
    while fs::read_dir(sshd.root().join("sub folder")).map_or(0, Iterator::count) < 40 {
        assert!(Instant::now() < end, "{}", curl.get("/jobs/1").body);
        std::thread::sleep(Duration::from_millis(100));
    }
    // A job that still runs is not started again.
    while !curl.get("/jobs/1").body.contains("Complete") {
        assert!(Instant::now() < end, "{}", curl.get("/jobs/1").body);
        std::thread::sleep(Duration::from_millis(100));
    }
    let form = curl.get("/jobs/1/edit").body;
    assert!(form.contains(&pin.replace('+', "&#43;")) || form.contains(&pin), "{form}");
    assert!(!form.contains(crate::support::sshd::PASSPHRASE), "{form}");
    // Edited without the passphrase: the sealed one stays.
    fields.retain(|(name, _)| *name != "target_password");
    assert_eq!(curl.post("/jobs/1/edit", "/jobs/1/edit", &fields).status, 303);
    fs::write(site.source().join("later"), "more").unwrap();
    age(&site.source().join("later"), 2);
    assert_eq!(curl.post("/jobs/1", "/jobs/1/run", &[]).status, 303);
    while !sshd.root().join("later").exists() {
        assert!(Instant::now() < end, "{}", curl.get("/jobs/1").body);
        std::thread::sleep(Duration::from_millis(100));
    }
    let nameless = [("name", "x"), ("source", source.to_str().unwrap()), ("target", "sftp://h/x")];
    assert!(curl.post("/jobs/new", "/jobs", &nameless).body.contains("SFTP needs a user"));
}

fn by(links: Links) -> Policy {
    Policy { links, ..Policy::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_has_its_links_followed_by_their_own_paths_too() {
    let (sshd, mut lab) = (Sshd::start(), Lab::new().await);
    links::plant(&sshd.root());
    std::os::unix::fs::symlink(sshd.root().join("common/logo"), sshd.root().join("absolute")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", sshd.root().join("out")).unwrap();
    sshd.own();
    let to = lab.local("target");
    let target = Endpoint::local(to.as_os_str().as_encoded_bytes());
    for published in [8, 0] {
        let summary = lab.mirror(&sshd.endpoint(), &target, by(Links::Follow)).await;
        assert_eq!((summary.counts.files_published, summary.missing.len()), (published, 1), "{summary:?}");
        assert!(summary.missing[0].fault.message.contains("/etc/hostname"), "{summary:?}");
    }
    links::assert_followed(&to);
    assert_eq!(fs::read_to_string(to.join("absolute")).unwrap(), "logo");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_made_anew_on_openssh() {
    let (ftpd, sshd, mut lab) = (Ftpd::start(Server::Vsftpd), Sshd::start(), Lab::new().await);
    links::plant(&ftpd.root());
    ftpd.own();
    for made in [3, 0] {
        let summary = lab.mirror(&ftpd.endpoint(), &sshd.endpoint(), by(Links::Recreate)).await;
        assert!(summary.complete && summary.counts.links_made == made, "{summary:?}");
    }
    links::assert_recreated(&sshd.root());
    // Our own takes another place, somebody else's is kept.
    for (root, at, to) in [(ftpd.root(), "current", "releases/1"), (sshd.root(), "app", "elsewhere")] {
        fs::remove_file(root.join(at)).unwrap();
        std::os::unix::fs::symlink(to, root.join(at)).unwrap();
    }
    let summary = lab.mirror(&ftpd.endpoint(), &sshd.endpoint(), by(Links::Recreate)).await;
    assert!(summary.complete && summary.counts.links_made == 2, "{summary:?}");
    assert_eq!(fs::read_link(sshd.root().join("current")).unwrap(), Path::new("releases/1"));
    assert_eq!(fs::read_link(sshd.root().join("app")).unwrap(), Path::new("current/app"));
    let kept = fs::read_link(sshd.root().join(".causeway-trash/run-3/app")).unwrap();
    assert_eq!(kept, Path::new("elsewhere"));
}

/// A server that keeps to the draft reads the two paths of SYMLINK the other way.
#[tokio::test(flavor = "multi_thread")]
async fn no_link_is_made_on_a_server_whose_ways_are_not_known() {
    let (from, mut lab) = (tempfile::tempdir().unwrap(), Lab::new().await);
    links::plant(from.path());
    let server = OddSftp::start(Odd { replaces: true, ..Odd::default() }).await;
    let source = Endpoint::local(from.path().as_os_str().as_encoded_bytes());
    let summary = lab.mirror(&source, &server.endpoint(), by(Links::Recreate)).await;
    assert_eq!((summary.counts.files_published, summary.missing.len()), (3, 3), "{summary:?}");
    assert!(summary.missing.iter().all(|item| item.fault.message.contains("symbolic link")), "{summary:?}");
}
