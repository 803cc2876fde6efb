//! A part of a file is asked for, and the whole file comes.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let whole = view.ids(
        |fact| matches!(fact, Fact::Asked { method, outcome, .. } if method == "GET" && outcome.code == Some(200)),
    );
    (!whole.is_empty()).then(|| {
        let sentence =
            "the server answers a request for a part of a file with all of it: a transfer that breaks begins anew";
        Finding::new(super::NO_RANGES, Confidence::Shown, sentence, whole)
            .here("a copy takes what comes and compares it; large files over a bad line may never end")
            .there("nginx", "no gzip, sub_filter or proxy_buffering off in the way of the location; max_ranges not 0")
            .there("Apache", "MaxRanges not none; no filter (mod_deflate, mod_substitute) on these files")
    })
}
