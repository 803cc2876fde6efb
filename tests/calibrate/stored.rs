//! The same traffic by the way that all observations go: the recorder's queue, the writer's batches, the store with its
//! roll-ups of minutes, hours and days, and back by the questions that the pages ask it.
#![allow(dead_code, reason = "the test looks at a part of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use causeway::audit::Actor;
use causeway::db::Db;
use causeway::manners::Manners;
use causeway::model::{Endpoint, EndpointId, Fault, FaultKind, Phase, SystemClock};
use causeway::probe::{
    Answers, Budget, Changes, Done, Endpoints, Outcome, Probes, Question, Round, Set, Step, Visit, Work, answers, keep,
};
use causeway::reliability::objective::standing;
use causeway::reliability::{
    Column, Detail, Estimate, Observation, Recorder, Role, STATISTICS, Window, compare, compare_over_time,
    observations_after,
};
use causeway::remote::Context;
use causeway::task::Tasks;
use jiff::SignedDuration;

use super::exact::{bound, exact};
use super::scenarios::{ENDPOINTS, Held, OBJECTIVE, Simulated, count, endpoint_of, in_memory, simulate};

/// Slices of the page's timelines.
const SLICES: i64 = 30;
/// So long after its time every fiftieth observation comes: its hour is rolled up by then.
const LATE: SignedDuration = SignedDuration::from_hours(3);

/// A store, and what was put into it so far.
pub struct House {
    pub db: Db,
    sets: Vec<Set>,
    last: i64,
    _folder: tempfile::TempDir,
}

/// Nobody is visited here.
struct Nowhere;

#[async_trait::async_trait]
impl Endpoints for Nowhere {
    async fn unsealed(&self, _: EndpointId) -> Result<Endpoint, String> {
        Err("nobody is visited".to_owned())
    }
}

