//! TLS on data connections: is the session of the control connection taken up, and does the end come with close_notify?
//! Two transfers over one control connection, since tickets of TLS 1.3 are good for one each.

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::Fact;
use crate::diagnose::talk::{Load, Talk};
use crate::net::Probe;

pub(super) async fn look(bench: &Bench) {
    if bench.tls.is_none() {
        return bench.leave_out("nothing is inside TLS");
    }
    let Some(way) = bench.known().ways.first().copied() else { return bench.leave_out("no data connection works") };
    let mut talk = match Talk::open(bench, Probe::default()).await {
        Ok(talk) => talk,
        Err(fault) => return bench.leave_out(fault.to_string()),
    };
    for _ in 0..2 {
        let moved = talk.move_data(bench, way, Load::listing("LIST", 1 << 20)).await;
        let well = moved.outcome.is_well();
        bench.see(bench.server(), Fact::Moved(moved));
        if !well {
            return;
        }
    }
    talk.control.quit().await;
}
