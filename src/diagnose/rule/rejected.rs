//! Somebody before the server refuses the connection.

use super::View;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let (refused, hop) = view.refused_at()?;
    let (farther, distance) = view.host_at().filter(|(_, distance)| *distance > hop)?;
    let sentence =
        format!("somebody on the way refuses the connection: router {hop} of the {distance} that lead to the server");
    Some(
        Finding::new(super::REJECTED, Confidence::Shown, sentence, vec![refused, farther])
            .here("nothing: a copy waits and tries again until the port is open")
            .there(
                "firewall",
                format!("the device at hop {hop}: let TCP to the FTP port and the passive ports through"),
            ),
    )
}
