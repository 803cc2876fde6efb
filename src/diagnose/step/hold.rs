//! How long an idle connection lives, with nothing sent, with TCP keepalive, with NOOP. Who is dead with nothing and alive
//! with keepalive was forgotten by somebody on the way; who needs NOOP was sent away by the server; who dies in all three
//! has reached a limit of its life.
//!
//! A ladder of ages at once, one connection each, since a connection that was asked is not idle any more. Then the gap
//! between the oldest that lived and the youngest that died is divided, until it is two seconds wide.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Keep, Outcome};
use crate::diagnose::talk::{Talk, told};
use crate::model::{Fault, FaultKind, Phase};
use crate::net::Probe;
use crate::remote::ftp::fault;
use crate::remote::ftp::reply::Reply;

/// An age is known well enough when it lies between two that are so far apart, in seconds.
const GAP: f64 = 2.0;
/// So long the answer of a connection that was idle may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Ages of the ladder, in parts of the longest one.
const LADDER: [f64; 6] = [0.08, 0.17, 0.33, 0.5, 0.75, 1.0];

pub(super) async fn look(bench: &Bench) {
    if !bench.known().enters {
        return bench.leave_out("logging in does not work");
    }
    if bench.limits.quick || bench.limits.hold.is_zero() {
        return bench.leave_out("a quick look only");
    }
    let lanes = bench.known().limit.unwrap_or(bench.limits.at_once).min(8);
    let longest = bench.limits.hold.as_secs_f64();
    let few = LADDER.len().saturating_sub(usize::from(lanes));
    let ages = LADDER.iter().skip(few).map(|part| (Keep::Nothing, (part * longest).max(1.0)));
    let mut gap = Gap { lived: 0.0, died: f64::INFINITY, by_itself: false };
    gap.note(round(bench, ages.collect()).await);
    let mut compared = false;
    while gap.died.is_finite() && !gap.is_narrow() {
        let room = usize::from(lanes).saturating_sub(if compared { 0 } else { 3 }).clamp(1, 4);
        let mut lanes = gap.inside(room);
        if !compared {
            lanes.extend(gap.comparison());
        }
        compared = true;
        let before = (gap.lived, gap.died);
        gap.note(round(bench, lanes).await);
        if before == (gap.lived, gap.died) {
            break;
        }
    }
    if gap.died.is_finite() && !compared {
        round(bench, gap.comparison()).await;
    }
}

/// What lies between the oldest that lived and the youngest that died.
struct Gap {
    lived: f64,
    died: f64,
    by_itself: bool,
}

impl Gap {
    fn note(&mut self, held: Vec<Held>) {
        for one in held.into_iter().filter(|one| one.keep == Keep::Nothing) {
            if one.lives {
                self.lived = self.lived.max(one.seconds);
            } else if one.seconds < self.died {
                (self.died, self.by_itself) = (one.seconds, !one.asked);
            }
        }
    }

    /// Who leaves by itself tells when.
    fn is_narrow(&self) -> bool {
        self.by_itself || self.died - self.lived <= (self.died * 0.02).max(GAP)
    }

    /// Ages that divide it evenly.
    fn inside(&self, count: usize) -> Vec<(Keep, f64)> {
        let parts = u32::try_from(count + 1).map_or(2.0, f64::from);
        let age = |part: u32| self.lived + (self.died - self.lived) * f64::from(part) / parts;
        (1..=u32::try_from(count).unwrap_or(1)).map(|part| (Keep::Nothing, age(part))).collect()
    }

    /// The same time and some more, kept awake: three times as often as the youngest that died.
    fn comparison(&self) -> Vec<(Keep, f64)> {
        let every = often(self.lived.max(self.died / 2.0));
        let age = self.died * 1.3 + 1.0;
        // One more with nothing: nobody dies twice by chance.
        vec![(Keep::Nothing, self.died * 1.1), (Keep::Keepalive(every), age), (Keep::Noop(every), age)]
    }
}

