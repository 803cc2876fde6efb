//! How far the commands of an endpoint may run ahead of its replies.
//!
//! Every rung is won by a probe that cannot harm, and lost at the first surprise: what a server does with a command that
//! comes early is nowhere written down. On the lowest rung every command waits for its reply, as RFC 959 has it;
//! everything works there, more slowly.
//!
//! A run begins where earlier ones ended; see [`Ladder::begin`] for what that spares it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use super::features::Features;
use crate::manners::Manner;

/// How commands are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// One by one.
    OneByOne,
    /// Commands that need no data connection fly together, and the commands after a transfer are sent when its data
    /// has ended.
    Batches,
    /// The commands after a small transfer are sent with it.
    Chains,
    /// The server connects to us for small files, and the next is asked for when the bytes of the last have ended.
    Active,
}

impl Rung {
    const ALL: [Self; 4] = [Self::OneByOne, Self::Batches, Self::Chains, Self::Active];

    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OneByOne => "one command at a time",
            Self::Batches => "commands in batches",
            Self::Chains => "commands in batches, with the next data port asked for ahead",
            Self::Active => "all about a small file in one batch, over connections that the server opens",
        }
    }

    /// What the server bears on it, beside what it bears below; on the lowest rung it bears nothing.
    #[must_use]
    pub const fn manner(self) -> Option<Manner> {
        match self {
            Self::OneByOne => None,
            Self::Batches => Some(Manner::Batches),
            Self::Chains => Some(Manner::Chains),
            Self::Active => Some(Manner::Active),
        }
    }
}

/// Servers that run commands and transfers side by side: a command that comes early meets a transfer that runs.
/// pyftpdlib's EPSV ends it.
const ASYNCHRONOUS: [&str; 5] = ["pyftpd", "twisted", "aioftp", "ftpserverlib", "libunftp"];

/// Where an endpoint stands.
#[derive(Debug)]
pub struct Ladder {
    rung: AtomicU8,
    /// The highest rung that was not lost: nothing above it is climbed.
    ceiling: AtomicU8,
    /// How often something was lost that was not lost before.
    falls: AtomicU32,
    /// Small files that came by a chain.
    chained: AtomicU32,
    /// A session tries the highest rung.
    probing: AtomicBool,
}

/// So many small files come by chains before anything else is tried.
const PROVEN: u32 = 16;

impl Default for Ladder {
    fn default() -> Self {
        let (rung, ceiling) = (AtomicU8::new(0), AtomicU8::new(u8::MAX));
        let (falls, chained) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { rung, ceiling, falls, chained, probing: AtomicBool::new(false) }
    }
}

impl Ladder {
    /// Begins anew with what is known of the server: nothing above the lowest rung that it lost is tried, and what it won
    /// is used without a probe. Every use is watched as ever, and the first surprise leads down:
    ///
    /// - Batches: the first questions fly together, and their answers must come in order. That is the probe itself, less
    ///   the one question that was asked for its sake alone.
    /// - Chains: a small file that came by one is looked at before and after, as ever; what is spared is to wait for some
    ///   of them before the next rung.
    /// - Active: one file of one session still goes ahead, within the short deadline of the probe: our own address, or a
    ///   firewall between, may be another today, and all sessions would wait for it. It costs nothing where it works.
    pub fn begin(&self, bears: impl Fn(Manner) -> Option<bool>) {
        let says = |rung: &Rung, borne| rung.manner().is_some_and(|manner| bears(manner) == Some(borne));
        let lost = Rung::ALL.iter().find(|rung| says(rung, false));
        let won = [Rung::Chains, Rung::Active].iter().any(|rung| says(rung, true));
        self.ceiling.store(lost.map_or(u8::MAX, |rung| (*rung as u8).saturating_sub(1)), Ordering::Relaxed);
        self.chained.store(if won { PROVEN } else { 0 }, Ordering::Relaxed);
        self.rung.store(Rung::OneByOne as u8, Ordering::Relaxed);
        if says(&Rung::Batches, true) {
            self.climb(Rung::Batches);
        }
    }

    /// Where we stand now.
    #[must_use]
    pub fn rung(&self) -> Rung {
        Rung::ALL.get(usize::from(self.rung.load(Ordering::Relaxed))).copied().unwrap_or(Rung::OneByOne)
    }

    /// Was no batch tried yet?
    #[must_use]
    pub fn is_untried(&self) -> bool {
        self.rung() == Rung::OneByOne && !self.is_lost(Rung::Batches)
    }

    /// A batch was answered in order.
    pub fn won_batches(&self) {
        self.climb(Rung::Batches);
    }

