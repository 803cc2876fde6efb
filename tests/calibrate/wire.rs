//! The same over the wire: the mirror's FTP client, a real server, and the proxy of the tests between them, which refuses,
//! resets, stalls and delays at known rates and keeps account of what it did. What was observed goes by the recorder into a
//! store, and the questions of the pages are held against that account.
#![allow(dead_code, reason = "the test looks at a part of the report")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use causeway::db::Db;
use causeway::manners::Manners;
use causeway::model::{Deadlines, Endpoint, RelPath, SystemClock};
use causeway::reliability::{
    Column, Estimate, Observation, Recorder, Role, What, Window, compare_over_time, observations_after,
};
use causeway::remote::{Context, open};
use causeway::task::Tasks;

use super::random::Random;
use super::support::fated::{Done, Fate, Relay};
use super::support::ftpd::{Ftpd, Server};
use super::support::proxy::{Harm, Rule};
use super::truth::phi;

/// Bytes of the file that is read, and where its way ends, when it does.
const FILE: usize = 256 << 10;
const BROKEN_AT: u64 = 100_000;
/// In the middle of the server's second reply, when a login is under way.
const LOGIN: u64 = 30;
/// Seconds, and sigma of the logarithm, by which each greeting is delayed.
const DELAY: (f64, f64) = (0.08, 0.5);
const PAUSE: Duration = Duration::from_millis(400);
/// Visits without any fault, which say how long a set-up takes by itself.
const CALM: u64 = 60;
/// A visit that takes longer is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Refused,
    ResetAtLogin,
    SilentAtLogin,
    PauseAtLogin,
    ResetLater,
    DataReset,
    DataStalls,
    DataRefused,
    Well,
}

/// How often; the rest goes well.
const RATES: [(Kind, f64); 8] = [
    (Kind::Refused, 0.05),
    (Kind::ResetAtLogin, 0.03),
    (Kind::SilentAtLogin, 0.02),
    (Kind::PauseAtLogin, 0.04),
    (Kind::ResetLater, 0.05),
    (Kind::DataReset, 0.06),
    (Kind::DataStalls, 0.03),
    (Kind::DataRefused, 0.03),
];

fn rate(kinds: &[Kind]) -> f64 {
    RATES.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, rate)| rate).sum()
}

/// The fate of a connection, by its number.
fn draw(number: u64) -> (Kind, Duration) {
    let mut random = Random((number + 2026).wrapping_mul(0x9e6c_63d0_876a_3f35));
    let delay = Duration::from_secs_f64(random.lognormal(DELAY.0, DELAY.1));
    let mut place = random.unit();
    for (kind, rate) in RATES {
        if place < rate {
            return (kind, delay);
        }
        place -= rate;
    }
    (Kind::Well, delay)
}

fn fate(number: u64) -> Fate {
    let (kind, delay) = draw(number);
    let rule = match kind {
        Kind::Refused | Kind::DataRefused | Kind::Well => None,
        Kind::ResetAtLogin => Some(Rule::control(Harm::Reset, LOGIN)),
        Kind::SilentAtLogin => Some(Rule::control(Harm::BlackHole, LOGIN)),
        Kind::PauseAtLogin => Some(Rule::control(Harm::Stall(PAUSE), LOGIN)),
        // With the listing that comes behind the file.
        Kind::ResetLater => Some(Rule::control_in_transfer(Harm::Reset, 0).skip(1)),
        Kind::DataReset => Some(Rule::data(Harm::Reset, BROKEN_AT)),
        Kind::DataStalls => Some(Rule::data(Harm::BlackHole, BROKEN_AT)),
    };
    Fate { refused: kind == Kind::Refused, data_refused: kind == Kind::DataRefused, delay, rule }
}

/// What the proxy did, counted.
#[derive(Debug, Default)]
struct Account {
    asked: u64,
    refused: u64,
    failed_logins: u64,
    resets: u64,
    transfers: u64,
    failed_transfers: u64,
    /// Fates that did not come about, or more than one of a kind.
    odd: Vec<String>,
}

fn account(done: &[Done]) -> Account {
    let mut all = Account { asked: done.len() as u64, ..Account::default() };
    for (number, one) in done.iter().enumerate() {
        let (kind, _) = draw(number as u64);
        let files = one.data.iter().filter(|bytes| **bytes >= BROKEN_AT / 2).count();
        let came = match kind {
            Kind::Refused => one.refused,
            Kind::DataRefused => one.data_refused > 0,
            Kind::Well => true,
            _ => one.fired,
        };
        let is_ready = !matches!(kind, Kind::Refused | Kind::ResetAtLogin | Kind::SilentAtLogin);
        if !came || files != usize::from(is_ready && kind != Kind::DataRefused) {
            all.odd.push(format!("connection {number}, {kind:?}: {one:?}"));
        }
        all.refused += u64::from(one.refused);
        all.failed_logins += u64::from(!is_ready && one.fired);
        all.resets += u64::from(matches!(kind, Kind::ResetAtLogin | Kind::ResetLater) && one.fired);
        all.transfers += files as u64 + u64::from(one.data_refused > 0);
        let broken = matches!(kind, Kind::DataReset | Kind::DataStalls) && one.fired;
        all.failed_transfers += u64::from(broken || one.data_refused > 0);
    }
    all
}

