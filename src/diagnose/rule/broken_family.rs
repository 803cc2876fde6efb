//! One family of addresses does not work, the other does: a client that begins with the broken one waits.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let of = |v6: bool, well: bool| {
        view.seen(|seen| {
            let is_v6 = seen.against.starts_with('[');
            matches!(&seen.fact, Fact::Connected { outcome } if outcome.is_well() == well) && is_v6 == v6
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
