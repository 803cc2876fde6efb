//! Packets are lost by chance.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

/// A lost first packet is sent again after a second (RFC 6298, section 2.1), in milliseconds.
const AGAIN: u64 = 950;

/// By connections alone: that of a data port also waits for the server's answer to PASV or EPSV.
pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let connected = |late: bool| {
        view.ids(|fact| match fact {
            Fact::Connected { outcome } => outcome.is_well() && (outcome.millis >= AGAIN) == late,
            _ => false,
        })
    };
    let (late, quick) = (connected(true), connected(false));
    if late.is_empty() || quick.is_empty() {
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
