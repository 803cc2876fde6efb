//! Which clock do a server's listings show? Told by files whose time is known both as listed and exactly (MDTM and MLST
//! are UTC): zones differ from UTC by whole quarters of an hour, and by half an hour or an hour more in summer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::ServerZone;

/// A time as the listing's clock showed it, and the instant that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// As listed, to the minute.
    pub face: DateTime,
    /// As the server told it exactly.
    pub exact: Timestamp,
}

impl Pair {
    /// The month of its face, from 0 on: summer time begins and ends in the middle of a season.
    #[must_use]
    pub fn month(&self) -> usize {
        usize::try_from(self.face.month() - 1).unwrap_or_default()
    }
}

/// What pairs tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    /// The clock is of this zone, or of one that is no different for any of the pairs.
    Zone {
        /// Which.
        zone: ServerZone,
        /// Pairs that say so.
        pairs: usize,
        /// Pairs of both summer and winter say so; else the other season is not known.
        whole_year: bool,
    },
    /// It cannot be told.
    Doubt(Unclear),
}

/// Why a clock's zone cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Fewer pairs than [`FEWEST`].
    #[error("only {0} files tell their time both ways, and it takes {FEWEST}")]
    TooFew(usize),
    /// More than a tenth of the pairs are no zone, or not that of the others.
    #[error("{odd} of {pairs} files disagree with the others about the zone")]
    Disagree {
        /// How many.
        odd: usize,
        /// Of how many.
        pairs: usize,
    },
    /// Two distances from UTC, and no zone changes between them when these files did.
    #[error("the listing's clock is {0} and {1} minutes ahead, and no known zone is so at these times")]
    NoRule(i32, i32),
}

/// It takes so many pairs that agree.
pub const FEWEST: usize = 3;
/// One pair of so many may be off: its file was written between the two questions.
const ODD: usize = 10;
/// Minutes that zones are multiples of.
const STEP: i64 = 15;
/// The zones nearest to and farthest from the date line, in minutes.
const ZONES: std::ops::RangeInclusive<i64> = -12 * 60..=14 * 60;

/// Of zones with the same rule the one that most people know.
const KNOWN: [&str; 22] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Helsinki",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Halifax",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Mexico_City",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Australia/Sydney",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Africa/Cairo",
];

/// The zone of the clock that showed these times.
#[must_use]
pub fn learn(pairs: &[Pair]) -> Learned {
    let mut found: BTreeMap<i64, Vec<Pair>> = BTreeMap::new();
    for pair in pairs {
        if let Some(ahead) = ahead(pair) {
            found.entry(ahead).or_default().push(*pair);
        }
    }
    let clean: usize = found.values().map(Vec::len).sum();
    if clean < FEWEST {
        return Learned::Doubt(Unclear::TooFew(clean));
    }
    let mut groups: Vec<_> = found.into_iter().collect();
    groups.sort_by_key(|(ahead, of)| (std::cmp::Reverse(of.len()), *ahead));
    let is_most = |said: usize| (pairs.len() - said) * ODD <= pairs.len();
    if let Some(zone) = seasons(&groups, is_most) {
        return zone;
    }
    match groups.as_slice() {
        [(ahead, of), ..] if is_most(of.len()) => fixed(*ahead, of),
        [(one, of_one), (other, of_other), ..] if is_season(*one, *other) && is_most(of_one.len() + of_other.len()) => {
            Learned::Doubt(Unclear::NoRule(minutes(*one.min(other)), minutes(*one.max(other))))
        }
        groups => {
            let odd = pairs.len() - groups.first().map_or(0, |(_, of)| of.len());
            Learned::Doubt(Unclear::Disagree { odd, pairs: pairs.len() })
        }
    }
}

const fn is_season(one: i64, other: i64) -> bool {
    matches!((one - other).abs(), 30 | 60)
}

/// Two distances as of winter and summer, each told by more than one pair, where a zone is so at those times.
fn seasons(groups: &[(i64, Vec<Pair>)], is_most: impl Fn(usize) -> bool) -> Option<Learned> {
    let [(one, of_one), (other, of_other), ..] = groups else { return None };
    let both = [of_one.as_slice(), of_other].concat();
    if !is_season(*one, *other) || of_other.len() < 2 || !is_most(both.len()) {
        return None;
    }
    rule(&both).map(|zone| Learned::Zone { zone, pairs: both.len(), whole_year: true })
}

/// How far the clock is ahead of UTC by this pair, in minutes; `None` when that is no zone. Listings cut seconds off, or
/// round them.
fn ahead(pair: &Pair) -> Option<i64> {
    let listed = TimeZone::UTC.to_timestamp(pair.face).ok()?.as_second().div_euclid(60);
    let apart = listed - pair.exact.as_second().div_euclid(60);
    let steps = (apart + STEP / 2).div_euclid(STEP) * STEP;
    ((apart - steps).abs() <= 1 && ZONES.contains(&steps)).then_some(steps)
}

