//! What one run finds out about a server, and the next begins with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway::db::Db;
use causeway::manners::{Finding, Manner, Manners, known};
use causeway::model::{Endpoint, ManualClock, Retry};
use causeway::reliability::Recorder;
use causeway::remote::{Context, Remote};
use causeway::task::Tasks;
use jiff::SignedDuration;
use tempfile::TempDir;

use super::{calm, open_with, path, try_content, try_listing};
use crate::support::scripted::{Act, Script, Scripted, data, say};

/// So many small files come by chains before the server is asked to connect to us.
const PROVEN: usize = 16;
const FEATURES: &str = "211-Features\r\n EPSV\r\n MDTM\r\n REST STREAM\r\n SIZE\r\n211 End\r\n";

/// A store that outlives runs, and a clock that is moved by hand.
struct House {
    db: Db,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

/// One run at a server, over one connection.
struct Run {
    remote: Arc<dyn Remote>,
    tasks: Tasks,
}

impl Run {
    /// All that was found is stored when it ends.
    async fn end(self) {
        self.remote.close().await;
        assert!(self.tasks.drain(Duration::from_secs(10)).await);
    }

    async fn read(&self, name: &str) {
        let mut source = self.remote.read(&path(name), 0, Some(12)).await.unwrap();
        let mut all = Vec::new();
        while let Some(bytes) = source.next().await.unwrap() {
            all.extend_from_slice(&bytes);
        }
        source.finish().await.unwrap();
        assert_eq!(all, format!("content of {name}").into_bytes());
    }
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let clock = Arc::new(ManualClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
        Self { db, clock, _folder: folder }
    }

    async fn run_at(&self, mut endpoint: Endpoint, connections: u16) -> Run {
        let tasks = Tasks::new();
        let (recorder, manners) = (Recorder::discard(), Manners::new(self.db.clone(), &tasks));
        let context = Context { recorder, manners, clock: self.clock.clone(), tasks: tasks.child() };
        endpoint.options.connections = Some(connections);
        endpoint.options.active = Some(true);
        Run { remote: open_with(&endpoint, &context, calm()).await.unwrap(), tasks }
    }

    async fn run(&self, server: &Scripted) -> Run {
        self.run_at(server.endpoint(), 1).await
    }

    async fn known(&self, server: &Scripted) -> Vec<Finding> {
        let known = known(&self.db, &server.endpoint().server()).await.unwrap();
        known.map(|known| known.findings).unwrap_or_default()
    }

