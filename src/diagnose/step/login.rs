//! User and password, once; then what the server says about itself.

use tokio::time::Instant;

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::talk::{Talk, told};
use crate::model::{FaultKind, Phase, Protocol};
use crate::net::Probe;

/// What it is asked about itself.
const QUESTIONS: [&str; 4] = ["FEAT", "SYST", "PWD", "STAT"];

pub(super) async fn look(bench: &Bench) {
    if bench.known().address.is_none() {
        return bench.leave_out("no connection can be opened");
    }
    let begun = Instant::now();
    let tls = bench.endpoint.protocol != Protocol::Ftp;
    let mut talk = match Talk::open(bench, Probe::default()).await {
        Ok(talk) => talk,
        Err(fault) => {
            let outcome = Outcome::of(&fault, begun.elapsed());
            bench.learn(|known| known.barred = fault.kind == FaultKind::Auth);
            // What broke before the password was seen in the steps before.
            if matches!(fault.phase, Phase::Login | Phase::Command) {
                bench.see(bench.server(), Fact::LoggedIn { tls, outcome });
            } else {
                bench.leave_out(format!("{fault}"));
            }
            return;
        }
    };
    bench.learn(|known| known.enters = true);
    bench.see(bench.server(), Fact::LoggedIn { tls, outcome: Outcome::well(begun.elapsed()) });
    for question in QUESTIONS {
        let begun = Instant::now();
        let asked = talk.control.ask(Phase::Command, question, None).await;
        let lost = asked.is_err();
        bench.see(bench.server(), Fact::Told { command: question.to_owned(), outcome: told(&asked, begun.elapsed()) });
        if lost {
            return;
        }
    }
    talk.control.quit().await;
}
