//! TCP, five times to the first address and once to each other one: the share that comes through, and how fast.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::model::Phase;
use crate::net::Probe;

/// So often the address that answers is tried.
const TIMES: usize = 5;
/// Between two of them.
const REST: Duration = Duration::from_millis(200);
/// No more addresses than this are tried.
const ADDRESSES: usize = 6;

pub(super) async fn look(bench: &Bench) {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for seen in bench.evidence() {
        if let Fact::Named { addresses: found, .. } = seen.fact {
            addresses.extend(found);
        }
    }
    addresses.sort();
    addresses.dedup();
    for ip in addresses.into_iter().take(ADDRESSES) {
        let address = SocketAddr::new(ip, bench.endpoint.port);
        if try_once(bench, address).await && bench.known().address.is_none() {
            bench.learn(|known| known.address = Some(address));
        }
    }
    let Some(address) = bench.known().address else { return };
    for _ in 1..TIMES {
        // A server, or a firewall, may still count the one before.
        sleep(REST).await;
        try_once(bench, address).await;
    }
}

async fn try_once(bench: &Bench, address: SocketAddr) -> bool {
    let begun = Instant::now();
    let opened = bench.connect(Phase::Connect, address, Probe::default()).await;
    let outcome = match &opened {
        Ok(_) => Outcome::well(begun.elapsed()),
        Err(fault) => Outcome::of(fault, begun.elapsed()),
    };
    bench.see(address.to_string(), Fact::Connected { outcome });
    opened.is_ok()
}
