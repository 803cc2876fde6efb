//! All bytes came, and the closing word did not: the control connection was forgotten meanwhile.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    // Where idle connections were seen to die, that rule says more.
    if view.ages().is_some() {
        return None;
    }
    let lost = view.ids(|fact| {
        matches!(fact, Fact::Moved(moved) if moved.is_whole() && moved.bytes > 0
            && moved.closing.as_ref().is_some_and(super::super::evidence::Outcome::is_broken))
    });
    if lost.is_empty() {
        return None;
    }
    let sentence = "all bytes of a transfer came and its closing reply did not";
    Some(
        Finding::new(super::LOST_CLOSING, Confidence::Open, sentence, lost)
            .or("somebody on the way forgets the idle control connection")
            .or("a server that crashes at the end of a transfer")
            .here("the file counts when its size and content are right; keepalive is on")
            .there("firewall", "raise the timer of idle TCP connections")
            .there("server", "look into its log at the time of this transfer"),
    )
}
