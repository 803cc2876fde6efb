//! Somebody else's bytes in the place of a file: never lost, whenever they come and whenever the process dies.

use super::*;
use crate::remote::memory::Script;

/// The number of the first step of `target` that begins with `what`, in a run that is not disturbed.
fn step(target: &Memory, what: &str) -> u64 {
    let log = target.log();
    log.iter().position(|step| step.starts_with(what)).unwrap_or_else(|| panic!("no {what} in {log:?}")) as u64 + 1
}

impl Lab {
    async fn trashed(&self) -> Vec<RelPath> {
        let log = AuditLog::new(self.db.clone(), Arc::new(SystemClock));
        let records = log.page(&Filter { limit: 1000, ..Filter::default() }).await.unwrap();
        let path = |record: crate::audit::Record| match record.event {
            Some(crate::audit::Event::FileTrashed { path, .. }) => Some(path),
            _ => None,
        };
        records.into_iter().filter_map(path).collect()
    }
}

#[tokio::test]
async fn what_appears_just_before_the_rename_is_kept() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    target.script(|_| ());
    lab.go((1, 1), &source, &target, quick()).await;
    let rename = step(&target, "rename a.txt");
    let target = Memory::new();
    target.script(|s| s.put_at = Some((rename, path("a.txt"), b"somebody else's".to_vec())));
    let summary = lab.go((2, 2), &source, &target, quick()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(content(&source), content(&target));
    assert_eq!(target.whole()[&path(".causeway-trash/run-2/a.txt")].data, b"somebody else's");
    assert_eq!(lab.trashed().await, [path("a.txt")]);
}

#[tokio::test]
async fn what_takes_the_place_of_the_older_version_just_before_is_kept() {
    let lab = Lab::new().await;
    let mut exchange = 0;
    for (number, disturbed) in [(1, false), (2, true)] {
        let (source, target) = (small_tree(), Memory::new());
        lab.go((number, number * 10), &source, &target, quick()).await;
        source.put(&path("a.txt"), "beta");
        target.script(|s| s.put_at = disturbed.then(|| (exchange, path("a.txt"), b"somebody else's".to_vec())));
        let summary = lab.go((number, number * 10 + 1), &source, &target, quick()).await;
        assert!(summary.complete, "{summary:?}");
        assert_eq!(content(&source), content(&target));
        exchange = step(&target, "exchange a.txt");
        let kept = target.whole().get(&path(".causeway-trash/run-21/a.txt")).map(|node| node.data.clone());
        assert_eq!(kept, disturbed.then(|| b"somebody else's".to_vec()), "an older version of our own needs no trash");
    }
    assert_eq!(lab.trashed().await, [path("a.txt")]);
}

/// As [`what_takes_the_place_of_the_older_version_just_before_is_kept`], where places cannot be exchanged: the older
/// version moves away, and what came a moment before moves with it.
#[tokio::test]
async fn what_takes_the_place_just_before_room_is_made_is_kept() {
    let lab = Lab::new().await;
    let mut steps = 0..0;
    for number in 1.. {
        let (source, target) = (small_tree(), Memory::new());
        target.script(|s| (s.no_exchange, s.no_digest) = (true, true));
        lab.go((number, number * 10), &source, &target, quick()).await;
        source.put(&path("a.txt"), "beta");
        let disturbed = steps.next();
        target.script(|s| s.put_at = disturbed.map(|k| (k, path("a.txt"), b"somebody else's".to_vec())));
        let summary = lab.go((number, number * 10 + 1), &source, &target, quick()).await;
        if number == 1 {
            // From the first look at the place to the moment when it is free.
            steps = step(&target, "stat a.txt")..step(&target, "rename a.txt") + 1;
            assert!(steps.end > steps.start + 3, "{steps:?}: {:?}", target.log());
        }
        assert!(summary.complete, "{disturbed:?}: {summary:?}");
        assert_eq!(content(&source), content(&target), "{disturbed:?}");
        let whole = target.whole();
        let is_kept = |at: &RelPath| {
            at.display().starts_with(".causeway-trash/") && at.name().is_some_and(|n| n.as_bytes() == b"a.txt")
        };
        let kept = whole.iter().filter(|(at, _)| is_kept(at)).collect::<Vec<_>>();
        let theirs = kept.iter().filter(|(_, node)| node.data == b"somebody else's").count();
        assert_eq!(theirs, usize::from(disturbed.is_some()), "{disturbed:?}: {kept:?}");
        if disturbed.is_none() && number > 1 {
            break;
        }
        if disturbed.is_none() {
            assert!(kept.is_empty(), "an older version of our own needs no trash: {kept:?}, {:?}", target.log());
        }
    }
}

