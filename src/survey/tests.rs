//! Whole surveys of a tree in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::model::{Fault, FaultKind, Phase, Retry, SystemClock};
use crate::remote::Doubt;
use crate::remote::memory::Memory;

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn order(memory: &Memory) -> Order {
    let endpoint = Endpoint::parse("ftp://anna@old.example/pub").unwrap();
    let limits = Limits { rest: Duration::ZERO, again: Duration::ZERO, ..Limits::default() };
    Order { remote: Arc::new(memory.clone()), endpoint, clock: Arc::new(SystemClock), limits }
}

async fn survey(order: &Order) -> Report {
    run(order, &Progress::default(), &CancellationToken::new()).await
}

fn tree() -> Memory {
    let memory = Memory::new();
    for (file, size) in
        [("readme.txt", 100), ("in/2026/a.csv", 5_000), ("in/2026/A.csv", 6_000), ("out/big.bin", 2_000_000)]
    {
        memory.put(&path(file), vec![7; size]);
    }
    memory
}

#[tokio::test]
async fn a_whole_tree_is_counted_once() {
    let report = survey(&order(&tree())).await;
    assert!(report.whole, "{:?}", report.findings);
    assert_eq!((report.census.files, report.census.folders, report.census.bytes), (4, 4, 2_011_100));
    assert_eq!(report.names.count(names::Trouble::Case), 1);
    assert_eq!(report.census.largest_files[0].path, "out/big.bin");
    assert_eq!(report.estimate.forecasts.len(), 5);
    assert!(report.estimate.model.goodput_one.is_some() && report.estimate.model.timed_files > 0);
    // As it is stored and read again.
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("ftp://anna@old.example/pub"));
    let again: Report = serde_json::from_str(&text).unwrap();
    assert_eq!((again.census, again.findings), (report.census, report.findings));
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_the_rest_is_counted() {
    let memory = tree();
    memory.script(|script| {
        script.unreadable.insert(path("out"));
        script.doubtful.insert(path("in"), Doubt::ClosingReply { text: "226 Output truncated".into() });
    });
    let report = survey(&order(&memory)).await;
    assert!(!report.whole);
    assert_eq!((report.unread.count, report.doubtful.hiding, report.census.files), (1, 1, 3));
    assert_eq!(report.unread.examples[0].path, "out");
    let lost: Vec<_> = report.findings.iter().filter(|one| one.weight == findings::Weight::Lost).collect();
    assert!(lost.iter().any(|one| one.what.contains("1 folder cannot be read")), "{lost:?}");
    assert!(lost.iter().any(|one| one.examples.iter().any(|e| e.contains("Output truncated"))), "{lost:?}");
}

#[tokio::test]
async fn a_listing_that_fails_once_is_asked_for_again() {
    let memory = tree();
    let fault = Fault::new(Phase::List, FaultKind::Reset, "cut").retry(Retry::Now);
    memory.script(|script| script.fail_at = Some((1, fault)));
    let report = survey(&order(&memory)).await;
    assert!(report.whole, "{:?}", report.unread);
    assert_eq!((report.unread.tried_again, report.census.files), (1, 4));
}

#[tokio::test]
async fn a_server_that_goes_away_ends_it_honestly() {
    let memory = tree();
    let fault = Fault::new(Phase::Connect, FaultKind::Refused, "nobody listens");
    memory.script(|script| script.fail_from = Some((4, fault)));
    let mut order = order(&memory);
    order.limits.connections = 1;
    let report = survey(&order).await;
    assert!(!report.whole);
    let stopped = report.stopped.expect("it stopped early");
    assert!(matches!(stopped.why, Why::Gone { .. }), "{stopped:?}");
}

#[tokio::test]
async fn it_ends_at_its_bounds_and_says_where() {
    let memory = Memory::new();
    for n in 0..50 {
        memory.put(&path(&format!("d{n}/file")), *b"x");
    }
    let mut order = order(&memory);
    order.limits.entries = 20;
    let report = survey(&order).await;
    assert!(!report.whole && report.census.files < 50);
    let stopped = report.stopped.expect("it stopped early");
    assert_eq!(stopped.why, Why::Entries { entries: 20 });
    assert!(stopped.folders_left > 20 && stopped.sentence().contains("20 entries"), "{stopped:?}");
    order.limits.entries = 1_000;
    order.limits.time = Duration::ZERO;
    let report = survey(&order).await;
    assert!(matches!(report.stopped, Some(Stopped { why: Why::Time { seconds: 0 }, .. })));
    let stop = CancellationToken::new();
    stop.cancel();
    let report = run(&order, &Progress::default(), &stop).await;
    assert!(matches!(report.stopped, Some(Stopped { why: Why::Asked, .. })));
}

#[test]
fn a_small_file_that_came_as_a_larger_one_has_no_handling_of_its_own() {
    let server = Traits {
        round_trips: vec![20_000],
        round_trips_small: Some(2.0),
        round_trips_large: Some(3.0),
        ..Traits::default()
    };
    let of = |took: f64, ahead: bool| {
        let small = vec![sample::Small { size: 0, took, ahead }; 9];
        let told = model(&server, &Costs { small, ..Costs::default() }, Duration::ZERO, 0);
        (told.round_trips_small, (told.handling * 1e6).round())
    };
    assert_eq!(of(0.061, false), (2.0, 1_000.0), "before the server was tried: a millisecond beyond three round trips");
    assert_eq!(of(0.041, true), (2.0, 1_000.0));
    assert_eq!(of(0.061, true), (2.0, 21_000.0));
    assert_eq!(of(0.030, true), (1.5, 0.0), "who does not wait for us needs fewer");
    assert_eq!(of(0.001, true), (1.0, 0.0));
}
