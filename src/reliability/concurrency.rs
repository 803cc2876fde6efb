//! How many connections an endpoint bore together, and what kept it from more.
//!
//! - **Figure**: the largest number of connections that were all ready, and all held for at least [`SUSTAINED`], at one
//!   moment of the window. A connection that goes on counts once it has ended: at least so many, then.
//! - **Reason**: what became of attempts to connect while so many stood, each time, or within [`AROUND`] of it: a server that
//!   says "too many", one that refuses, one that does not answer; the clearest of these. Or nobody asked for more, and the
//!   figure says nothing about the endpoint.
//! - **Source**: single observations, so at most [`RETENTION_DAYS`](super::RETENTION_DAYS), of the newest 200,000
//!   connections of the protocol. **Unit**: connections. **Interval**: none: the largest of what was seen is a fact, and no estimate of what
//!   would be borne.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::raw::attempts;
use super::{End, Role, Window};
use crate::db::{Db, DbError};
use crate::model::{FaultKind, Phase};

/// For so long all of them were held.
pub const SUSTAINED: SignedDuration = SignedDuration::from_secs(10);
/// So near in time an attempt says something about the limit.
pub const AROUND: SignedDuration = SignedDuration::from_secs(60);

/// Connections held for so long from which the figure is shown.
pub const MINIMUM: u64 = 20;

/// What pages say of it: word and text.
pub const ABOUT: [(&str, &str); 5] = [
    (
        "Counted",
        "The largest number of connections that were all ready, and all held for ten seconds at least, at one moment of the \
         window. One that goes on counts once it has ended: at least so many, then.",
    ),
    (
        "Reason",
        "What became of attempts to connect while so many stood, each time, or within a minute of it: the server said that \
         there are too many, refused, or did not answer; the clearest of these. Or nobody asked for more, and the figure says \
         nothing about what the endpoint bears.",
    ),
    ("Interval", "None: the largest of what was seen is a fact, and no estimate of what would be borne."),
    ("Source", "Single observations, which are kept for 14 days; the newest 200,000 connections of the protocol."),
    ("Shown from", "20 connections that were held for ten seconds."),
];

/// One attempt at a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// For how long it was held; none when it never was ready.
    pub held: Option<SignedDuration>,
    /// How it ended.
    pub end: End,
}

/// What kept it from more; the clearest word is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// The server said that there are too many.
    Said,
    /// It refused.
    Refused,
    /// It did not answer one more, or hung up on it.
    Silent,
    /// Nobody asked for more.
    Unasked,
}

impl Limit {
    /// In a sentence's end.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Said => "the server said that these are all that it bears",
            Self::Refused => "one more was refused",
            Self::Silent => "one more was not answered",
            Self::Unasked => "nobody asked for more",
        }
    }
}

/// The most that was borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Connections.
    pub most: u64,
    /// When: next to the attempt that tells the limit, or the first time.
    pub at: Timestamp,
    /// When the last of them had ended.
    pub until: Timestamp,
    /// Connections that were held for long enough.
    pub n: u64,
    /// What kept it from more.
    pub limit: Limit,
}

/// The most that each of a family's endpoints and doors bore in a window; those of which no connection was held for long
/// enough are left out.
///
/// # Errors
/// What the store says.
pub async fn concurrency(
    db: &Db,
    family: &str,
    window: &Window,
) -> Result<HashMap<(Role, String), Concurrency>, DbError> {
    let all = attempts(db, family, window).await?;
    Ok(all.into_iter().filter_map(|(place, attempts)| Some((place, most(&attempts)?))).collect())
}

/// The most that was borne, from single attempts in any order.
#[must_use]
pub fn most(attempts: &[Attempt]) -> Option<Concurrency> {
    // Before it has been held for long enough a connection does not count; at its last moment it does.
    let spans = |attempt: &Attempt| {
        let held = attempt.held.filter(|held| *held >= SUSTAINED)?;
        let begun = attempt.at.saturating_sub(held).unwrap_or(Timestamp::MIN);
        Some((begun.saturating_add(SUSTAINED).unwrap_or(Timestamp::MAX), attempt.at))
    };
    let mut steps = Vec::new();
    for attempt in attempts {
        let Some((from, to)) = spans(attempt) else { continue };
        steps.push((from, 0, true));
        steps.push((to, 1, false));
    }
    let (most, times) = most_together(steps)?;
    let tried = attempts.iter().filter(|attempt| attempt.held.is_none()).filter_map(|attempt| {
        let limit = limit_of(attempt.end)?;
        let near = nearest(&times, attempt.at)?;
        (near.duration_since(attempt.at).abs() <= AROUND).then_some((limit, near))
    });
    let (limit, at) = match tried.min() {
        Some(found) => found,
        None => (Limit::Unasked, times.first()?.0),
    };
    let together = attempts.iter().filter_map(spans).filter(|(from, to)| (*from..=*to).contains(&at));
    let until = together.map(|(_, to)| to).max().unwrap_or(at);
    let n = u64::try_from(attempts.iter().filter_map(spans).count()).unwrap_or(u64::MAX);
    Some(Concurrency { most, at, until, n, limit })
}

