//! Nobody listens on the port.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    if view.any(|fact| matches!(fact, Fact::Connected { outcome } if outcome.is_well())) {
        return None;
    }
    let refused = view.ids(|fact| matches!(fact, Fact::Connected { outcome } if outcome.is(FaultKind::Refused)));
    if refused.is_empty() {
        return None;
    }
    let by = view.refused_at();
    let host = view.host_at();
    let evidence = refused.into_iter().chain(by.map(|(id, _)| id)).chain(host.map(|(id, _)| id)).collect();
    let told = match (by, host) {
        // Somebody nearer: another rule says so.
        (Some((_, hop)), Some((_, distance))) if hop < distance => return None,
        (Some((_, hop)), Some((_, distance))) => hop == distance,
        _ => false,
    };
    let confidence = if told { Confidence::Shown } else { Confidence::Open };
    let finding = Finding::new(super::CLOSED_PORT, confidence, "nobody listens on the port", evidence)
        .here("check host and port of the address; a copy waits and tries again")
        .there("vsftpd", "start the service; listen_port and listen_address say where it listens")
        .there("proftpd", "start the service; Port and DefaultAddress say where it listens")
        .there("pure-ftpd", "start the service; -S (Bind) says where it listens")
        .there("IIS", "start the site \"FTP\"; its bindings say where it listens");
    Some(if told { finding } else { finding.or("a firewall that refuses in the name of the server") })
}
