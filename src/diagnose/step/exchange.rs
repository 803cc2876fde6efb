//! What an SSH server offers to agree on, by a hand-made hello.

use tokio::time::{Instant, timeout};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Greeting, Outcome};
use crate::diagnose::kexinit::{self, Broken};
use crate::diagnose::talk::dial;
use crate::model::FaultKind;
use crate::net::Probe;

/// So often, where it is refused.
const TIMES: usize = 3;

pub(super) async fn look(bench: &Bench) {
    if bench.known().address.is_none() {
        return bench.leave_out("no connection can be opened");
    }
    for _ in 0..TIMES {
        let fact = ask(bench).await;
        let well = matches!(fact, Fact::Algorithms { .. });
        bench.see(bench.server(), fact);
        if well {
            return;
        }
    }
}

/// Connects once, without logging in.
pub(super) async fn ask(bench: &Bench) -> Fact {
    let begun = Instant::now();
    let mut stream = match dial(bench, Probe::default()).await {
        Ok((stream, _)) => stream,
        Err(fault) => return Fact::Connected { outcome: Outcome::of(&fault, begun.elapsed()) },
    };
    let asked = timeout(bench.deadlines().banner, kexinit::ask(&mut stream)).await;
    let took = begun.elapsed();
    let failed = |greeting, kind, words: String| Fact::Greeted {
        greeting,
        outcome: Outcome { failed: Some(kind), words, ..Outcome::well(took) },
    };
    match asked {
        Err(_) => failed(Greeting::Silence, FaultKind::Timeout, "nothing was said".to_owned()),
        Ok(Err(Broken::Io(error))) => {
            let outcome = Outcome::of_io(&error, took);
            Fact::Greeted { greeting: Greeting::Closed, outcome }
        }
        Ok(Err(Broken::NotSsh(words))) => {
            let lower = words.to_lowercase();
            if lower.contains("maxstartups") || lower.contains("too many") || lower.contains("limit") {
                return failed(Greeting::Closed, FaultKind::Limit, words);
            }
            failed(Greeting::Other, FaultKind::Protocol, words)
        }
        Ok(Ok(offer)) => {
            let outcome = Outcome { words: offer.greeting, ..Outcome::well(took) };
            Fact::Algorithms { kex: offer.kex, host_keys: offer.host_keys, ciphers: offer.ciphers, outcome }
        }
    }
}
