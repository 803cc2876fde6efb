//! Digests as bytes: whole numbers in the variable length of LEB128, only what is not zero, a number of the format first.

use super::digest::{Digest, Ended, Measure, Sum};
use super::histogram::Histogram;
use crate::db::DbError;
use crate::model::{FaultKind, Phase};

const FORMAT: u64 = 1;

/// Writes a digest.
#[must_use]
pub fn encode(digest: &Digest) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put(&mut out, FORMAT);
    for ends in [&digest.connections, &digest.transfers] {
        put(&mut out, length(ends.len()));
        for (ended, count) in ends {
            put(&mut out, code(*ended));
            put(&mut out, *count);
        }
    }
    put(&mut out, length(digest.sums.len()));
    for (sum, value) in &digest.sums {
        put(&mut out, place(&Sum::ALL, sum));
        put(&mut out, *value);
    }
    put(&mut out, length(digest.histograms.len()));
    for (measure, histogram) in &digest.histograms {
        put(&mut out, number(*measure));
        put(&mut out, histogram.zeros());
        put(&mut out, length(histogram.filled().count()));
        let mut before = 0;
        for (bin, count) in histogram.filled() {
            put(&mut out, zigzag(bin - before));
            put(&mut out, count);
            before = bin;
        }
    }
    out
}

/// Adds what is written in `bytes` to a digest.
///
/// # Errors
/// That they hold no digest of a format that is known.
pub fn add(digest: &mut Digest, bytes: &[u8]) -> Result<(), DbError> {
    read(digest, bytes).ok_or_else(|| DbError::Value("a roll-up of observations that cannot be read".to_owned()))
}

fn read(digest: &mut Digest, mut bytes: &[u8]) -> Option<()> {
    let from = &mut bytes;
    if take(from)? != FORMAT {
        return None;
    }
    for ends in [&mut digest.connections, &mut digest.transfers] {
        for _ in 0..take(from)? {
            let (ended, count) = (ended(take(from)?)?, take(from)?);
            *ends.entry(ended).or_default() += count;
        }
    }
    for _ in 0..take(from)? {
        let (sum, value) = (*Sum::ALL.get(usize::try_from(take(from)?).ok()?)?, take(from)?);
        digest.sum(sum, value);
    }
    for _ in 0..take(from)? {
        let histogram: &mut Histogram = digest.histograms.entry(measure(take(from)?)?).or_default();
        histogram.fill_zeros(take(from)?);
        let mut bin = 0;
        for _ in 0..take(from)? {
            bin += unzigzag(take(from)?)?;
            histogram.fill(bin, take(from)?);
        }
    }
    Some(())
}

fn length(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

fn take(from: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

fn zigzag(value: i32) -> u64 {
    let doubled = u64::from(value.unsigned_abs()) * 2;
    if value < 0 { doubled - 1 } else { doubled }
}

fn unzigzag(value: u64) -> Option<i32> {
    let half = i32::try_from(value.div_ceil(2)).ok()?;
    Some(if value % 2 == 1 { -half } else { half })
}

/// The place of a word in its list is its number; both lists only grow at their end (a test holds them to it).
fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    length(all.iter().position(|each| each == one).unwrap_or(0))
}

/// Bits: ready, open, then 0 or one more than phase × 64 + kind.
fn code(ended: Ended) -> u64 {
    let failed =
        ended.failed.map_or(0, |(phase, kind)| 1 + place(Phase::ALL, &phase) * 64 + place(FaultKind::ALL, &kind));
    u64::from(ended.ready) | u64::from(ended.open) << 1 | failed << 2
}

fn ended(code: u64) -> Option<Ended> {
    let failed = match (code >> 2).checked_sub(1) {
        None => None,
        Some(both) => {
            let at = |number: u64| usize::try_from(number).ok();
            Some((*Phase::ALL.get(at(both / 64)?)?, *FaultKind::ALL.get(at(both % 64)?)?))
        }
    };
    Some(Ended { ready: code & 1 == 1, open: code & 2 == 2, failed })
}

const SINGLE: [Measure; 8] = [
    Measure::Setup,
    Measure::Lost,
    Measure::Kept,
    Measure::Recovered,
    Measure::Abandoned,
    Measure::Overhead,
    Measure::RoundTrips,
    Measure::Rtt,
];

fn number(measure: Measure) -> u64 {
    match measure {
        Measure::Goodput(class) => 16 + u64::from(class),
        Measure::Phase(phase) => 32 + place(Phase::ALL, &phase),
        single => place(&SINGLE, &single),
    }
}

fn measure(number: u64) -> Option<Measure> {
    let at = |from: u64| usize::try_from(number.checked_sub(from)?).ok();
    match number {
        0..16 => SINGLE.get(at(0)?).copied(),
        16..32 => u8::try_from(number - 16).ok().map(Measure::Goodput),
        _ => Phase::ALL.get(at(32)?).copied().map(Measure::Phase),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reliability::{Detail, Direction, End, What};

    #[test]
    fn what_is_written_comes_back() {
        let mut digest = Digest::default();
        for i in 1..300_u64 {
            let end = match i % 4 {
                0 => End::Failed(Phase::ALL[i as usize % 14], FaultKind::ALL[i as usize % 22]),
                1 => End::StillOpen,
                _ => End::Clean,
            };
            let setup = (i % 7 > 0).then(|| Duration::from_micros(i * i * 37));
            let phases = vec![(Phase::Connect, Duration::from_micros(i)), (Phase::Close, Duration::ZERO)];
            let held = Duration::from_millis(i * 977);
            let detail = Detail { encrypted: Some(i % 2 == 0), post_quantum: Some(i % 3 == 0), ..Detail::default() };
            digest.add(&What::Connection { setup, phases, held, end }, &detail);
            let duration = Duration::from_millis(i);
            let what = What::Transfer { direction: Direction::Upload, bytes: i.pow(3), duration, end };
            digest.add(&what, &Detail::default());
        }
        digest.sum(Sum::Moved, u64::MAX);
        let bytes = encode(&digest);
        let mut back = Digest::default();
        add(&mut back, &bytes).unwrap();
        assert_eq!(back, digest);
        let mut twice = digest.clone();
        twice.merge(&digest);
        add(&mut back, &bytes).unwrap();
        assert_eq!(back, twice);
        for length in 0..bytes.len() {
            assert!(add(&mut Digest::default(), &bytes[..length]).is_err(), "cut at {length}");
        }
    }

    /// Stored numbers are places in these lists: a new word goes to the end.
    #[test]
    fn the_lists_only_grow_at_their_end() {
        let words = |all: Vec<&str>| all.join(" ");
        assert!(words(Phase::ALL.iter().map(|phase| phase.as_str()).collect()).starts_with(
            "resolve connect banner tls login command list open data-connect transfer finish verify publish close"
        ));
        assert!(words(FaultKind::ALL.iter().map(|kind| kind.as_str()).collect()).starts_with(
            "reset closed-early timeout stalled refused unreachable limit auth permission missing exists changed \
             unsettled mismatch tls protocol incomplete bad-name unsupported disk-full io cancelled"
        ));
    }
}
