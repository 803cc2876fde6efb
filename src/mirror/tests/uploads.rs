//! Files that are still being uploaded while the mirror looks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::mirror::Uploads;
use crate::mirror::uploads::store as uploads;
use crate::model::{Clock, ManualClock};

/// A clock that the test sets, for us and the source.
#[derive(Debug, Clone)]
struct Hand(Arc<ManualClock>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(ManualClock::new(Timestamp::from_second(1_700_000_000).unwrap())))
    }

    fn pass(&self, seconds: i64) {
        self.0.advance(SignedDuration::from_secs(seconds));
    }

    /// A file that was written so many seconds ago.
    fn written(&self, data: impl Into<Vec<u8>>, ago: i64) -> Node {
        let mtime = self.0.now() - SignedDuration::from_secs(ago);
        Node { kind: EntryKind::File, data: data.into(), mtime, mode: 0o644 }
    }

    async fn go(&self, lab: &Lab, number: i64, source: &Memory, target: &Memory, policy: Policy) -> Summary {
        let order = MirrorRun { clock: self.0.clone(), ..lab.order((1, number), source, target, policy) };
        run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap()
    }
}

const MONTH: i64 = 30 * 86_400;

async fn held(lab: &Lab) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM uploads").fetch_one(lab.db.read()).await.unwrap()
}

async fn folders(lab: &Lab) -> Vec<(RelPath, Duration)> {
    uploads::folders(&lab.db, JobId(1), Timestamp::MIN, 100).await.unwrap()
}

#[tokio::test]
async fn an_upload_waits_until_two_looks_far_enough_apart_agree_and_old_data_of_such_a_name_does_not() {
    let (lab, source, target, clock) = (Lab::new().await, Memory::new(), Memory::new(), Hand::new());
    source.put_node(&path("old.tmp"), clock.written("data", MONTH));
    source.put_node(&path("done.txt"), clock.written("done", MONTH));
    source.put_node(&path("in"), node(EntryKind::Dir));
    source.put_node(&path("in/report.PART"), clock.written("ha", 1));
    let waits = |summary: &Summary| {
        let counts = summary.counts;
        assert!(!summary.complete && counts.files_failed == 0, "{summary:?}");
        assert_eq!((counts.files_waiting, counts.files_uploading), (1, 1), "{summary:?}");
        let told: Vec<_> = summary.missing.iter().map(|m| (m.path.clone(), m.fault.kind)).collect();
        assert_eq!(told, [(path("in/report.PART"), FaultKind::Unsettled)]);
        assert!(!target.tree().contains_key(&path("in/report.PART")));
    };
    let first = clock.go(&lab, 1, &source, &target, quick()).await;
    waits(&first);
    assert_eq!(first.counts.files_published, 2, "{first:?}");

    clock.pass(100);
    source.put_node(&path("in/report.PART"), clock.written("half", 1));
    waits(&clock.go(&lab, 2, &source, &target, quick()).await);
    assert_eq!(folders(&lab).await, [(path("in"), Duration::from_secs(100))], "it was seen to grow");

    clock.pass(299);
    waits(&clock.go(&lab, 3, &source, &target, quick()).await);
    clock.pass(2);
    let last = clock.go(&lab, 4, &source, &target, quick()).await;
    assert!(last.complete && last.counts.files_uploading == 0, "{last:?}");
    assert_eq!(target.tree()[&path("in/report.PART")].data, b"half");
    assert_eq!(held(&lab).await, 0);
    lab.agree(4).await;
}

#[tokio::test]
async fn what_gets_its_name_when_it_is_complete_leaves_no_half_behind() {
    let (lab, source, target, clock) = (Lab::new().await, Memory::new(), Memory::new(), Hand::new());
    source.put_node(&path("in"), node(EntryKind::Dir));
    source.put_node(&path("in/.in.report.csv."), clock.written("ha", 0));
    let first = clock.go(&lab, 1, &source, &target, quick()).await;
    assert_eq!((first.counts.files_uploading, first.counts.files_published), (1, 0), "{first:?}");
    source.take(&path("in/.in.report.csv."));
    source.put_node(&path("in/report.csv"), clock.written("half and half", MONTH));
    let second = clock.go(&lab, 2, &source, &target, quick()).await;
    assert!(second.complete, "{second:?}");
    assert_eq!(content(&source), content(&target));
    assert_eq!(held(&lab).await, 0, "what is gone is waited for no longer");
}

#[tokio::test]
async fn an_older_version_stays_as_long_as_the_newer_one_is_waited_for() {
    let (lab, source, target, clock) = (Lab::new().await, Memory::new(), Memory::new(), Hand::new());
    source.put_node(&path("state.tmp"), clock.written("old", MONTH));
    assert!(clock.go(&lab, 1, &source, &target, deleting()).await.complete);
    for number in 2..6 {
        clock.pass(60);
        source.put_node(&path("state.tmp"), clock.written(format!("version {number}"), 0));
        let summary = clock.go(&lab, number, &source, &target, deleting()).await;
        assert_eq!((summary.counts.files_uploading, summary.counts.files_trashed), (1, 0), "{summary:?}");
        assert_eq!(target.tree()[&path("state.tmp")].data, b"old");
    }
}