/// Logs in, reads the file, lists the folder, says goodbye. What fails is observed, and ends the visit.
async fn visit(endpoint: &Endpoint, context: &Context) {
    let all = async {
        let Ok(remote) = open(endpoint, context).await else { return };
        let read = async {
            let mut source = remote.read(&RelPath::new("file").unwrap(), 0, None).await?;
            while source.next().await?.is_some() {}
            source.finish().await?;
            let mut lister = remote.list(&RelPath::root()).await?;
            while lister.next().await?.is_some() {}
            lister.finish().await
        };
        drop(read.await);
        remote.close().await;
    };
    assert!(tokio::time::timeout(PATIENCE, all).await.is_ok(), "a visit takes longer than {PATIENCE:?}");
}

fn through(ftpd: &Ftpd, relay: &Relay) -> Endpoint {
    let mut endpoint = ftpd.endpoint();
    endpoint.host = "127.0.0.1".to_owned();
    let options = &mut endpoint.options;
    (options.relay, options.active, options.connections) = (Some(relay.address), Some(false), Some(1));
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(4));
    options.deadlines =
        Deadlines { connect: long, banner: long, command: long, stall: short, closing: short, listing: long };
    endpoint
}

/// Set-up times in seconds, by a proxy that does nothing.
async fn calm(ftpd: &Ftpd, visits: u64) -> Vec<f64> {
    let relay = Relay::start(ftpd.address(), |_| Fate::default()).await;
    let (recorder, mut seen) = Recorder::channel(1024);
    let tasks = Tasks::new();
    let context = Context { recorder, manners: Manners::forgetful(), clock: Arc::new(SystemClock), tasks };
    let endpoint = through(ftpd, &relay);
    let mut took = Vec::new();
    for _ in 0..visits {
        visit(&endpoint, &context).await;
        while let Ok(observation) = seen.try_recv() {
            assert!(observation.what.end().is_clean(), "nothing fails here: {observation:?}");
            if let What::Connection { setup: Some(setup), .. } = observation.what {
                took.push(setup.as_secs_f64());
            }
        }
    }
    took
}

/// The median of a set-up that takes as long as one of `own`, and the delay, and the pause of those that have one.
fn median(own: &[f64]) -> f64 {
    let ready = 1.0 - rate(&[Kind::Refused, Kind::ResetAtLogin, Kind::SilentAtLogin]);
    let paused = rate(&[Kind::PauseAtLogin]) / ready;
    let delayed = |time: f64| if time > 0.0 { phi((time / DELAY.0).ln() / DELAY.1) } else { 0.0 };
    let below = |time: f64| {
        let one = |own: &f64| (1.0 - paused) * delayed(time - own) + paused * delayed(time - own - PAUSE.as_secs_f64());
        own.iter().map(one).sum::<f64>() / own.len() as f64
    };
    let (mut low, mut high) = (0.0, 60.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        *(if below(middle) < 0.5 { &mut low } else { &mut high }) = middle;
    }
    low
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    pub key: &'static str,
    injected: f64,
    /// Events of observations: what the proxy did, where it counts.
    did: Option<(u64, u64)>,
    told: Estimate,
}

impl Row {
    pub fn holds(&self) -> bool {
        self.told.low.is_some_and(|low| low <= self.injected)
            && self.told.high.is_some_and(|high| self.injected <= high)
    }

    pub fn is_exact(&self) -> bool {
        self.did.is_none_or(|did| did == (self.told.events, self.told.n))
    }
}

/// What came of it.
pub struct Report {
    pub rows: Vec<Row>,
    /// What did not go as it should.
    pub wrong: Vec<String>,
    account: Account,
    own: f64,
}

