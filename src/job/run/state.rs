//! The life of a run, as a pure function.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Waits for a worker.
    Queued,
    /// A process holds its lease and works.
    Running,
    /// Told to pause, the worker is coming to rest.
    Pausing,
    /// Rests until somebody resumes it.
    Paused,
    /// Told to end, the worker is coming to rest.
    Cancelling,
    /// Its process ended before it; the next worker goes on with it.
    Interrupted,
    /// Everything is there and verified.
    Done,
    /// It went to its end, and something is missing; the summary says what.
    Incomplete,
    /// It could not do its work at all.
    Failed,
    /// Ended by somebody.
    Cancelled,
    /// A start that was due while another run of the job was still active.
    Skipped,
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunEvent {
    /// A worker takes it up.
    Claim,
    /// Somebody asks for a pause.
    Pause,
    /// Somebody asks to go on.
    Resume,
    /// Somebody asks for the end.
    Cancel,
    /// The engine came to its end with everything there.
    Completed,
    /// The engine came to its end with something missing.
    FellShort,
    /// The engine could not work.
    Failed,
    /// The engine stopped because it was told to (pause, cancel, or the process drains).
    Stopped,
    /// The process that held the lease is gone.
    OwnerLost,
}

impl RunState {
    /// Every value, in order.
    pub const ALL: &'static [Self] = &[
        Self::Queued,
        Self::Running,
        Self::Pausing,
        Self::Paused,
        Self::Cancelling,
        Self::Interrupted,
        Self::Done,
        Self::Incomplete,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The stable word for stores, JSON and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Cancelling => "cancelling",
            Self::Interrupted => "interrupted",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Is it over for good?
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Incomplete | Self::Failed | Self::Cancelled | Self::Skipped)
    }

    /// Does a process hold its lease?
    #[must_use]
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Running | Self::Pausing | Self::Cancelling)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunState {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|s| s.as_str() == text).ok_or(())
    }
}

/// The state after `event`; none when the event makes no sense there.
///
/// Two rules shape it: a run that came to its end is ended whatever was asked meanwhile, and a wish
/// (pause, cancel) outlives the process that should have obeyed it.
#[must_use]
pub const fn next_state(state: RunState, event: RunEvent) -> Option<RunState> {
    use RunEvent as E;
    use RunState as S;
    Some(match (state, event) {
        (S::Queued | S::Interrupted, E::Claim) => S::Running,
        (S::Queued | S::Interrupted, E::Pause) => S::Paused,
        (S::Queued | S::Interrupted | S::Paused, E::Cancel) => S::Cancelled,
        (S::Running, E::Pause) => S::Pausing,
        (S::Running | S::Pausing, E::Cancel) => S::Cancelling,
        (S::Running, E::Stopped | E::OwnerLost) => S::Interrupted,
        // The worker is coming to rest already; it will end as interrupted and be taken up again.
        (S::Pausing, E::Resume) => S::Running,
        (S::Pausing, E::Stopped | E::OwnerLost) => S::Paused,
        (S::Cancelling, E::Stopped | E::OwnerLost) => S::Cancelled,
        (S::Paused, E::Resume) => S::Queued,
        (S::Running | S::Pausing | S::Cancelling, E::Completed) => S::Done,
        (S::Running | S::Pausing | S::Cancelling, E::FellShort) => S::Incomplete,
        (S::Running | S::Pausing | S::Cancelling, E::Failed) => S::Failed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use RunEvent as E;
    use RunState as S;

    const EVENTS: [E; 9] =
        [E::Claim, E::Pause, E::Resume, E::Cancel, E::Completed, E::FellShort, E::Failed, E::Stopped, E::OwnerLost];

    /// The whole table, written a second time by state: 99 pairs, those not named are refused.
    #[test]
    fn every_pair_of_state_and_event() {
        let ends = [(E::Completed, S::Done), (E::FellShort, S::Incomplete), (E::Failed, S::Failed)];
        let rows: [(S, Vec<(E, S)>); 6] = [
            (S::Queued, vec![(E::Claim, S::Running), (E::Pause, S::Paused), (E::Cancel, S::Cancelled)]),
            (
                S::Running,
                [
                    (E::Pause, S::Pausing),
                    (E::Cancel, S::Cancelling),
                    (E::Stopped, S::Interrupted),
                    (E::OwnerLost, S::Interrupted),
                ]
                .into_iter()
                .chain(ends)
                .collect(),
            ),
            (
                S::Pausing,
                [
                    (E::Resume, S::Running),
                    (E::Cancel, S::Cancelling),
                    (E::Stopped, S::Paused),
                    (E::OwnerLost, S::Paused),
                ]
                .into_iter()
                .chain(ends)
                .collect(),
            ),
            (S::Paused, vec![(E::Resume, S::Queued), (E::Cancel, S::Cancelled)]),
            (
                S::Cancelling,
                [(E::Stopped, S::Cancelled), (E::OwnerLost, S::Cancelled)].into_iter().chain(ends).collect(),
            ),
            (S::Interrupted, vec![(E::Claim, S::Running), (E::Pause, S::Paused), (E::Cancel, S::Cancelled)]),
        ];
        for state in S::ALL {
            let row = rows.iter().find(|(s, _)| s == state).map(|(_, row)| row.clone()).unwrap_or_default();
            for event in EVENTS {
                let expected = row.iter().find(|(e, _)| *e == event).map(|(_, next)| *next);
                assert_eq!(next_state(*state, event), expected, "{state} + {event:?}");
            }
        }
    }

    #[test]
    fn what_is_over_stays_over_and_what_is_not_can_be_ended() {
        for state in S::ALL {
            let ways_on = EVENTS.iter().filter(|e| next_state(*state, **e).is_some()).count();
            assert_eq!(state.is_over(), ways_on == 0, "{state}");
            if !state.is_over() {
                let after_cancel = next_state(*state, E::Cancel).unwrap_or(*state);
                let ended = next_state(after_cancel, E::Stopped).unwrap_or(after_cancel);
                assert_eq!(ended, S::Cancelled, "{state}");
            }
        }
    }

    /// Whatever the order of events, a run whose process vanished is never left held.
    #[test]
    fn a_lost_owner_always_frees_the_run() {
        for state in S::ALL.iter().filter(|s| s.is_held()) {
            assert!(!next_state(*state, E::OwnerLost).unwrap().is_held());
        }
    }

    #[test]
    fn words_come_back() {
        for state in S::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
            assert_eq!(serde_json::to_string(state).unwrap(), format!("\"{state}\""));
        }
    }
}
