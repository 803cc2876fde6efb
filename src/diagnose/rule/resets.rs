//! Data connections are reset in the middle of transfers.

use super::View;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let cut = view.moved().filter(|(_, moved)| moved.outcome.is(FaultKind::Reset)).collect::<Vec<_>>();
    if cut.is_empty() {
        return None;
    }
    let whole: Vec<usize> = view.moved().filter(|(_, moved)| moved.is_whole()).map(|(id, _)| id).collect();
    let evidence = cut.iter().map(|(id, _)| *id).collect();
    let sentence = "a data connection is reset in the middle of a transfer, while the control connection lives";
    Some(
        Finding::new(super::RESETS, Confidence::Open, sentence, evidence)
            .against(whole)
            .or("a firewall that limits bytes or inspects content")
            .or("the server's process being killed")
            .here("a transfer goes on where it was, as long as the server takes REST")
            .there(
                "firewall",
                "look for a limit of bytes or time per connection, and for content inspection, at these times",
            )
            .there("server", "look into its log at these times"),
    )
}
