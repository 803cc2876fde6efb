//! Are the intervals what they say, and does early warning ring for nothing? `tests/calibrate/run`.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a command that prints what it simulated"
)]

mod figures;
mod random;
mod scenarios;
mod warning;

use std::process::ExitCode;

use warning::Fault;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next().and_then(|number| number.parse().ok())) {
        (Some("coverage"), runs) => coverage(runs.unwrap_or(1000)),
        (Some("warning"), endpoints) => warning(endpoints.unwrap_or(100)),
        (Some("figures"), _) => {
            println!("{}", figures::figures());
            ExitCode::SUCCESS
        }
        _ => {
            println!("calibrate coverage [RUNS] | warning [ENDPOINTS] | figures");
            ExitCode::FAILURE
        }
    }
}

fn coverage(runs: u64) -> ExitCode {
    println!("How often 95 % intervals held the truth, in {runs} runs (between 93 and 97 % wanted):\n");
    println!("{:<22} {:>14} {:>9} {:>9}", "statistic", "truth", "mean n", "held, %");
    let mut off = 0;
    for (key, held, n) in scenarios::coverage(runs) {
        let fine = (0.93..=0.97).contains(&held);
        off += u32::from(!fine);
        let truth = scenarios::truth(&key);
        println!("{key:<22} {truth:>14.6} {n:>9.0} {:>9.1}{}", held * 100.0, if fine { "" } else { "  OUTSIDE" });
    }
    println!("\n{off} outside");
    if off == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn warning(endpoints: u64) -> ExitCode {
    const WEEKS: i64 = 8;
    println!("Early warning, {endpoints} endpoints watched for {WEEKS} weeks after two weeks of learning:\n");
    let mut all = 0.0;
    for (sign, rang) in warning::false_alarms(endpoints, WEEKS) {
        let a_week = rang as f64 / (endpoints as f64 * WEEKS as f64);
        all += a_week;
        println!("{:<34} {a_week:>6.3} false alarms a week", format!("{sign:?}"));
    }
    println!("{:<34} {all:>6.3} (at most 1 wanted)\n", "all together");
    println!("{:<34} {:>9} {:>9} {:>9}", "fault", "median", "p95", "noticed");
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
        let delays = warning::delays(endpoints, fault);
        let at = |share: f64| {
            let place = ((delays.len() as f64 * share).ceil() as usize).max(1) - 1;
            delays[place].map_or_else(|| "over a day".to_owned(), |minutes| format!("{minutes} min"))
        };
        let noticed = delays.iter().flatten().count() as f64 / delays.len() as f64 * 100.0;
        println!("{name:<34} {:>9} {:>9} {noticed:>7.0} %", at(0.5), at(0.95));
    }
    if all <= 1.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
