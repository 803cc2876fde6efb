//! The flow table: what the link remembers of each TCP connection, and what its rules do to it.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use crate::packet::{FIN, RST, Segment};
use crate::random::Random;
use crate::rule::{Answer, Class, Effect, Rule, Side};
use crate::tally::Flows;

/// More rules than a flow has bits to remember which have hit it.
const RULES_AT_MOST: usize = 64;
/// Flows that ended are forgotten so long after: their last packets are still on the way.
const LINGER: Duration = Duration::from_secs(2);
/// Flows that did not end are forgotten when nothing was seen of them for so long. Those that a fault cut too: they
/// must stay cut while an end still tries.
const FORGET: Duration = Duration::from_secs(600);

/// Both ends of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Key {
    client: SocketAddrV4,
    server: SocketAddrV4,
}

impl Key {
    fn of(from: Side, segment: &Segment) -> Self {
        match from {
            Side::Client => Self { client: segment.source, server: segment.target },
            Side::Server => Self { client: segment.target, server: segment.source },
        }
    }
}

/// How far a flow has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    /// Only its opening was seen.
    Opening,
    /// Answered.
    Established,
    /// To be reset at its next packet, whose sequence numbers are known to be right.
    Doomed,
    /// Ended by its ends.
    Closed,
    /// Ended by the link: nothing passes any more.
    Cut,
}

#[derive(Debug)]
struct Flow {
    control: bool,
    /// Where its opening went to.
    port: u16,
    life: Life,
    seen: Instant,
    /// Payload both ways.
    bytes: u64,
    /// Which sides have sent their FIN.
    finished: [bool; 2],
    /// Which rules have hit it, one bit each.
    hit: u64,
}

impl Flow {
    fn is_over(&self) -> bool {
        matches!(self.life, Life::Closed | Life::Cut)
    }

    /// Takes note of a packet. Says how long the flow was idle before it.
    fn note(&mut self, now: Instant, from: Side, segment: &Segment, tally: &mut Flows) -> Duration {
        let idle = now.saturating_duration_since(self.seen);
        self.seen = now;
        self.bytes += u64::from(segment.payload);
        tally.bytes += u64::from(segment.payload);
        if self.life == Life::Opening && !segment.opens() {
            self.life = Life::Established;
        }
        if segment.has(FIN) {
            let [client, server] = &mut self.finished;
            *(if from == Side::Client { client } else { server }) = true;
        }
        if !self.is_over() && (segment.has(RST) || self.finished == [true, true]) {
            self.life = Life::Closed;
            tally.close();
            tally.reset_by_end += u64::from(segment.has(RST));
        }
        idle
    }

    fn cut(&mut self, tally: &mut Flows, by_reset: bool) {
        if !self.is_over() {
            tally.close();
        }
        self.life = Life::Cut;
        tally.reset_by_link += u64::from(by_reset);
    }
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on its way.
    Pass,
    /// It is swallowed.
    Drop,
    /// It is swallowed, and these are sent: to its receiver, and back to its sender.
    Reset {
        /// Behind the packets that are on the link already: TCP ignores a reset out of order (RFC 5961, section 3.2).
        forward: Option<Vec<u8>>,
        /// At once.
        back: Vec<u8>,
    },
}

impl Verdict {
    fn both_ends(segment: &Segment) -> Self {
        Self::Reset { forward: Some(segment.reset_forward()), back: segment.reset_back() }
    }

    fn answer(segment: &Segment, answer: Answer) -> Self {
        match answer {
            Answer::Silence => Self::Drop,
            Answer::Reset => Self::Reset { forward: None, back: segment.reset_back() },
        }
    }
}

/// All flows and all rules.
#[derive(Debug)]
pub struct Table {
    flows: HashMap<Key, Flow>,
    rules: Vec<Rule>,
    control_ports: Vec<u16>,
    random: Random,
    /// Flows to the control ports.
    pub control: Flows,
    /// All other.
    pub data: Flows,
}