impl House {
    /// An empty one, with the two comparison sets that simulated rounds belong to.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        for (number, url) in [(1, "ftp://one.simulated/"), (2, "sftp://other.simulated/")] {
            sqlx::query(
                "INSERT INTO endpoints (id, name, url, options, created, changed) VALUES (?, ?2, ?2, '{}', 0, 0)",
            )
            .bind(number)
            .bind(url)
            .execute(&mut *db.statement().await.unwrap())
            .await
            .unwrap();
        }
        let context = Context {
            recorder: Recorder::discard(),
            manners: Manners::forgetful(),
            clock: Arc::new(SystemClock),
            tasks: Tasks::new(),
        };
        let probes = Probes::new(db.clone(), context, Arc::new(Nowhere));
        for name in ["a: times", "b: ready"] {
            let changes = Changes {
                name: name.to_owned(),
                members: vec![EndpointId(1), EndpointId(2)],
                work: Work::default(),
                every: Duration::from_secs(3_600),
                budget: Budget::default(),
                on: false,
            };
            probes.make(&Actor::System, &changes).await.unwrap();
        }
        Self { sets: probes.list().await.unwrap(), db, last: 0, _folder: folder }
    }

    /// Records a run, by the recorder that the service has, and returns what the store has then, as it was given out: all
    /// of it, once, unchanged.
    pub async fn record(&mut self, simulated: &Simulated) -> Vec<Observation> {
        let tasks = Tasks::new();
        let recorder = Recorder::start(self.db.clone(), &tasks);
        let sent = arrivals(simulated);
        for observation in &sent {
            recorder.record(observation.clone());
        }
        assert_eq!(recorder.dropped(), 0, "the queue holds a run");
        assert!(tasks.drain(Duration::from_secs(120)).await, "the writer comes to its end");
        self.rounds(simulated).await;
        let mut kept = Vec::new();
        loop {
            let more = observations_after(&self.db, self.last, 1000).await.unwrap();
            let Some((last, _)) = more.last() else { break };
            self.last = *last;
            kept.extend(more.into_iter().map(|(_, observation)| observation));
        }
        let unlike = kept.iter().zip(&sent).position(|(kept, sent)| *kept != told(sent));
        assert_eq!((kept.len(), unlike), (sent.len(), None), "what is stored is what was recorded, in the same order");
        kept
    }

    /// The rounds of paired probes, stored as the desk of the probes stores them.
    async fn rounds(&self, simulated: &Simulated) {
        let took = |time: &Duration| Outcome::Done(Done { took: *time, first: None, amount: 0, digest: None });
        let ready = |ready: bool| match ready {
            true => took(&Duration::from_millis(100)),
            false => Outcome::Failed(Fault::new(Phase::Connect, FaultKind::Refused, "simulated")),
        };
        let times = simulated.times.iter().map(|(one, other)| [took(one), took(other)]);
        let both = simulated.ready.iter().map(|(one, other)| [ready(*one), ready(*other)]);
        for (set, rounds) in self.sets.iter().zip([times.collect::<Vec<_>>(), both.collect()]) {
            let mut tx = self.db.write().await.unwrap();
            for (minute, outcomes) in rounds.into_iter().enumerate() {
                let at = simulated.begin + SignedDuration::from_mins(minute as i64);
                let visit = |outcome| Visit {
                    at,
                    phases: Vec::new(),
                    steps: vec![(Step::Login, outcome)],
                    logins: 1,
                    bytes: 0,
                    left: Vec::new(),
                };
                let visits = BTreeMap::from_iter(outcomes.map(visit).into_iter().enumerate());
                keep(&mut tx, set, &Round { at, visits, order: vec![0, 1], is_cut: false }).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
    }

    /// All that the statistics say of a run, by the questions of the pages: of the table with its timelines, of the
    /// objectives and of the comparisons.
    pub async fn figures(&self, simulated: &Simulated) -> Vec<(String, Estimate)> {
        let to = simulated.end() + SignedDuration::from_micros(1);
        let window = Window { from: simulated.begin, to, role: Some(Role::Client), endpoint: None };
        let mut asked = Vec::new();
        for endpoint in ENDPOINTS {
            let window = window.clone().at(format!("{endpoint}.simulated:21"));
            let columns = [Column { family: "FTP", role: Some(Role::Client) }];
            let (page, _) = compare_over_time(&self.db, window.clone(), &columns, SLICES).await.unwrap();
            // The page's timelines are of minutes; without them days and hours are read where they fit.
            let whole = compare(&self.db, window).await.unwrap();
            assert_eq!(page.dropped, 0);
            for (one, other) in page.rows.iter().zip(&whole.rows) {
                assert_eq!(one.cells[0].estimate, other.cells[0].estimate, "{} by pieces", one.statistic.key);
            }
            asked.push(page);
        }
        let of = |place: usize| (STATISTICS[place].key, &asked[endpoint_of(STATISTICS[place].key)].rows[place]);
        let mut said: Vec<_> =
            (0..STATISTICS.len()).map(of).map(|(key, row)| (key.to_owned(), row.cells[0].estimate)).collect();
        let there = ("FTP", Role::Client, "all.simulated:21");
        let stands = standing(&self.db, OBJECTIVE, simulated.end(), there).await.unwrap();
        // The rule with the longest window looks at three days, in which only this run lies.
        said.push(("availability".to_owned(), stands.availability));
        said.push(("burn-rate".to_owned(), stands.burning[3]));
        let told = answers(&self.db, (simulated.begin, to)).await.unwrap();
        let [times, ready] = [(0, Question::Time(Step::Login)), (1, Question::Connecting)].map(|(set, question)| {
            let of_set = |answers: &&Answers| answers.set == self.sets[set].id;
            let told = &told.iter().find(of_set).unwrap().told;
            told.iter().find(|one| one.question == question).unwrap().finding.clone()
        });
        said.push(("paired-difference".to_owned(), times.difference));
        said.push(("paired-ratio".to_owned(), times.ratio.unwrap()));
        said.push(("paired-shares".to_owned(), ready.difference));
        said
    }

    /// How many roll-ups of a day, an hour and a minute there are, and single observations that are in none yet.
    pub async fn pieces(&self, simulated: &Simulated) -> [i64; 4] {
        let (from, to) = (simulated.begin.as_microsecond(), simulated.end().as_microsecond());
        let mut found = [0; 4];
        for (slot, span) in found.iter_mut().zip([86_400_000_000_i64, 3_600_000_000, 60_000_000]) {
            let whole = "SELECT count(*) FROM rollups WHERE span = ?1 AND at >= ?2 AND at + ?1 <= ?3";
            let query = sqlx::query_scalar(whole).bind(span).bind(from).bind(to);
            *slot = query.fetch_one(self.db.read()).await.unwrap();
        }
        let raw = "SELECT count(*) FROM observations WHERE id > (SELECT mark FROM rollup_marks WHERE span = 0)";
        found[3] = sqlx::query_scalar(raw).fetch_one(self.db.read()).await.unwrap();
        found
    }

    /// Forgets the rounds of a run: the service keeps them for a year and more, which is too much for a thousand runs.
    async fn tidy(&self) {
        sqlx::query("DELETE FROM probe_rounds").execute(&mut *self.db.statement().await.unwrap()).await.unwrap();
    }
}

/// As the store has it, which also writes down who ended it.
fn told(sent: &Observation) -> Observation {
    let detail = Detail { by: sent.ended_by(), ..sent.detail.clone() };
    Observation { detail, ..sent.clone() }
}

/// In the order in which they are recorded: some come late.
fn arrivals(simulated: &Simulated) -> Vec<Observation> {
    let late = |endpoint: usize, place: usize| endpoint == 0 && place % 50 == 7 && place < 2500;
    let mut all = Vec::new();
    for (endpoint, seen) in simulated.seen.iter().enumerate() {
        all.extend(seen.iter().enumerate().map(|(place, one)| {
            let comes = if late(endpoint, place) { one.at + LATE } else { one.at };
            (comes, one.clone())
        }));
    }
    all.sort_by_key(|(comes, _)| *comes);
    all.into_iter().map(|(_, observation)| observation).collect()
}

/// One statistic over all runs.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its coverage by the store's intervals.
    pub held: Held,
    /// How far value and bounds were from those in memory, at most and as a share.
    pub from_memory: f64,
    /// How far from those of the single observations.
    pub from_single: f64,
    /// How far they may be.
    pub bound: f64,
}