/// The largest number, and from when to when it was held, each time.
fn most_together(mut steps: Vec<(Timestamp, u8, bool)>) -> Option<(u64, Vec<(Timestamp, Timestamp)>)> {
    steps.sort_unstable();
    let (mut now, mut most, mut times) = (0_u64, 0, Vec::new());
    let mut steps = steps.into_iter().peekable();
    while let Some((at, _, begins)) = steps.next() {
        now = if begins { now + 1 } else { now.saturating_sub(1) };
        if now > most {
            (most, times) = (now, Vec::new());
        }
        if begins && now == most {
            // Until the next step: the first of them ends, or one more begins.
            times.push((at, steps.peek().map_or(at, |(next, ..)| *next)));
        }
    }
    (most > 0).then_some((most, times))
}

/// The moment of these times, which are in order and apart, that is the nearest to `at`.
fn nearest(times: &[(Timestamp, Timestamp)], at: Timestamp) -> Option<Timestamp> {
    let after = times.partition_point(|(from, _)| *from <= at);
    let before = after.checked_sub(1).and_then(|before| times.get(before)).map(|(_, to)| at.min(*to));
    let next = times.get(after).map(|(from, _)| *from);
    before.into_iter().chain(next).min_by_key(|near| near.duration_since(at).abs())
}

const fn limit_of(end: End) -> Option<Limit> {
    match end {
        End::Failed(_, FaultKind::Limit) => Some(Limit::Said),
        End::Failed(Phase::Connect, FaultKind::Refused) => Some(Limit::Refused),
        End::Failed(Phase::Connect | Phase::Banner, FaultKind::Timeout | FaultKind::Reset | FaultKind::ClosedEarly) => {
            Some(Limit::Silent)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(end: i64, held: Option<i64>, how: End) -> Attempt {
        let at = Timestamp::from_second(end).unwrap();
        Attempt { at, held: held.map(SignedDuration::from_secs), end: how }
    }

    #[test]
    fn only_what_was_held_together_counts() {
        let held = |end, held| attempt(end, Some(held), End::Clean);
        // From 0 to 100, 50 to 120, 85 to 115; the third counts from 95 on. One that was too short.
        let all = [held(100, 100), held(120, 70), held(115, 30), held(99, 5)];
        let found = most(&all).unwrap();
        assert_eq!((found.most, found.at, found.limit), (3, Timestamp::from_second(95).unwrap(), Limit::Unasked));
        assert_eq!((found.until, found.n), (Timestamp::from_second(120).unwrap(), 3));
        assert_eq!(most(&[held(10, 5)]), None);
        // One after the other.
        assert_eq!(most(&[held(100, 90), held(200, 90), held(300, 90)]).unwrap().most, 1);
    }

    #[test]
    fn the_clearest_word_is_the_reason() {
        let failed = |at, phase, kind| attempt(at, None, End::Failed(phase, kind));
        let mut all = vec![attempt(100, Some(100), End::Clean)];
        all.push(failed(1000, Phase::Banner, FaultKind::Limit));
        assert_eq!(most(&all).unwrap().limit, Limit::Unasked, "long after");
        all.push(failed(30, Phase::Banner, FaultKind::Timeout));
        assert_eq!(most(&all).unwrap().limit, Limit::Silent);
        all.push(failed(31, Phase::Connect, FaultKind::Refused));
        assert_eq!(most(&all).unwrap().limit, Limit::Refused);
        all.push(failed(32, Phase::Login, FaultKind::Limit));
        assert_eq!(most(&all).unwrap().limit, Limit::Said);
        all.push(failed(33, Phase::Login, FaultKind::Auth));
        assert_eq!(most(&all).unwrap().limit, Limit::Said);
    }

    /// The most may be held for long, and more than once: whoever asks for one more then is told of.
    #[test]
    fn the_limit_is_looked_for_whenever_the_most_stood() {
        let held = |end, held| attempt(end, Some(held), End::Clean);
        let failed = |at, phase, kind| attempt(at, None, End::Failed(phase, kind));
        let second = |at| Timestamp::from_second(at).unwrap();
        // Two from 10 to 1000, again from 3010 to 4000.
        let both = [held(1000, 1000), held(1200, 1200), held(4000, 1000), held(4100, 1100)];
        let with = |more: &[Attempt]| most(&[&both[..], more].concat()).unwrap();
        let found = with(&[]);
        assert_eq!((found.most, found.at, found.limit), (2, second(10), Limit::Unasked));
        // Long after the second of them began, and while both still stood.
        let refused = failed(600, Phase::Connect, FaultKind::Refused);
        let found = with(&[refused]);
        assert_eq!((found.at, found.limit, found.until), (second(600), Limit::Refused, second(1200)));
        // The second time, a minute after its end at most; the clearest word is what counts.
        let said = |at| failed(at, Phase::Banner, FaultKind::Limit);
        let found = with(&[refused, said(4060)]);
        assert_eq!((found.at, found.limit, found.until), (second(4000), Limit::Said, second(4100)));
        for between in [1061, 2000, 2949, 4061] {
            assert_eq!(with(&[said(between)]).limit, Limit::Unasked, "{between}");
        }
        assert_eq!((with(&[said(1060)]).at, with(&[said(2950)]).at), (second(1000), second(3010)));
    }
}
