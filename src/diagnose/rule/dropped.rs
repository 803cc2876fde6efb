//! Packets to the port vanish on the way.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    if view.any(|fact| matches!(fact, Fact::Connected { outcome } if outcome.is_well())) {
        return None;
    }
    let silent = view.ids(|fact| matches!(fact, Fact::Connected { outcome } if outcome.is(FaultKind::Timeout)));
    if silent.is_empty() {
        return None;
    }
    let last = view.all().iter().filter_map(|seen| match &seen.fact {
        Fact::Hop { hops, outcome } if outcome.is(FaultKind::Unreachable) => Some((*hops, seen.id)),
        _ => None,
    });
    let last = last.max();
    let sentence = match last {
        Some((hops, _)) => format!("packets to the port vanish behind router {hops}, and nobody says so"),
        None => "packets to the port vanish, and nobody says so".to_owned(),
    };
    let evidence = silent.into_iter().chain(last.map(|(_, id)| id)).collect();
    Some(
        Finding::new(super::DROPPED, Confidence::Likely, sentence, evidence)
            .or("a host that is switched off looks alike from here")
            .here("nothing: a copy waits and tries again until the port is open")
            .there(
                "firewall",
                "let TCP to the FTP port and to the passive ports of the server in, and answer what is refused",
            ),
    )
}
