//! No data connection comes about.

use super::View;
use crate::diagnose::evidence::{Fact, Way};
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let passive = |way: Way| matches!(way, Way::Epsv | Way::Pasv);
    let broken =
        view.ids(|fact| matches!(fact, Fact::DataPort { way, outcome, .. } if passive(*way) && outcome.is_broken()));
    let works =
        view.any(|fact| matches!(fact, Fact::DataPort { way, outcome, .. } if passive(*way) && outcome.is_well()));
    if broken.len() < 2 || works {
        return None;
    }
    let active = view.ids(|fact| matches!(fact, Fact::DataPort { way: Way::Active, outcome, .. } if outcome.is_well()));
    let ports: Vec<u16> = view
        .all()
        .iter()
        .filter_map(|seen| match &seen.fact {
            Fact::DataPort { announced: Some(announced), .. } => Some(announced.port()),
            _ => None,
        })
        .collect();
    let seen = match (ports.iter().min(), ports.iter().max()) {
        (Some(least), Some(most)) => format!(" (ports from {least} to {most} were seen in its replies)"),
        _ => String::new(),
    };
    let sentence = if active.is_empty() {
        format!("the server's passive ports are closed to us{seen}, and it cannot connect to us")
    } else {
        format!("the server's passive ports are closed to us{seen}; it can connect to us")
    };
    let here = if active.is_empty() {
        "nothing: without a data connection no file comes"
    } else {
        "active mode works (--active always); for large files the ports have to be opened"
    };
    let confidence = if active.is_empty() { Confidence::Likely } else { Confidence::Shown };
    let hidden = view.any(|fact| matches!(fact, Fact::DataPort { tls: true, .. }));
    let finding = Finding::new(super::PASSIVE_CLOSED, confidence, sentence, [broken, active].concat())
        .here(here)
        .there("vsftpd", "pasv_min_port and pasv_max_port, and the same range open in the firewall")
        .there("proftpd", "PassivePorts MIN MAX, and the same range open in the firewall")
        .there("pure-ftpd", "-p MIN:MAX (PassivePortRange), and the same range open in the firewall")
        .there("IIS", "FTP Firewall Support: Data Channel Port Range, and the same range open in the firewall")
        .there("firewall", "let TCP to the passive ports of the server in");
    let other = "a firewall that opens data ports by reading the replies, which it cannot inside TLS";
    Some(if hidden { finding.or(other) } else { finding })
}
