//! The first word on the connection, whatever the address says that it should be.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Greeting, Outcome};
use crate::diagnose::talk::dial;
use crate::model::{FaultKind, Protocol};
use crate::net::Probe;

/// Of implicit TLS nothing comes; not so long is waited for it.
const IMPLICIT: Duration = Duration::from_secs(3);
/// So often, where the greeting is a refusal or none.
const TIMES: usize = 3;

pub(super) async fn look(bench: &Bench) {
    for _ in 0..TIMES {
        if listen(bench).await {
            return;
        }
    }
}

/// True: nothing more is to be learned.
async fn listen(bench: &Bench) -> bool {
    let mut stream = match dial(bench, Probe::default()).await {
        Ok((stream, _)) => stream,
        Err(fault) => {
            bench.leave_out(fault.message);
            return true;
        }
    };
    let implicit = bench.endpoint.protocol == Protocol::Ftps;
    let within = if implicit { IMPLICIT } else { bench.deadlines().banner };
    let begun = Instant::now();
    let mut text = Vec::new();
    let read = async {
        let mut buffer = [0; 1024];
        loop {
            let count = stream.read(&mut buffer).await?;
            text.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if count == 0 || text.contains(&b'\n') || text.len() > 4096 {
                return Ok::<_, std::io::Error>(());
            }
        }
    };
    let read = timeout(within, read).await;
    let took = begun.elapsed();
    let (greeting, outcome) = match read {
        Err(_) if text.is_empty() => {
            let words = "nothing was said".to_owned();
            (Greeting::Silence, Outcome { failed: Some(FaultKind::Timeout), words, ..Outcome::well(took) })
        }
        Ok(Err(error)) if text.is_empty() => (Greeting::Closed, Outcome::of_io(&error, took)),
        Ok(Ok(())) if text.is_empty() => {
            let words = "the server closed the connection".to_owned();
            (Greeting::Closed, Outcome { failed: Some(FaultKind::ClosedEarly), words, ..Outcome::well(took) })
        }
        _ => judge(&text, took),
    };
    // Who says nothing for so long says nothing the next time.
    let good = outcome.is_well() || greeting == Greeting::Silence;
    bench.see(bench.server(), Fact::Greeted { greeting, outcome });
    good
}

fn judge(text: &[u8], took: Duration) -> (Greeting, Outcome) {
    let shown: String = String::from_utf8_lossy(text).trim().chars().filter(|c| !c.is_control()).take(200).collect();
    let code = shown.get(..3).and_then(|digits| digits.parse::<u16>().ok()).filter(|code| (100..600).contains(code));
    if shown.starts_with("SSH-") {
        let outcome = Outcome { failed: Some(FaultKind::Protocol), words: shown, ..Outcome::well(took) };
        return (Greeting::Ssh, outcome);
    }
    let Some(code) = code else {
        let outcome = Outcome { failed: Some(FaultKind::Protocol), words: shown, ..Outcome::well(took) };
        return (Greeting::Other, outcome);
    };
    let outcome = Outcome::well(took).saying(code, shown.get(4..).unwrap_or_default());
    let failed = match code {
        ..400 => None,
        _ if crate::remote::ftp::fault::is_limit(code, &shown) || code == 421 => Some(FaultKind::Limit),
        _ => Some(FaultKind::Permission),
    };
    (Greeting::Ftp, Outcome { failed, ..outcome })
}
