//! Runs over hot folders, and how far a target is behind.

use jiff::Timestamp;

use super::*;
use crate::mirror::heat::{self, MOST_HOT};
use crate::mirror::lag;
use crate::model::ServerZone;

impl Lab {
    async fn warm_up(&self, run_id: i64, source: &Memory, target: &Memory, policy: Policy) -> Summary {
        source.script(|_| ());
        let order = MirrorRun { extent: Extent::Hot, ..self.order((1, run_id), source, target, policy) };
        run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap()
    }

    async fn hot(&self) -> Vec<(String, u64)> {
        let since = Timestamp::now() - heat::HOT_FOR;
        let hot = heat::store::hot(&self.db, JobId(1), since, MOST_HOT).await.unwrap();
        hot.into_iter().map(|folder| (folder.path.display().to_string(), folder.changes)).collect()
    }
}

/// A file that was written just now.
fn fresh(data: &str) -> Node {
    Node { kind: EntryKind::File, data: data.into(), mtime: Timestamp::now(), mode: 0o644 }
}

fn listed(memory: &Memory) -> Vec<String> {
    let mut listed: Vec<_> = memory.log().into_iter().filter(|step| step.starts_with("list ")).collect();
    listed.sort();
    listed
}

#[tokio::test]
async fn only_folders_that_changed_are_looked_at_and_what_is_new_in_them_is_copied() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, quick()).await;
    assert_eq!(lab.hot().await, [], "what the first run copied is old");

    source.put(&path("d/e/new.txt"), "one");
    lab.go((1, 2), &source, &target, quick()).await;
    assert_eq!(lab.hot().await, [("d/e".to_owned(), 1)]);

    source.put(&path("d/e/newer.txt"), "two");
    source.put(&path("d/e/c.txt"), "changed");
    source.put(&path("d/e/f/g/deep.txt"), "three");
    source.put(&path("hollow/cold.txt"), "four");
    let hot = lab.warm_up(3, &source, &target, quick()).await;
    assert!(hot.complete && hot.extent == Extent::Hot, "{hot:?}");
    assert_eq!((hot.counts.files_published, hot.counts.dirs_listed), (3, 3), "{hot:?}");
    assert_eq!(listed(&source), ["list d/e", "list d/e/f", "list d/e/f/g"]);
    assert_eq!(target.tree()[&path("d/e/f/g/deep.txt")].data, b"three");
    assert!(!target.tree().contains_key(&path("hollow/cold.txt")));
    lab.agree(3).await;

    // What is new to nobody is not gone into again, unless it is hot itself.
    let again = lab.warm_up(4, &source, &target, quick()).await;
    assert_eq!((again.counts.files_published, again.counts.files_unchanged), (0, 4), "{again:?}");
    assert_eq!(listed(&source), ["list d/e", "list d/e/f", "list d/e/f/g"]);

    let whole = lab.go((1, 5), &source, &target, quick()).await;
    assert_eq!((whole.counts.files_published, whole.complete), (1, true), "{whole:?}");
    assert_eq!(content(&source), content(&target));
}

#[tokio::test]
async fn a_folder_below_a_hot_one_that_is_known_and_cold_is_left_alone() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, quick()).await;
    source.put(&path("d/new.bin"), "one");
    lab.go((1, 2), &source, &target, quick()).await;
    source.put(&path("d/e/unseen.txt"), "two");
    let hot = lab.warm_up(3, &source, &target, deleting()).await;
    assert!(hot.complete && hot.counts.files_published == 0, "{hot:?}");
    assert_eq!(listed(&source), ["list d"]);
    assert_eq!(hot.counts.dirs_listed, 1, "{hot:?}");
}

#[tokio::test]
async fn one_failure_at_any_step_hides_nothing_of_a_hot_folder_in_another() {
    let mut steps = 1;
    let mut k = 0;
    while k < steps {
        k += 1;
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        lab.go((1, 1), &source, &target, quick()).await;
        for place in ["d/1.txt", "d/e/1.txt", "d/e/f/1.txt"] {
            source.put(&path(place), "one");
        }
        lab.go((1, 2), &source, &target, quick()).await;
        for place in ["d/2.txt", "d/e/2.txt", "d/e/f/2.txt"] {
            source.put(&path(place), "two");
        }
        source.script(|s| s.fail_at = Some((k, Fault::new(Phase::List, FaultKind::Reset, "on cue"))));
        let order = MirrorRun { extent: Extent::Hot, ..lab.order((1, 3), &source, &target, quick()) };
        let hot = run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
        steps = steps.max(source.steps());
        assert!(hot.complete, "step {k}: {hot:?}");
        assert_eq!((hot.counts.files_published, hot.counts.files_seen), (3, 8), "step {k}: {hot:?}");
        assert_eq!(
            content(&source).keys().collect::<Vec<_>>(),
            content(&target).keys().collect::<Vec<_>>(),
            "step {k}"
        );
    }
    assert!(steps > 10, "{steps}");
}

