//! The server has no TLS.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let refused =
        view.ids(|fact| matches!(fact, Fact::Auth { outcome } if outcome.code.is_some_and(|code| code >= 500)));
    (!refused.is_empty()).then(|| {
        Finding::new(
            super::NO_TLS,
            Confidence::Shown,
            "the server refuses AUTH TLS: it has no TLS, or none for us",
            refused,
        )
        .here("write ftp:// if names, passwords and files may cross the network in the clear; else nothing")
        .there("vsftpd", "ssl_enable=YES, rsa_cert_file=…, rsa_private_key_file=…")
        .there("proftpd", "mod_tls: TLSEngine on, TLSRSACertificateFile …, TLSRSACertificateKeyFile …")
        .there("pure-ftpd", "-Y 1 (TLS 1), CertFile …")
        .there("IIS", "FTP SSL Settings: choose a certificate, Allow SSL connections")
        .there(
            "firewall",
            "a device that inspects FTP may take AUTH away: switch its FTP inspection off for this server",
        )
    })
}
