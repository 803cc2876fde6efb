//! Long packets are lost on the way and nobody says so.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::manners::Remedy;
use crate::model::FaultKind;

/// Who sends so much in segments of full length sends most of it in long packets, in bytes.
const MANY: u64 = 64 << 10;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let stalled =
        view.moved().filter(|(_, moved)| moved.outcome.is(FaultKind::Stalled) || moved.outcome.is(FaultKind::Timeout));
    let stalled: Vec<_> = stalled.collect();
    let well =
        view.moved().filter(|(_, moved)| moved.segment.is_some() && moved.outcome.is_well() && moved.bytes > 536);
    let well: Vec<_> = well.collect();
    let handshakes = (
        view.seen(|seen| matches!(&seen.fact, Fact::Secured { outcome, .. } if outcome.is(FaultKind::Timeout))),
        view.seen(|seen| {
            matches!(&seen.fact, Fact::Secured { outcome, .. } if outcome.is_well())
                && seen.against.contains("segments")
        }),
    );
    // Where so much came in segments of full length, long packets come through: the stall has another reason.
    let long = view.moved().any(|(_, moved)| moved.segment.is_none() && moved.bytes >= MANY);
    let by_files = !stalled.is_empty() && !well.is_empty() && !long;
    let by_handshake = !handshakes.0.is_empty() && !handshakes.1.is_empty();
    if !by_files && !by_handshake {
        return None;
    }
    let passes = well.iter().filter_map(|(_, moved)| moved.segment).max().unwrap_or(536);
    let lost = stalled.iter().filter_map(|(_, moved)| moved.segment).min();
    let mut evidence: Vec<usize> = stalled.iter().chain(&well).map(|(id, _)| *id).collect();
    evidence.extend(handshakes.0.iter().chain(&handshakes.1));
    let helped: Vec<usize> = well.iter().map(|(id, _)| *id).chain(handshakes.1).collect();
    let bound = lost.map_or(String::new(), |lost| format!(", those of {lost} are lost"));
    let sentence = format!(
        "long packets are lost on the way and nobody says so: segments of {passes} bytes come through{bound} (a path-MTU black hole)"
    );
    Some(
        Finding::new(super::MTU_HOLE, Confidence::Shown, sentence, evidence)
            .here("keep segments short")
            .remedy(Remedy::ShortSegments, helped)
            .there("firewall", "let ICMP \"fragmentation needed\" (type 3, code 4; ICMPv6 type 2) through")
            .there("router", format!("clamp the MSS at the tunnel (iptables -t mangle … -j TCPMSS --clamp-mss-to-pmtu), or set its MTU to {}", passes + 40)),
    )
}
