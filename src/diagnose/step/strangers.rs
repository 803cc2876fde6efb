//! How many connections an SSH server bears from us that have not logged in: sshd drops more than `MaxStartups` or
//! `PerSourceMaxStartups` allow, by chance or all of them.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::talk::dial;
use crate::model::FaultKind;
use crate::net::Probe;

/// So long a server may take to notice that they are gone.
const NOTICE: Duration = Duration::from_millis(1500);

pub(super) async fn look(bench: &Bench) {
    if bench.known().address.is_none() {
        return bench.leave_out("no connection can be opened");
    }
    let most = bench.endpoint.options.connections.unwrap_or(bench.limits.at_once).min(bench.limits.at_once);
    let mut open = Vec::new();
    for number in 1..=most {
        let begun = Instant::now();
        let outcome = match knock(bench).await {
            Ok(stream) => {
                open.push(stream);
                Outcome::well(begun.elapsed())
            }
            Err(outcome) => outcome,
        };
        bench.see(bench.server(), Fact::Knocked { number, outcome });
    }
    drop(open);
    // They count until the server has noticed.
    sleep(NOTICE).await;
}

/// One that is greeted, and says nothing.
async fn knock(bench: &Bench) -> Result<TcpStream, Outcome> {
    let begun = Instant::now();
    let (mut stream, _) = dial(bench, Probe::default()).await.map_err(|fault| Outcome::of(&fault, begun.elapsed()))?;
    let mut first = [0; 255];
    match timeout(bench.deadlines().banner, stream.read(&mut first)).await {
        Err(_) => {
            let words = "no greeting".to_owned();
            Err(Outcome { failed: Some(FaultKind::Timeout), words, ..Outcome::well(begun.elapsed()) })
        }
        Ok(Err(error)) => Err(Outcome::of_io(&error, begun.elapsed())),
        Ok(Ok(count)) => {
            let said = first.get(..count).unwrap_or_default();
            if said.starts_with(b"SSH-") {
                return Ok(stream);
            }
            let words: String = String::from_utf8_lossy(said).chars().filter(|c| !c.is_control()).collect();
            let kind = if words.is_empty() { FaultKind::ClosedEarly } else { FaultKind::Limit };
            Err(Outcome { failed: Some(kind), words, ..Outcome::well(begun.elapsed()) })
        }
    }
}
