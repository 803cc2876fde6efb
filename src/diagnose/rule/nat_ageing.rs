//! Somebody on the way forgets idle connections.

use super::View;
use crate::diagnose::evidence::Keep;
use crate::diagnose::finding::{Confidence, Finding};
use crate::manners::Remedy;
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let held = view.ages()?;
    // Who says goodbye is the server itself.
    if held.died.iter().any(|one| !one.asked) {
        return None;
    }
    let kept = view.held().filter(|one| matches!(one.keep, Keep::Keepalive(_))).collect::<Vec<_>>();
    let saved: Vec<usize> =
        kept.iter().filter(|one| one.outcome.is_well() && one.seconds > held.least).map(|one| one.id).collect();
    let not_saved: Vec<usize> = kept.iter().filter(|one| !one.outcome.is_well()).map(|one| one.id).collect();
    if !not_saved.is_empty() {
        return None;
    }
    let all = |kinds: &[FaultKind]| held.died.iter().all(|one| kinds.iter().any(|kind| one.outcome.is(*kind)));
    let how = if all(&[FaultKind::Reset]) {
        "answers the next packet with a reset"
    } else if all(&[FaultKind::Timeout, FaultKind::Stalled]) {
        "swallows the next packets"
    } else {
        "breaks them when they are used again"
    };
    // Without one that lived only the upper end is known.
    let (age, told) = if held.lived.is_empty() {
        (held.least, format!("at most {:.0} s", held.least))
    } else {
        let (age, within) = (f64::midpoint(held.most, held.least), (held.least - held.most) / 2.0);
        (age, format!("{age:.0} s (± {:.0} s)", within.max(1.0).ceil()))
    };
    let sentence =
        format!("a NAT, firewall or load balancer on the way forgets connections that are idle for {told}, and {how}");
    let every = super::third(if held.lived.is_empty() { held.least } else { held.most });
    let evidence = held.ids().chain(saved.iter().copied()).collect();
    let confidence = if saved.is_empty() { Confidence::Open } else { Confidence::Shown };
    let known = match age {
        340.0..360.0 => " (350 s is the timer of AWS NAT gateways and network load balancers)",
        230.0..250.0 => " (4 minutes is the timer of Azure)",
        1190.0..1210.0 => " (20 minutes is the timer of Google Cloud)",
        _ => "",
    };
    let finding = Finding::new(super::NAT_AGEING, confidence, format!("{sentence}{known}"), evidence)
        .here(format!("TCP keepalive every {every} s"))
        .there("firewall", "raise the timer of idle TCP connections to 2 h 4 min or more (RFC 5382, REQ-5): Linux net.netfilter.nf_conntrack_tcp_timeout_established, Cisco timeout conn, Fortinet session-ttl")
        .there("load balancer", "raise its idle timeout (AWS NLB: tcp.idle_timeout.seconds; Azure: idleTimeoutInMinutes)")
        .there("vsftpd", "nothing: the server is not the cause")
        .there("proftpd", "SocketOptions keepalive on (idle less than the timer) keeps them awake from its side");
    Some(if saved.is_empty() {
        finding.or("a server that drops idle sessions without a word")
    } else {
        finding.remedy(Remedy::Keepalive { seconds: every }, saved)
    })
}
