//! EPSV leads nowhere, PASV does.

use super::View;
use crate::diagnose::evidence::{Fact, Way};
use crate::diagnose::finding::{Confidence, Finding};
use crate::manners::Remedy;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let port = |of: Way, well: bool| {
        view.ids(|fact| matches!(fact, Fact::DataPort { way, outcome, .. } if *way == of && outcome.is_well() == well))
    };
    let (lost, good) = (port(Way::Epsv, false), port(Way::Pasv, true));
    if lost.is_empty() || good.is_empty() || !port(Way::Epsv, true).is_empty() {
        return None;
    }
    let evidence = [lost, good.clone()].concat();
    let sentence =
        "EPSV leads to no data connection, and PASV does: the server or a firewall on the way knows PASV only";
    Some(
        Finding::new(super::EPSV_LOST, Confidence::Shown, sentence, evidence)
            .here("use PASV from the start")
            .remedy(Remedy::Pasv, good)
            .there("firewall", "a helper that knows EPSV (RFC 2428), or the passive ports open as a plain rule")
            .there("server", "allow EPSV: vsftpd cmds_denied, proftpd <Limit EPSV>, pure-ftpd without -K"),
    )
}
