//! Logging in as a copy does, by SFTP or WebDAV, and what the other side turns out to do.

use tokio::time::Instant;

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::model::{FaultKind, Phase, Protocol};
use crate::remote::{self, Samples};

pub(super) async fn look(bench: &Bench) {
    if bench.known().address.is_none() {
        return bench.leave_out("no connection can be opened");
    }
    // SSH is as good.
    let tls = bench.endpoint.protocol != Protocol::Dav;
    let begun = Instant::now();
    let remote = match remote::open(&bench.alone(), &bench.context()).await {
        Ok(remote) => remote,
        Err(fault) => {
            let outcome = Outcome::of(&fault, begun.elapsed());
            bench.learn(|known| known.barred = fault.kind == FaultKind::Auth);
            let fact = match fault.phase {
                Phase::Tls => Fact::Secured { agreed: None, outcome },
                phase if phase > Phase::Tls => Fact::LoggedIn { tls, outcome },
                _ => return bench.leave_out(fault.to_string()),
            };
            bench.see(bench.server(), fact);
            return;
        }
    };
    bench.learn(|known| known.enters = true);
    bench.see(bench.server(), Fact::LoggedIn { tls, outcome: Outcome::well(begun.elapsed()) });
    let begun = Instant::now();
    let traits = remote.traits(&Samples::default()).await;
    let took = begun.elapsed();
    if !traits.announced.is_empty() {
        let outcome = Outcome { words: traits.announced.join(", "), ..Outcome::well(took) };
        bench.see(bench.server(), Fact::Told { command: "what it announces".to_owned(), outcome });
    }
    bench.keep(remote);
}
