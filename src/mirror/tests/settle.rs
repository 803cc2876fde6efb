//! Files that are written while they are read, by sources that tell times coarsely or by a wrong clock.

use jiff::SignedDuration;

use super::*;
use crate::model::Precision;

/// The told time of `f` does not show that it is rewritten in the middle, unless its tick passes before.
fn being_written(precision: Precision, skew: SignedDuration) -> Memory {
    let source = Memory::new();
    source.script(|s| {
        s.precision = Some(precision);
        s.clock = Some((Arc::new(SystemClock), skew));
        s.changes_while_read.insert(path("f"), vec![2; 300_000]);
    });
    source.put(&path("f"), vec![1; 300_000]);
    source.put(&path("quiet"), "just arrived");
    source
}

async fn mirrored(precision: Precision, skew: SignedDuration) {
    let (lab, source, target) = (Lab::new().await, being_written(precision, skew), Memory::new());
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    let case = format!("{precision:?} {skew}: {summary:?}");
    if let Some(f) = target.tree().get(&path("f")) {
        assert_eq!(f.data, vec![2; 300_000], "torn: {case}");
    } else {
        assert!(summary.missing.iter().any(|m| m.fault.message.contains("being written")), "{case}");
    }
    assert_eq!(target.tree()[&path("quiet")].data, b"just arrived", "{case}");
    assert!(summary.complete || precision == Precision::Minute, "{case}");
}

#[tokio::test]
async fn nothing_torn_is_published_where_times_are_to_the_second_and_the_clock_is_wrong() {
    let hour = SignedDuration::from_hours(1);
    tokio::join!(
        mirrored(Precision::Second, SignedDuration::ZERO),
        mirrored(Precision::Second, hour),
        mirrored(Precision::Second, -hour)
    );
}

#[tokio::test]
async fn nothing_torn_is_published_where_times_are_to_the_minute_and_what_just_arrived_is_copied_at_the_end() {
    let hour = SignedDuration::from_hours(1);
    tokio::join!(
        mirrored(Precision::Minute, SignedDuration::ZERO),
        mirrored(Precision::Minute, hour),
        mirrored(Precision::Minute, -hour)
    );
}

#[tokio::test]
async fn an_old_tree_is_not_waited_for() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|s| s.precision = Some(Precision::Minute));
    // Less than the minute that a recent file would take.
    let work = lab.go((1, 1), &source, &target, quick());
    let summary = tokio::time::timeout(std::time::Duration::from_secs(50), work).await.expect("nothing is waited for");
    assert!(summary.complete && summary.counts.files_published == 4, "{summary:?}");
}

#[tokio::test]
async fn a_file_without_any_time_is_read_twice() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), vec![1; 300_000]);
    source.script(|s| {
        s.precision = None;
        s.changes_while_read.insert(path("f"), vec![2; 300_000]);
    });
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    assert!(summary.complete && summary.verified, "{summary:?}");
    assert_eq!(target.tree()[&path("f")].data, vec![2; 300_000]);
}