impl Table {
    /// An empty table; `random` chooses which flow a clocked reset hits.
    pub fn new(control_ports: Vec<u16>, random: Random) -> Self {
        let (control, data) = (Flows::default(), Flows::default());
        Self { flows: HashMap::new(), rules: Vec::new(), control_ports, random, control, data }
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// There are too many.
    pub fn add(&mut self, rule: Rule) -> Result<(), String> {
        if self.rules.len() == RULES_AT_MOST {
            return Err(format!("there are {RULES_AT_MOST} faults already: clear them first"));
        }
        self.rules.push(rule);
        Ok(())
    }

    /// Removes all rules. What they cut stays cut; bits of their hits are forgotten.
    pub fn clear(&mut self) {
        self.rules.clear();
        for flow in self.flows.values_mut() {
            flow.hit = 0;
        }
    }

    /// How many flows each rule has hit, in the order in which they were added.
    pub fn hits(&self) -> impl Iterator<Item = u64> {
        self.rules.iter().map(|rule| rule.hits)
    }

    /// Decides about one packet.
    pub fn judge(&mut self, now: Instant, from: Side, packet: &[u8]) -> Verdict {
        let Some(segment) = Segment::parse(packet) else { return self.judge_foreign(now, from, packet.len()) };
        let key = Key::of(from, &segment);
        if segment.opens() && self.flows.get(&key).is_none_or(Flow::is_over) {
            let control = from == Side::Client && self.control_ports.contains(&segment.target.port());
            if let Some(refusal) = self.judge_opening(now, from, control, &segment) {
                return refusal;
            }
            self.open(now, key, control, segment.target.port());
        }
        self.judge_known(now, from, key, &segment, packet.len())
    }

    /// What is no TCP belongs to no flow: only rules about everything can mean it.
    fn judge_foreign(&self, now: Instant, from: Side, length: usize) -> Verdict {
        let swallowed = self.rules.iter().any(|rule| {
            let meant = rule.class == Class::Any && rule.is_active(now, from) && rule.after == 0 && rule.left.is_none();
            meant && swallows(rule.effect, length)
        });
        if swallowed { Verdict::Drop } else { Verdict::Pass }
    }

    fn judge_opening(&mut self, now: Instant, from: Side, control: bool, segment: &Segment) -> Option<Verdict> {
        let (live_control, live_data) = (self.control.live, self.data.live);
        for rule in &mut self.rules {
            if !rule.class.covers(control, segment.target.port()) || !rule.is_active(now, from) || !rule.has_left() {
                continue;
            }
            let live = match rule.class {
                Class::Control => live_control,
                Class::Data => live_data,
                Class::Any | Class::Port(_) => live_control + live_data,
            };
            let answer = match rule.effect {
                Effect::Refuse => Answer::Reset,
                Effect::Limit(most, answer) if live >= most => answer,
                _ => continue,
            };
            rule.hit();
            return Some(Verdict::answer(segment, answer));
        }
        None
    }

    fn open(&mut self, now: Instant, key: Key, control: bool, port: u16) {
        // One that is replaced is over: it was taken out of the tally when it ended.
        let flow = Flow { control, port, life: Life::Opening, seen: now, bytes: 0, finished: [false; 2], hit: 0 };
        self.flows.insert(key, flow);
        if control { &mut self.control } else { &mut self.data }.open();
    }

    fn judge_known(&mut self, now: Instant, from: Side, key: Key, segment: &Segment, length: usize) -> Verdict {
        // Not known: older than the link, or forgotten since.
        let Some(flow) = self.flows.get_mut(&key) else { return Verdict::Pass };
        let tally = if flow.control { &mut self.control } else { &mut self.data };
        let idle = flow.note(now, from, segment, tally);
        match flow.life {
            Life::Cut => return Verdict::Drop,
            Life::Doomed => {
                flow.cut(tally, true);
                return Verdict::both_ends(segment);
            }
            Life::Opening | Life::Established | Life::Closed => {}
        }
        for (number, rule) in self.rules.iter_mut().enumerate() {
            let bit = 1 << number;
            let is_hit = flow.hit & bit != 0;
            let meant = rule.is_active(now, from) && rule.class.covers(flow.control, flow.port);
            if !meant || flow.bytes < rule.after || !(is_hit || rule.has_left()) {
                continue;
            }
            let verdict = match rule.effect {
                Effect::Reset if rule.every.is_none() && flow.life == Life::Established => Verdict::both_ends(segment),
                Effect::Idle(longest, answer) if idle > longest && !flow.is_over() => Verdict::answer(segment, answer),
                effect if swallows(effect, length) => Verdict::Drop,
                _ => continue,
            };
            if !is_hit {
                flow.hit |= bit;
                rule.hit();
            }
            if matches!(rule.effect, Effect::Reset | Effect::Idle(..)) {
                flow.cut(tally, matches!(verdict, Verdict::Reset { .. }));
            }
            return verdict;
        }
        Verdict::Pass
    }

    /// Dooms one flow for each clocked reset that has come due.
    pub fn doom(&mut self, now: Instant) {
        for rule in &mut self.rules {
            let Some(period) = rule.every.filter(|_| rule.is_on(now) && rule.has_left() && now >= rule.next) else {
                continue;
            };
            let is_meant = |flow: &Flow| {
                flow.life == Life::Established && flow.bytes >= rule.after && rule.class.covers(flow.control, flow.port)
            };
            let mut keys: Vec<Key> =
                self.flows.iter().filter(|(_, flow)| is_meant(flow)).map(|(key, _)| *key).collect();
            // The order of a hash table changes from run to run; the seed alone is to decide.
            keys.sort_unstable();
            let picked = keys.get(self.random.pick(keys.len())).and_then(|key| self.flows.get_mut(key));
            // Nobody there: looked again soon, so that resets are not lost between two connections.
            rule.next = now + if picked.is_some() { period } else { period / 8 };
            if let Some(flow) = picked {
                flow.life = Life::Doomed;
                rule.hit();
            }
        }
    }

    /// When [`Table::doom`] has something to do next.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let clocked = |rule: &&Rule| rule.every.is_some() && rule.has_left() && rule.is_on(now);
        self.rules.iter().filter(clocked).map(|rule| rule.next).min()
    }

    /// Forgets flows that nothing is to be heard of any more.
    pub fn sweep(&mut self, now: Instant) {
        let (control, data) = (&mut self.control, &mut self.data);
        self.flows.retain(|_, flow| {
            let patience = if flow.life == Life::Closed { LINGER } else { FORGET };
            let keep = now.saturating_duration_since(flow.seen) <= patience;
            if !keep && !flow.is_over() {
                if flow.control { &mut *control } else { &mut *data }.close();
            }
            keep
        });
    }
}

/// Is a packet of this length swallowed without an answer?
fn swallows(effect: Effect, length: usize) -> bool {
    match effect {
        Effect::Drop => true,
        Effect::MaxLen(most) => length > most,
        Effect::Reset | Effect::Refuse | Effect::Idle(..) | Effect::Limit(..) => false,
    }
}

#[cfg(test)]
mod tests;
