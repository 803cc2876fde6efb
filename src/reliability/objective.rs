//! Availability objectives: how much may go wrong, how much of that is left, and how fast it is being used up.
//!
//! - **Good**: connections that became ready. **Valid**: those, and the attempts that failed by the path, the server or the
//!   protocol: as in connection success.
//! - **Error budget**: the share that may fail, times the valid ones of the objective's days. **Left**: what has not
//!   been used, as a share of it; below zero when it is overdrawn.
//! - **Burn rate**: the share that failed in a window, by the share that may: at 1 the budget lasts exactly the objective's
//!   days. With the interval of Wilson; shown from [`BURNING`] attempts, the others from [`MINIMUM`].
//! - **Alert**: a long and a short window burn together (Site Reliability Workbook, chapter 5): the long one shows that it
//!   matters, the short one that it goes on. At least [`BURNING`] attempts in the long one, as where its rate is shown, and
//!   two failures in the short one, because a single one of few is a rate too.
//! - **When**: a connection that became ready counts when it has ended, one that failed at once.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::estimate::{number, wilson};
use super::stat::{Sample, connections};
use super::{Estimate, Role, Window, rollup};
use crate::db::{Db, DbError};

/// Attempts from which availability and budget are shown.
pub const MINIMUM: u64 = 100;
/// Attempts from which a burn rate is shown.
pub const BURNING: u64 = 20;

/// What pages say of it: word and text.
pub const ABOUT: [(&str, &str); 7] = [
    (
        "Availability",
        "Connections that became ready, out of those and of the attempts that failed by the path, the server or the protocol, \
         in the days of the objective. With the 95 % interval of Wilson.",
    ),
    (
        "Error budget",
        "The share of attempts that may fail, times the attempts of those days; shown is what of it has not been used. Below \
         zero it is overdrawn. It is an account of what happened, so it has no interval.",
    ),
    (
        "Burn rate",
        "The share that failed in the last hour, six hours or three days, by the share that may: at 1 the budget lasts exactly \
         the days of the objective, at 10 a tenth of them. With the 95 % interval of Wilson.",
    ),
    (
        "Alert",
        "A long and a short window burn together: 14.4 in one hour and five minutes, or 6 in six hours and thirty minutes, \
         wants somebody now; 3 in a day and two hours, or 1 in three days and six hours, this week. The long one must \
         hold 20 attempts at least, the short one two failures.",
    ),
    (
        "When",
        "A connection that became ready counts when it has ended, one that failed at once. Where sessions last for hours, a \
         short window holds the failures before the good ones that go on, and looks worse than it is.",
    ),
    ("Left out", "What somebody asked for and could not have: wrong passwords, missing files, limits, stops."),
    ("Shown from", "100 attempts; burn rates from 20. Before that there is not enough data yet."),
];

/// What an endpoint should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objective {
    /// How many of a million attempts should succeed: below a million.
    pub target: u32,
    /// Over so many days.
    pub days: u16,
}

impl Default for Objective {
    fn default() -> Self {
        Self { target: 999_000, days: 30 }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.target / 10_000, format!("{:04}", self.target % 10_000));
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        write!(f, "{whole}{point}{part}% over {}d", self.days)
    }
}

/// Why a text is no objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no availability objective")]
pub struct NoObjective;

impl FromStr for Objective {
    type Err = NoObjective;

    /// Reads "99.9% over 30d": 50 % to 99.9999 %, one day to 366.
    fn from_str(text: &str) -> Result<Self, NoObjective> {
        let (share, days) = text.split_once(" over ").ok_or(NoObjective)?;
        let share = share.trim().strip_suffix('%').ok_or(NoObjective)?.trim_end();
        let (whole, part) = share.split_once('.').unwrap_or((share, "0"));
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| digits).ok_or(NoObjective)
        };
        if part.len() > 4 {
            return Err(NoObjective);
        }
        let target = number(whole)?.checked_mul(10_000).ok_or(NoObjective)? + number(&format!("{part:0<4}"))?;
        let days = number(days.trim().strip_suffix('d').ok_or(NoObjective)?)?;
        let days = u16::try_from(days).ok().filter(|days| (1..=366).contains(days)).ok_or(NoObjective)?;
        Some(Self { target, days }).filter(|_| (500_000..1_000_000).contains(&target)).ok_or(NoObjective)
    }
}

