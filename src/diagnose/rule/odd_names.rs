//! Names in a listing are not UTF-8.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let odd = view.ids(|fact| matches!(fact, Fact::Listed { undecodable, .. } if *undecodable > 0));
    (!odd.is_empty()).then(|| {
        Finding::new(super::ODD_NAMES, Confidence::Shown, "names on the server are not UTF-8", odd)
            .here("names are kept byte by byte; --charset auto finds out how to write them")
            .there("proftpd", "mod_lang: UseEncoding LOCAL CLIENT")
            .there("pure-ftpd", "FileSystemCharset and ClientCharset")
            .there("vsftpd", "nothing to set: rename the files (convmv)")
    })
}
