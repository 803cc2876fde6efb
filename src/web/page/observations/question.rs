//! Which observations are asked for, as an address says it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::model::{FaultKind, Phase};
use crate::reliability::basis::{Ending, Filter, Place, Traced};
use crate::reliability::{FAMILIES, Party, STATISTICS, Statistic, Window};
use crate::web::page::reliability::{Wanted, instant, part};

/// The size classes, as [`crate::reliability::rollup::CLASSES`] has them.
const SIZES: [(&str, &str); 4] =
    [("0", "below 64 KiB"), ("1", "64 KiB to 1 MiB"), ("2", "1 to 16 MiB"), ("3", "16 MiB and more")];

/// The question. What cannot be read is as if it were not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Question {
    pub statistic: String,
    pub family: String,
    pub role: String,
    pub endpoint: String,
    pub party: String,
    pub phase: String,
    pub outcome: String,
    pub size: String,
    pub round: String,
    pub window: String,
    pub from: String,
    pub to: String,
    /// Where to go on: microseconds since 1970 and the number of an observation.
    pub before: String,
}

/// A choice: word, label, chosen.
pub(in crate::web) type Choice = (&'static str, String, bool);

/// What may be chosen, field by field: name, label, choices.
pub(in crate::web) type Choices = Vec<(&'static str, &'static str, Vec<Choice>)>;

impl Question {
    /// The figure behind which to look.
    pub fn statistic(&self) -> Option<&'static Statistic> {
        STATISTICS.iter().find(|statistic| statistic.key == self.statistic).copied()
    }

    fn party(&self) -> Option<Party> {
        Party::of_word(&self.party)
    }

    fn phase(&self) -> Option<Phase> {
        self.phase.parse().ok()
    }

    fn ended(&self) -> Option<Ending> {
        Ending::of_word(&self.outcome)
    }

    fn size(&self) -> Option<u8> {
        self.size.parse().ok().filter(|size| usize::from(*size) < SIZES.len())
    }

    fn round(&self) -> Option<i64> {
        self.round.parse().ok()
    }

    /// Is more asked for than what a figure rests on?
    pub fn is_narrowed(&self) -> bool {
        self.party().is_some()
            || self.phase().is_some()
            || self.ended().is_some()
            || self.size().is_some()
            || self.round().is_some()
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            window: self.window.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            role: self.role.clone(),
            endpoint: self.endpoint.clone(),
        }
    }

    /// The question to the store.
    pub fn filter(&self, now: Timestamp) -> Filter {
        let window = self.wanted().window(now);
        // A round knows its time.
        let window = match self.round() {
            Some(_) if self.from.is_empty() => Window { from: Timestamp::UNIX_EPOCH, to: now, ..window },
            _ => window,
        };
        Filter {
            basis: self.statistic().map(|statistic| statistic.basis),
            family: FAMILIES.iter().find(|family| **family == self.family).map(|family| (*family).to_owned()),
            party: self.party(),
            phase: self.phase(),
            ended: self.ended(),
            size: self.size(),
            round: self.round(),
            window,
        }
    }

    /// Where to go on.
    pub fn after(&self) -> Option<Place> {
        let (at, id) = self.before.split_once('-')?;
        let at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
        Some(Place { at, id: id.parse().ok()? })
    }

    /// The same question about a fixed window: pages that follow each other show the same.
    pub fn at(mut self, window: &Window) -> Self {
        if self.round().is_none() {
            (self.from, self.to) = (instant(window.from), instant(window.to));
        }
        self
    }

    /// Its address, at the newest.
    pub fn query(&self) -> String {
        let fields = [
            ("statistic", &self.statistic),
            ("family", &self.family),
            ("role", &self.role),
            ("endpoint", &self.endpoint),
            ("party", &self.party),
            ("phase", &self.phase),
            ("outcome", &self.outcome),
            ("size", &self.size),
            ("round", &self.round),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let fields = fields.iter().filter(|(_, value)| !value.is_empty());
        let fields: Vec<_> = fields.map(|(name, value)| format!("{name}={}", part(value))).collect();
        format!("?{}", fields.join("&"))
    }

    /// The address of what is older than this observation.
    pub fn behind(&self, last: &Traced) -> String {
        let place = format!("{}-{}", last.observation.at.as_microsecond(), last.id);
        format!("{}&before={}", self.query(), part(&place))
    }

    /// What may be chosen instead.
    pub fn choices(&self) -> Choices {
        let list = |current: &str, all: Vec<(&'static str, String)>| -> Vec<Choice> {
            all.into_iter().map(|(word, label)| (word, label, word == current)).collect()
        };
        let plain =
            |all: &[(&'static str, &str)]| all.iter().map(|(word, label)| (*word, (*label).to_owned())).collect();
        let statistics = STATISTICS.iter().map(|statistic| (statistic.key, statistic.title.to_owned())).collect();
        let families = FAMILIES.iter().map(|family| (*family, (*family).to_owned())).collect();
        let phases = Phase::ALL.iter().map(|phase| (phase.as_str(), phase.as_str().replace('-', " "))).collect();
        let endings = [Ending::Clean, Ending::Open, Ending::Failed];
        let endings = endings.into_iter().map(|ending| (ending.as_str(), ending.as_str().to_owned()));
        let faults =
            FaultKind::ALL.iter().map(|kind| (kind.as_str(), format!("failed: {}", kind.as_str().replace('-', " "))));
        vec![
            ("statistic", "Behind the figure", list(&self.statistic, statistics)),
            ("family", "Protocol", list(&self.family, families)),
            ("role", "Seen from", list(&self.role, plain(&[("client", "our client"), ("door", "our door")]))),
            ("outcome", "Ended", list(&self.outcome, endings.chain(faults).collect())),
            ("phase", "Failed in phase", list(&self.phase, phases)),
            (
                "party",
                "Ended by",
                list(&self.party, plain(&[("us", "us"), ("them", "the other side"), ("nobody", "nobody")])),
            ),
            ("size", "Size", list(&self.size, plain(&SIZES))),
        ]
    }
}
