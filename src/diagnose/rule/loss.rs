//! Packets are lost by chance.

use super::View;
use crate::diagnose::bench::AGAIN;
use crate::diagnose::evidence::{Fact, Seen, millis};
use crate::diagnose::finding::{Confidence, Finding};
use crate::diagnose::step::Step;

/// By connections alone: that of a data port also waits for the server's answer to PASV or EPSV.
pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let connected = |late: bool| {
        move |seen: &Seen| match &seen.fact {
            Fact::Connected { outcome } => outcome.is_well() && (outcome.millis >= millis(AGAIN)) == late,
            _ => false,
        }
    };
    let (late, quick) = (view.seen(connected(true)), view.seen(connected(false)));
    // Of the many connections of the other steps one may be late because this machine was busy.
    let few = view.all().iter().any(|seen| seen.step <= Step::Connect && connected(true)(seen));
    if quick.is_empty() || late.is_empty() || (late.len() < 2 && !few) {
        return None;
    }
    let sentence = "some packets are lost by chance: connections that are there at once as a rule take a second or more now and then";
    Some(
        Finding::new(super::LOSS, Confidence::Likely, sentence, late)
            .against(quick)
            .or("a server whose queue of new connections overflows")
            .here("few connections at once share a narrow line better")
            .there(
                "network",
                "look for errors and drops at the interfaces on the way (mtr to the server shows where they begin)",
            )
            .there("server", "raise net.core.somaxconn and the listen queue"),
    )
}
