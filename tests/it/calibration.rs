//! The intervals hold what they promise, the figures are those of other tools, and early warning is quiet: in small, with
//! fixed seeds. `tests/calibrate/run` does it in full.

#[path = "../calibrate/figures.rs"]
mod figures;
#[path = "../calibrate/random.rs"]
mod random;
#[path = "../calibrate/scenarios.rs"]
mod scenarios;
#[path = "../calibrate/warning.rs"]
mod warning;

use std::io::Write as _;
use std::process::{Command, Stdio};

use warning::{Fault, Kind};

#[test]
fn intervals_hold_the_truth() {
    let told = scenarios::coverage(100);
    assert!(told.len() > 40, "every statistic has a truth: {told:?}");
    for (key, held, _) in told {
        assert!((0.88..=1.0).contains(&held), "{key}: {held}");
    }
}

#[test]
fn figures_agree_with_scipy_and_lifelines() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calibrate/agree.py");
    let mut python = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(figures::figures().to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("figures agree"), "{said}");
}

#[test]
fn warnings_are_rare_and_come_soon() {
    let (endpoints, weeks) = (3, 4);
    for kind in Kind::ALL {
        let rang: u64 = warning::false_alarms(kind, endpoints, weeks).iter().map(|(_, count)| count).sum();
        assert!(rang <= endpoints * weeks as u64, "{kind:?}: {rang} false alarms");
    }
    for kind in [Kind::Quiet, Kind::Busy] {
        for fault in [Fault::Slower(3.0), Fault::Fails(0.3), Fault::Resets(0.3)] {
            let (noticed, over) = warning::delays(kind, 5, fault);
            assert!(noticed.iter().all(|delay| delay.is_some_and(|minutes| minutes <= 120)), "{kind:?}: {noticed:?}");
            assert!(over.len() == 5 && over.iter().all(Option::is_some), "{kind:?}: {over:?}");
        }
    }
    let (noticed, _) = warning::delays(Kind::Failing, 5, Fault::Fails(1.0));
    assert!(noticed.iter().all(|delay| delay.is_some_and(|minutes| minutes <= 120)), "{noticed:?}");
}