/// What every endpoint should do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objectives {
    /// Those that are not named.
    pub usual: Objective,
    /// Some of them, by the names that observations have.
    pub named: Vec<(String, Objective)>,
}

impl Objectives {
    /// What an endpoint or a door should do.
    #[must_use]
    pub fn of(&self, endpoint: &str) -> Objective {
        self.named.iter().find(|(name, _)| name == endpoint).map_or(self.usual, |(_, objective)| *objective)
    }
}

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Some time this week.
    Ticket,
    /// Now.
    Page,
}

/// Minutes of the long and the short window, the burn rate that both must exceed, and what it means.
pub const RULES: [(i64, i64, f64, Urgency); 4] = [
    (60, 5, 14.4, Urgency::Page),
    (6 * 60, 30, 6.0, Urgency::Page),
    (24 * 60, 2 * 60, 3.0, Urgency::Ticket),
    (3 * 24 * 60, 6 * 60, 1.0, Urgency::Ticket),
];

/// Good and valid attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempts {
    /// That became ready.
    pub good: u64,
    /// That count.
    pub valid: u64,
}

impl Attempts {
    /// Those of a sample.
    #[must_use]
    pub fn of(sample: &Sample) -> Self {
        let (good, failed) = connections(sample);
        Self { good, valid: good + failed }
    }

    const fn bad(self) -> u64 {
        self.valid - self.good
    }
}

/// How an endpoint stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The share that succeeded in the objective's days.
    pub availability: Estimate,
    /// What is left of the budget, as a share of it; none while there is not enough data.
    pub left: Option<f64>,
    /// The burn rate of each rule's long window.
    pub burning: [Estimate; RULES.len()],
    /// The most urgent rule that both windows exceed.
    pub alert: Option<Urgency>,
}

impl Objective {
    /// The share of attempts that may fail.
    fn may_fail(self) -> f64 {
        f64::from(1_000_000 - self.target.min(999_999)) / 1e6
    }

    /// The burn rate of a window.
    #[must_use]
    pub fn burn(self, attempts: Attempts) -> Estimate {
        wilson(attempts.bad(), attempts.valid).enough_from(BURNING).scaled(1.0 / self.may_fail())
    }

    /// How things stand, from the attempts of the objective's days and of the long and short window of every rule.
    #[must_use]
    pub fn judge(self, all: Attempts, windows: [(Attempts, Attempts); 4]) -> Standing {
        let budget = number(all.valid) * self.may_fail();
        let exceeds = |burning: Estimate, rate: f64| burning.value.is_some_and(|burning| burning > rate);
        let alert = RULES
            .iter()
            .zip(windows)
            .filter(|((_, _, rate, _), (long, short))| {
                // What is shown as "not enough data yet" calls for nobody.
                let burning = self.burn(*long);
                burning.enough && exceeds(burning, *rate) && exceeds(self.burn(*short), *rate) && short.bad() >= 2
            })
            .map(|((.., urgency), _)| *urgency)
            .max();
        Standing {
            availability: wilson(all.good, all.valid).enough_from(MINIMUM),
            left: (all.valid >= MINIMUM).then(|| 1.0 - number(all.bad()) / budget),
            burning: windows.map(|(long, _)| self.burn(long)),
            alert,
        }
    }
}

