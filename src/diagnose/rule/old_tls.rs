//! The server speaks only versions of TLS that are given up (RFC 8996).

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let failed = view.ids(|fact| matches!(fact, Fact::Secured { agreed: None, outcome } if !outcome.is_well()));
    let is_old = |version: &str| matches!(version, "TLS 1.0" | "TLS 1.1" | "SSL 3.0");
    let old = view.ids(|fact| matches!(fact, Fact::Offered { chosen: Some(chosen), .. } if is_old(chosen)));
    let new = view.any(|fact| matches!(fact, Fact::Offered { chosen: Some(chosen), .. } if !is_old(chosen)));
    if failed.is_empty() || old.is_empty() || new {
        return None;
    }
    let sentence = "the server speaks no newer TLS than 1.1, which is given up (RFC 8996)";
    Some(
        Finding::new(super::OLD_TLS, Confidence::Shown, sentence, [failed, old].concat())
            .here("nothing safe: such versions are not built in; a TLS proxy beside the server (stunnel) would do")
            .there("vsftpd", "upgrade it with its OpenSSL; ssl_tlsv1_2=YES where its version has it")
            .there("proftpd", "TLSProtocol TLSv1.2 TLSv1.3, with an OpenSSL that has them")
            .there("pure-ftpd", "upgrade it with its OpenSSL; -J (TLSCipherSuite) without -S:TLSv1")
            .there("IIS", "enable TLS 1.2 in Schannel (registry: Protocols\\TLS 1.2\\Server, Enabled = 1)"),
    )
}
