//! Fault rules: what is done to which flows, when, and how often.

use std::time::{Duration, Instant};

use crate::shape::{number, whole};

/// The longest time that can be asked for: a day.
const LONGEST: f64 = 86_400.0;
/// The largest number of bytes or flows that can be asked for.
const MOST: f64 = 1e12;

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Namespace `LAB-c`.
    Client,
    /// Namespace `LAB-s`.
    Server,
}

impl Side {
    /// Both, in the order of everything that is kept per side.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];
}

/// Which flows a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// All, and what is not TCP.
    Any,
    /// To one of the control ports.
    Control,
    /// All other.
    Data,
    /// To this port.
    Port(u16),
}

impl Class {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "any" => Ok(Self::Any),
            "ctl" => Ok(Self::Control),
            "data" => Ok(Self::Data),
            port => port.parse().map(Self::Port).map_err(|_| format!("{port}: want any, ctl, data or a port")),
        }
    }

    /// Is a flow to `port` meant?
    pub fn covers(self, control: bool, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Control => control,
            Self::Data => !control,
            Self::Port(this) => this == port,
        }
    }
}

/// How a packet that is not let through is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Not at all.
    Silence,
    /// With a reset to its sender.
    Reset,
}

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Both ends get a reset, and nothing passes on that flow any more.
    Reset,
    /// Packets are swallowed.
    Drop,
    /// New flows are answered with a reset.
    Refuse,
    /// Packets longer than this are swallowed, and nobody is told: a path-MTU black hole.
    MaxLen(usize),
    /// A NAT: flows that were idle for longer are forgotten.
    Idle(Duration, Answer),
    /// At most so many flows at once.
    Limit(u64, Answer),
}

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which flows.
    pub class: Class,
    /// What happens to them.
    pub effect: Effect,
    /// Payload bytes that a flow must have carried before.
    pub after: u64,
    /// How many flows may still be hit; `None`: any number.
    pub left: Option<u64>,
    /// Only what comes from this end.
    pub from: Option<Side>,
    /// [`Effect::Reset`] only: one live flow by chance at this period, instead of each as it comes.
    pub every: Option<Duration>,
    /// When the rule ends.
    pub until: Option<Instant>,
    /// When the period is over.
    pub next: Instant,
    /// How many flows were hit.
    pub hits: u64,
}

impl Rule {
    /// A rule without conditions.
    pub fn new(class: Class, effect: Effect, now: Instant) -> Self {
        Self { class, effect, after: 0, left: None, from: None, every: None, until: None, next: now, hits: 0 }
    }