/// How an endpoint stands now.
///
/// # Errors
/// What the store says.
pub async fn standing(
    db: &Db,
    objective: Objective,
    now: Timestamp,
    (family, role, endpoint): (&str, Role, &str),
) -> Result<Standing, DbError> {
    let seen = async |minutes: i64| {
        let window = Window::last(now, SignedDuration::from_mins(minutes)).of(role).at(endpoint);
        Ok::<_, DbError>(Attempts::of(&Sample::of(rollup::read(db, family, &window).await?)))
    };
    let mut windows = [(Attempts::default(), Attempts::default()); 4];
    for (slot, (long, short, ..)) in windows.iter_mut().zip(RULES) {
        *slot = (seen(long).await?, seen(short).await?);
    }
    Ok(objective.judge(seen(i64::from(objective.days) * 24 * 60).await?, windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(good: u64, valid: u64) -> Attempts {
        Attempts { good, valid }
    }

    #[test]
    fn the_budget_is_what_may_fail() {
        let objective = Objective { target: 990_000, days: 30 };
        let quiet = [(attempts(100, 100), attempts(10, 10)); 4];
        let standing = objective.judge(attempts(9_950, 10_000), quiet);
        assert!((standing.left.unwrap() - 0.5).abs() < 1e-9);
        assert_eq!((standing.availability.value, standing.alert), (Some(0.995), None));
        assert!((objective.judge(attempts(9_800, 10_000), quiet).left.unwrap() + 1.0).abs() < 1e-9);
        assert_eq!(objective.judge(attempts(0, 0), quiet).left, None);
        let burning = objective.burn(attempts(90, 100));
        assert!((burning.value.unwrap() - 10.0).abs() < 1e-9 && burning.low.unwrap() > 5.0, "{burning:?}");
    }

    #[test]
    fn an_objective_is_a_word() {
        for (text, objective) in [
            ("99.9% over 30d", Objective::default()),
            ("99% over 7d", Objective { target: 990_000, days: 7 }),
            ("99.9999% over 366d", Objective { target: 999_999, days: 366 }),
            ("50.05% over 1d", Objective { target: 500_500, days: 1 }),
        ] {
            assert_eq!((text.parse(), objective.to_string().as_str()), (Ok(objective), text));
        }
        for text in [
            "",
            "99.9%",
            "99.9 over 30d",
            "100% over 30d",
            "49% over 30d",
            "99.99999% over 3d",
            "99.9% over 0d",
            "+99% over 3d",
        ] {
            assert_eq!(text.parse::<Objective>(), Err(NoObjective), "{text}");
        }
        let named = vec![("a:21".to_owned(), Objective { target: 990_000, days: 7 })];
        let all = Objectives { named, ..Objectives::default() };
        assert_eq!((all.of("a:21").days, all.of("b:21").days), (7, 30));
    }

    #[test]
    fn both_windows_must_burn() {
        let objective = Objective { target: 995_000, days: 30 };
        let calm = (attempts(100, 100), attempts(10, 10));
        let judge = |long, short| objective.judge(attempts(990, 1000), [(long, short), calm, calm, calm]).alert;
        assert_eq!(judge(attempts(80, 100), attempts(7, 10)), Some(Urgency::Page));
        assert_eq!(judge(attempts(80, 100), attempts(10, 10)), None, "it is over");
        assert_eq!(judge(attempts(99, 100), attempts(7, 10)), None, "it has only begun");
        assert_eq!(judge(attempts(80, 100), attempts(9, 10)), None, "one failure is no rate");
        assert_eq!(judge(attempts(0, 2), attempts(0, 2)), None, "two attempts are no rate");
        assert_eq!(judge(attempts(0, BURNING - 1), attempts(0, 9)), None);
        assert_eq!(judge(attempts(0, BURNING), attempts(0, 9)), Some(Urgency::Page));
        let slow = (attempts(980, 1000), attempts(97, 100));
        assert_eq!(objective.judge(attempts(990, 1000), [calm, calm, slow, slow]).alert, Some(Urgency::Ticket));
    }
}
