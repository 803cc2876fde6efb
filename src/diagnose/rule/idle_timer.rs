//! The server ends idle sessions sooner than others do.

use super::View;
use crate::diagnose::evidence::Keep;
use crate::diagnose::finding::{Confidence, Finding};
use crate::manners::Remedy;

/// Sooner than this is a nuisance, in seconds: sessions rest up to two minutes between two files.
const SOON: f64 = 120.0;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let held = view.ages()?;
    if held.least >= SOON || held.died.iter().any(|one| one.asked) {
        return None;
    }
    let kept = |noop: bool, well: bool| -> Vec<usize> {
        view.held()
            .filter(|one| matches!(one.keep, Keep::Noop(_)) == noop && one.keep != Keep::Nothing)
            .filter(|one| one.outcome.is_well() == well && (!well || one.seconds > held.least))
            .map(|one| one.id)
            .collect()
    };
    let (by_noop, without) = (kept(true, true), kept(false, false));
    if by_noop.is_empty() && !kept(true, false).is_empty() {
        return None;
    }
    let seconds = super::whole(held.least);
    let said =
        held.died.iter().find_map(|one| one.outcome.code.map(|code| format!(", saying {code}"))).unwrap_or_default();
    let sentence = format!("the server ends sessions that are idle for {seconds} s{said}");
    let confidence = if by_noop.is_empty() { Confidence::Likely } else { Confidence::Shown };
    let rest = super::third(held.least) * 2;
    let evidence = held.ids().chain(by_noop.iter().copied()).chain(without).collect();
    Some(
        Finding::new(super::IDLE_TIMER, confidence, sentence, evidence)
            .here(format!("sessions that rested longer than {rest} s are not used again"))
            .remedy(Remedy::Rest { seconds: rest }, by_noop)
            .there("vsftpd", "idle_session_timeout=300 or more")
            .there("proftpd", "TimeoutIdle 600 or more")
            .there("pure-ftpd", "-I 15 or more (MaxIdleTime, minutes)")
            .there("IIS", "Advanced settings: Control Channel Timeout 120 or more"),
    )
}