    /// Does the server bear it, as far as is stored?
    async fn bears(&self, server: &Scripted, manner: Manner) -> Option<bool> {
        self.known(server).await.iter().find(|found| found.manner == manner).map(|found| found.loss.is_none())
    }
}

fn script() -> Script {
    Script::new().file("/a", "content of a").file("/b", "content of b").file("/c", "content of c")
}

/// The commands that came since there were `before`.
fn since(server: &Scripted, before: usize) -> Vec<String> {
    let heard = server.heard().split_off(before);
    heard.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

#[tokio::test]
async fn the_next_run_begins_without_a_probe() {
    let (house, server) = (House::new().await, script().start().await);
    house.run(&server).await.end().await;
    assert_eq!((server.count("NOOP"), house.bears(&server, Manner::Batches).await), (1, Some(true)));
    let before = server.heard().len();
    let run = house.run(&server).await;
    assert!(run.remote.capabilities().read_tells, "it stands where the last one ended");
    run.end().await;
    let asked = ["USER anna", "PASS open-sesame", "FEAT", "PWD", "OPTS UTF8 ON", "TYPE I"];
    assert_eq!(since(&server, before)[..6], asked);
    assert_eq!(server.count("NOOP"), 1);
}

#[tokio::test]
async fn another_server_at_the_same_place_is_a_stranger() {
    let greets = script().once("", [say("220 one 1.0\r\n")]).on("", [say("220 one 1.1\r\n")]).start().await;
    let can = script().once("FEAT", [Act::Usual]).on("FEAT", [say(FEATURES)]).start().await;
    let counts = script().once("", [say("220 user 1 of 50\r\n")]).on("", [say("220 user 42 of 50\r\n")]).start().await;
    for (server, probes) in [(greets, 2), (can, 2), (counts, 1)] {
        let house = House::new().await;
        for _ in 0..2 {
            let run = house.run(&server).await;
            run.read("a").await;
            run.end().await;
        }
        assert_eq!((server.count("NOOP"), server.sessions()), (probes, 2));
    }
}

#[tokio::test]
async fn what_was_lost_stays_lost_and_is_known_before_the_run_ends() {
    let features = "211-Features\r\n SIZE\r\n211 End\r\n";
    let server = script().once("FEAT", []).once("PWD", [say(format!("257 \"/\"\r\n{features}"))]);
    let (house, server) = (House::new().await, server.on("FEAT", [say(features)]).start().await);
    let run = house.run(&server).await;
    let end = Instant::now() + Duration::from_secs(10);
    while house.bears(&server, Manner::Batches).await != Some(false) {
        assert!(Instant::now() < end, "not stored while the run goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Killed: nothing is said goodbye to.
    drop(run);
    assert_eq!((server.sessions(), server.count("NOOP")), (2, 1));
    let run = house.run(&server).await;
    assert!(!run.remote.capabilities().read_tells, "commands run ahead again");
    run.read("a").await;
    run.end().await;
    assert_eq!((server.sessions(), server.count("NOOP")), (3, 1));
    house.clock.advance(SignedDuration::from_hours(31 * 24));
    let run = house.run(&server).await;
    assert!(run.remote.capabilities().read_tells, "it was not tried again");
    run.end().await;
    assert_eq!((server.count("NOOP"), house.bears(&server, Manner::Batches).await), (2, Some(true)));
}

#[tokio::test]
async fn what_was_won_falls_at_the_first_surprise_and_that_is_remembered() {
    let calls = script().times(PROVEN + 2, "RETR", [Act::Usual]).once("RETR", [say("425 cannot connect\r\n")]);
    let (house, server) = (House::new().await, calls.start().await);
    let run = house.run(&server).await;
    for _ in 0..=PROVEN {
        run.read("a").await;
    }
    run.end().await;
    assert_eq!(server.count("EPRT"), 1);
    for manner in [Manner::Batches, Manner::Chains, Manner::Active] {
        assert_eq!(house.bears(&server, manner).await, Some(true), "{manner:?}");
    }
    // Nobody waits for chains to prove themselves; the second file meets a firewall that was put up meanwhile.
    let run = house.run(&server).await;
    run.read("a").await;
    let fault = run.remote.read(&path("b"), 0, Some(12)).await.err().expect("it called");
    assert_eq!(fault.retry, Retry::Now);
    run.read("b").await;
    run.end().await;
    assert_eq!((server.count("EPRT"), house.bears(&server, Manner::Active).await), (3, Some(false)));
    let run = house.run(&server).await;
    for _ in 0..=PROVEN {
        run.read("a").await;
    }
    run.end().await;
    assert_eq!(server.count("EPRT"), 3);
    // After its time it is tried again, and won.
    house.clock.advance(SignedDuration::from_hours(31 * 24));
    let run = house.run(&server).await;
    run.read("a").await;
    run.end().await;
    assert_eq!((server.count("EPRT"), house.bears(&server, Manner::Active).await), (4, Some(true)));
}

#[tokio::test]
async fn a_login_in_one_batch_is_taken_over_until_it_fails() {
    let hasty = [say("530 Please authenticate\r\n230 welcome\r\n")];
    let server = script().times(2, "PASS", [Act::Usual]).once("PASS", hasty).start().await;
    let house = House::new().await;
    let run = house.run_at(server.endpoint(), 2).await;
    // Two files at once want two sessions.
    let first = run.remote.read(&path("a"), 0, None).await.unwrap();
    assert_eq!(try_content(&*run.remote, "b", 0).await.unwrap(), b"content of b");
    drop(first);
    run.end().await;
    assert_eq!(house.bears(&server, Manner::Login).await, Some(true));
    let run = house.run(&server).await;
    run.read("a").await;
    run.end().await;
    assert_eq!((server.sessions(), server.count("PASS")), (4, 4), "the password was accepted, and said once more");
    assert_eq!(house.bears(&server, Manner::Login).await, Some(false));
    assert_eq!(house.bears(&server, Manner::Batches).await, Some(true), "nothing else is lost by it");
    house.run(&server).await.end().await;
    assert_eq!((server.sessions(), server.count("PASS"), server.count("NOOP")), (5, 5, 1));
}

#[tokio::test]
async fn a_password_that_is_refused_in_a_batch_is_not_sent_again() {
    let server = script().times(2, "PASS", [Act::Usual]).on("PASS", [say("530 Login incorrect\r\n")]).start().await;
    let house = House::new().await;
    let run = house.run_at(server.endpoint(), 2).await;
    let first = run.remote.read(&path("a"), 0, None).await.unwrap();
    assert_eq!(try_content(&*run.remote, "b", 0).await.unwrap(), b"content of b");
    drop(first);
    run.end().await;
    let (tasks, mut endpoint) = (Tasks::new(), server.endpoint());
    endpoint.options.connections = Some(1);
    let (recorder, manners) = (Recorder::discard(), Manners::new(house.db.clone(), &tasks));
    let context = Context { recorder, manners, clock: house.clock.clone(), tasks: tasks.child() };
    assert!(open_with(&endpoint, &context, calm()).await.is_err());
    assert_eq!(server.count("PASS"), 3);
    assert!(tasks.drain(Duration::from_secs(10)).await);
    assert_eq!(house.bears(&server, Manner::Login).await, Some(true), "the password was wrong, not the batch");
}

fn folder(names: &[&str]) -> String {
    let line = |name: &str| format!("drwxr-xr-x 1 0 0 12 May 06 2024 {name}\r\n");
    [".", ".."].iter().chain(names).map(|name| line(name)).collect()
}

fn list() -> Vec<Act> {
    vec![say("150 now\r\n"), data(folder(&["one", "two"])), Act::EndData, say("226 done\r\n")]
}

fn stat(names: &[&str]) -> Vec<Act> {
    vec![say(format!("213-Status follows:\r\n{}213 End of status\r\n", folder(names)))]
}

/// Is STAT trusted once the root was listed?
async fn trusts(run: &Run) -> bool {
    let _ = try_listing(&*run.remote, "").await;
    run.remote.list_together(&[path("one"), path("two")]).await.unwrap().is_some()
}

#[tokio::test]
async fn that_stat_was_complete_once_is_never_believed_unseen() {
    let server = script().dir("/one").dir("/two").on("FEAT", [say(FEATURES)]).on("LIST", list());
    let server =
        server.once("STAT", stat(&["one", "two"])).once("STAT", stat(&["one"])).on("STAT", stat(&["one", "two"]));
    let (house, server) = (House::new().await, server.start().await);
    // The second run shows a name less than LIST: without a comparison of its own it would be taken for deleted. The
    // third compares again.
    for (number, (trusted, borne)) in [(true, true), (false, false), (true, true)].into_iter().enumerate() {
        let run = house.run(&server).await;
        assert!(run.remote.list_together(&[path("one"), path("two")]).await.unwrap().is_none(), "{number}: unseen");
        assert_eq!(trusts(&run).await, trusted, "{number}");
        run.end().await;
        assert_eq!(house.bears(&server, Manner::Stat).await, Some(borne), "{number}");
        house.clock.advance(SignedDuration::from_secs(60));
    }
    assert_eq!(server.count("STAT"), 3);
}

#[tokio::test]
async fn a_server_that_hung_up_on_stat_is_not_asked_in_the_next_run() {
    let server = script().dir("/one").on("FEAT", [say(FEATURES)]).on("LIST", list()).on("STAT", [Act::Close]);
    let (house, server) = (House::new().await, server.start().await);
    for _ in 0..2 {
        let run = house.run(&server).await;
        assert!(!trusts(&run).await);
        assert_eq!(try_listing(&*run.remote, "").await.unwrap().0.len(), 2);
        run.end().await;
    }
    assert_eq!(server.count("STAT"), 1);
}
