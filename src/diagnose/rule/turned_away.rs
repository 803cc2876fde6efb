//! Accepted, and closed before a word.

use super::View;
use crate::diagnose::evidence::{Fact, Greeting};
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let closed = view.ids(|fact| matches!(fact, Fact::Greeted { greeting: Greeting::Closed, .. }));
    let greeted =
        view.ids(|fact| matches!(fact, Fact::Greeted { greeting: Greeting::Ftp, outcome } if outcome.is_well()));
    if closed.len() < 2 || !greeted.is_empty() {
        return None;
    }
    let sentence = "the server ends each connection before it says a word: our address is not welcome there";
    Some(
        Finding::new(super::TURNED_AWAY, Confidence::Likely, sentence, closed)
            .or("a load balancer with no server behind it that is alive")
            .here("ask that the address of this machine be let in")
            .there("vsftpd", "tcp_wrappers=YES: add our address to the line vsftpd: in /etc/hosts.allow")
            .there(
                "proftpd",
                "<Limit LOGIN> Allow from our address; mod_wrap: /etc/hosts.allow; mod_ban: ftpdctl permit host",
            )
            .there("pure-ftpd", "started by (x)inetd: /etc/hosts.allow; else the firewall of the host")
            .there("IIS", "FTP IPv4 Address and Domain Restrictions: add our address as allowed")
            .there("load balancer", "see whether its health check finds a server behind it"),
    )
}
