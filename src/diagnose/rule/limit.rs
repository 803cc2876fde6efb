//! The server bears only so many connections, and says so.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::manners::Remedy;
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let refused = view.opened().filter(|(_, _, outcome)| outcome.is(FaultKind::Limit)).collect::<Vec<_>>();
    let at_the_door = view.ids(|fact| matches!(fact, Fact::Greeted { outcome, .. } if outcome.is(FaultKind::Limit)));
    let Some(first) = refused.iter().map(|(_, number, _)| *number).min() else {
        // Others hold all of them.
        return (!at_the_door.is_empty()).then(|| {
            advise(Finding::new(super::LIMIT, Confidence::Shown, "the server says that it is full", at_the_door))
                .here("a copy waits and tries again; fewer clients at once would leave it room")
        });
    };
    let most = first.saturating_sub(1);
    let mut evidence: Vec<usize> = refused.iter().map(|(id, _, _)| *id).collect();
    // The last that came in, and the one that came in when another had left.
    let good: Vec<usize> =
        view.opened().filter(|(_, number, outcome)| *number == most && outcome.is_well()).map(|(id, ..)| id).collect();
    evidence.extend(&good);
    let against = view.opened().filter(|(_, number, outcome)| *number >= first && outcome.is_well()).map(|(id, ..)| id);
    let finding = Finding::new(
        super::LIMIT,
        Confidence::Shown,
        format!("the server bears {most} connections at once from here, and refuses one more in words"),
        evidence,
    )
    .against(against.collect());
    // One is left free for people.
    let ours = most.saturating_sub(1).max(1);
    let remedy = Remedy::Connections { most: ours };
    Some(advise(finding).here(format!("use at most {ours} connections")).remedy(remedy, good))
}

fn advise(finding: Finding) -> Finding {
    finding
        .there("vsftpd", "max_per_ip and max_clients (0: no limit)")
        .there("proftpd", "MaxClientsPerHost, MaxClientsPerUser, MaxClients, MaxInstances, MaxConnectionsPerHost")
        .there("pure-ftpd", "-C (MaxClientsPerIP) and -c (MaxClientsNumber)")
        .there("IIS", "Advanced settings of the site: Max connections")
        .there("OpenSSH", "MaxSessions, MaxStartups, PerSourceMaxStartups and PerSourcePenalties of sshd_config")
        .there("Apache", "MaxRequestWorkers, and what mod_qos or mod_evasive allow one address")
        .there("nginx", "limit_conn, limit_req and worker_connections")
}