#[tokio::test]
async fn what_never_comes_to_rest_is_copied_after_a_day_as_it_is() {
    let (lab, source, target, clock) = (Lab::new().await, Memory::new(), Memory::new(), Hand::new());
    for (number, passed) in [(1, 0), (2, 43_200), (3, 40_000)] {
        clock.pass(passed);
        source.put_node(&path("trace.tmp"), clock.written(vec![7; 10 * number], 0));
        let summary = clock.go(&lab, i64::try_from(number).unwrap(), &source, &target, quick()).await;
        assert_eq!(summary.counts.files_uploading, 1, "{summary:?}");
    }
    clock.pass(4000);
    source.put_node(&path("trace.tmp"), clock.written(vec![7; 40], 0));
    let summary = clock.go(&lab, 4, &source, &target, quick()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(target.tree()[&path("trace.tmp")].data, vec![7; 40]);
}

#[tokio::test]
async fn who_wants_it_waits_for_nothing() {
    let (lab, source, target, clock) = (Lab::new().await, Memory::new(), Memory::new(), Hand::new());
    source.put_node(&path("a.part"), clock.written("ha", 5));
    source.put_node(&path("newer"), clock.written("x", 0));
    let policy = Policy { uploads: Uploads { rest_seconds: 0, ..Uploads::default() }, ..quick() };
    let summary = clock.go(&lab, 1, &source, &target, policy).await;
    assert!(summary.complete && target.tree().contains_key(&path("a.part")), "{summary:?}");
    let named = Policy { uploads: Uploads { names: vec!["*.xyz".into()], ..Uploads::default() }, ..quick() };
    source.put_node(&path("b.part"), clock.written("ha", 5));
    source.put_node(&path("b.xyz"), clock.written("ha", 5));
    let summary = clock.go(&lab, 2, &source, &target, named).await;
    assert!(summary.counts.files_uploading == 1 && target.tree().contains_key(&path("b.part")), "{summary:?}");
    assert!(!target.tree().contains_key(&path("b.xyz")));
}

#[tokio::test]
async fn a_look_at_hot_folders_goes_on_with_what_waits() {
    let (lab, source, target, clock) = (Lab::new().await, small_tree(), Memory::new(), Hand::new());
    source.put_node(&path("d/e/report.part"), clock.written("half", 1));
    assert_eq!(clock.go(&lab, 1, &source, &target, quick()).await.counts.files_uploading, 1);
    clock.pass(301);
    let order = lab.order((1, 2), &source, &target, quick());
    let order = MirrorRun { clock: clock.0.clone(), extent: Extent::Hot, ..order };
    let summary = run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
    assert!(summary.complete && summary.counts.files_published == 1, "{summary:?}");
    assert_eq!(content(&source), content(&target));
    assert_eq!(held(&lab).await, 0);
}

/// In `in` a file was seen to grow; in `out` none was. A client that pauses for longer than a tick is half done in both.
#[tokio::test]
async fn where_uploads_are_slow_a_pause_is_no_end_and_other_folders_pay_nothing() {
    let (lab, source, target, clock) = (Lab::new().await, Memory::new(), Memory::new(), Hand::new());
    for folder in ["in", "out"] {
        source.put_node(&path(folder), node(EntryKind::Dir));
    }
    source.put_node(&path("in/first.csv"), clock.written(vec![1; 300_000], 60));
    source.put_node(&path("newer"), clock.written("x", 10));
    source.script(|s| {
        s.changes_while_read.insert(path("in/first.csv"), vec![2; 300_000]);
    });
    assert!(clock.go(&lab, 1, &source, &target, quick()).await.complete);
    assert_eq!(folders(&lab).await.iter().map(|(folder, _)| folder.clone()).collect::<Vec<_>>(), [path("in")]);

    for folder in ["in", "out"] {
        source.put_node(&path(folder).join(&path("a.csv").name().unwrap()), clock.written("half", 5));
    }
    source.put_node(&path("newest"), clock.written("x", 0));
    let goes_on = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        for folder in ["in", "out"] {
            let at = path(folder).join(&path("a.csv").name().unwrap());
            source.put_node(&at, clock.written("half and half", 0));
        }
    };
    let (summary, ()) = tokio::join!(clock.go(&lab, 2, &source, &target, quick()), goes_on);
    assert!(summary.complete, "{summary:?}");
    assert_eq!(target.tree()[&path("in/a.csv")].data, b"half and half");
    assert_eq!(target.tree()[&path("out/a.csv")].data, b"half", "nobody could know");
    let next = clock.go(&lab, 3, &source, &target, quick()).await;
    assert!(next.complete && next.counts.files_published == 1, "{next:?}");
    assert_eq!(content(&source), content(&target));
}
