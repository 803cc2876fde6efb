//! The certificate is not trusted.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let bad = view.all().iter().find_map(|seen| match &seen.fact {
        Fact::Secured { outcome, .. } if outcome.words.contains("certificate of") => {
            Some((seen.id, outcome.words.clone()))
        }
        _ => None,
    });
    let (id, words) = bad?;
    let why =
        words.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("it is not trusted", |(why, _)| why);
    let pin = words.split('"').nth(1).map(|pin| format!("--pin {pin}")).unwrap_or_default();
    Some(
        Finding::new(
            super::CERTIFICATE,
            Confidence::Shown,
            format!("the certificate cannot be trusted: {why}"),
            vec![id],
        )
        .here(format!("if its owner confirms the fingerprint, pin it ({pin}), or name its issuer with --ca-file"))
        .there("vsftpd", "rsa_cert_file=… with a certificate of this name that is valid now, its chain behind it")
        .there("proftpd", "TLSRSACertificateFile … and TLSCertificateChainFile …")
        .there("pure-ftpd", "CertFile … with certificate, chain and key")
        .there("IIS", "FTP SSL Settings: choose a certificate of this name that is valid now"),
    )
}
