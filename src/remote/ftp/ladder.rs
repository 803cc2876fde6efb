//! How far the commands of an endpoint may run ahead of its replies.
//!
//! Every rung is won by a probe that cannot harm, and lost for good at the first surprise: what a server does with a
//! command that comes early is nowhere written down. On the lowest rung every command waits for its reply, as RFC 959
//! has it; everything works there, more slowly.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use super::features::Features;

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
}

/// Servers that run commands and transfers side by side: a command that comes early meets a transfer that runs.
/// pyftpdlib's EPSV ends it.
const ASYNCHRONOUS: [&str; 5] = ["pyftpd", "twisted", "aioftp", "ftpserverlib", "libunftp"];

/// Where an endpoint stands.
#[derive(Debug)]
pub struct Ladder {
    rung: AtomicU8,
    /// The lowest rung that was lost; it is not climbed again.
    ceiling: AtomicU8,
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
        Self { rung, ceiling, chained: AtomicU32::new(0), probing: AtomicBool::new(false) }
    }
}

impl Ladder {
    /// Where we stand now.
    #[must_use]
    pub fn rung(&self) -> Rung {
        Rung::ALL.get(usize::from(self.rung.load(Ordering::Relaxed))).copied().unwrap_or(Rung::OneByOne)
    }

    /// Was no batch tried yet?
    #[must_use]
    pub fn is_untried(&self) -> bool {
        self.rung() == Rung::OneByOne && self.ceiling.load(Ordering::Relaxed) == u8::MAX
    }

    /// A batch was answered in order: further up, as far as `greeting` and `features` speak for it.
    pub fn won(&self, greeting: &str, features: Features) {
        let shy = {
            let greeting = greeting.to_ascii_lowercase();
            ASYNCHRONOUS.iter().any(|name| greeting.contains(name)) || !features.known
        };
        self.climb(if shy { Rung::Batches } else { Rung::Chains });
    }

    /// `rung` surprised us: never again.
    pub fn lost(&self, rung: Rung, endpoint: &impl std::fmt::Display, why: &str) {
        let below = (rung as u8).saturating_sub(1);
        self.ceiling.fetch_min(below, Ordering::Relaxed);
        let before = self.rung.fetch_min(below, Ordering::Relaxed);
        if before > below {
            tracing::info!(endpoint = %endpoint, why, "back to {}", self.rung().word());
        }
    }

    /// Was `rung` lost?
    #[must_use]
    pub fn is_lost(&self, rung: Rung) -> bool {
        self.ceiling.load(Ordering::Relaxed) < rung as u8
    }

    /// A small file came by a chain.
    pub fn chained(&self) {
        self.chained.fetch_add(1, Ordering::Relaxed);
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
        ladder.lost(Rung::Chains, &"here", "a surprise");
        ladder.won("(vsFTPd 3.0.3)", known);
        assert_eq!(ladder.rung(), Rung::Batches);
        ladder.lost(Rung::Batches, &"here", "another");
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
}