#[tokio::test]
async fn a_folder_that_was_there_before_the_job_is_no_new_one() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    for dir in ["d", "d/e", "hollow"] {
        target.put_node(&path(dir), node(EntryKind::Dir));
    }
    lab.go((1, 1), &source, &target, quick()).await;
    source.put(&path("new.txt"), "one");
    lab.go((1, 2), &source, &target, quick()).await;
    let hot = lab.warm_up(3, &source, &target, quick()).await;
    assert!(hot.complete, "{hot:?}");
    // Where the job has nothing it cannot know that it was there.
    assert_eq!(listed(&source), ["list ", "list hollow"]);
}

#[tokio::test]
async fn what_was_not_looked_at_is_never_gone() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, deleting()).await;
    source.put(&path("d/new.bin"), "one");
    lab.go((1, 2), &source, &target, deleting()).await;
    source.take(&path("a.txt"));
    source.take(&path("d/b.bin"));
    let first = lab.go((1, 3), &source, &target, deleting()).await;
    assert_eq!(first.counts.files_kept, 2, "{first:?}");
    for run in [4, 5] {
        let hot = lab.warm_up(run, &source, &target, deleting()).await;
        assert_eq!((hot.counts.files_trashed, hot.complete), (0, true), "{hot:?}");
    }
    assert!(target.tree().contains_key(&path("d/b.bin")), "it takes two runs that saw the whole");
    let second = lab.go((1, 6), &source, &target, deleting()).await;
    assert_eq!(second.counts.files_trashed, 2, "a look at hot folders is no run between the two: {second:?}");
}

#[tokio::test]
async fn a_hot_folder_that_went_away_is_said_and_the_others_are_looked_at() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, quick()).await;
    source.put(&path("d/new.bin"), "one");
    source.put(&path("x/new.txt"), "one");
    lab.go((1, 2), &source, &target, quick()).await;
    source.take(&path("x"));
    source.put(&path("d/newer.bin"), "two");
    let hot = lab.warm_up(3, &source, &target, quick()).await;
    assert_eq!(hot.counts.files_published, 1, "{hot:?}");
    assert!(target.tree().contains_key(&path("x/new.txt")), "nothing is deleted");
    assert!(hot.complete, "its folder is proven to be gone: {hot:?}");
}

#[tokio::test]
async fn a_clock_that_moved_waits_for_the_run_that_sees_all_of_the_tree() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|s| s.listed_by = Some(ServerZone::default()));
    lab.go((1, 1), &source, &target, quick()).await;
    source.put(&path("d/new.bin"), "one");
    lab.go((1, 2), &source, &target, quick()).await;
    source.script(|s| s.listed_by = Some("60".parse().unwrap()));
    let order = MirrorRun { extent: Extent::Hot, ..lab.order((1, 3), &source, &target, quick()) };
    let hot = run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
    assert_eq!(hot.counts.files_published, 0, "{hot:?}");
    assert!(hot.notes.iter().any(|note| note.contains("may have been moved")), "{hot:?}");
    assert!(!hot.complete && lag::store::looks(&lab.db, JobId(1)).await.unwrap().hot.is_none(), "{hot:?}");
    let whole = lab.go((1, 4), &source, &target, quick()).await;
    assert_eq!((whole.counts.files_published, whole.complete), (0, true), "{whole:?}");
}

#[tokio::test]
async fn the_lag_counts_what_nobody_could_have_copied_earlier() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    let now = Policy { settle_seconds: 0, ..quick() };
    let first = lab.go((1, 1), &source, &target, now.clone()).await;
    assert_eq!(first.lag, None, "nobody looked before");
    let looks = lag::store::looks(&lab.db, JobId(1)).await.unwrap();
    assert!(looks.whole.is_some() && looks.hot.is_none());

    source.put(&path("old.txt"), "an old file that was moved here");
    source.put_node(&path("d/new.bin"), fresh("one"));
    let second = lab.go((1, 2), &source, &target, now.clone()).await;
    assert_eq!(second.counts.files_published, 2, "{second:?}");
    let lag = second.lag.unwrap();
    assert_eq!(lag.files, 1, "{lag:?}");
    assert!(lag.median_seconds <= lag.longest_seconds && lag.longest_seconds < 60, "{lag:?}");

    source.put_node(&path("d/newer.bin"), fresh("two"));
    let hot = lab.warm_up(3, &source, &target, now.clone()).await;
    assert_eq!(hot.lag.map(|lag| lag.files), Some(1), "{hot:?}");
    let looks = lag::store::looks(&lab.db, JobId(1)).await.unwrap();
    assert!(looks.hot > looks.whole && looks.last() == looks.hot);

    // What cannot be copied is behind, and no look is complete.
    source.put_node(&path("d/bad.bin"), fresh("three"));
    source.script(|s| s.told_size = [(path("d/bad.bin"), Some(99))].into());
    let failed = lab.go((1, 4), &source, &target, now).await;
    assert!(!failed.complete, "{failed:?}");
    assert_eq!(lag::store::looks(&lab.db, JobId(1)).await.unwrap().last(), looks.hot);
    let newest = lag::store::newest_missing(&lab.db, RunId(4)).await.unwrap().unwrap();
    assert_eq!((newest.path, newest.files), (path("d/bad.bin"), 1));
}
