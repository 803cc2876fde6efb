//! The server drops connections that have not logged in yet, when there are too many.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let knocked = |well: bool| {
        view.all().iter().filter_map(move |seen| match &seen.fact {
            Fact::Knocked { number, outcome } if outcome.is_well() == well => Some((seen.id, *number)),
            _ => None,
        })
    };
    let refused: Vec<(usize, u16)> = knocked(false).collect();
    let first = refused.iter().map(|(_, number)| *number).min()?;
    let good: Vec<usize> = knocked(true).filter(|(_, number)| *number < first).map(|(id, _)| id).collect();
    // With the very first it is something else.
    let last = *good.last()?;
    let all = knocked(true).all(|(_, number)| number < first);
    let sentence = if all {
        format!("the server bears {} connections from us that have not logged in, and drops every one more", first - 1)
    } else {
        format!("with {first} and more connections that have not logged in the server drops some by chance")
    };
    let evidence = refused.iter().map(|(id, _)| *id).chain([last]).collect();
    let against = knocked(true).filter(|(_, number)| *number >= first).map(|(id, _)| id).collect();
    Some(
        Finding::new(super::STRANGERS_REFUSED, Confidence::Shown, sentence, evidence)
            .against(against)
            .or("a firewall that counts new connections")
            .here("fewer connections at once; a copy that is refused waits and tries again")
            .there("OpenSSH", "MaxStartups (start:rate:full), PerSourceMaxStartups, PerSourceNetBlockSize, PerSourcePenalties; LoginGraceTime says how long each counts")
            .there("SFTPGo", "common: max_per_host_connections; the defender's bans")
            .there("firewall", "allow more new connections of one address in the same time"),
    )
}
