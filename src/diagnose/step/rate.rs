//! Data connections one after the other, as fast as they go: where does a server run out of ports, or a firewall of
//! patience?

use tokio::time::Instant;

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome, millis};
use crate::diagnose::talk::{Load, Talk};
use crate::net::Probe;

/// So many in a row.
const TIMES: u16 = 30;

pub(super) async fn look(bench: &Bench) {
    let Some(way) = bench.known().ways.first().copied() else { return bench.leave_out("no data connection works") };
    if bench.limits.quick {
        return bench.leave_out("a quick look only");
    }
    if bench.connections_left() < u32::from(TIMES) + 20 {
        return bench.leave_out("the budget of connections is used up");
    }
    let mut talk = match Talk::open(bench, Probe::default()).await {
        Ok(talk) => talk,
        Err(fault) => return bench.leave_out(fault.to_string()),
    };
    let mut last = None;
    for number in 1..=TIMES {
        let begun = Instant::now();
        let moved = talk.move_data(bench, way, Load::listing("LIST", 1 << 16)).await;
        let outcome = Outcome { millis: millis(begun.elapsed()), ..moved.outcome };
        let well = outcome.is_well();
        if !well {
            bench.see(bench.server(), Fact::Burst { number, outcome });
            return;
        }
        last = Some((number, outcome));
    }
    if let Some((number, outcome)) = last {
        bench.see(bench.server(), Fact::Burst { number, outcome });
    }
    talk.control.quit().await;
}
