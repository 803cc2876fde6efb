//! User or password are wrong.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let refused = view.ids(|fact| matches!(fact, Fact::LoggedIn { outcome, .. } if outcome.is(FaultKind::Auth) && !super::clear_refused::wants_tls(outcome)));
    (!refused.is_empty()).then(|| {
        Finding::new(super::BAD_LOGIN, Confidence::Shown, "the server refuses user and password", refused)
            .or("an account that is locked, or may not come from here, is refused in the same words by many servers")
            .here("check user and password; they were tried once only, so that nobody is locked out")
            .there("vsftpd", "userlist_file, /etc/ftpusers and the PAM service of pam_service_name; the shell must be in /etc/shells")
            .there("proftpd", "<Limit LOGIN>, RequireValidShell, AuthOrder; TransferLog and SystemLog say why")
            .there("pure-ftpd", "pure-pw show USER; -u (MinUID)")
            .there("IIS", "FTP Authorization Rules, FTP Authentication, FTP Logon Attempt Restrictions")
    })
}
