//! The server looks clients up before it greets.

use super::View;
use crate::diagnose::evidence::{Fact, Greeting};
use crate::diagnose::finding::{Confidence, Finding};

/// Nothing that is done for a greeting takes so long, but for waiting for somebody else, in milliseconds.
const SLOW: u64 = 4000;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let slow = view.ids(|fact| {
        matches!(fact, Fact::Greeted { greeting: Greeting::Ftp, outcome } if outcome.is_well() && outcome.millis >= SLOW)
    });
    let quick =
        view.ids(|fact| matches!(fact, Fact::Connected { outcome } if outcome.is_well() && outcome.millis < SLOW / 4));
    if slow.is_empty() || quick.is_empty() {
        return None;
    }
    let sentence = "the connection is there at once and the greeting takes seconds: the server looks our address or our user up (reverse DNS, ident), and nobody answers it";
    Some(
        Finding::new(super::SLOW_GREETING, Confidence::Likely, sentence, [slow, quick].concat())
            .or("a machine that is very busy")
            .here("nothing: deadlines are long enough, each connection costs this time")
            .there("vsftpd", "reverse_lookup_enable=NO")
            .there("proftpd", "UseReverseDNS off, IdentLookups off")
            .there("pure-ftpd", "-H (DontResolve yes)")
            .there("firewall", "answer port 113 (ident) with a reset instead of silence"),
    )
}
