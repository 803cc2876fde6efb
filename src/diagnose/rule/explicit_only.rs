//! TLS from the first byte was asked for, and the server greets in the clear.

use super::View;
use crate::diagnose::evidence::{Fact, Greeting};
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::Protocol;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let greeted =
        view.ids(|fact| matches!(fact, Fact::Greeted { greeting: Greeting::Ftp, outcome } if outcome.is_well()));
    let failed = view.ids(|fact| matches!(fact, Fact::Secured { agreed: None, outcome } if !outcome.is_well()));
    let asked = view.any(|fact| matches!(fact, Fact::Auth { .. }));
    if greeted.is_empty() || failed.is_empty() || asked {
        return None;
    }
    let sentence = "the server greets in the clear, and TLS from the first byte was asked for";
    Some(
        Finding::new(super::EXPLICIT_ONLY, Confidence::Shown, sentence, [greeted, failed].concat())
            .here(format!("write {}:// instead of {}://", Protocol::FtpTls, Protocol::Ftps))
            .there("server", "nothing to change"),
    )
}
