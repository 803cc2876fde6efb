//! What the doors refused, by reason, and what the compression of answers was worth, since the start of the process.
//! Counting costs one atomic addition, so it is done where the refusal happens, however many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why something was refused. Every limit of a door has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A connection: the door has as many as it bears.
    House,
    /// A connection: its address has its share.
    Address,
    /// A connection: those who have not logged in have their share.
    Strangers,
    /// A connection: its TLS handshake took too long.
    Handshake,
    /// A connection: nobody logged in over it in time.
    Overstayed,
    /// A connection: more HTTP/2 frames that bring nothing than anybody needs.
    Flood,
    /// A request: its head is too large.
    Head,
    /// A request: its body is too large.
    Body,
    /// A request: its body came too slowly.
    SlowWriter,
    /// An answer: the client did not take it.
    SlowReader,
    /// A request: its address has its share of those that are under way.
    Streams,
    /// A request: its account asked more often than it may.
    Requests,
    /// A request for an archive: as many are made as may be at once.
    Archives,
}

impl Refusal {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 13] = [
        Self::House,
        Self::Address,
        Self::Strangers,
        Self::Handshake,
        Self::Overstayed,
        Self::Flood,
        Self::Head,
        Self::Body,
        Self::SlowWriter,
        Self::SlowReader,
        Self::Streams,
        Self::Requests,
        Self::Archives,
    ];

    /// For programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::House => "connections",
            Self::Address => "connections-per-address",
            Self::Strangers => "strangers",
            Self::Handshake => "handshake",
            Self::Overstayed => "no-login",
            Self::Flood => "flood",
            Self::Head => "head",
            Self::Body => "body",
            Self::SlowWriter => "slow-writer",
            Self::SlowReader => "slow-reader",
            Self::Streams => "requests-per-address",
            Self::Requests => "requests-per-account",
            Self::Archives => "archives",
        }
    }
}

/// How an answer was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// As it stands in `Content-Encoding` (RFC 9110, 8.4.1).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// By the value of `Content-Encoding`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|coding| coding.name() == name)
    }
}

/// What one coding was worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Squeezed {
    /// Bytes of the answers as they are.
    pub plain: u64,
    /// Bytes that were sent for them.
    pub sent: u64,
}

/// The counters of one process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    refused: [AtomicU64; Refusal::ALL.len()],
    squeezed: [SqueezedNow; Coding::ALL.len()],
}

#[derive(Debug, Default)]
struct SqueezedNow {
    plain: AtomicU64,
    sent: AtomicU64,
}

impl Counters {
    /// One more of this kind.
    pub fn refused(&self, why: Refusal) {
        for (one, counter) in Refusal::ALL.iter().zip(&self.0.refused) {
            if *one == why {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// All reasons with how often each was one.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().zip(&self.0.refused).map(|(why, counter)| (why, counter.load(Ordering::Relaxed)))
    }

    /// How often this was the reason.
    #[must_use]
    pub fn count(&self, why: Refusal) -> u64 {
        self.refusals().find(|(one, _)| *one == why).map_or(0, |(_, count)| count)
    }

    /// An answer, or what was sent of it, of `plain` bytes took `sent` bytes.
    pub fn squeezed(&self, coding: Coding, plain: u64, sent: u64) {
        for (_, now) in Coding::ALL.iter().zip(&self.0.squeezed).filter(|(one, _)| **one == coding) {
            now.plain.fetch_add(plain, Ordering::Relaxed);
            now.sent.fetch_add(sent, Ordering::Relaxed);
        }
    }

    /// What every coding was worth.
    pub fn savings(&self) -> impl Iterator<Item = (Coding, Squeezed)> {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Coding::ALL
            .into_iter()
            .zip(&self.0.squeezed)
            .map(move |(coding, now)| (coding, Squeezed { plain: load(&now.plain), sent: load(&now.sent) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for (n, why) in Refusal::ALL.into_iter().enumerate() {
            for _ in 0..n {
                counters.clone().refused(why);
            }
        }
        let counts: Vec<u64> = counters.refusals().map(|(_, count)| count).collect();
        assert_eq!(counts, (0..13).collect::<Vec<_>>());
        assert_eq!(counters.count(Refusal::Requests), 11);
        let names: std::collections::HashSet<_> = Refusal::ALL.iter().map(|why| why.name()).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
    }

    #[test]
    fn what_a_coding_was_worth_is_summed_up() {
        let counters = Counters::default();
        counters.squeezed(Coding::Zstd, 1000, 100);
        counters.squeezed(Coding::Zstd, 500, 60);
        let savings: Vec<_> = counters.savings().filter(|(_, worth)| *worth != Squeezed::default()).collect();
        assert_eq!(savings, [(Coding::Zstd, Squeezed { plain: 1500, sent: 160 })]);
        assert_eq!(Coding::of("br"), Some(Coding::Brotli));
        assert_eq!(Coding::of("deflate"), None);
    }
}