/// So many visits.
pub async fn run(visits: u64, calm_visits: u64) -> Report {
    let ftpd = Ftpd::start(Server::Vsftpd);
    std::fs::write(ftpd.root().join("file"), vec![7; FILE]).unwrap();
    ftpd.own();
    let mut own = calm(&ftpd, calm_visits).await;
    let relay = Relay::start(ftpd.address(), fate).await;
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
    let (house, writers) = (Tasks::new(), Tasks::new());
    let recorder = Recorder::start(db.clone(), &writers);
    // Every visit is a stranger's, as the calm ones are, so that set-ups are alike.
    let manners = Manners::forgetful();
    let context = Context { recorder: recorder.clone(), manners, clock: Arc::new(SystemClock), tasks: house.clone() };
    let endpoint = through(&ftpd, &relay);
    let from = context.clock.now();
    for _ in 0..visits {
        visit(&endpoint, &context).await;
    }
    let mut wrong = Vec::new();
    for tasks in [&house, &writers] {
        if !tasks.drain(Duration::from_secs(30)).await {
            wrong.push("not everything came to its end in time".to_owned());
        }
    }
    let account = account(&relay.account());
    wrong.extend(account.odd.iter().cloned());
    let window = Window::last(context.clock.now(), context.clock.now().duration_since(from));
    let window = window.at(format!("127.0.0.1:{}", ftpd.port));
    let columns = [Column { family: "FTP", role: Some(Role::Client) }];
    let (page, _) = compare_over_time(&db, window, &columns, 30).await.unwrap();
    if page.dropped + recorder.dropped() > 0 {
        wrong.push("the recorder dropped something".to_owned());
    }
    wrong.extend(single(&db, &account).await);
    let told = |key: &str| page.rows.iter().find(|row| row.statistic.key == key).unwrap().cells[0].estimate;
    let no_set_up = rate(&[Kind::ResetAtLogin, Kind::SilentAtLogin]) + rate(&[Kind::Refused]);
    let resets = rate(&[Kind::ResetAtLogin, Kind::ResetLater]) / (1.0 - rate(&[Kind::Refused]));
    let broken = rate(&[Kind::DataReset, Kind::DataStalls, Kind::DataRefused]) / (1.0 - no_set_up);
    let ready = account.asked - account.refused - account.failed_logins;
    let counted = [
        ("connection-success", 1.0 - no_set_up, Some((ready, account.asked))),
        ("resets", 1000.0 * resets, Some((account.resets, account.asked - account.refused))),
        ("transfer-errors", broken, Some((account.failed_transfers, account.transfers))),
        ("banner-median", DELAY.0, None),
        ("setup-median", median(&own), None),
    ];
    let rows = counted.map(|(key, injected, did)| Row { key, injected, did, told: told(key) });
    db.close().await;
    own.sort_by(f64::total_cmp);
    Report { rows: rows.into(), wrong, account, own: own[own.len() / 2] }
}

/// One by one: as many connections and transfers as the proxy saw, and no more.
async fn single(db: &Db, account: &Account) -> Option<String> {
    let (mut connections, mut transfers, mut last) = (0, 0, 0);
    loop {
        let more: Vec<(i64, Observation)> = observations_after(db, last, 1000).await.unwrap();
        let Some((id, _)) = more.last() else { break };
        last = *id;
        for (_, observation) in more {
            match observation.what {
                What::Connection { .. } => connections += 1,
                What::Transfer { .. } => transfers += 1,
                What::Check { .. } => {}
            }
        }
    }
    let expected = (account.asked, account.transfers);
    let seen = format!("{connections} connections and {transfers} transfers are observed, of {expected:?}");
    ((connections, transfers) != expected).then_some(seen)
}

/// Runs it and prints the table.
pub async fn wire(visits: u64) -> ExitCode {
    let begun = std::time::Instant::now();
    let report = run(visits, CALM).await;
    let Account { asked, refused, failed_logins, resets, transfers, failed_transfers, .. } = &report.account;
    println!(
        "{visits} visits to vsftpd through the proxy in {:.0} s: {asked} connections were asked for, of which it refused\n\
         {refused}, broke {failed_logins} at the login, and reset {resets} in all; of {transfers} transfers it broke \
         {failed_transfers}.\nBy itself a set-up took {:.1} ms (median of {CALM}).\n",
        begun.elapsed().as_secs_f64(),
        report.own * 1000.0
    );
    println!(
        "{:<20} {:>9} {:>14} {:>9} {:>21} {:>6} {:>6} {:>7}",
        "figure", "injected", "proxy did", "store", "95 %", "n", "holds", "counts"
    );
    for row in &report.rows {
        let did = row.did.map_or_else(String::new, |(events, n)| format!("{events} of {n}"));
        let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.4}"));
        let interval = format!("{} - {}", number(row.told.low), number(row.told.high));
        let (holds, counts) = (
            if row.holds() { "yes" } else { "NO" },
            match row.did {
                None => "",
                Some(_) if row.is_exact() => "equal",
                Some(_) => "DIFFER",
            },
        );
        println!(
            "{:<20} {:>9.4} {did:>14} {:>9} {interval:>21} {:>6} {holds:>6} {counts:>7}",
            row.key,
            row.injected,
            number(row.told.value),
            row.told.n
        );
    }
    report.wrong.iter().for_each(|line| println!("wrong: {line}"));
    let missed = report.rows.iter().filter(|row| !row.holds()).count();
    let differ = report.rows.iter().filter(|row| !row.is_exact()).count();
    println!("\n{differ} counts differ, {missed} intervals miss the rate (one of five may: each holds 19 times of 20)");
    if report.wrong.is_empty() && differ == 0 && missed <= 1 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
