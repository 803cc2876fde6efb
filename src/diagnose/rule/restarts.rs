//! Connections break at any time, all of them: the server or its machine goes down and comes back.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::diagnose::step::Step;
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let outcome = |well: bool| {
        view.seen(|seen| match &seen.fact {
            Fact::Connected { outcome } if well => outcome.is_well(),
            // Where many are open at once it may be a limit.
            Fact::Connected { outcome } if !matches!(seen.step, Step::Ramp | Step::Crowd) => {
                outcome.is(FaultKind::Refused) || outcome.is(FaultKind::Reset)
            }
            _ => false,
        })
    };
    let (good, refused) = (outcome(true), outcome(false));
    let broken = view.ids(|fact| match fact {
        Fact::Told { outcome, .. } | Fact::LoggedIn { outcome, .. } => {
            outcome.is(FaultKind::Reset) || outcome.is(FaultKind::ClosedEarly) && outcome.code.is_none()
        }
        Fact::Moved(moved) => moved.outcome.is(FaultKind::Reset),
        _ => false,
    });
    // Single breaks are another matter: something must have been refused in between.
    if good.is_empty() || refused.is_empty() || refused.len() + broken.len() < 3 {
        return None;
    }
    let sentence =
        "the server goes down and comes back: connections break, others are refused, and then some are accepted again";
    Some(
        Finding::new(super::RESTARTS, Confidence::Open, sentence, [refused, broken].concat())
            .against(good)
            .or("several servers under one address, some of which are down")
            .here("a copy waits and goes on where it was")
            .there("server", "look into its log and that of its machine (out of memory, watchdog) at these times")
            .there("load balancer", "see that its health check takes dead servers out"),
    )
}
