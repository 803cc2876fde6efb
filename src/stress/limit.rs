//! What limits it, in words: the first of these that the run shows, each with the figure it rests on.

use serde::{Deserialize, Serialize};

use super::books::{Act, Ledger, Trouble};
use super::knee::{Knee, Left};
use super::watch::Sample;
use crate::model::FaultKind;

/// `EMFILE` and `ENFILE`: no descriptor left.
const NO_DESCRIPTOR: [i32; 2] = [24, 23];
/// The share of the processors, or of the descriptors, at which they are taken for spent.
const SPENT: f64 = 0.9;
/// The share of the sending time for which the other side's receive window has to be waited for.
const WAITING: f64 = 0.2;

/// What keeps the load from growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The other side says that it is enough.
    Told,
    /// The other side refuses or breaks connections without a word.
    Refusals,
    /// This process has no descriptors left.
    OwnDescriptors,
    /// The watched process has none left.
    Descriptors,
    /// The processors are busy with the watched process.
    Processor,
    /// The processors are busy with making the load: a larger machine might find a higher knee.
    OwnProcessor,
    /// The other side's receive window.
    ReceiveWindow,
    /// Bytes come as fast as the way or the disk lets them.
    Rate,
    /// Nothing that was watched is spent.
    Unknown,
}

/// What limits the load, with what shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Named {
    /// What.
    pub limit: Limit,
    /// As a sentence without its end, with the other side's words where it said some.
    pub sentence: String,
}

/// What the run shows beside its ledger.
#[derive(Debug, Clone, Default)]
pub struct Signs {
    /// Processors of this machine.
    pub processors: u32,
    /// The watched process, in the order of time.
    pub server: Vec<Sample>,
    /// The most descriptors that it may have.
    pub server_descriptors: Option<u64>,
    /// This process.
    pub own: Vec<Sample>,
    /// The share of the sending time for which the other side's receive window was waited for.
    pub window_share: Option<f64>,
    /// Seconds that a window of the ledger lasts.
    pub window: f64,
}

/// Names it, where the load met a limit.
#[must_use]
pub fn name(knee: &Knee, ledger: &Ledger, signs: &Signs) -> Option<Named> {
    if !knee.met {
        return None;
    }
    let first = if knee.by == Some(Left::Connections) {
        ledger.troubles.iter().find(|trouble| trouble.act == Act::Open)
    } else {
        ledger.troubles.iter().find(|trouble| trouble.act != Act::Open)
    };
    let by_troubles = first.filter(|_| knee.by != Some(Left::Latency)).map(of_trouble);
    let spent =
        || processor(signs).or_else(|| descriptors(signs)).or_else(|| window(signs)).or_else(|| rate(ledger, signs));
    let unknown = || {
        let sentence = if signs.server.is_empty() {
            "what limits it cannot be told from here: name the server's process by --pid when it runs on this machine"
        } else {
            "nothing that was watched is spent: neither processors nor descriptors by these two programs, nor a window"
        };
        Named { limit: Limit::Unknown, sentence: sentence.to_owned() }
    };
    // Time-outs are what slowness looks like: what is spent explains them better.
    let slow = first.is_some_and(|trouble| matches!(trouble.kind, FaultKind::Timeout | FaultKind::Stalled));
    Some(if slow { spent().or(by_troubles) } else { by_troubles.or_else(spent) }.unwrap_or_else(unknown))
}

fn of_trouble(trouble: &Trouble) -> Named {
    let at = format!("with {} connections open", trouble.open);
    let (limit, sentence) = match trouble {
        Trouble { errno: Some(errno), .. } if NO_DESCRIPTOR.contains(errno) => {
            (Limit::OwnDescriptors, format!("this process has no descriptors left {at}: raise them by ulimit -n"))
        }
        Trouble { said: true, words, .. } => (Limit::Told, format!("the other side says so {at}: \"{words}\"")),
        Trouble { kind: FaultKind::Limit, words, .. } => {
            (Limit::Told, format!("the other side has enough {at}: {words}"))
        }
        Trouble { words, .. } => (Limit::Refusals, format!("the other side refuses or breaks off {at}: {words}")),
    };
    Named { limit, sentence }
}

/// The most processors that were busy with a process between two looks.
#[must_use]
pub fn busiest(samples: &[Sample]) -> f64 {
    let steps = samples.windows(2).filter_map(|two| match two {
        [from, to] if to.at > from.at => Some((to.cpu - from.cpu) / (to.at - from.at)),
        _ => None,
    });
    steps.fold(0.0, f64::max)
}

fn processor(signs: &Signs) -> Option<Named> {
    let (server, own) = (busiest(&signs.server), busiest(&signs.own));
    let all = f64::from(signs.processors);
    (server + own >= SPENT * all).then(|| {
        let (limit, who) = if server >= own {
            (Limit::Processor, "the server")
        } else {
            (Limit::OwnProcessor, "this program, which makes the load")
        };
        let sentence = format!(
            "the processors of this machine: of {all:.0}, {server:.1} were busy with the server and {own:.1} with this program; \
             the most with {who}"
        );
        Named { limit, sentence }
    })
}

