//! Every fault at every place of a conversation, in whole mirrors. Whatever happens, what is in the target is right, a
//! run that is not complete names all that is missing, the run after it at the latest is complete, and nothing is sent
//! again that had arrived. `--no-capture` shows how long each took.

mod closings;
mod harm;
mod places;
mod table;
mod tls;

use std::collections::{BTreeMap, BTreeSet};

use causeway::mirror::Ended;
use causeway::model::{Deadlines, Retry};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::harm::{FAREWELLS, Harm, REFUSALS};
use self::places::{ACTIVE_PLACES, PLACES, Place, SLOW_PLACES};
use self::table::table;
use super::*;
use crate::ftp::bytes;
use crate::support::scripted::Manner;

/// The biggest file: its second half is worth going on with.
pub const BIG: usize = 200_000;
/// So much of it is sent before its transfer breaks.
pub const HALF: usize = 150_000;
/// So much of a broken transfer is sent again, to be compared.
pub const OVERLAP: u64 = 64 << 10;
/// Every deadline. A busy machine must not meet it by chance.
const DEADLINE: Duration = Duration::from_secs(2);
/// Cells under way at once: nearly all of their time they wait.
const AT_ONCE: usize = 12;
/// No cell may take longer, on a busy machine either.
const BOUND: Duration = Duration::from_secs(45);

/// The tree, by absolute paths; `/hollow` is a folder without anything.
pub fn tree() -> BTreeMap<&'static str, Vec<u8>> {
    let mut files = BTreeMap::from([("/empty", Vec::new()), ("/a.txt", b"content of a".to_vec())]);
    files.insert("/big", bytes(BIG, 1));
    files.insert("/d/b.bin", bytes(3_000, 2));
    files.insert("/d/e/c.txt", b"content of c".to_vec());
    files.insert("/f/g.txt", b"content of g".to_vec());
    files
}

/// The same with so many small files that connections which the server opens are tried.
pub fn crowd() -> BTreeMap<&'static str, Vec<u8>> {
    const NAMES: [&str; 24] = [
        "/s/01", "/s/02", "/s/03", "/s/04", "/s/05", "/s/06", "/s/07", "/s/08", "/s/09", "/s/10", "/s/11", "/s/12",
        "/s/13", "/s/14", "/s/15", "/s/16", "/s/17", "/s/18", "/s/19", "/s/20", "/s/21", "/s/22", "/s/23", "/s/24",
    ];
    let mut files = tree();
    files.extend(NAMES.map(|name| (name, places::one_of_many())));
    files
}

/// What makes a tree.
pub type Tree = fn() -> BTreeMap<&'static str, Vec<u8>>;

/// A server over a tree.
pub fn over(tree: Tree) -> Script {
    tree().into_iter().fold(Script::new().dir("/hollow"), |script, (path, content)| script.file(path, content))
}

/// A server over the small tree.
pub fn modern() -> Script {
    over(tree)
}

/// The same without MLSD and MLST, as old servers have it.
pub fn simple() -> Script {
    let features = "211-Features\r\n EPSV\r\n MDTM\r\n REST STREAM\r\n SIZE\r\n UTF8\r\n211 End\r\n";
    modern().on("FEAT", [say(features)])
}

/// The same with STAT, as vsftpd has it.
pub fn plain() -> Script {
    simple().on("STAT", [Act::Status])
}

/// One mirror with a fault in it.
pub struct Cell {
    pub place: &'static str,
    pub harm: &'static str,
    pub script: Script,
    /// How many bytes of which files may be sent again.
    pub again: BTreeMap<&'static str, u64>,
    /// What is served.
    pub tree: Tree,
}

/// How a cell ended.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    took: Duration,
    runs: i64,
    again: u64,
}

fn deadlines() -> Deadlines {
    let all = DEADLINE;
    Deadlines { connect: all, banner: all, command: all, stall: all, closing: all, listing: all }
}

