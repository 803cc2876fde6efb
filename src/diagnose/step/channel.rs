//! Each way to a data connection, one by one: EPSV, PASV where it announces, PASV at the control peer, active.

use tokio::time::Instant;

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome, Way};
use crate::diagnose::talk::{Load, Talk};
use crate::model::{Fault, Phase, Protocol};
use crate::net::Probe;

/// So often a way that does not work is tried.
const TIMES: usize = 2;

pub(super) async fn look(bench: &Bench) {
    if !bench.known().enters {
        return bench.leave_out("logging in does not work");
    }
    let v6 = bench.known().address.is_some_and(|address| address.ip().to_canonical().is_ipv6());
    for way in [Way::Epsv, Way::Pasv, Way::Announced, Way::Active] {
        if v6 && matches!(way, Way::Pasv | Way::Announced) {
            continue;
        }
        let works = try_way(bench, way).await;
        if works && way != Way::Announced {
            bench.learn(|known| known.ways.push(way));
        }
    }
    // Inside TLS nobody on the way can read the port. Does it work where they can?
    let ways = bench.known().ways;
    if bench.endpoint.protocol == Protocol::FtpTls && !ways.contains(&Way::Epsv) && !ways.contains(&Way::Pasv) {
        bench.leave_out("the same in the clear is not tried, since the password would go with it");
    }
}

/// True: it works.
pub(in crate::diagnose) async fn try_way(bench: &Bench, way: Way) -> bool {
    let protocol = bench.endpoint.protocol;
    for _ in 0..TIMES {
        let mut talk = match Talk::open(bench, Probe::default()).await {
            Ok(talk) => talk,
            Err(fault) => {
                bench.leave_out(format!("{way}: {fault}"));
                return false;
            }
        };
        let begun = Instant::now();
        let mut announced = None;
        let tried = match way {
            Way::Active => active(bench, &mut talk).await,
            _ => passive(bench, &mut talk, way, &mut announced).await,
        };
        let (well, against) = (tried.is_ok(), tried.as_ref().ok().cloned().unwrap_or_else(|| bench.server()));
        let outcome = match tried {
            Ok(_) => Outcome::well(begun.elapsed()),
            Err(fault) => Outcome::of(&fault, begun.elapsed()),
        };
        bench.see(against, Fact::DataPort { way, tls: protocol != Protocol::Ftp, announced, outcome });
        if well {
            return true;
        }
    }
    false
}

/// Opens the port that was announced. What it was opened to.
async fn passive(
    bench: &Bench,
    talk: &mut Talk,
    way: Way,
    announced: &mut Option<std::net::SocketAddr>,
) -> Result<String, Fault> {
    let told = talk.ask_port(way).await?;
    *announced = Some(told);
    let to = talk.target(way, told);
    bench.connect(Phase::DataConnect, to, Probe::default()).await?;
    Ok(to.to_string())
}

/// The server comes only when there is something to bring.
async fn active(bench: &Bench, talk: &mut Talk) -> Result<String, Fault> {
    let moved = talk.move_data(bench, Way::Active, Load::listing("LIST", 1 << 20)).await;
    match moved.outcome.failed {
        None => Ok("us".to_owned()),
        Some(kind) => {
            let fault = Fault::new(Phase::DataConnect, kind, moved.outcome.words.clone());
            Err(match moved.outcome.code {
                Some(code) => fault.reply(code, &moved.outcome.words),
                None => fault,
            })
        }
    }
}