/// A target with somebody's file in one place and an older version of the job's own in another.
async fn occupied(lab: &Lab, (job, run): (i64, i64)) -> (Memory, Memory) {
    let (source, target) = (Memory::new(), Memory::new());
    source.put(&path("ours"), "older");
    assert!(lab.go((job, run), &source, &target, quick()).await.complete);
    source.put(&path("ours"), "newer");
    source.put(&path("theirs"), "from the source");
    target.put(&path("theirs"), "somebody else's");
    target.script(|_| ());
    (source, target)
}

#[tokio::test]
async fn a_process_killed_at_any_step_loses_and_hides_nothing() {
    let lab = Lab::new().await;
    let killed = || Fault::new(Phase::Login, FaultKind::Auth, "killed");
    let mut ids = 0;
    for (no_exchange, other_run) in [(false, false), (false, true), (true, false)] {
        let mut steps = u64::MAX;
        let mut k = 0;
        while k < steps {
            k += 1;
            ids += 10;
            let (source, target) = occupied(&lab, (ids, ids)).await;
            let before = lab.trashed().await.len();
            target.script(|s| {
                (s.no_exchange, s.no_digest) = (no_exchange, no_exchange);
                s.unheard_from = Some((k, killed()));
            });
            let order = lab.order((ids, ids + 1), &source, &target, quick());
            let cut = run(order, Arc::new(Progress::new()), CancellationToken::new()).await;
            if target.steps() < k {
                steps = k;
            }
            let what = format!("step {k} (no exchange: {no_exchange}, other run: {other_run}), {:?}", target.log());
            assert!(target.whole().values().any(|n| n.data == b"somebody else's"), "lost at {what}: {cut:?}");
            target.script(|s| *s = Script { no_exchange, no_digest: no_exchange, ..Script::default() });
            let again = ids + if other_run { 2 } else { 1 };
            let summary = lab.go((ids, again), &source, &target, quick()).await;
            assert!(summary.complete, "{what}: {summary:?}");
            assert_eq!(content(&source), content(&target), "{what}");
            let kept = |at: &str| target.whole().get(&path(at)).is_some_and(|n| n.data == b"somebody else's");
            let names = [ids + 1, ids + 2].map(|run| format!(".causeway-trash/run-{run}/theirs"));
            assert!(names.iter().any(|name| kept(name)), "hidden at {what}: {:?}", target.whole().keys());
            let parts = target.whole().keys().filter(|at| at.display().contains("causeway-part")).count();
            assert_eq!(parts, 0, "{what}: {:?}", target.whole().keys());
            let mut trashed = lab.trashed().await;
            trashed.truncate(trashed.len() - before);
            assert_eq!(trashed.iter().filter(|at| **at == path("theirs")).count(), 1, "{what}: {trashed:?}");
        }
        assert!(k > 15, "the run has more steps than {k}");
    }
}