/// Opens the source as the job's engine does: a first connection that breaks is opened again. `None` where the run ends
/// before it began.
async fn opened(lab: &Lab, server: &Scripted) -> Option<Arc<dyn Remote>> {
    let mut endpoint = server.endpoint();
    endpoint.options.deadlines = deadlines();
    // On one machine it is not done unasked.
    endpoint.options.active = Some(true);
    for _ in 0..4 {
        match remote::open(&endpoint, &lab.context).await {
            Ok(source) => return Some(source),
            Err(fault) if fault.retry == Retry::Never => return None,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    None
}

impl Cell {
    async fn play(self) -> Outcome {
        let (server, lab) = (self.script.start().await, Lab::new().await);
        let started = Instant::now();
        let policy = Policy { connections: Some(1), patience_seconds: 60, ..Policy::default() };
        let mut runs = 0;
        loop {
            runs += 1;
            let Some(source) = opened(&lab, &server).await else {
                assert!(runs < 2, "the source cannot be opened");
                continue;
            };
            let summary = lab.mirror_from(source, runs, policy.clone()).await;
            let missing = check(&lab, &summary, self.tree);
            if summary.complete {
                assert!(missing.is_empty() && lab.target().join("hollow").is_dir(), "{missing:?}: {summary:?}");
                break;
            }
            assert!(runs < 2, "the second run does not complete it: {summary:?}");
        }
        let took = started.elapsed();
        assert_eq!(server.unplayed(), [""; 0], "the fault did not happen");
        let mut again = 0;
        let given = server.given();
        for (path, content) in (self.tree)() {
            let sent = given.get(path.as_bytes()).copied().unwrap_or_default();
            let over = sent.saturating_sub(content.len() as u64);
            let allowed = self.again.get(path).copied().unwrap_or_default();
            assert!(over <= allowed, "{over} bytes of {path} were sent again, at most {allowed} had to be");
            again += over;
        }
        assert!(took < BOUND, "it took {took:?}");
        Outcome { took, runs, again }
    }
}

/// What is there is right, what is not is named, and what is named is not there. Returns what is missing.
fn check(lab: &Lab, summary: &Summary, tree: Tree) -> BTreeSet<&'static str> {
    let (mut missing, unsure) = (BTreeSet::new(), &summary.unsure);
    let named: BTreeSet<_> = summary.missing.iter().map(|item| format!("/{}", item.path.display())).collect();
    for (path, content) in tree() {
        let Ok(there) = fs::read(lab.target().join(&path[1..])) else {
            missing.insert(path);
            let below = |dir: &str| dir.is_empty() || path[1..].starts_with(&format!("{dir}/"));
            let told = named.contains(path)
                || unsure.iter().any(|dir| below(&dir.path.display()))
                || matches!(summary.ended, Ended::GaveUp { .. });
            assert!(told, "{path} is missing, and nobody says so: {summary:?}");
            continue;
        };
        assert!(there == content, "{path} is torn: {} bytes of {}", there.len(), content.len());
        assert!(!named.contains(path), "{path} is there, and said to be missing: {summary:?}");
    }
    missing
}

/// Plays all cells, says how long each took, and fails with the list of those that failed.
pub async fn play(title: &str, cells: Vec<Cell>) {
    let (turns, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    let (count, started) = (cells.len(), Instant::now());
    let mut columns = Vec::new();
    for cell in cells {
        if !columns.contains(&cell.harm) {
            columns.push(cell.harm);
        }
        let (turns, place, harm) = (Arc::clone(&turns), cell.place, cell.harm);
        running.spawn(async move {
            let _turn = turns.acquire_owned().await;
            (place, harm, tokio::spawn(cell.play()).await)
        });
    }
    let (mut rows, mut failed) = (BTreeMap::<_, BTreeMap<_, _>>::new(), Vec::new());
    while let Some(played) = running.join_next().await {
        let (place, harm, outcome) = played.unwrap();
        match outcome {
            Ok(outcome) => drop(rows.entry(place).or_default().insert(harm, outcome)),
            Err(error) => failed.push(format!("{place} × {harm}: {}", reason(error))),
        }
    }
    println!("{}", table(title, &columns, &rows));
    println!("{count} cells in {:.1?}", started.elapsed());
    failed.sort();
    assert!(failed.is_empty(), "{} of {count} cells failed:\n{}", failed.len(), failed.join("\n"));
}

fn reason(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
}

/// Each of `harms` at every one of these places where it can be.
fn at(places: &[Place], harms: &[Harm]) -> Vec<Cell> {
    places.iter().flat_map(|place| harms.iter().filter_map(|harm| place.with(*harm))).collect()
}

fn everywhere(harms: &[Harm]) -> Vec<Cell> {
    at(&PLACES, harms)
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_connections_that_break() {
    play("Connections that break", everywhere(&[Harm::Reset, Harm::Fin])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_silence() {
    play("Silence", everywhere(&[Harm::Late, Harm::Silent])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_refusals() {
    play("Refusals", everywhere(&REFUSALS.map(Harm::Says))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_farewells() {
    play("Farewells", everywhere(&FAREWELLS.map(Harm::Leaves))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_replies_in_pieces_and_together() {
    let mut cells = everywhere(&[Harm::Dripping, Harm::Held]);
    for (harm, manner) in [("byte by byte", Manner::Dripping), ("merged", Manner::Held)] {
        for (place, script) in [("every reply of it, with MLSD", modern()), ("every reply of it, with STAT", plain())] {
            cells.push(Cell { place, harm, script: script.speaking(manner), again: BTreeMap::new(), tree });
        }
    }
    play("Replies in pieces and together", cells).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_with_one_command_at_a_time() {
    let mut harms = vec![Harm::Reset, Harm::Fin, Harm::Late, Harm::Silent, Harm::Dripping, Harm::Held];
    harms.extend(REFUSALS.map(Harm::Says));
    harms.extend([Harm::Leaves(FAREWELLS[0]), Harm::Leaves(FAREWELLS[6])]);
    play("One command at a time", at(&SLOW_PLACES, &harms)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_connections_that_the_server_opens() {
    let mut harms = vec![Harm::Reset, Harm::Fin, Harm::Late, Harm::Silent, Harm::Dripping, Harm::Held];
    harms.extend(REFUSALS.map(Harm::Says));
    harms.extend([Harm::Leaves(FAREWELLS[0]), Harm::Leaves(FAREWELLS[6])]);
    play("Connections that the server opens", at(&ACTIVE_PLACES, &harms)).await;
}

#[tokio::test]
async fn a_server_that_bears_no_two_commands_at_once_gets_them_one_by_one() {
    let (server, lab) = (places::slow().start().await, Lab::new().await);
    let source = opened(&lab, &server).await.expect("it cannot be opened");
    let summary = lab.mirror_from(source, 1, Policy { connections: Some(1), ..Policy::default() }).await;
    assert!(summary.complete && check(&lab, &summary, tree).is_empty(), "{summary:?}");
    assert_eq!(server.early(), 2, "FEAT, PWD and NOOP are the probe; nothing else comes early");
}