/// A third of an age, in whole seconds.
fn often(age: f64) -> u64 {
    Duration::try_from_secs_f64(age / 3.0).map_or(1, |third| third.as_secs()).max(1)
}

pub(in crate::diagnose) struct Held {
    keep: Keep,
    seconds: f64,
    asked: bool,
    lives: bool,
}

/// All lanes at once. Lanes older than one that died are left: they are dead as well.
pub(in crate::diagnose) async fn round(bench: &Bench, lanes: Vec<(Keep, f64)>) -> Vec<Held> {
    let mut running: FuturesUnordered<_> = lanes.iter().map(|(keep, age)| Box::pin(hold(bench, *keep, *age))).collect();
    let mut all = Vec::new();
    let mut waits = lanes.len();
    while let Some(held) = running.next().await {
        waits -= 1;
        let Some(held) = held else { continue };
        let dead = !held.lives && held.keep == Keep::Nothing;
        all.push(held);
        // Only comparisons are worth waiting for.
        let compared = lanes.iter().filter(|(keep, _)| *keep != Keep::Nothing).count();
        let came = all.iter().filter(|held| held.keep != Keep::Nothing).count();
        if dead && compared == came && waits > 0 {
            break;
        }
    }
    all
}

/// One lane. None: it could not be opened.
async fn hold(bench: &Bench, keep: Keep, age: f64) -> Option<Held> {
    let keepalive = if let Keep::Keepalive(every) = keep { Some(Duration::from_secs(every)) } else { None };
    let mut talk = match Talk::open(bench, Probe { keepalive, ..Probe::default() }).await {
        Ok(talk) => talk,
        Err(fault) => {
            bench.leave_out(format!("{keep} for {age:.0} s: {fault}"));
            return None;
        }
    };
    talk.control.deadlines.command = ANSWER;
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(age);
    let ended = loop {
        let left = until.saturating_duration_since(Instant::now());
        let nap = if let Keep::Noop(every) = keep { left.min(Duration::from_secs(every)) } else { left };
        // Whatever comes unasked is a farewell.
        if let Some(ended) = listen(&mut talk, nap).await {
            break Some((false, ended));
        }
        let asked = Instant::now();
        let answer = talk.control.ask(Phase::Command, "NOOP", None).await;
        match &answer {
            Err(fault) => break Some((true, Outcome::of(fault, asked.elapsed()))),
            // Its farewell and our question crossed: it is no answer (RFC 959, section 5.4).
            Ok(reply) if reply.code == 421 => break Some((false, farewell(reply, asked.elapsed()))),
            Ok(_) => {}
        }
        if Instant::now() >= until {
            let outcome = told(&answer, asked.elapsed());
            // A server without NOOP answered as well.
            break Some((true, Outcome { failed: None, ..outcome }));
        }
    };
    let (asked, outcome) = ended?;
    let seconds = match asked {
        true => (begun.elapsed().as_secs_f64() - Duration::from_millis(outcome.millis).as_secs_f64()).max(0.0),
        false => begun.elapsed().as_secs_f64(),
    };
    let lives = outcome.is_well();
    bench.see(bench.server(), Fact::Held { keep, seconds: (seconds * 100.0).round() / 100.0, asked, outcome });
    if lives {
        talk.control.quit().await;
    }
    Some(Held { keep, seconds, asked, lives })
}

/// Waits for so long. How the connection ended meanwhile, if it did.
async fn listen(talk: &mut Talk, nap: Duration) -> Option<Outcome> {
    let begun = Instant::now();
    match timeout(nap, talk.control.reply(Phase::Command, nap + ANSWER)).await {
        Err(_) => None,
        Ok(Ok(reply)) => Some(farewell(&reply, begun.elapsed())),
        Ok(Err(fault)) => Some(Outcome::of(&fault, begun.elapsed())),
    }
}

fn farewell(reply: &Reply, took: Duration) -> Outcome {
    let said = fault::of_reply(Phase::Command, "left idle", reply);
    Outcome::of(&Fault { kind: FaultKind::ClosedEarly, ..said }, took)
}
