//! Data connections in a row fail after some of them.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let (id, number, outcome) = view.all().iter().find_map(|seen| match &seen.fact {
        Fact::Burst { number, outcome } if !outcome.is_well() => Some((seen.id, *number, outcome)),
        _ => None,
    })?;
    // The first ones must have worked: else it is another matter.
    if number < 3 {
        return None;
    }
    let before = number - 1;
    let advise = |finding: Finding| {
        finding
            .here("a pause between small files: the transfer is tried again after a while, and goes on")
            .there("vsftpd", "widen pasv_min_port … pasv_max_port")
            .there("proftpd", "widen PassivePorts")
            .there("pure-ftpd", "widen -p (PassivePortRange)")
            .there("IIS", "widen the Data Channel Port Range of FTP Firewall Support")
            .there("firewall", "raise the limit of new connections per second from one address")
    };
    let said = outcome.code == Some(425) || outcome.code == Some(421);
    let sentence = if said {
        format!("after {before} quick data connections the server has no port left for one more")
    } else {
        format!("after {before} quick data connections the next one does not come about")
    };
    if !said && !outcome.is(FaultKind::Timeout) && !outcome.is(FaultKind::Refused) {
        return None;
    }
    let confidence = if said { Confidence::Shown } else { Confidence::Open };
    let finding = advise(Finding::new(super::EXHAUSTED_PORTS, confidence, sentence, vec![id]));
    Some(if said {
        finding
    } else {
        finding.or("the server's passive ports are used up").or("a firewall limits new connections per second")
    })
}
