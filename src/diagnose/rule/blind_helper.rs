//! A firewall that opens data ports by reading replies cannot read them inside TLS.

use super::View;
use crate::diagnose::evidence::{Fact, Way};
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let passive = |way: Way| matches!(way, Way::Epsv | Way::Pasv);
    let port = |tls: bool, well: bool| {
        view.ids(|fact| match fact {
            Fact::DataPort { way, tls: inside, outcome, .. } => {
                passive(*way) && *inside == tls && if well { outcome.is_well() } else { outcome.is_broken() }
            }
            _ => false,
        })
    };
    let (blocked, open) = (port(true, false), port(false, true));
    if blocked.is_empty() || open.is_empty() || !port(true, true).is_empty() {
        return None;
    }
    let sentence = "data connections work in the clear and not inside TLS: a firewall opens their ports by reading the replies, which it cannot inside TLS";
    Some(
        Finding::new(super::BLIND_HELPER, Confidence::Shown, sentence, [blocked, open].concat())
            .here("nothing safe; SFTP or WebDAV need one port only")
            .there("vsftpd", "pasv_min_port and pasv_max_port, and the same range open in the firewall")
            .there("proftpd", "PassivePorts MIN MAX, and the same range open in the firewall")
            .there("pure-ftpd", "-p MIN:MAX (PassivePortRange), and the same range open in the firewall")
            .there("firewall", "open the passive ports of the server as a plain rule; its FTP helper cannot see them"),
    )
}
