//! When a failed item is tried again, and when the other side as a whole is left alone: pure state
//! machines. Time comes in as a duration since the start of the run, chance as a number from 0 to 1.

use std::time::Duration;

use crate::model::{Fault, FaultKind, Phase, Retry};

/// The first pause when trying again at once did not help.
const SHORT: Duration = Duration::from_millis(250);
/// The first pause of a fault that asks for one.
const LONG: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);
/// A full disk or quota gets no room by waiting unless somebody makes it: so long is waited for it at most.
const ROOM: Duration = Duration::from_secs(30);
/// The longest pause before closed data ports are tried again: asking costs a round trip on a connection that is open.
const PORTS: Duration = Duration::from_secs(2);
/// Tries of one item in one run, even when each brings it a little further.
const MOST_TRIES: u32 = 200;

/// What happened to one item so far in this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct History {
    /// All tries that failed.
    pub tries: u32,
    /// Tries in a row that brought it no further.
    pub barren: u32,
}

/// What becomes of a failed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again after this pause.
    Again(Duration),
    /// Failed in this run.
    GiveUp,
}

impl History {
    /// Counts a failed try and decides. `further`: it confirmed more bytes than the tries before.
    pub(super) fn failed(&mut self, fault: &Fault, further: bool, attempts: u32, chance: f64) -> Verdict {
        self.tries += 1;
        self.barren = if further { 0 } else { self.barren + 1 };
        let spent = self.barren >= attempts.max(1) || self.tries >= MOST_TRIES;
        match fault.retry {
            Retry::Never => Verdict::GiveUp,
            _ if spent => Verdict::GiveUp,
            Retry::Now if self.barren <= 1 => Verdict::Again(Duration::ZERO),
            Retry::Now => Verdict::Again(pause(SHORT, self.barren - 2, chance)),
            Retry::Later => Verdict::Again(pause(LONG, self.barren.saturating_sub(1), chance)),
        }
    }
}

/// Doubles with every step, at most [`LONGEST`]; chance spreads it over its upper half, so that many do
/// not come back at once.
fn pause(first: Duration, step: u32, chance: f64) -> Duration {
    let full = first.saturating_mul(2_u32.saturating_pow(step.min(16))).min(LONGEST);
    full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// Does the fault speak about the other side as a whole rather than about one item? A closed data port is that of a
/// server or a firewall, whatever was to come through it.
pub(super) fn concerns_endpoint(fault: &Fault) -> bool {
    matches!(fault.phase, Phase::Resolve | Phase::Connect | Phase::Banner | Phase::Tls | Phase::Login)
        || matches!(fault.kind, FaultKind::Limit | FaultKind::Auth | FaultKind::DiskFull)
        || finds_ports_closed(fault)
}

fn finds_ports_closed(fault: &Fault) -> bool {
    (fault.phase, fault.kind) == (Phase::DataConnect, FaultKind::Refused)
}

/// What to do when a side as a whole fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    /// Start nothing new for so long. How many connections the other side bears is the remote's to know.
    Pause(Duration),
    /// End the run: trying again would not help, or (a wrong password) do harm.
    GiveUp,
}

/// How one side as a whole is doing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    failures: u32,
    since: Option<Duration>,
}

impl Health {
    /// Something worked.
    pub(super) fn worked(&mut self) {
        *self = Self::default();
    }

    /// A fault that [`concerns_endpoint`], at `now`. Several connections fail together: a fault that comes
    /// while `paused` says nothing new.
    pub(super) fn failed(
        &mut self,
        fault: &Fault,
        now: Duration,
        paused: bool,
        patience: Duration,
        chance: f64,
    ) -> Outage {
        if fault.retry == Retry::Never {
            return Outage::GiveUp;
        }
        let since = *self.since.get_or_insert(now);
        let patience = if fault.kind == FaultKind::DiskFull { patience.min(ROOM) } else { patience };
        if now.saturating_sub(since) > patience {
            return Outage::GiveUp;
        }
        if !paused {
            self.failures += 1;
        }
        let longest = if finds_ports_closed(fault) { PORTS } else { LONGEST };
        Outage::Pause(pause(LONG, self.failures.saturating_sub(1), chance).min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind) -> Fault {
        Fault::new(Phase::Transfer, kind, "x")
    }

    #[test]
    fn a_reset_is_tried_at_once_and_then_with_growing_pauses() {
        let mut history = History::default();
        let pauses: Vec<_> = (0..5).map(|_| history.failed(&fault(FaultKind::Reset), false, 5, 1.0)).collect();
        let again = |ms| Verdict::Again(Duration::from_millis(ms));
        assert_eq!(pauses, [again(0), again(250), again(500), again(1000), Verdict::GiveUp]);
    }

    #[test]
    fn progress_buys_patience_but_not_for_ever() {
        let mut history = History::default();
        let tries = (0..1000).take_while(|_| history.failed(&fault(FaultKind::Reset), true, 5, 1.0) != Verdict::GiveUp);
        assert_eq!(tries.count() + 1, MOST_TRIES as usize);
    }

    #[test]
    fn never_means_never() {
        assert_eq!(History::default().failed(&fault(FaultKind::Permission), true, 5, 0.0), Verdict::GiveUp);
    }

    #[test]
    fn closed_data_ports_are_waited_for_as_a_closed_server_is() {
        assert!(!concerns_endpoint(&Fault::new(Phase::Open, FaultKind::Refused, "425")));
        let closed = Fault::new(Phase::DataConnect, FaultKind::Refused, "x");
        assert!(concerns_endpoint(&closed));
        let mut health = Health::default();
        let last = (0..20).map(|_| health.failed(&closed, Duration::ZERO, false, LONGEST, 1.0)).last();
        assert_eq!(last, Some(Outage::Pause(PORTS)), "twenty of them are no reason to be away for minutes");
    }

    #[test]
    fn a_wrong_password_ends_the_run_at_once() {
        let auth = Fault::new(Phase::Login, FaultKind::Auth, "x");
        assert!(concerns_endpoint(&auth));
        let outage = Health::default().failed(&auth, Duration::ZERO, false, LONGEST, 0.0);
        assert_eq!(outage, Outage::GiveUp);
    }

    /// How long a side that fails so all the time is waited for.
    fn waited(health: &mut Health, fault: &Fault, patience: Duration) -> Duration {
        let mut now = Duration::ZERO;
        for _ in 0..20 {
            match health.failed(fault, now, false, patience, 1.0) {
                Outage::Pause(pause) => {
                    assert!(pause <= LONGEST);
                    now += pause;
                }
                Outage::GiveUp => return now,
            }
        }
        panic!("no end after {now:?}");
    }

    #[test]
    fn a_full_disk_is_waited_for_only_shortly() {
        let full = Fault::new(Phase::Transfer, FaultKind::DiskFull, "x");
        assert!(concerns_endpoint(&full));
        let waited_for = waited(&mut Health::default(), &full, Duration::from_secs(300));
        assert!(waited_for > ROOM && waited_for < 3 * ROOM, "{waited_for:?}");
        let impatient = waited(&mut Health::default(), &full, Duration::from_secs(1));
        assert!(impatient < ROOM, "{impatient:?}");
    }

    #[test]
    fn an_outage_is_waited_for_until_patience_ends() {
        let mut health = Health::default();
        let refused = Fault::new(Phase::Connect, FaultKind::Refused, "x");
        let patience = Duration::from_secs(300);
        let now = waited(&mut health, &refused, patience);
        assert!(now > patience);
        health.worked();
        assert!(matches!(health.failed(&refused, now, false, patience, 1.0), Outage::Pause(_)));
    }
}
