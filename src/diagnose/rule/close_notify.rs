//! The server takes a TLS data connection that ends for one that was cut.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let strict = view.ids(|fact| match fact {
        Fact::Moved(moved) => {
            moved.resumed.is_some()
                && moved.is_whole()
                && moved.wanted.is_none_or(|wanted| wanted == moved.bytes)
                && moved.closing.as_ref().is_some_and(|closing| closing.code == Some(426))
        }
        _ => false,
    });
    if strict.is_empty() {
        return None;
    }
    let sentence = "all bytes came over TLS, and the server reports a broken transfer at its end: it disagrees about how a TLS connection ends (close_notify)";
    Some(
        Finding::new(super::CLOSE_NOTIFY, Confidence::Likely, sentence, strict)
            .here("close_notify is sent; a file whose size and content are right counts as copied")
            .there("vsftpd", "strict_ssl_read_eof=NO, strict_ssl_write_shutdown=NO")
            .there("proftpd", "upgrade: mod_tls before 1.3.7 ends TLS 1.3 wrongly")
            .there("pure-ftpd", "upgrade to 1.0.50 or newer"),
    )
}