fn descriptors(signs: &Signs) -> Option<Named> {
    let most = signs.server_descriptors?;
    let used = signs.server.iter().filter_map(|sample| sample.descriptors).max()?;
    (super::number(used) >= SPENT * super::number(most)).then(|| Named {
        limit: Limit::Descriptors,
        sentence: format!("the server has {used} of its {most} descriptors open"),
    })
}

fn window(signs: &Signs) -> Option<Named> {
    let share = signs.window_share.filter(|share| *share >= WAITING)?;
    let sentence = format!("sending waited {:.0} % of its time for the other side's receive window", share * 100.0);
    Some(Named { limit: Limit::ReceiveWindow, sentence })
}

/// Bytes that come no faster in the last third of the run than in the one before it.
fn rate(ledger: &Ledger, signs: &Signs) -> Option<Named> {
    let third = ledger.windows.len() / 3;
    let mean = |from: usize| {
        let part = ledger.windows.get(from..from + third)?;
        let bytes = part.iter().map(|window| window.bytes).sum();
        let seconds = signs.window * f64::from(u32::try_from(third).ok()?);
        (third >= 5 && bytes > 0).then(|| super::number(bytes) / seconds)
    };
    let (middle, last) = (mean(third)?, mean(2 * third)?);
    (last <= 1.05 * middle && last >= 10e6).then(|| Named {
        limit: Limit::Rate,
        sentence: format!(
            "bytes come no faster than {:.1} MB/s, over the way or from the disk",
            last.max(middle) / 1e6
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;

    fn knee(by: Left) -> Knee {
        Knee { connections: 5, rate: 1.0, met: true, by: Some(by), at: Some(1.0), band: None }
    }

    fn trouble(act: Act, kind: FaultKind, words: &str, said: bool, errno: Option<i32>) -> Trouble {
        let (phase, words) = (Phase::Login, words.to_owned());
        Trouble { act, phase, kind, words, said, errno, count: 1, first: 1.0, open: 5 }
    }

    #[test]
    fn the_other_sides_words_are_told() {
        let told = trouble(Act::Open, FaultKind::Limit, "421 Too many users.", true, None);
        let ledger = Ledger { troubles: vec![told], ..Ledger::default() };
        let named = name(&knee(Left::Connections), &ledger, &Signs::default()).unwrap();
        assert_eq!(named.limit, Limit::Told);
        assert!(named.sentence.contains("\"421 Too many users.\"") && named.sentence.contains("5 connections"));
        assert_eq!(name(&Knee { met: false, ..knee(Left::Errors) }, &ledger, &Signs::default()), None);
    }

    #[test]
    fn each_limit_rests_on_its_figure() {
        let at = |at: f64, cpu: f64, open: u64| Sample { at, memory: 0, descriptors: Some(open), cpu };
        let named = |ledger: &Ledger, signs: &Signs| name(&knee(Left::Latency), ledger, signs).unwrap().limit;
        let usual = Signs { processors: 2, window: 1.0, ..Signs::default() };
        assert_eq!(named(&Ledger::default(), &usual), Limit::Unknown);
        let busy = Signs {
            server: vec![at(0.0, 0.0, 9), at(1.0, 1.5, 9)],
            own: vec![at(0.0, 0.0, 9), at(1.0, 0.4, 9)],
            ..usual
        };
        assert_eq!(named(&Ledger::default(), &busy), Limit::Processor);
        let swapped = Signs { server: busy.own.clone(), own: busy.server.clone(), ..usual };
        assert_eq!(named(&Ledger::default(), &swapped), Limit::OwnProcessor);
        let full = Signs { server: vec![at(0.0, 0.0, 95)], server_descriptors: Some(100), ..usual.clone() };
        assert_eq!(named(&Ledger::default(), &full), Limit::Descriptors);
        assert_eq!(
            named(&Ledger::default(), &Signs { window_share: Some(0.3), ..usual.clone() }),
            Limit::ReceiveWindow
        );
        let windows =
            (0..30).map(|_| super::super::books::Window { bytes: 50_000_000, ..Default::default() }).collect();
        assert_eq!(named(&Ledger { windows, ..Ledger::default() }, &usual), Limit::Rate);
        let emfile = trouble(Act::Open, FaultKind::Io, "too many open files", false, Some(24));
        let ledger = Ledger { troubles: vec![emfile], ..Ledger::default() };
        assert_eq!(name(&knee(Left::Connections), &ledger, &usual).unwrap().limit, Limit::OwnDescriptors);
        let slow = trouble(Act::Light, FaultKind::Timeout, "no answer", false, None);
        let ledger = Ledger { troubles: vec![slow], ..Ledger::default() };
        assert_eq!(name(&knee(Left::Errors), &ledger, &busy).unwrap().limit, Limit::Processor);
        assert_eq!(name(&knee(Left::Errors), &ledger, &usual).unwrap().limit, Limit::Refusals);
    }
}
