//! One family of addresses does not work, the other does: a client that begins with the broken one waits.

use std::io::{Error, ErrorKind};

use super::View;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::finding::{Confidence, Finding};

/// We have no address or no road of this family, and nothing came near the server: half of the world has no IPv6.
fn is_ours(outcome: &Outcome) -> bool {
    outcome.errno.is_some_and(|errno| {
        matches!(Error::from_raw_os_error(errno).kind(), ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable)
    })
}

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let of = |v6: bool, well: bool| {
        view.seen(|seen| {
            let is_v6 = seen.against.starts_with('[');
            is_v6 == v6
                && matches!(&seen.fact, Fact::Connected { outcome } if outcome.is_well() == well && !is_ours(outcome))
        })
    };
    for (v6, broken, works) in [(true, "IPv6", "IPv4"), (false, "IPv4", "IPv6")] {
        let (failed, good) = (of(v6, false), of(!v6, true));
        if failed.is_empty() || good.is_empty() || !of(v6, true).is_empty() {
            continue;
        }
        let sentence = format!("the server cannot be reached by {broken}, and can by {works}");
        let evidence = [failed, good].concat();
        return Some(
            Finding::new(super::BROKEN_FAMILY, Confidence::Shown, sentence, evidence)
                .here(format!("write the {works} address instead of the name; Causeway falls back to it by itself"))
                .there("DNS", format!("remove the {broken} address of the name, or let the server listen on it"))
                .there("vsftpd", "listen_ipv6=YES (serves both families)")
                .there("proftpd", "UseIPv6 on, and DefaultAddress with both addresses")
                .there("firewall", format!("let TCP to the port in by {broken}, too")),
        );
    }
    None
}