    /// Batches are answered in order: further up, as far as `greeting` and `features` speak for it.
    pub fn won(&self, greeting: &str, features: Features) {
        let shy = {
            let greeting = greeting.to_ascii_lowercase();
            ASYNCHRONOUS.iter().any(|name| greeting.contains(name)) || !features.known
        };
        self.climb(if shy { Rung::Batches } else { Rung::Chains });
    }

    /// `rung` surprised us: not again in this run. False: it was lost before.
    pub fn lost(&self, rung: Rung) -> bool {
        let below = (rung as u8).saturating_sub(1);
        let news = self.ceiling.fetch_min(below, Ordering::Relaxed) > below;
        self.rung.fetch_min(below, Ordering::Relaxed);
        if news {
            self.fell();
        }
        news
    }

    /// Something was lost, be it a rung or not: whoever was on it may try once more, further down.
    pub fn fell(&self) {
        self.falls.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was.
    pub fn falls(&self) -> u32 {
        self.falls.load(Ordering::Relaxed)
    }

    /// Was `rung` lost?
    #[must_use]
    pub fn is_lost(&self, rung: Rung) -> bool {
        self.ceiling.load(Ordering::Relaxed) < rung as u8
    }

    /// A small file came by a chain. True: with it chains have proven themselves.
    pub fn chained(&self) -> bool {
        self.chained.fetch_add(1, Ordering::Relaxed) + 1 == PROVEN
    }

    /// May this session try whether the server can connect to us? One at a time: whoever hears true says how it ended.
    pub fn may_probe_active(&self) -> bool {
        let open = self.ceiling.load(Ordering::Relaxed) >= Rung::Active as u8;
        open && self.chained.load(Ordering::Relaxed) >= PROVEN && !self.probing.swap(true, Ordering::Relaxed)
    }

    /// It can.
    pub fn won_active(&self) {
        self.climb(Rung::Active);
    }

    /// The probe ended without an answer to that, or with a no that was [`lost`](Self::lost).
    pub fn probe_again(&self) {
        self.probing.store(false, Ordering::Relaxed);
    }

    fn climb(&self, rung: Rung) {
        let allowed = (rung as u8).min(self.ceiling.load(Ordering::Relaxed));
        self.rung.fetch_max(allowed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_not_climbed_again() {
        let known = Features { known: true, ..Features::default() };
        let ladder = Ladder::default();
        assert_eq!(ladder.rung(), Rung::OneByOne);
        ladder.won("(vsFTPd 3.0.3)", known);
        assert_eq!(ladder.rung(), Rung::Chains);
        assert!(ladder.lost(Rung::Chains) && !ladder.lost(Rung::Chains) && ladder.falls() == 1);
        ladder.won("(vsFTPd 3.0.3)", known);
        assert_eq!(ladder.rung(), Rung::Batches);
        assert!(ladder.lost(Rung::Batches));
        ladder.won("(vsFTPd 3.0.3)", known);
        assert_eq!(ladder.rung(), Rung::OneByOne);
    }

    #[test]
    fn servers_that_do_two_things_at_once_get_no_chains() {
        let known = Features { known: true, ..Features::default() };
        for (greeting, features) in [("pyftpdlib 2.2.0 ready.", known), ("ready", Features::default())] {
            let ladder = Ladder::default();
            ladder.won(greeting, features);
            assert_eq!(ladder.rung(), Rung::Batches, "{greeting}");
        }
    }

    #[test]
    fn a_run_begins_where_earlier_ones_ended() {
        let known = Features { known: true, ..Features::default() };
        let begun = |findings: &[(Manner, bool)]| {
            let ladder = Ladder::default();
            ladder.begin(|manner| findings.iter().find(|(of, _)| *of == manner).map(|(_, borne)| *borne));
            ladder
        };
        assert!(begun(&[]).is_untried());
        let ladder = begun(&[(Manner::Batches, true)]);
        assert!(ladder.rung() == Rung::Batches && !ladder.is_untried());
        ladder.won("(vsFTPd 3.0.3)", known);
        assert!(ladder.rung() == Rung::Chains && !ladder.may_probe_active(), "chains have to prove themselves");
        let ladder = begun(&[(Manner::Batches, true), (Manner::Chains, true)]);
        assert!(ladder.may_probe_active());
        let ladder = begun(&[(Manner::Batches, true), (Manner::Chains, false)]);
        ladder.won("(vsFTPd 3.0.3)", known);
        assert_eq!(ladder.rung(), Rung::Batches);
        let ladder = begun(&[(Manner::Batches, false)]);
        assert!(ladder.rung() == Rung::OneByOne && !ladder.is_untried(), "not tried again");
        assert!(begun(&[(Manner::Chains, false)]).is_untried(), "the time of that loss is over");
    }
}