/// What came of it.
pub struct Told {
    pub rows: Vec<Row>,
    /// Of the last run: roll-ups of days, hours and minutes, and observations in none.
    pub pieces: [i64; 4],
    pub observations: u64,
}

/// Runs that many.
pub async fn stored(runs: u64) -> Told {
    let mut house = House::new().await;
    let (mut held, mut off): (Vec<Held>, Vec<(f64, f64)>) = (Vec::new(), Vec::new());
    let (mut pieces, mut observations) = ([0; 4], 0);
    for seed in 1..=runs {
        let simulated = simulate(seed);
        observations += house.record(&simulated).await.len() as u64;
        let said = house.figures(&simulated).await;
        let memory = in_memory(&simulated);
        off.resize(said.len(), (0.0, 0.0));
        for (((key, told), (_, expected)), worst) in said.iter().zip(&memory).zip(&mut off) {
            let single =
                if key.starts_with("paired") { *expected } else { exact(key, &simulated.seen[endpoint_of(key)]) };
            worst.0 = worst.0.max(apart(key, told, expected));
            worst.1 = worst.1.max(apart(key, told, &single));
        }
        count(&mut held, &said);
        pieces = house.pieces(&simulated).await;
        house.tidy().await;
    }
    house.db.close().await;
    let row = |(held, (from_memory, from_single)): (Held, (f64, f64))| {
        let bound = bound(&held.key);
        Row { held, from_memory, from_single, bound }
    };
    Told { rows: held.into_iter().zip(off).map(row).collect(), pieces, observations }
}

/// How far a figure and its bounds are from what is expected, at most, as a share of it; for ever, where one of them is
/// missing or rests on another number.
fn apart(key: &str, told: &Estimate, expected: &Estimate) -> f64 {
    if (told.n, told.events) != (expected.n, expected.events) {
        return f64::INFINITY;
    }
    let pairs = [(told.value, expected.value), (told.low, expected.low), (told.high, expected.high)];
    // Told in whole numbers.
    let rounding = if key == "round-trips" { 0.5 } else { 0.0 };
    let each = pairs.into_iter().map(|(told, expected)| match (told, expected) {
        (None, None) => 0.0,
        (Some(told), Some(expected)) => {
            let off = ((told - expected).abs() - rounding).max(0.0);
            if off == 0.0 { 0.0 } else { off / expected.abs() }
        }
        _ => f64::INFINITY,
    });
    each.fold(0.0, f64::max)
}
