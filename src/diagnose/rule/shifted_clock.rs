//! Listings show another clock than UTC.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let shifted = view.all().iter().find_map(|seen| match &seen.fact {
        Fact::Clock { minutes, files } if *minutes != 0 && *files >= 2 => Some((seen.id, *minutes)),
        _ => None,
    });
    let (id, minutes) = shifted?;
    Some(
        Finding::new(
            super::SHIFTED_CLOCK,
            Confidence::Shown,
            format!("listings show a clock that is {minutes} minutes ahead of UTC, by which MDTM goes"),
            vec![id],
        )
        .here(format!("a mirror learns it by itself; --zone {minutes} says it"))
        .there("vsftpd", "use_localtime=NO")
        .there("proftpd", "TimesGMT on")
        .there("pure-ftpd", "TZ=UTC in its environment"),
    )
}
