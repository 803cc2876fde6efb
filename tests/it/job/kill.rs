//! `kill -9` at many points of a real mirror from a real server: the next start goes on at once with the
//! same run, and at the end both sides are equal. No finished file is fetched twice, and a file in flight is
//! asked for from where the killed process had confirmed it, at most a moment before the end of its part.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use causeway::audit::{AuditLog, Filter};
use causeway::db::Db;
use causeway::model::SystemClock;

use crate::support::ftpd::{Ftpd, PASSWORD, Server, Tls};

/// How many times the process is killed.
const KILLS: u64 = 16;
/// Big files, to be killed in the middle of.
const BIG: u64 = 6 << 20;
const BIGS: u64 = 5;
const CONNECTIONS: u64 = 4;
/// Small files that may be read in full and not yet verified: they are made durable while the next are read
/// (`AHEAD` in the mirror's dispatch). A small file is never gone on with, so these are fetched again, whole.
const AHEAD: u64 = 24;
/// Bytes per second and connection. The server keeps to it, so that its log counts what went over the wire: paced by
/// the reader, megabytes that a kill throws away would lie in the sockets' buffers.
const PACE: u64 = 1 << 20;
/// What a kill may cost of one file on its way: progress is confirmed every second, what was gathered for one write,
/// and the overlap that is compared.
const LOSS: u64 = PACE + (1 << 20) + (64 << 10);
/// What may lie in the sockets' buffers when a kill closes them.
const BUFFERS: u64 = 512 << 10;
const PATIENCE: Duration = Duration::from_secs(240);

/// Deterministic bytes that are different in every file and at every offset.
fn content(seed: u64, size: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while (bytes.len() as u64) < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}

pub(super) fn fill(root: &Path) {
    for n in 0..240_u64 {
        let folder = root.join(format!("folder {}", n % 8));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("small-{n}.bin"));
        fs::write(&path, content(n, n * 97)).unwrap();
        age(&path, n);
    }
    for n in 0..BIGS {
        let path = root.join(format!("big-{n}.bin"));
        fs::write(&path, content(1000 + n, BIG)).unwrap();
        age(&path, n);
    }
}

/// Old enough that nobody waits for it to settle.
fn age(path: &Path, n: u64) {
    let at = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + n * 3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

/// Path → content and mtime in seconds, of everything that is not Causeway's own.
pub(super) fn tree(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let modified = fs::metadata(&path).unwrap().modified().unwrap();
                let seconds = modified.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs();
                found.insert(path.strip_prefix(root).unwrap().to_path_buf(), (fs::read(&path).unwrap(), seconds));
            }
        }
    }
    found
}