    /// Reads `KIND CLASS [KEY=VALUE]...`.
    ///
    /// # Errors
    /// A sentence that says which word is wrong.
    pub fn parse(words: &[&str], now: Instant) -> Result<Self, String> {
        let [kind, class, options @ ..] = words else { return Err("want: fault KIND CLASS [key=value]...".into()) };
        let mut rule = Self::new(Class::parse(class)?, Effect::Drop, now);
        let mut sizes = Sizes::default();
        for word in options {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("{word}: want key=value"))?;
            if !sizes.set(key, word, value)? && !rule.set(key, word, value, now)? {
                return Err(format!("{key}: unknown"));
            }
        }
        rule.effect = sizes.effect(kind)?;
        if rule.every.is_some() && rule.effect != Effect::Reset {
            return Err("every: only resets come by the clock".into());
        }
        Ok(rule)
    }

    fn set(&mut self, key: &str, word: &str, value: &str, now: Instant) -> Result<bool, String> {
        match key {
            "after" => self.after = whole(number(word, value, MOST)?),
            "count" => self.left = Some(whole(number(word, value, MOST)?)),
            "for" => self.until = Some(now + seconds(word, value)?),
            "every" => {
                let period = seconds(word, value)?;
                (self.every, self.next) = (Some(period), now + period);
            }
            "from" => {
                self.from = Some(match value {
                    "c" => Side::Client,
                    "s" => Side::Server,
                    _ => return Err(format!("{word}: want c or s")),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Is it about what comes from this end now?
    pub fn is_active(&self, now: Instant, from: Side) -> bool {
        self.is_on(now) && self.from.is_none_or(|side| side == from)
    }

    /// Has it not ended?
    pub fn is_on(&self, now: Instant) -> bool {
        self.until.is_none_or(|end| now < end)
    }

    /// May it hit one more flow?
    pub fn has_left(&self) -> bool {
        self.left != Some(0)
    }

    /// One more flow was hit.
    pub fn hit(&mut self) {
        self.hits += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}

fn seconds(word: &str, value: &str) -> Result<Duration, String> {
    Ok(Duration::from_secs_f64(number(word, value, LONGEST)?))
}

/// The numbers that belong to one kind of fault.
#[derive(Default)]
struct Sizes {
    size: Option<usize>,
    secs: Option<Duration>,
    max: Option<u64>,
    action: Option<Answer>,
}

impl Sizes {
    fn set(&mut self, key: &str, word: &str, value: &str) -> Result<bool, String> {
        match key {
            "size" => self.size = usize::try_from(whole(number(word, value, 65_535.0)?)).ok(),
            "secs" => self.secs = Some(seconds(word, value)?),
            "max" => self.max = Some(whole(number(word, value, MOST)?)),
            "action" => {
                self.action = Some(match value {
                    "rst" => Answer::Reset,
                    "drop" => Answer::Silence,
                    _ => return Err(format!("{word}: want rst or drop")),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn effect(&self, kind: &str) -> Result<Effect, String> {
        let answer = self.action.unwrap_or(Answer::Silence);
        match kind {
            "rst" => Ok(Effect::Reset),
            "drop" => Ok(Effect::Drop),
            "refuse" => Ok(Effect::Refuse),
            "maxlen" => Ok(Effect::MaxLen(self.size.ok_or("maxlen wants size=BYTES")?)),
            "idle" => Ok(Effect::Idle(self.secs.ok_or("idle wants secs=SECONDS")?, answer)),
            "limit" => Ok(Effect::Limit(self.max.ok_or("limit wants max=FLOWS")?, answer)),
            kind => Err(format!("{kind}: want rst, drop, refuse, maxlen, idle or limit")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Rule, String> {
        Rule::parse(&text.split(' ').collect::<Vec<_>>(), Instant::now())
    }

    #[test]
    fn rules_are_read() {
        let rule = parse("rst data after=20000 count=5").unwrap();
        assert_eq!((rule.class, rule.effect), (Class::Data, Effect::Reset));
        assert_eq!((rule.after, rule.left, rule.every), (20_000, Some(5), None));
        let rule = parse("idle ctl secs=30 action=rst").unwrap();
        assert_eq!(rule.effect, Effect::Idle(Duration::from_secs(30), Answer::Reset));
        let rule = parse("limit 2121 max=4").unwrap();
        assert_eq!((rule.class, rule.effect), (Class::Port(2121), Effect::Limit(4, Answer::Silence)));
        let rule = parse("drop any from=s for=8").unwrap();
        assert!(rule.is_active(rule.next, Side::Server) && !rule.is_active(rule.next, Side::Client));
        assert!(!rule.is_active(rule.next + Duration::from_secs(8), Side::Server));
    }

    #[test]
    fn wrong_rules_say_what_is_wrong() {
        for (text, said) in [
            ("idle ctl", "secs="),
            ("maxlen any", "size="),
            ("limit ctl", "max="),
            ("rst nope", "nope"),
            ("rst", "KIND"),
            ("melt any", "melt"),
            ("rst any colour=1", "colour"),
            ("rst any from=x", "from=x"),
            ("rst any after=-1", "after=-1"),
            ("drop any every=1", "every"),
            ("idle any secs=1 action=laugh", "action=laugh"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
