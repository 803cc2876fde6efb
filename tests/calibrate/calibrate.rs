//! Are the intervals what they say, and does early warning ring for nothing? `tests/calibrate/run`.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::let_underscore_must_use,
    reason = "a command that prints what it simulated"
)]

mod exact;
mod figures;
mod random;
mod scenarios;
mod stored;
mod support;
mod truth;
mod warning;
mod wire;

use std::process::ExitCode;

use scenarios::Held;
use truth::truth;
use warning::{Fault, Kind};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next().and_then(|number| number.parse().ok())) {
        (Some("coverage"), runs) => coverage(runs.unwrap_or(1000)),
        (Some("warning"), endpoints) => warning(endpoints.unwrap_or(100)),
        (Some("stored"), runs) => stored(runs.unwrap_or(200)).await,
        (Some("wire"), visits) => wire::wire(visits.unwrap_or(400)).await,
        (Some("figures"), _) => {
            println!("{}", figures::figures().await);
            ExitCode::SUCCESS
        }
        _ => {
            println!("calibrate coverage [RUNS] | stored [RUNS] | wire [VISITS] | warning [ENDPOINTS] | figures");
            ExitCode::FAILURE
        }
    }
}

/// How far from 95 % the share of so many runs may be: two points in a thousand runs, and as many of its own standard
/// deviations (2.9) in fewer or more.
fn tolerated(runs: u64) -> f64 {
    0.02 * (1000.0 / runs as f64).sqrt()
}

fn coverage(runs: u64) -> ExitCode {
    let tolerated = tolerated(runs);
    let wanted = (0.95 - tolerated) * 100.0..=(0.95 + tolerated) * 100.0;
    let (from, to) = (wanted.start(), wanted.end().min(100.0));
    println!("How often 95 % intervals held the truth, in {runs} runs (between {from:.0} and {to:.0} % wanted):\n");
    println!("{:<22} {:>14} {:>9} {:>9}", "statistic", "truth", "mean n", "held, %");
    let mut off = 0;
    for held in scenarios::coverage(runs) {
        println!("{}", line(&held, tolerated, &mut off));
    }
    println!("\n{off} outside");
    if off == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(held: &Held, tolerated: f64, off: &mut u32) -> String {
    let fine = (held.share() - 0.95).abs() <= tolerated + 1e-9;
    *off += u32::from(!fine);
    let (key, truth, n, share) = (&held.key, truth(&held.key), held.n(), held.share() * 100.0);
    format!("{key:<22} {truth:>14.6} {n:>9.0} {share:>9.1}{}", if fine { "" } else { "  OUTSIDE" })
}

async fn stored(runs: u64) -> ExitCode {
    let tolerated = tolerated(runs);
    let told = stored::stored(runs).await;
    println!(
        "By way of the recorder, the store and the questions of the pages, in {runs} runs with {} observations;\n\
         between {:.1} and {:.1} % wanted.\n",
        told.observations,
        (0.95 - tolerated) * 100.0,
        (0.95 + tolerated).min(1.0) * 100.0
    );
    let [days, hours, minutes, single] = told.pieces;
    println!(
        "The last run lay in {days} days, {hours} hours and {minutes} minutes, and {single} observations in none yet."
    );
    println!(
        "Apart: value and bounds of the store from those in memory, and from those of the single observations, at most.\n"
    );
    println!(
        "{:<22} {:>14} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "statistic", "truth", "mean n", "held, %", "memory", "single", "allowed"
    );
    let (mut off, mut apart) = (0, 0);
    for row in &told.rows {
        let fine = row.from_memory <= 1e-9 && row.from_single <= row.bound;
        apart += u32::from(!fine);
        let (memory, single, bound) = (row.from_memory, row.from_single, row.bound);
        let line = line(&row.held, tolerated, &mut off);
        println!("{line} {memory:>9.1e} {single:>9.1e} {bound:>9.0e}{}", if fine { "" } else { "  APART" });
    }
    println!("\n{off} outside, {apart} apart");
    if off + apart == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn warning(endpoints: u64) -> ExitCode {
    const WEEKS: i64 = 8;
    println!(
        "Early warning, {endpoints} endpoints of each kind watched for {WEEKS} weeks after two weeks of learning:\n"
    );
    println!("{:<34} {:>9} {:>9} {:>9} {:>9}", "false alarms a week", "set-up", "errors", "resets", "all");
    let mut most: f64 = 0.0;
    for kind in Kind::ALL {
        let rang = warning::false_alarms(kind, endpoints, WEEKS);
        let [setup, errors, resets] = rang.map(|(_, rang)| rang as f64 / (endpoints as f64 * WEEKS as f64));
        let all = setup + errors + resets;
        most = most.max(all);
        println!("{:<34} {setup:>9.3} {errors:>9.3} {resets:>9.3} {all:>9.3}", name(kind));
    }
    println!("{:<34} {most:>39.3} (at most 1 wanted)", "the most");
    for kind in [Kind::Quiet, Kind::Busy] {
        println!("\n{:<34} {:>19} {:>9} {:>19}", "", "until it rings", "", "until it is over");
        println!("{:<34} {:>9} {:>9} {:>9} {:>9} {:>9}", name(kind), "median", "p95", "noticed", "median", "p95");
        for (name, fault) in [
            ("set-up takes 1.3 times as long", Fault::Slower(1.3)),
            ("set-up takes 1.5 times as long", Fault::Slower(1.5)),
            ("set-up takes twice as long", Fault::Slower(2.0)),
            ("set-up takes 5 times as long", Fault::Slower(5.0)),
            ("2 % of attempts fail", Fault::Fails(0.02)),
            ("5 % of attempts fail", Fault::Fails(0.05)),
            ("20 % of attempts fail", Fault::Fails(0.2)),
            ("all attempts fail", Fault::Fails(1.0)),
            ("5 % of connections are reset", Fault::Resets(0.05)),
            ("20 % of connections are reset", Fault::Resets(0.2)),
        ] {
            delays(kind, endpoints, (name, fault));
        }
    }
    println!();
    delays(Kind::Failing, endpoints, ("all of usually 70 % fail", Fault::Fails(1.0)));
    if most <= 1.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Quiet => "some 15 attempts in 5 minutes",
        Kind::Busy => "some 3,000 attempts in 5 minutes",
        Kind::Failing => "usually 70 % fail, at times 85 %",
        Kind::Nightly => "one hour a night",
    }
}

fn delays(kind: Kind, endpoints: u64, (name, fault): (&str, Fault)) {
    let (noticed, over) = warning::delays(kind, endpoints, fault);
    let at = |delays: &[Option<i64>], share: f64| {
        let place = ((delays.len() as f64 * share).ceil() as usize).max(1) - 1;
        delays.get(place).copied().flatten().map_or_else(|| "over a day".to_owned(), |minutes| format!("{minutes} min"))
    };
    let share = noticed.iter().flatten().count() as f64 / noticed.len() as f64 * 100.0;
    let ([median, p95], [ends, late]) = ([0.5, 0.95].map(|p| at(&noticed, p)), [0.5, 0.95].map(|p| at(&over, p)));
    println!("{name:<34} {median:>9} {p95:>9} {share:>7.0} % {ends:>9} {late:>9}");
}
