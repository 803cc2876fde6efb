//! The name leads nowhere.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let named = |fact: &Fact| matches!(fact, Fact::Named { addresses, .. } if !addresses.is_empty());
    let failed = view.ids(|fact| matches!(fact, Fact::Named { addresses, .. } if addresses.is_empty()));
    if failed.is_empty() {
        return None;
    }
    let good = view.ids(named);
    let (confidence, sentence) = if good.is_empty() {
        (Confidence::Shown, "the name has no address")
    } else {
        (Confidence::Likely, "the name can be looked up only now and then")
    };
    Some(
        Finding::new(super::NO_NAME, confidence, sentence, failed)
            .against(good)
            .here("write the host's address instead of its name until the name works again")
            .there(
                "DNS",
                "correct the A and AAAA records of the name, and see that all of its name servers answer alike",
            ),
    )
}
