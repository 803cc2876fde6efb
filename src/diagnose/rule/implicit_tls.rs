//! The server waits for TLS from the first byte.

use super::View;
use crate::diagnose::evidence::{Fact, Greeting};
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::Protocol;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let silent =
        view.ids(|fact| matches!(fact, Fact::Greeted { greeting: Greeting::Silence, outcome } if !outcome.is_well()));
    let taken = view.ids(|fact| matches!(fact, Fact::Offered { chosen: Some(_), .. }));
    let handshake = view.ids(|fact| matches!(fact, Fact::Secured { .. }));
    // Whoever was asked for implicit TLS is silent by right.
    if silent.is_empty() || taken.is_empty() || !handshake.is_empty() {
        return None;
    }
    let evidence = [silent, taken].concat();
    let sentence = "the server waits for TLS from the first byte (implicit TLS)";
    Some(
        Finding::new(super::IMPLICIT_TLS, Confidence::Shown, sentence, evidence)
            .here(format!("write {}:// instead, with this port", Protocol::Ftps))
            .there("vsftpd", "implicit_ssl=NO, if clients are to begin with AUTH TLS")
            .there("proftpd", "remove TLSOptions UseImplicitSSL, if clients are to begin with AUTH TLS")
            .there("IIS", "use another port than 990: there it speaks implicit TLS only"),
    )
}
