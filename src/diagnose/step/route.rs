//! The route to the very port: connections whose packets may pass 1, 2, 3 … routers. Who answers before the server does is
//! somebody on the way. No privilege is needed: the TTL is an option of the socket, and the ICMP answer is its error.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::model::{FaultKind, Phase};
use crate::net::Probe;

/// So far a server may be away.
const FARTHEST: u32 = 30;
/// So many distances are tried at once.
const TOGETHER: u32 = 4;
/// So long one of them may take.
const WITHIN: Duration = Duration::from_secs(1);
/// So long a server, or a firewall, may count connections that are over.
const REST: Duration = Duration::from_millis(500);
/// After so many distances without any answer there is none.
const SILENT: u32 = 8;
/// Ports that other services use, to see how far the host itself is away where this one refuses.
const OTHERS: [u16; 3] = [22, 443, 80];

pub(super) async fn look(bench: &Bench) {
    let address = bench.known().address.or_else(|| first(bench));
    let Some(address) = address else { return bench.leave_out("there is no address") };
    sleep(REST).await;
    let answer = walk(bench, address).await;
    sleep(REST).await;
    // Refused: by the host, or by somebody before it? Another of its ports tells how far it is.
    if answer == Some(FaultKind::Refused) {
        for port in OTHERS {
            if walk(bench, SocketAddr::new(address.ip(), port)).await.is_none() {
                return;
            }
        }
    }
}

fn first(bench: &Bench) -> Option<SocketAddr> {
    bench.evidence().into_iter().find_map(|seen| match seen.fact {
        Fact::Named { addresses, .. } => addresses.first().map(|ip: &IpAddr| SocketAddr::new(*ip, bench.endpoint.port)),
        _ => None,
    })
}

/// Walks until somebody connects or refuses. What ended it; none when it was a connection.
async fn walk(bench: &Bench, address: SocketAddr) -> Option<FaultKind> {
    let mut silent = 0;
    let mut from = 1;
    while from <= FARTHEST {
        let tries = (from..from + TOGETHER).map(|hops| async move {
            let begun = Instant::now();
            let how = Probe { hops: Some(hops), ..Probe::default() };
            let outcome = match bench.connect_within(Phase::Connect, address, how, WITHIN).await {
                Ok(_) => Outcome::well(begun.elapsed()),
                Err(fault) => Outcome::of(&fault, begun.elapsed()),
            };
            (hops, outcome)
        });
        for (hops, outcome) in join_all(tries).await {
            let failed = outcome.failed;
            if failed == Some(FaultKind::Cancelled) {
                bench.leave_out(outcome.words);
                return failed;
            }
            silent = if failed == Some(FaultKind::Timeout) { silent + 1 } else { 0 };
            bench.see(address.to_string(), Fact::Hop { hops, outcome });
            match failed {
                None => return None,
                Some(FaultKind::Unreachable | FaultKind::Timeout) => {}
                Some(_) => return failed,
            }
        }
        if silent >= SILENT {
            return Some(FaultKind::Timeout);
        }
        from += TOGETHER;
    }
    Some(FaultKind::Timeout)
}
