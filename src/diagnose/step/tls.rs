//! TLS: what AUTH says, which versions the server takes by a hand-made hello, and the handshake with the certificate
//! checked.

use tokio::time::{Instant, timeout};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Greeting, Outcome};
use crate::diagnose::hello::{self, Answer};
use crate::diagnose::talk::{dial, told};
use crate::model::{Fault, FaultKind, Phase, Protocol};
use crate::net::{Probe, Stream};
use crate::random;
use crate::remote::ftp::control::Control;

pub(super) async fn look(bench: &Bench) {
    if bench.known().address.is_none() {
        return bench.leave_out("no connection can be opened");
    }
    let silent =
        bench.evidence().iter().any(|seen| matches!(&seen.fact, Fact::Greeted { greeting: Greeting::Silence, .. }));
    match bench.endpoint.protocol {
        // Silence in the clear: does it wait for a TLS hello?
        Protocol::Ftp | Protocol::FtpTls if silent => matrix(bench, true).await,
        Protocol::Ftp | Protocol::Dav => {}
        Protocol::FtpTls => {
            if auth(bench).await {
                secure(bench).await;
                matrix(bench, false).await;
            }
        }
        Protocol::Davs => {
            if !secure(bench).await {
                matrix(bench, true).await;
            }
        }
        _ => {
            secure(bench).await;
            if silent {
                matrix(bench, true).await;
            }
        }
    }
}

/// Is AUTH TLS taken?
async fn auth(bench: &Bench) -> bool {
    let begun = Instant::now();
    let asked = control(bench).await;
    let asked = match asked {
        Ok(mut control) => control.ask(Phase::Tls, "AUTH", Some(b"TLS")).await,
        Err(fault) => Err(fault),
    };
    let outcome = told(&asked, begun.elapsed());
    let well = outcome.is_well();
    bench.see(bench.server(), Fact::Auth { outcome });
    well
}

async fn control(bench: &Bench) -> Result<Control, Fault> {
    let (stream, peer) = dial(bench, Probe::default()).await?;
    let mut control = Control::new(Stream::plain(stream), peer, bench.deadlines());
    control.reply(Phase::Banner, control.deadlines.banner).await?;
    Ok(control)
}

/// The handshake as a copy makes it. True: it went well.
async fn secure(bench: &Bench) -> bool {
    let Some(tls) = &bench.tls else { return false };
    for segment in [None, Some(536)] {
        let begun = Instant::now();
        let how = Probe { segment, ..Probe::default() };
        let shaken = async {
            let (stream, peer) = dial(bench, how).await?;
            if bench.endpoint.protocol != Protocol::FtpTls {
                let stream = tls.fresh()?.connect(stream, bench.deadlines().connect).await?;
                return Ok(stream.security());
            }
            let mut control = Control::new(Stream::plain(stream), peer, bench.deadlines());
            control.reply(Phase::Banner, control.deadlines.banner).await?;
            control.expect(Phase::Tls, "AUTH", Some(b"TLS")).await?;
            Ok::<_, Fault>(control.start_tls(&tls.fresh()?).await?.security())
        };
        let shaken = shaken.await;
        let outcome = match &shaken {
            Ok(_) => Outcome::well(begun.elapsed()),
            Err(fault) => Outcome::of(fault, begun.elapsed()),
        };
        let agreed = shaken.ok().flatten().map(|(version, suite)| format!("{version} with {suite}"));
        let silent = outcome.is(FaultKind::Timeout);
        let against = segment
            .map_or_else(|| bench.server(), |segment| format!("{} in segments of at most {segment}", bench.server()));
        let well = outcome.is_well();
        bench.see(against, Fact::Secured { agreed, outcome });
        if well {
            bench.learn(|known| known.segment = segment);
        }
        // A certificate is longer than a packet: where long ones are lost it never comes.
        if !silent {
            return well;
        }
    }
    false
}

/// Which versions it takes, where the handshake failed or nobody knows yet.
async fn matrix(bench: &Bench, implicit: bool) {
    for (version, name) in hello::VERSIONS {
        let begun = Instant::now();
        let mut random = [0; 32];
        if let Err(error) = random::fill(&mut random) {
            return bench.leave_out(format!("no random numbers: {error}"));
        }
        let offered = async {
            let (mut stream, peer) = dial(bench, Probe::default()).await?;
            if !implicit {
                let mut control = Control::new(Stream::plain(stream), peer, bench.deadlines());
                control.reply(Phase::Banner, control.deadlines.banner).await?;
                control.expect(Phase::Tls, "AUTH", Some(b"TLS")).await?;
                stream = control
                    .into_stream()
                    .into_plain()
                    .ok_or_else(|| Fault::new(Phase::Tls, FaultKind::Protocol, "TLS was started already"))?;
            }
            let broken = |error: std::io::Error| Fault::io(Phase::Tls, "lost the server after a TLS hello", &error);
            match timeout(bench.deadlines().connect, hello::offer(&mut stream, version, random)).await {
                Ok(answer) => answer.map_err(broken),
                Err(_) => Err(Fault::new(Phase::Tls, FaultKind::Timeout, "no answer to a TLS hello")),
            }
        };
        let (chosen, alert, outcome) = match offered.await {
            Ok(Answer::Version(version)) => (Some(hello::name(version)), None, Outcome::well(begun.elapsed())),
            Ok(answer) => {
                let alert = if let Answer::Alert(alert) = answer { Some(alert) } else { None };
                let words = alert.map_or("what came is no TLS".to_owned(), |alert| format!("alert {alert}"));
                let outcome = Outcome { failed: Some(FaultKind::Tls), words, ..Outcome::well(begun.elapsed()) };
                (None, alert, outcome)
            }
            Err(fault) => (None, None, Outcome::of(&fault, begun.elapsed())),
        };
        bench.see(bench.server(), Fact::Offered { version: name.to_owned(), chosen, alert, outcome });
    }
}
