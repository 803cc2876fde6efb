//! Where many bytes do not come through: do they in shorter segments? Segments that both ends agree to are never too long
//! for a path whose narrow place loses long packets and tells nobody (RFC 2923, section 2.1).

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Seen, Way};
use crate::diagnose::talk::{Load, Talk};
use crate::model::FaultKind;
use crate::net::Probe;

/// The lengths that are tried, in bytes.
const LADDER: [u32; 6] = [1460, 1440, 1400, 1300, 1200, 536];

pub(super) async fn look(bench: &Bench) {
    if !bench.evidence().iter().any(stalled) {
        return bench.leave_out("nothing stalled");
    }
    for segment in LADDER {
        match fetch(bench, Some(segment)).await {
            None => bench.learn(|known| known.segment = Some(segment)),
            Some(FaultKind::Stalled | FaultKind::Timeout) => continue,
            Some(_) => {}
        }
        return;
    }
}

/// One transfer with this longest segment, or with whatever the ends agree on. What went wrong.
pub(in crate::diagnose) async fn fetch(bench: &Bench, segment: Option<u32>) -> Option<FaultKind> {
    let known = bench.known();
    let mut talk = match Talk::open(bench, Probe { segment, ..Probe::default() }).await {
        Ok(talk) => talk,
        Err(fault) => {
            bench.leave_out(fault.to_string());
            return Some(fault.kind);
        }
    };
    let way = known.ways.first().copied().unwrap_or(Way::Epsv);
    // More than one packet, and little more than that.
    let file = known.files.iter().filter(|(_, size)| *size > 2048).min_by_key(|(_, size)| *size);
    let load = match file {
        Some((path, size)) => Load::file("a file", path, *size, (*size).min(64 << 10)),
        None => Load::listing("LIST", 1 << 20),
    };
    let moved = talk.move_data(bench, way, Load { segment, ..load }).await;
    let failed = moved.outcome.failed;
    bench.see(bench.server(), Fact::Moved(moved));
    failed
}

fn stalled(seen: &Seen) -> bool {
    matches!(&seen.fact, Fact::Moved(moved)
        if moved.outcome.is(FaultKind::Stalled) || moved.outcome.is(FaultKind::Timeout))
}
