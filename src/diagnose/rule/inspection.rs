//! The connection dies right after a command that inspecting firewalls know.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let cut = |outcome: &crate::diagnose::evidence::Outcome| {
        outcome.is(FaultKind::Reset)
            || outcome.is(FaultKind::ClosedEarly) && outcome.code.is_none()
            || outcome.is(FaultKind::Protocol)
    };
    let after_auth = view.ids(|fact| matches!(fact, Fact::Auth { outcome } if cut(outcome)));
    let after_hello = view.ids(|fact| matches!(fact, Fact::Secured { outcome, .. } if outcome.is(FaultKind::Reset)));
    let offered =
        view.any(|fact| matches!(fact, Fact::Offered { chosen: Some(_), .. } | Fact::Offered { alert: Some(_), .. }));
    let evidence = [after_auth, if offered { Vec::new() } else { after_hello }].concat();
    let greeted = view.any(|fact| matches!(fact, Fact::Greeted { outcome, .. } if outcome.is_well()));
    if evidence.is_empty() || !greeted {
        return None;
    }
    let sentence =
        "the connection is cut as soon as TLS is to begin: a device that inspects FTP takes it for an attack";
    Some(
        Finding::new(super::INSPECTION, Confidence::Open, sentence, evidence)
            .or("a server whose TLS is broken: its own log would tell")
            .here("nothing; where it may be inspected, ftp:// in the clear passes")
            .there("firewall", "switch the FTP inspection off for this server (Cisco: no inspect ftp strict; Palo Alto: application override; Fortinet: session helper ftp)")
            .there("server", "look into its log at the time of these attempts"),
    )
}
