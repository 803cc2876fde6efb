//! The knee: the highest load that was borne before errors or latency left their band.
//!
//! The *band* of latency: the 95th percentile of a window, counted from the intended arrivals, stays within three times
//! what the first windows had, or within 100 ms above it. A window with fewer than five answers has no percentile. Latency
//! has left its band where at least half of the windows from there to the end, and three at least, are outside: what comes
//! and goes while the load stays is weather, and the load was borne again after it.
//! The band of errors: no more than 1 % of the commands and transfers of a window fail.
//!
//! Connections that could not be opened end the growth of the load, but say nothing against those that are open: the
//! knee is then what stayed open.

use serde::{Deserialize, Serialize};

use super::books::Window;
use super::number;

/// So many times the latency of the first windows.
const TIMES: f64 = 3.0;
/// Or so many seconds above it.
const ABOVE: f64 = 0.1;
/// The share of failures in a window.
const FAILURES: f64 = 0.01;
/// Answers that a percentile needs.
const FEWEST: u64 = 5;
/// So many slow windows are more than weather.
const FEWEST_SLOW: u32 = 3;
/// Windows that tell what is usual.
const FIRST: usize = 5;

/// Where the load met its limit, or that it did not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Knee {
    /// Connections that were borne at once.
    pub connections: u32,
    /// Commands and transfers a second that were answered in the best window until then.
    pub rate: f64,
    /// Was a limit met? Else the load was borne as it was.
    pub met: bool,
    /// What left its band.
    pub by: Option<Left>,
    /// Seconds from the start to that.
    pub at: Option<f64>,
    /// Seconds of the 95th percentile that are usual, and the most that are in the band.
    pub band: Option<(f64, f64)>,
}

/// What left its band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// Commands and transfers failed.
    Errors,
    /// Answers took too long.
    Latency,
    /// No more connections could be opened.
    Connections,
}

impl Left {
    /// For people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Errors => "more than 1 % of the commands and transfers failed",
            Self::Latency => "answers took too long",
            Self::Connections => "no more connections could be opened",
        }
    }
}

/// Looks for it in the windows of a run, `seconds` each.
#[must_use]
pub fn find(windows: &[Window], seconds: f64) -> Knee {
    let band = band(windows);
    let slow = |window: &Window| band.is_some_and(|(_, most)| p95(window).is_some_and(|latency| latency > most));
    let fails = |window: &Window| {
        let all = window.answered + window.failed;
        all > 0 && number(window.failed) / number(all) > FAILURES
    };
    let errors = windows.iter().position(fails);
    let latency = lasting(windows, slow);
    let left = match (errors, latency) {
        (Some(at), Some(slow)) if slow < at => Some((slow, Left::Latency)),
        (Some(at), _) => Some((at, Left::Errors)),
        (None, Some(at)) => Some((at, Left::Latency)),
        (None, None) => None,
    };
    let until = left.map_or(windows.len(), |(at, _)| at);
    let borne = windows.get(..until).unwrap_or_default();
    let refused = borne.iter().position(|window| window.refused > 0).map(|at| (at, Left::Connections));
    let left = refused.or(left);
    Knee {
        connections: borne.iter().map(|window| window.open).max().unwrap_or(0),
        rate: borne.iter().map(|window| number(window.answered) / seconds).fold(0.0, f64::max),
        met: left.is_some(),
        by: left.map(|(_, what)| what),
        at: left.map(|(at, _)| number(u64::try_from(at).unwrap_or(0)) * seconds),
        band,
    }
}

/// The first slow window from which on at least half of those that tell are slow.
fn lasting(windows: &[Window], slow: impl Fn(&Window) -> bool) -> Option<usize> {
    let (mut tell, mut outside, mut from) = (0_u32, 0_u32, None);
    for (at, window) in windows.iter().enumerate().rev() {
        tell += u32::from(p95(window).is_some());
        if slow(window) {
            outside += 1;
            if outside >= FEWEST_SLOW && 2 * outside >= tell {
                from = Some(at);
            }
        }
    }
    from
}

/// What is usual in the first windows that tell, and the most that is still in the band.
fn band(windows: &[Window]) -> Option<(f64, f64)> {
    let mut first: Vec<f64> = windows.iter().filter_map(p95).take(FIRST).collect();
    first.sort_by(f64::total_cmp);
    let usual = first.get(first.len() / 2).copied()?;
    Some((usual, (usual * TIMES).max(usual + ABOVE)))
}

fn p95(window: &Window) -> Option<f64> {
    (window.latency.count() >= FEWEST).then(|| window.latency.quantile(0.95).value).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(open: u32, latency: f64) -> Window {
        let mut window = Window { open, answered: 40, ..Window::default() };
        window.latency.add_many(latency, 40);
        window
    }

    #[test]
    fn a_load_that_is_borne_has_no_knee() {
        let windows: Vec<_> = (1..=20).map(|open| window(open * 10, 0.01)).collect();
        let knee = find(&windows, 1.0);
        assert_eq!((knee.connections, knee.met, knee.by), (200, false, None));
        assert!((knee.rate - 40.0).abs() < 1e-9);
        assert_eq!(find(&[], 1.0).connections, 0);
    }

    #[test]
    fn latency_that_leaves_its_band_for_good_is_one() {
        let mut windows: Vec<_> = (1..=20).map(|open| window(open * 10, 0.01)).collect();
        for window in &mut windows[6..10] {
            window.latency.add_many(2.0, 40);
        }
        assert!(!find(&windows, 1.0).met, "what comes and goes is weather");
        let mut windows: Vec<_> = (1..=20).map(|open| window(open * 10, 0.01)).collect();
        for (at, slow) in windows.iter_mut().enumerate().skip(12) {
            *slow = window(10 * u32::try_from(at).unwrap() + 10, 0.2);
        }
        let knee = find(&windows, 2.0);
        assert_eq!((knee.connections, knee.by, knee.at), (120, Some(Left::Latency), Some(24.0)));
    }

    #[test]
    fn errors_are_one_at_once_and_refusals_leave_what_is_open() {
        let mut windows: Vec<_> = (1..=20).map(|open| window(open.min(5), 0.01)).collect();
        for refusing in &mut windows[5..] {
            refusing.refused = 3;
        }
        let knee = find(&windows, 1.0);
        assert_eq!((knee.connections, knee.by, knee.at), (5, Some(Left::Connections), Some(5.0)));
        windows[3].failed = 1;
        let knee = find(&windows, 1.0);
        assert_eq!((knee.connections, knee.by, knee.at), (3, Some(Left::Errors), Some(3.0)));
    }
}
