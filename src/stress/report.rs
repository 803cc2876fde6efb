//! What came of a run, in numbers and in sentences. The page and the terminal show what stands here, and reckon nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::books::{Act, Count, Ledger, Trouble};
use super::eyes::Sight;
use super::knee::{self, Knee};
use super::limit::{self, Named, Signs};
use super::process::Process;
use super::window::WindowLook;
use super::{Order, number};

/// The part of the run after which memory is looked at: caches fill first.
const WARM: f64 = 0.2;

/// All of it. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Of the program.
    pub version: String,
    /// Where the load went, without its password.
    pub endpoint: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it lasted.
    pub seconds: f64,
    /// It was stopped by hand.
    pub stopped: bool,
    /// It ended because its bytes were spent.
    pub spent: bool,
    /// What was asked for.
    pub asked: Asked,
    /// The most connections that were open at once.
    pub peak: u32,
    /// Commands and transfers a second that were answered.
    pub rate: f64,
    /// Bytes of files, both ways.
    pub bytes: u64,
    /// What became of the arrivals, by what arrived.
    pub acts: Vec<Row>,
    /// What went wrong, the first first.
    pub troubles: Vec<Trouble>,
    /// Failures of other kinds than these.
    pub untold: u64,
    /// Connections that broke while they were held or used.
    pub lost: u64,
    /// Segments that TCP sent again.
    pub retransmits: u64,
    /// Where the load met its limit.
    pub knee: Knee,
    /// And what that is.
    pub limit: Option<Named>,
    /// The server's process.
    pub server: Option<Process>,
    /// This program.
    pub own: Option<Process>,
    /// What is known of the buffers of TCP.
    pub window: WindowLook,
    /// What to do about them; nothing where they are no matter.
    pub advice: Vec<String>,
    /// The course of it.
    pub course: Vec<Moment>,
    /// In a sentence.
    pub verdict: String,
    /// It was borne as it was asked for, without an error.
    pub borne: bool,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Asked {
    /// Connections at once.
    pub connections: u32,
    /// How many of them transfer.
    pub movers: u32,
    /// Transfers a second.
    pub rate: f64,
    /// Seconds over which the connections open.
    pub ramp: f64,
    /// Seconds between two light commands of a connection that is held.
    pub every: f64,
    /// Seconds.
    pub time: f64,
}

/// The arrivals of one kind. `arrived` = `answered` + `failed` + `unanswered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// What.
    pub act: Act,
    /// Those whose moment came.
    pub arrived: u64,
    /// Those that were answered; the latencies are theirs.
    pub answered: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were not answered when the run ended.
    pub unanswered: u64,
    /// Half of them took no longer, from the intended moment to the answer.
    pub p50: Option<f64>,
    /// 95 % of them.
    pub p95: Option<f64>,
    /// 99 % of them.
    pub p99: Option<f64>,
    /// 99.9 % of them.
    pub p999: Option<f64>,
    /// The longest.
    pub most: Option<f64>,
}

/// A stretch of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moment {
    /// From here on.
    pub at: f64,
    /// Connections open.
    pub open: u32,
    /// Commands and transfers answered.
    pub answered: u64,
    /// Failed.
    pub failed: u64,
    /// Connections that could not be opened.
    pub refused: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// The 95th percentile of latency.
    pub p95: Option<f64>,
}

/// What was seen beside the ledger.
pub(super) struct Seen {
    pub started: Timestamp,
    pub seconds: f64,
    pub stopped: bool,
    pub spent: bool,
    pub sight: Sight,
    pub buffer: Option<u64>,
}

/// Draws the conclusions.
pub(super) fn write(order: &Order, ledger: &Ledger, mut signs: Signs, seen: &Seen) -> Report {
    let load = &order.load;
    let window = look(ledger, seen);
    signs.window_share = window.share;
    let knee = knee::find(&ledger.windows, signs.window);
    let limit = limit::name(&knee, ledger, &signs);
    let acts: Vec<Row> = Act::ALL.into_iter().filter_map(|act| Some(row(act, ledger.counts.get(&act)?))).collect();
    let failed: u64 = acts.iter().map(|row| row.failed).sum();
    let (lost, unanswered) = (seen.sight.lost, acts.iter().map(|row| row.unanswered).sum::<u64>());
    let warm = load.ramp.as_secs_f64();
    let warm = warm + WARM * (seen.seconds - warm).max(0.0);
    let server = Process::of(&signs.server, warm);
    let borne = !knee.met && failed == 0 && lost == 0 && unanswered == 0 && ledger.peak >= load.connections;
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        endpoint: order.endpoint.url(),
        started: seen.started,
        seconds: seen.seconds,
        stopped: seen.stopped,
        spent: seen.spent,
        asked: Asked {
            connections: load.connections,
            movers: load.movers(),
            rate: load.rate,
            ramp: load.ramp.as_secs_f64(),
            every: load.every.as_secs_f64(),
            time: load.time.as_secs_f64(),
        },
        peak: ledger.peak,
        rate: ledger.rate(seen.seconds),
        bytes: ledger.bytes,
        acts,
        troubles: ledger.troubles.clone(),
        untold: ledger.untold,
        lost,
        retransmits: seen.sight.retransmits,
        knee,
        limit,
        server,
        own: Process::of(&signs.own, warm),
        advice: window.advice(),
        window,
        course: course(ledger, signs.window),
        verdict: String::new(),
        borne,
    };
    report.verdict = report.verdict(failed);
    report
}