#[tokio::test]
async fn parts_of_a_job_that_is_gone_go_and_nothing_else_does() {
    let lab = Lab::new().await;
    let (source, target) = (Memory::new(), Memory::new());
    source.put(&path("done"), "done");
    source.put(&path("half"), vec![7; 1_000_000]);
    source.put(&path("z/swapped"), "newer");
    assert!(lab.go((1, 1), &source, &target, Policy { exclude: vec!["half".into()], ..quick() }).await.complete);
    // Half a file in a part.
    source.script(|_| ());
    lab.go((9, 9), &source, &Memory::new(), Policy { include: vec!["half".into()], ..quick() }).await;
    let cut = step(&source, "read half") + 10;
    source.script(|s| s.fail_from = Some((cut, Fault::new(Phase::Login, FaultKind::Auth, "cut"))));
    lab.go((1, 2), &source, &target, quick()).await;
    // Killed just after the places were changed: somebody's file lies under the part's name.
    source.script(|s| s.fail_from = None);
    source.put(&path("z/swapped"), "newest");
    target.put(&path("z/swapped"), "somebody else's");
    let exchanging = Policy { exclude: vec!["half".into()], ..quick() };
    for k in 1.. {
        target.script(|s| s.unheard_from = Some((k, Fault::new(Phase::Login, FaultKind::Auth, "killed"))));
        let order = lab.order((1, 3), &source, &target, exchanging.clone());
        run(order, Arc::new(Progress::new()), CancellationToken::new()).await.ok();
        if target.log().iter().any(|step| step.starts_with("exchange")) {
            break;
        }
    }
    target.script(|s| *s = Script::default());
    target.put(&path(".causeway-part-unknown"), "not in the journal");
    let before = target.whole();
    let remote: Arc<dyn crate::remote::Remote> = Arc::new(target.clone());
    let clock: Arc<dyn crate::model::Clock> = Arc::new(SystemClock);
    assert_eq!(crate::mirror::remove_parts(&lab.db, &clock, JobId(1), &remote).await.unwrap(), 1);
    let gone: Vec<_> = before.keys().filter(|at| !target.whole().contains_key(at)).collect();
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert_eq!(before[gone[0]].data.first(), Some(&7), "the half of a file");
    assert!(target.whole().values().any(|node| node.data == b"somebody else's"));
    let log = AuditLog::new(lab.db.clone(), Arc::new(SystemClock));
    let records = log.page(&Filter { limit: 1000, ..Filter::default() }).await.unwrap();
    assert_eq!(records.iter().filter(|record| record.action == "parts-removed").count(), 1);
    assert!(log.verify(None).await.unwrap().is_sound());
    assert_eq!(crate::mirror::remove_parts(&lab.db, &clock, JobId(1), &remote).await.unwrap(), 0, "once");
}

/// Where places cannot be exchanged the older version steps aside, and is back when the part cannot take its place.
#[tokio::test]
async fn a_rename_that_fails_leaves_the_older_version_in_its_place() {
    let lab = Lab::new().await;
    let mut rename = u64::MAX;
    for (number, fails) in [(1, false), (2, true)] {
        let (source, target) = (Memory::new(), Memory::new());
        source.put(&path("ours"), "older");
        assert!(lab.go((number, number * 10), &source, &target, quick()).await.complete);
        source.put(&path("ours"), "newer");
        target.script(|s| {
            s.no_exchange = true;
            let refused = Fault::new(Phase::Publish, FaultKind::Permission, "on cue");
            s.fail_at = fails.then_some((rename, refused));
        });
        let summary = lab.go((number, number * 10 + 1), &source, &target, quick()).await;
        rename = step(&target, "rename ours");
        assert_eq!(summary.complete, !fails, "{summary:?}");
        let there = target.tree().get(&path("ours")).map(|node| node.data.clone());
        let wanted: &[u8] = if fails { b"older" } else { b"newer" };
        assert_eq!(there.as_deref(), Some(wanted), "{:?}", target.log());
        target.script(|s| *s = Script { no_exchange: true, ..Script::default() });
        assert!(lab.go((number, number * 10 + 2), &source, &target, quick()).await.complete);
        assert_eq!(content(&source), content(&target));
        assert!(target.whole().keys().all(|at| !at.display().contains("causeway-part")), "{:?}", target.whole().keys());
    }
}

