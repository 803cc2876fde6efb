//! How many connections at once: one more after the other, all logged in, until one is refused. Then one is given back and
//! tried again, so that a limit can be told from bad luck.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::talk::Talk;
use crate::net::Probe;

/// Between two of them.
const REST: Duration = Duration::from_millis(150);
/// So long a server may take to notice that one is gone.
const NOTICE: Duration = Duration::from_millis(1500);

pub(super) async fn look(bench: &Bench) {
    if !bench.known().enters {
        return bench.leave_out("logging in does not work");
    }
    let mut open = Vec::new();
    let most = bench.endpoint.options.connections.unwrap_or(bench.limits.at_once).min(bench.limits.at_once);
    for number in 1..=most {
        match one_more(bench, number).await {
            Some(talk) => open.push(talk),
            None => {
                confirm(bench, number, &mut open).await;
                break;
            }
        }
        sleep(REST).await;
    }
    for talk in open {
        talk.control.quit().await;
    }
    // Servers count those that say goodbye for a moment more.
    sleep(NOTICE).await;
}

/// So many at once, whatever comes of it; all are given back.
pub(in crate::diagnose) async fn up_to(bench: &Bench, most: u16) {
    let mut open = Vec::new();
    for number in 1..=most {
        open.extend(one_more(bench, number).await);
    }
    for talk in open {
        talk.control.quit().await;
    }
    sleep(NOTICE).await;
}

async fn one_more(bench: &Bench, number: u16) -> Option<Talk> {
    let begun = Instant::now();
    let opened = Talk::open(bench, Probe::default()).await;
    let outcome = match &opened {
        Ok(_) => Outcome::well(begun.elapsed()),
        Err(fault) => Outcome::of(fault, begun.elapsed()),
    };
    bench.see(bench.server(), Fact::Opened { number, outcome });
    opened.ok()
}

/// The one that was refused: again at once, and again with one given back.
async fn confirm(bench: &Bench, number: u16, open: &mut Vec<Talk>) {
    if let Some(talk) = one_more(bench, number).await {
        open.push(talk);
        return;
    }
    let Some(given_back) = open.pop() else { return };
    given_back.control.quit().await;
    sleep(NOTICE).await;
    if let Some(talk) = one_more(bench, number.saturating_sub(1)).await {
        open.push(talk);
        bench.learn(|known| known.limit = Some(number.saturating_sub(1)));
    }
}
