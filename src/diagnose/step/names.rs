//! Name and addresses: three look-ups, so that a name that leads to several places shows.

use std::net::IpAddr;

use tokio::time::{Instant, timeout};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};

/// So often the name is looked up.
const TIMES: usize = 3;

pub(super) async fn look(bench: &Bench) {
    let host = bench.endpoint.host.clone();
    let mut before: Option<Vec<IpAddr>> = None;
    for _ in 0..TIMES {
        let begun = Instant::now();
        let looked = timeout(bench.deadlines().connect, tokio::net::lookup_host((host.as_str(), bench.endpoint.port)));
        let (addresses, outcome) = match looked.await {
            Ok(Ok(found)) => {
                let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
                addresses.sort();
                (addresses, Outcome::well(begun.elapsed()))
            }
            Ok(Err(error)) => {
                let outcome = Outcome::of_io(&error, begun.elapsed());
                (Vec::new(), Outcome { failed: Some(crate::model::FaultKind::Unreachable), ..outcome })
            }
            Err(_) => {
                let failed = Some(crate::model::FaultKind::Timeout);
                let words = "no answer to the look-up".to_owned();
                (Vec::new(), Outcome { failed, words, ..Outcome::well(begun.elapsed()) })
            }
        };
        // The same answer again says nothing new.
        if before.as_ref() != Some(&addresses) {
            bench.see(host.clone(), Fact::Named { addresses: addresses.clone(), outcome });
        }
        before = Some(addresses);
    }
}