fn fixed(ahead: i64, pairs: &[Pair]) -> Learned {
    let is_in = |months: [i8; 3]| pairs.iter().any(|pair| months.contains(&pair.face.month()));
    let whole_year = is_in([12, 1, 2]) && is_in([6, 7, 8]);
    let zone = ServerZone::minutes(minutes(ahead)).unwrap_or_default();
    Learned::Zone { zone, pairs: pairs.len(), whole_year }
}

/// A zone whose clock showed all of these.
fn rule(pairs: &[Pair]) -> Option<ServerZone> {
    let shows = |zone: &ServerZone| {
        pairs.iter().all(|pair| {
            let face = zone.face(pair.exact);
            let apart = face.duration_until(pair.face).as_secs();
            (-60..=60).contains(&apart)
        })
    };
    let known = KNOWN.iter().map(|name| (*name).to_owned());
    let all = jiff::tz::db().available().map(|name| name.to_string());
    known.chain(all).filter_map(|name| name.parse::<ServerZone>().ok()).find(shows)
}

fn minutes(ahead: i64) -> i32 {
    i32::try_from(ahead).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a clock of `zone` listed for these instants: seconds cut off.
    fn listed(zone: &str, instants: &[&str]) -> Vec<Pair> {
        let zone: ServerZone = zone.parse().unwrap();
        let pair = |text: &&str| {
            let exact: Timestamp = text.parse().unwrap();
            let face = zone.face(exact).with().second(0).subsec_nanosecond(0).build().unwrap();
            Pair { face, exact }
        };
        instants.iter().map(pair).collect()
    }

    const YEAR: [&str; 6] = [
        "2026-01-15T10:11:12Z",
        "2026-02-20T23:59:59Z",
        "2026-03-29T00:59:30Z",
        "2026-07-01T12:00:00Z",
        "2026-08-31T22:30:00Z",
        "2026-10-25T01:30:00Z",
    ];

    #[test]
    fn zones_and_their_summers() {
        for (zone, learned) in [
            ("UTC", "UTC"),
            ("Europe/Berlin", "Europe/Berlin"),
            ("Europe/Vienna", "Europe/Berlin"),
            ("America/New_York", "America/New_York"),
            ("Australia/Lord_Howe", "Australia/Lord_Howe"),
            ("America/Sao_Paulo", "-180"),
            ("Asia/Kathmandu", "345"),
            ("Asia/Kolkata", "330"),
            ("Pacific/Chatham", "Pacific/Chatham"),
            ("Pacific/Kiritimati", "840"),
        ] {
            let Learned::Zone { zone: found, pairs: 6, whole_year: true } = learn(&listed(zone, &YEAR)) else {
                panic!("{zone}: {:?}", learn(&listed(zone, &YEAR)))
            };
            assert_eq!(found.to_string(), learned, "{zone}");
        }
    }

    #[test]
    fn one_season_tells_nothing_of_the_other() {
        let winter = learn(&listed("Europe/Berlin", &YEAR[..3]));
        assert_eq!(winter, Learned::Zone { zone: ServerZone::minutes(60).unwrap(), pairs: 3, whole_year: false });
    }

    #[test]
    fn doubts_are_named() {
        assert_eq!(learn(&[]), Learned::Doubt(Unclear::TooFew(0)));
        assert_eq!(learn(&listed("Europe/Berlin", &YEAR[..2])), Learned::Doubt(Unclear::TooFew(2)));
        // Seven minutes off is no zone; so the others are too few.
        let mut off = listed("Europe/Berlin", &YEAR[..4]);
        off[0].face = "2026-01-15T11:18:00".parse().unwrap();
        off[1].face = "2026-02-21T01:06:00".parse().unwrap();
        assert_eq!(learn(&off), Learned::Doubt(Unclear::TooFew(2)));
        // Three zones at once.
        let many = [listed("60", &YEAR), listed("300", &YEAR), listed("-300", &YEAR)].concat();
        assert_eq!(learn(&many), Learned::Doubt(Unclear::Disagree { odd: 12, pairs: 18 }));
        // Summer time in winter.
        let no_rule = [listed("60", &YEAR[..3]), listed("120", &YEAR[..3])].concat();
        assert_eq!(learn(&no_rule), Learned::Doubt(Unclear::NoRule(60, 120)));
    }

    #[test]
    fn a_file_that_was_written_in_between_and_rounded_minutes_spoil_nothing() {
        let mut pairs = [listed("Europe/Berlin", &YEAR), listed("Europe/Berlin", &YEAR)].concat();
        pairs[0].exact = "2026-01-16T00:00:00Z".parse().unwrap();
        let Learned::Zone { zone, pairs: 11, .. } = learn(&pairs) else { panic!("{:?}", learn(&pairs)) };
        assert_eq!(zone.to_string(), "Europe/Berlin");
        let mut rounded = listed("60", &YEAR);
        rounded[1].face = "2026-02-21T01:00:00".parse().unwrap();
        assert!(matches!(learn(&rounded), Learned::Zone { pairs: 6, .. }));
    }
}
