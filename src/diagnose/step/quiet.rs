//! A long transfer while nothing is said on the control connection: does its closing reply arrive? Only where idle
//! connections were seen to die, and where a file is long enough to be read slowly for such a time.

use std::time::Duration;

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Keep};
use crate::diagnose::talk::{Load, Talk};
use crate::net::Probe;

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;
/// What lies in buffers on the way is sent already, whatever is read.
const BUFFERED: u64 = 4 << 20;

pub(super) async fn look(bench: &Bench) {
    let evidence = bench.evidence();
    let dead = evidence.iter().filter_map(|seen| match &seen.fact {
        Fact::Held { keep: Keep::Nothing, seconds, outcome, .. } if !outcome.is_well() => Some(*seconds),
        _ => None,
    });
    let age = dead.fold(f64::INFINITY, f64::min);
    if !age.is_finite() || bench.limits.quick {
        return bench.leave_out("no idle connection died");
    }
    let known = bench.known();
    let Some(way) = known.ways.first().copied() else { return };
    let file = known.files.iter().filter(|(_, size)| *size >= 2 * BUFFERED && *size <= bench.bytes_left());
    let Some((path, size)) = file.min_by_key(|(_, size)| *size) else {
        return bench.leave_out("no file is long enough, or the budget of bytes is used up");
    };
    let mut talk = match Talk::open(bench, Probe::default()).await {
        Ok(talk) => talk,
        Err(fault) => return bench.leave_out(fault.to_string()),
    };
    let pieces = (size - BUFFERED) / u64::try_from(PIECE).unwrap_or(u64::MAX);
    let pause = Duration::from_secs_f64(age * 1.3) / u32::try_from(pieces).unwrap_or(u32::MAX).max(1);
    let load = Load { piece: PIECE, pause, ..Load::file("a slow transfer", path, *size, u64::MAX) };
    let moved = talk.move_data(bench, way, load).await;
    bench.see(String::from_utf8_lossy(path), Fact::Moved(moved));
}