/// The next start has nothing to copy: what it finds is all that there is.
#[tokio::test]
async fn either_version_is_under_its_name_after_the_next_start_wherever_the_process_was_killed() {
    let lab = Lab::new().await;
    let (mut steps, mut k, mut ids) = (u64::MAX, 0, 0);
    while k < steps {
        k += 1;
        ids += 10;
        let (source, target) = occupied(&lab, (ids, ids)).await;
        target.script(|s| {
            (s.no_exchange, s.no_digest) = (true, true);
            s.unheard_from = Some((k, Fault::new(Phase::Login, FaultKind::Auth, "killed")));
        });
        let order = lab.order((ids, ids + 1), &source, &target, quick());
        run(order, Arc::new(Progress::new()), CancellationToken::new()).await.ok();
        if target.steps() < k {
            steps = k;
        }
        let what = format!("step {k}: {:?}", target.log());
        let holds = |data: &[u8]| target.whole().values().any(|node| node.data == data);
        let replaced = target.tree().get(&path("ours")).is_some_and(|node| node.data == b"newer");
        assert!(replaced || holds(b"older"), "the older version was gone before the newer was there, {what}");
        target.script(|s| *s = Script { no_exchange: true, no_digest: true, ..Script::default() });
        let nothing = Policy { exclude: vec!["ours".into(), "theirs".into()], ..quick() };
        lab.go((ids, ids + 2), &source, &target, nothing).await;
        for (at, either) in [("ours", ["older", "newer"]), ("theirs", ["somebody else's", "from the source"])] {
            let there = target.tree().get(&path(at)).map(|node| String::from_utf8_lossy(&node.data).into_owned());
            assert!(there.as_deref().is_some_and(|data| either.contains(&data)), "{at}: {there:?}, {what}");
        }
        assert!(target.whole().keys().all(|at| !at.display().ends_with("-old")), "{what}");
        assert!(lab.go((ids, ids + 3), &source, &target, quick()).await.complete, "{what}");
        assert_eq!(content(&source), content(&target), "{what}");
    }
    assert!(k > 15, "the run has more steps than {k}");
}

#[tokio::test]
async fn what_stood_aside_for_a_part_of_a_job_that_is_gone_goes_back() {
    let lab = Lab::new().await;
    for k in 1..100 {
        // A job of its own for each step, and one file: the steps are the same every time.
        let (source, target) = (Memory::new(), Memory::new());
        source.put(&path("ours"), "older");
        assert!(lab.go((k, k * 10), &source, &target, quick()).await.complete);
        source.put(&path("ours"), "newer");
        target.script(|s| {
            s.no_exchange = true;
            s.unheard_from = Some((k.unsigned_abs(), Fault::new(Phase::Login, FaultKind::Auth, "killed")));
        });
        let order = lab.order((k, k * 10 + 1), &source, &target, quick());
        run(order, Arc::new(Progress::new()), CancellationToken::new()).await.ok();
        if target.tree().contains_key(&path("ours")) {
            continue;
        }
        target.script(|s| *s = Script::default());
        let remote: Arc<dyn crate::remote::Remote> = Arc::new(target.clone());
        let clock: Arc<dyn crate::model::Clock> = Arc::new(SystemClock);
        crate::mirror::remove_parts(&lab.db, &clock, JobId(k), &remote).await.unwrap();
        assert_eq!(target.tree()[&path("ours")].data, b"older");
        let left = target.whole().into_keys().filter(|at| at.display().contains("causeway-part")).collect::<Vec<_>>();
        assert!(left.is_empty(), "{left:?}");
        return;
    }
    panic!("the older version never stood aside");
}