impl Report {
    fn verdict(&self, failed: u64) -> String {
        let grows = match &self.server {
            Some(server) => format!("; memory of the server: {}", server.grows),
            None => String::new(),
        };
        let end = match (self.stopped, self.spent) {
            (true, _) => "; stopped before its end",
            (_, true) => "; ended because its bytes were spent",
            _ => "",
        };
        let why = self.limit.as_ref().map(|named| format!(": {}", named.sentence)).unwrap_or_default();
        let what = match (&self.knee.by, self.borne) {
            (_, true) => {
                format!("{} connections and {:.1} answers a second were borne without an error", self.peak, self.rate)
            }
            (Some(by), _) => format!(
                "the knee is at {} connections and {:.1} answers a second: {}{why}",
                self.knee.connections,
                self.knee.rate,
                by.word()
            ),
            (None, false) => format!(
                "no knee up to {} connections and {:.1} answers a second; {failed} failed, {} connections broke",
                self.peak, self.rate, self.lost
            ),
        };
        format!("{what}{grows}{end}")
    }
}

/// Seconds as people read them.
#[must_use]
pub fn span(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.2} s"),
    }
}

impl Row {
    /// Its latencies for people, from the middle to the longest.
    #[must_use]
    pub fn spans(&self) -> [String; 5] {
        [self.p50, self.p95, self.p99, self.p999, self.most].map(span)
    }
}

fn look(ledger: &Ledger, seen: &Seen) -> WindowLook {
    let sight = &seen.sight;
    let sending = (sight.delivery > 0).then(|| number(sight.delivery));
    WindowLook {
        round_trip: sight.round_trips.quantile(0.5).value,
        sending,
        share: (ledger.sending > 0.0).then(|| (sight.window_waits.as_secs_f64() / ledger.sending).min(1.0)),
        receiving: (sight.download > 0.0).then_some(sight.download),
        buffer: seen.buffer,
    }
}

fn row(act: Act, count: &Count) -> Row {
    let quantile = |p| count.latency.quantile(p).value;
    let answered = count.latency.count();
    Row {
        act,
        arrived: count.arrived,
        answered,
        failed: count.failed,
        unanswered: count.unanswered,
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        p999: quantile(0.999),
        most: count.latency.at_rank(answered),
    }
}

fn course(ledger: &Ledger, seconds: f64) -> Vec<Moment> {
    let moments = ledger.windows.iter().zip(0_u32..).map(|(window, place)| Moment {
        at: f64::from(place) * seconds,
        open: window.open,
        answered: window.answered,
        failed: window.failed,
        refused: window.refused,
        bytes: window.bytes,
        p95: window.latency.quantile(0.95).value,
    });
    moments.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::model::{Endpoint, Fault, FaultKind, Phase, SystemClock};
    use crate::stress::process::MIB;
    use crate::stress::watch::Sample;
    use crate::stress::{Books, Load};

    pub(in crate::stress) fn order() -> Order {
        let second = Duration::from_secs(1);
        let load = Load {
            connections: 2,
            moving: 0.5,
            rate: 1.0,
            every: second,
            ramp: second,
            time: 60 * second,
            bytes: 1 << 30,
        };
        Order {
            endpoint: Endpoint::parse("ftp://anna:secret@127.0.0.1/<b>").unwrap(),
            load,
            upload: None,
            largest: 1,
            pid: Some(1),
            own_host: false,
            clock: Arc::new(SystemClock),
        }
    }

    pub(in crate::stress) fn sample(grow: u64) -> Report {
        let (order, books) = (order(), Books::new(Duration::from_secs(60)));
        books.answered(Act::Open, books.start());
        books.opened();
        books.answered(Act::Light, books.start());
        let fault = Fault::new(Phase::Login, FaultKind::Limit, "no").reply(421, "421 <script>enough</script>");
        books.failed(Act::Open, &fault, false);
        let at = |at: u32| Sample {
            at: f64::from(at),
            memory: (64 << 20) + grow * u64::from(at),
            descriptors: Some(9),
            cpu: f64::from(at) / 2.0,
        };
        let server: Vec<_> = (0..100).map(at).collect();
        let signs = Signs { own: server.clone(), server, processors: 4, window: 1.0, ..Signs::default() };
        let (started, sight) = ("2026-03-01T12:00:00Z".parse().unwrap(), Sight::default());
        let seen = Seen { started, seconds: 60.0, stopped: false, spent: false, sight, buffer: None };
        write(&order, &books.ledger(), signs, &seen)
    }

    #[test]
    fn says_what_was_seen_and_no_secret() {
        let report = sample(1 << 20);
        assert_eq!((report.knee.connections, report.peak, report.borne), (1, 1, false));
        assert!(
            report.verdict.contains("knee is at 1 connections") && report.verdict.contains("enough"),
            "{}",
            report.verdict
        );
        let server = report.server.as_ref().unwrap();
        assert!(
            (server.slope.unwrap().per_hour - 3_600.0 * MIB).abs() < 1.0 && server.grows.starts_with("it grows"),
            "{server:?}"
        );
        assert!((server.processors[0] - 0.5).abs() < 1e-9 && server.descriptors == Some([9, 9, 9]));
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains("secret"), "{text}");
        // Numbers may differ in their last bit: what is read is the same report all the same.
        let read: Report = serde_json::from_str(&text).unwrap();
        let gist = |report: &Report| (report.verdict.clone(), report.acts.len(), report.peak, report.limit.clone());
        assert_eq!(gist(&read), gist(&report));
        assert!(sample(0).server.unwrap().grows.starts_with("no slope shown"));
    }
}
