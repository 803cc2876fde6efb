//! The server announces an address for data connections at which it cannot be reached.

use super::View;
use crate::diagnose::evidence::{Fact, Way};
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let wrong = view.all().iter().filter_map(|seen| match &seen.fact {
        Fact::DataPort { way: Way::Announced, announced: Some(announced), outcome, .. } if outcome.is_broken() => {
            Some((seen.id, *announced))
        }
        _ => None,
    });
    let wrong: Vec<_> = wrong.collect();
    let (_, announced) = *wrong.first()?;
    let good = view.ids(|fact| {
        matches!(fact, Fact::DataPort { way: Way::Pasv, announced: Some(told), outcome, .. }
            if outcome.is_well() && told.ip() == announced.ip())
    });
    if good.is_empty() {
        return None;
    }
    let evidence = wrong.iter().map(|(id, _)| *id).chain(good.iter().copied()).collect();
    let sentence =
        format!("PASV announces {}, at which the server cannot be reached; at its own address it can", announced.ip());
    let finding = Finding::new(super::WRONG_ADDRESS, Confidence::Shown, sentence, evidence)
        .here("the announced address is not used, by default; clients that do use it fail here")
        .there("vsftpd", "pasv_address=the server's public address (pasv_addr_resolve=YES for a name)")
        .there("proftpd", "MasqueradeAddress the server's public address or name")
        .there("pure-ftpd", "-P (ForcePassiveIP) the server's public address or name")
        .there("IIS", "FTP Firewall Support: External IP Address of Firewall")
        .there("firewall", "or let its FTP helper rewrite the reply (only without TLS)");
    Some(finding.remedy(crate::manners::Remedy::PeerAddress, good))
}
