//! The server does not list everything, and says so.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let admits = view.ids(|fact| matches!(fact, Fact::Listed { admits: Some(_), .. }));
    (!admits.is_empty()).then(|| {
        Finding::new(
            super::SHORT_LISTING,
            Confidence::Shown,
            "a listing is not whole: its closing reply admits it",
            admits,
        )
        .here("nothing is deleted on the word of such a listing; the folder is reported as incomplete")
        .there("pure-ftpd", "-L FILES:DEPTH (LimitRecursion) with room for the largest folder")
        .there("proftpd", "ListOptions maxfiles, and rights to read the folder")
        .there("vsftpd", "rights to read the folder for the FTP user")
    })
}