/// Bytes below `root`, part files too; a walk beside a working mirror may miss some.
pub(super) fn bytes_below(root: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(root) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

struct Mirror {
    url: String,
    folder: PathBuf,
}

impl Mirror {
    fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    fn start(&self, bandwidth: &str) -> Child {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(["mirror", &self.url])
            .arg(self.target())
            .arg("--state")
            .arg(self.folder.join("state"))
            .args(["--progress", "lines", "--connections", &CONNECTIONS.to_string(), "--bandwidth", bandwidth])
            .env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// Everything below `target` that has its name, so is finished.
fn published(target: &Path) -> Vec<String> {
    let names = tree(target).into_keys().map(|path| path.to_string_lossy().into_owned());
    names.filter(|path| !path.contains(".causeway-")).collect()
}

/// The server's own log of transfers, a line each.
fn transferred(log: &Path) -> Vec<String> {
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// What was asked for, in order: the file's name and the offset, from the server's log of commands.
fn asked(log: &Path) -> Vec<(String, u64)> {
    let mut rest = BTreeMap::new();
    let mut found = Vec::new();
    for line in fs::read_to_string(log).unwrap_or_default().lines() {
        let Some((head, command)) = line.split_once("FTP command: Client \"") else { continue };
        let session = head.split("[pid ").nth(1).and_then(|pid| pid.split(']').next()).unwrap_or_default().to_owned();
        let command = command.split_once(", \"").map_or("", |(_, text)| text.trim_end_matches('"'));
        if let Some(offset) = command.strip_prefix("REST ") {
            rest.insert(session, offset.parse().unwrap());
        } else if let Some(path) = command.strip_prefix("RETR ") {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            found.push((name, rest.remove(&session).unwrap_or(0)));
        }
    }
    found
}

/// The parts of big files that a killed process left: whose they are (by their first bytes) and their length.
fn parts(target: &Path) -> Vec<(String, u64)> {
    let named = |path: &PathBuf| path.to_string_lossy().contains(".causeway-part-");
    let whose = |bytes: &[u8]| (0..BIGS).find(|n| bytes.starts_with(&content(1000 + n, 64)));
    let all = tree(target).into_iter().filter(|(path, _)| named(path));
    all.filter_map(|(_, (bytes, _))| Some((format!("big-{}.bin", whose(&bytes)?), bytes.len() as u64))).collect()
}

/// Bytes that the server sent and how many transfers it began, from its own log.
fn sent(log: &Path) -> (u64, u64) {
    let text = fs::read_to_string(log).unwrap_or_default();
    // wu-ftpd's format: date (5 words), seconds, host, bytes, name …
    let bytes = text.lines().filter_map(|line| line.split_whitespace().nth(7)?.parse::<u64>().ok());
    (bytes.sum(), text.lines().count() as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_many_points_a_folder_ends_equal() {
    let kept = tempfile::tempdir().unwrap();
    let source = kept.path().join("source");
    fs::create_dir(&source).unwrap();
    fill(&source);
    survives(kept.path(), &source, source.to_str().unwrap(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_many_points_a_server_ends_equal() {
    let kept = tempfile::tempdir().unwrap();
    let (server, logs) = recorded(kept.path());
    fill(&server.root());
    server.own();
    survives(kept.path(), &server.root(), &server.url(), Some(&logs)).await;
}

/// A server that keeps to [`PACE`] and writes down every transfer and every command, in `folder`.
pub(super) fn recorded(folder: &Path) -> (Ftpd, Logs) {
    let transfers = folder.join("transfers.log");
    let file = format!("xferlog_file={}", transfers.display());
    let commands = folder.join("commands.log");
    let pace = format!("local_max_rate={PACE}");
    let second = format!("vsftpd_log_file={}", commands.display());
    let lines = [
        "xferlog_enable=YES",
        "xferlog_std_format=YES",
        file.as_str(),
        "dual_log_enable=YES",
        "log_ftp_protocol=YES",
        second.as_str(),
        pace.as_str(),
    ];
    let server = Ftpd::start_with(Server::Vsftpd, Tls::None, &lines);
    (server, Logs { transfers, commands })
}

/// What the server wrote down.
pub(super) struct Logs {
    transfers: PathBuf,
    commands: PathBuf,
}

/// What a kill found.
pub(super) struct Kill {
    /// Files that had their names.
    pub(super) finished: Vec<String>,
    /// Length of the log of transfers: it is written before the closing reply, so no later line may name a
    /// finished file.
    transfers: usize,
    /// Parts of big files.
    parts: Vec<(String, u64)>,
    /// Length of the log of commands.
    asked: usize,
}

impl Kill {
    pub(super) fn look(target: &Path, logs: &Logs) -> Self {
        Self {
            finished: published(target),
            transfers: transferred(&logs.transfers).len(),
            parts: parts(target),
            asked: asked(&logs.commands).len(),
        }
    }
}

/// Nothing was fetched twice without need, and at least so many parts were gone on with. Returns the bytes of parts that were asked for again.
pub(super) fn check_requests(kills: &[Kill], logs: &Logs, least: u64) -> u64 {
    let (lines, requests) = (transferred(&logs.transfers), asked(&logs.commands));
    let (mut again, mut resumed) = (0, 0);
    for kill in kills {
        for name in &kill.finished {
            // The log writes blanks as underscores.
            let logged = format!("/{} ", name.replace(' ', "_"));
            let twice = lines[kill.transfers..].iter().find(|line| line.contains(&logged));
            assert!(twice.is_none(), "{name} was finished and is fetched again: {twice:?}");
        }
        for (name, length) in &kill.parts {
            // A part that was whole when the process died is published without asking.
            let next = requests[kill.asked..].iter().find(|(asked, _)| asked == name);
            let offset = next.map_or(*length, |(_, offset)| *offset);
            assert!(offset + LOSS >= *length, "{name}: {length} bytes were there, and it was asked for from {offset}");
            again += length.saturating_sub(offset);
            resumed += u64::from(next.is_some() && offset > 0);
        }
    }
    assert!(kills.iter().any(|kill| !kill.finished.is_empty()), "no kill found a finished file");
    assert!(resumed >= least, "only {resumed} parts were gone on with");
    again
}

/// Kills the mirror of `url`, whose files lie in `root`, again and again, and looks at what is left.
async fn survives(folder: &Path, root: &Path, url: &str, logs: Option<&Logs>) {
    let all = bytes_below(root);
    let mirror = Mirror { url: url.to_owned(), folder: folder.to_path_buf() };
    let bandwidth = if logs.is_some() { "1GiB" } else { "4MiB" };
    let begin = Instant::now();
    let mut kills = 0;
    let mut found = Vec::new();
    // Points spread over the whole run by the bytes that reached the target, from "nothing yet" on; bytes
    // arrive in lumps of a mebibyte a file, so the last points keep a distance from the end.
    for point in 0..KILLS {
        let mut child = mirror.start(bandwidth);
        // Each start gets a little further than the one before.
        let threshold = (all * point / (KILLS + 2)).max((bytes_below(&mirror.target()) + all / 128) * point.min(1));
        let late = Instant::now() + Duration::from_secs(30);
        while bytes_below(&mirror.target()) <= threshold && Instant::now() < late && begin.elapsed() < PATIENCE {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        // A little later each time, so that kills also hit what follows: verify, publish, journal.
        std::thread::sleep(Duration::from_millis(point * 7 % 40));
        kills += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        found.extend(logs.map(|logs| Kill::look(&mirror.target(), logs)));
    }
    assert!(kills + 1 >= KILLS, "only {kills} kills hit a running process:\n{}", mirror.log());
    let status = mirror.start("1GiB").wait().unwrap();
    assert!(status.success(), "{status}:\n{}", mirror.log());
    assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());

    let (source, target) = (tree(root), tree(&mirror.target()));
    assert_eq!(source.keys().collect::<Vec<_>>(), target.keys().collect::<Vec<_>>());
    for (path, (bytes, modified)) in &source {
        let copy = &target[path];
        assert!(copy.0 == *bytes && copy.1 == *modified, "{} differs", path.display());
    }
    let db = Db::open(&folder.join("state/causeway.db")).await.unwrap();
    let log = AuditLog::new(db.clone(), std::sync::Arc::new(SystemClock));
    assert!(log.verify(None).await.unwrap().is_sound());
    let published: (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT json_extract(entry, '$.event.path')) FROM audit WHERE action = 'file-published'",
    )
    .fetch_one(db.read())
    .await
    .unwrap();
    let files = source.len() as i64;
    assert_eq!(
        published.0,
        files,
        "every file is published once: {:?}",
        log.page(&Filter::default()).await.unwrap().first()
    );
    let runs: Vec<(i64, String, i64)> =
        sqlx::query_as("SELECT id, state, claims FROM runs ORDER BY id").fetch_all(db.read()).await.unwrap();
    assert_eq!(runs.len(), 1, "one run from the first start to the last: {runs:?}");
    assert!(runs[0].1 == "done" && runs[0].2 as u64 + 2 >= KILLS, "{runs:?}");
    db.close().await;
    println!("{kills} kills in {:?}: {all} bytes in {files} files", begin.elapsed());
    let sent_so_far = || logs.map(|logs| sent(&logs.transfers));
    let before = sent_so_far();
    if let (Some((bytes, begun)), Some(logs)) = (before, logs) {
        let again = check_requests(&found, logs, KILLS / 4);
        println!("the server sent {bytes} bytes for {all}; {again} bytes of parts were asked for again");
        assert!(bytes <= all + again + kills * CONNECTIONS * BUFFERS, "{bytes} bytes were sent for {all}");
        assert!(begun <= source.len() as u64 + kills * (CONNECTIONS + AHEAD), "{begun} transfers for {files} files");
    }

    // Again: nothing is fetched.
    let status = mirror.start("1GiB").wait().unwrap();
    assert!(status.success(), "{status}:\n{}", mirror.log());
    assert_eq!(sent_so_far(), before, "the second run transfers nothing");
}
