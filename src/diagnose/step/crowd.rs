//! How many sessions at once, logged in, by SFTP or WebDAV: one more after the other until one is refused.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::remote::{self, Remote};

/// Between two of them.
const REST: Duration = Duration::from_millis(150);

pub(super) async fn look(bench: &Bench) {
    if !bench.known().enters {
        return bench.leave_out("logging in does not work");
    }
    // It would be one that nobody counts.
    bench.let_go().await;
    let most = bench.endpoint.options.connections.unwrap_or(bench.limits.at_once).min(bench.limits.at_once);
    let mut open = Vec::new();
    for number in 1..=most {
        let one = one_more(bench, number).await;
        let refused = one.is_none();
        open.extend(one);
        if refused {
            // Once more with one given back: a limit, or bad luck?
            if let Some(given_back) = open.pop() {
                given_back.close().await;
                sleep(REST).await;
                open.extend(one_more(bench, number.saturating_sub(1)).await);
            }
            break;
        }
        sleep(REST).await;
    }
    for one in open {
        one.close().await;
    }
}

async fn one_more(bench: &Bench, number: u16) -> Option<Arc<dyn Remote>> {
    if bench.connections_left() == 0 {
        bench.leave_out("the budget of connections is used up");
        return None;
    }
    bench.spend_connection();
    let begun = Instant::now();
    let opened = remote::open(&bench.alone(), &bench.context()).await;
    let outcome = match &opened {
        Ok(_) => Outcome::well(begun.elapsed()),
        Err(fault) => Outcome::of(fault, begun.elapsed()),
    };
    bench.see(bench.server(), Fact::Opened { number, outcome });
    opened.ok()
}
