//! The intervals hold what they promise, the figures are those of other tools, and early warning is quiet: in small, with
//! fixed seeds. `tests/calibrate/run` does it in full.

#[path = "../calibrate/exact.rs"]
mod exact;
#[path = "../calibrate/figures.rs"]
mod figures;
#[path = "../calibrate/random.rs"]
mod random;
#[path = "../calibrate/scenarios.rs"]
mod scenarios;
#[path = "../calibrate/stored.rs"]
mod stored;
#[path = "../calibrate/truth.rs"]
mod truth;
#[path = "../calibrate/warning.rs"]
mod warning;
#[path = "../calibrate/wire.rs"]
mod wire;

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support;
use warning::{Fault, Kind};

#[test]
fn intervals_hold_the_truth() {
    let told = scenarios::coverage(100);
    assert!(told.len() > 40, "every statistic has a truth: {told:?}");
    for held in told {
        assert!((0.88..=1.0).contains(&held.share()) && held.n() >= 200.0, "{held:?}");
    }
}

/// What comes out of the store is what went in, and what is said of it in memory.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_through_the_store_changes_no_figure() {
    let told = stored::stored(2).await;
    assert!(told.rows.len() > 40 && told.pieces.iter().all(|count| *count > 0), "{:?}", told.pieces);
    for row in told.rows {
        assert!(row.from_memory <= 1e-9 && row.from_single <= row.bound, "{row:?}");
    }
}

/// Refused, reset, stalled and delayed by a proxy before a real server: each of it is observed once.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_proxy_did_is_what_the_store_says() {
    let report = wire::run(40, 5).await;
    assert_eq!(report.wrong, [""; 0]);
    for row in report.rows {
        assert!(row.is_exact(), "{row:?}");
    }
}

#[tokio::test]
async fn figures_agree_with_scipy_and_lifelines() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calibrate/agree.py");
    let mut python = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(figures::figures().await.to_string().as_bytes()).unwrap();
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
