//! What a reader of the code found: doubts that were taken for proof, and work that was thrown away.

use super::*;

fn audited(records: &[crate::audit::Record], action: &str) -> usize {
    records.iter().filter(|record| record.action == action).count()
}

#[tokio::test]
async fn without_a_time_an_equal_size_proves_nothing() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), "old bytes");
    source.script(|s| s.precision = None);
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    source.put(&path("f"), "new bytes");
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert!(second.complete && second.verified, "{second:?}");
    assert_eq!(target.tree()[&path("f")].data, b"new bytes");
}

#[tokio::test]
async fn a_second_look_without_an_answer_costs_no_byte_again() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), vec![7; 1_000_000]);
    source.script(|_| ());
    lab.go((1, 1), &source, &target, quick()).await;
    let second_look = source.log().iter().rposition(|step| step == "stat f").unwrap() as u64 + 1;
    let target = Memory::new();
    source.script(|s| s.fail_at = Some((second_look, Fault::new(Phase::Command, FaultKind::Reset, "on cue"))));
    let summary = lab.go((2, 2), &source, &target, quick()).await;
    assert!(summary.complete && summary.counts.retries == 1, "{summary:?}");
    let items = store::items(&lab.db, RunId(2), &ItemFilter::default()).await.unwrap();
    let attempts = store::attempts(&lab.db, items[0].id).await.unwrap();
    assert_eq!((attempts[1].from_offset, attempts[1].bytes), (1_000_000, 0), "{attempts:?}");
    assert_eq!(target.tree()[&path("f")].data, vec![7; 1_000_000]);
}

#[tokio::test]
async fn a_verified_part_that_is_damaged_is_not_gone_on_with() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), vec![7; 1_000_000]);
    target.script(|_| ());
    lab.go((1, 1), &source, &target, quick()).await;
    let rename = target.log().iter().position(|step| step.starts_with("rename")).unwrap() as u64 + 1;
    let target = Memory::new();
    target.script(|s| s.fail_from = Some((rename, Fault::new(Phase::Login, FaultKind::Auth, "on cue"))));
    let cut = lab.go((2, 2), &source, &target, quick()).await;
    assert!(matches!(cut.ended, Ended::GaveUp { .. }), "{cut:?}");
    // Far from the end: the overlap that is compared looks sound.
    let (part, mut node) = target.whole().into_iter().find(|(at, _)| at.is_reserved()).unwrap();
    node.data[10] = 0;
    target.put_node(&part, node);
    target.script(|s| s.fail_from = None);
    assert!(lab.go((2, 2), &source, &target, quick()).await.complete);
    assert_eq!(target.tree()[&path("f")].data, vec![7; 1_000_000]);
}

/// A server that makes nothing durable was switched off in between: the part is as long as it was.
#[tokio::test]
async fn what_the_target_lost_of_a_part_is_not_gone_on_with() {
    let (lab, source) = (Lab::new().await, Memory::new());
    source.put(&path("f"), vec![7; 1_000_000]);
    source.script(|_| ());
    lab.go((1, 1), &source, &Memory::new(), quick()).await;
    let middle = source.log().iter().position(|step| step == "read f").unwrap() as u64 + 10;
    for lost in [false, true] {
        let (target, run) = (Memory::new(), if lost { 3 } else { 2 });
        source.script(|s| s.fail_from = Some((middle, Fault::new(Phase::Login, FaultKind::Auth, "cut"))));
        let cut = lab.go((run, run), &source, &target, quick()).await;
        assert!(matches!(cut.ended, Ended::GaveUp { .. }), "{cut:?}");
        let (part, mut node) = target.whole().into_iter().find(|(at, _)| at.is_reserved()).unwrap();
        if lost {
            // Far from the end, whose overlap is compared with the source.
            node.data[10] = 0;
            target.put_node(&part, node);
        }
        source.script(|s| s.fail_from = None);
        assert!(lab.go((run, run), &source, &target, quick()).await.complete);
        assert!(target.tree()[&path("f")].data == vec![7; 1_000_000], "lost: {lost}");
        let items = store::items(&lab.db, RunId(run), &ItemFilter::default()).await.unwrap();
        let attempts = store::attempts(&lab.db, items[0].id).await.unwrap();
        assert_eq!(attempts.last().unwrap().from_offset == 0, lost, "{attempts:?}");
    }
}

#[tokio::test]
async fn a_file_that_came_back_is_buried_anew() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, deleting()).await;
    let kept = source.tree()[&path("a.txt")].clone();
    source.take(&path("a.txt"));
    assert_eq!(lab.go((1, 2), &source, &target, deleting()).await.counts.files_kept, 1);
    // Deleting is off for a while, and the file is back.
    source.put_node(&path("a.txt"), kept);
    lab.go((1, 3), &source, &target, quick()).await;
    source.take(&path("a.txt"));
    let first = lab.go((1, 4), &source, &target, deleting()).await;
    assert_eq!((first.counts.files_trashed, first.counts.files_kept), (0, 1), "{first:?}");
    assert_eq!(lab.go((1, 5), &source, &target, deleting()).await.counts.files_trashed, 1);
}

#[tokio::test]
async fn what_a_dead_process_had_moved_into_the_trash_is_audited() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, deleting()).await;
    source.take(&path("a.txt"));
    lab.go((1, 2), &source, &target, deleting()).await;
    // Run 3 noted what it was about to do, did it, and died.
    let intended = "INSERT INTO items (job, run, path, target, kind, action, state, at) \
                    VALUES (1, 3, CAST('a.txt' AS BLOB), CAST('a.txt' AS BLOB), 0, 'trash', 'planned', 0)";
    let mut tx = lab.db.write().await.unwrap();
    sqlx::query(intended).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let node = target.tree()[&path("a.txt")].clone();
    target.take(&path("a.txt"));
    target.put_node(&path(".causeway-trash/run-3/a.txt"), node);
    let third = lab.go((1, 3), &source, &target, deleting()).await;
    assert_eq!(third.counts.files_trashed, 1, "{third:?}");
    let log = AuditLog::new(lab.db.clone(), Arc::new(SystemClock));
    let records = log.page(&Filter { limit: 1000, ..Filter::default() }).await.unwrap();
    assert_eq!(audited(&records, "file-trashed"), 1);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM files WHERE path = CAST('a.txt' AS BLOB)")
        .fetch_one(lab.db.read())
        .await
        .unwrap();
    assert_eq!(rows, 0, "the job no longer counts it among what it published");
}

#[tokio::test]
async fn a_folder_that_a_dead_process_had_made_is_audited_once() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    let made = |records: &[crate::audit::Record]| audited(records, "dir-made");
    target.script(|_| ());
    lab.go((1, 1), &source, &target, quick()).await;
    let second_dir = target.log().iter().filter(|step| step.starts_with("make-dir")).count();
    assert!(second_dir >= 2, "{:?}", target.log());
    let log = AuditLog::new(lab.db.clone(), Arc::new(SystemClock));
    let all = made(&log.page(&Filter { limit: 1000, ..Filter::default() }).await.unwrap());
    let step = target.log().iter().rposition(|step| step.starts_with("make-dir")).unwrap() as u64 + 1;
    let target = Memory::new();
    target.script(|s| s.fail_from = Some((step, Fault::new(Phase::Login, FaultKind::Auth, "on cue"))));
    lab.go((2, 2), &source, &target, quick()).await;
    target.script(|s| s.fail_from = None);
    assert!(lab.go((2, 2), &source, &target, quick()).await.complete);
    let both = made(&log.page(&Filter { limit: 1000, ..Filter::default() }).await.unwrap());
    assert_eq!(both, 2 * all, "each folder once in either run");
}

#[tokio::test]
async fn what_the_source_deletes_meanwhile_is_not_missing() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|_| ());
    lab.go((1, 1), &source, &target, quick()).await;
    let read = source.log().iter().position(|step| step == "read a.txt").unwrap() as u64 + 1;
    let target = Memory::new();
    source.script(|s| s.gone_at = Some((read, path("a.txt"))));
    let summary = lab.go((2, 2), &source, &target, quick()).await;
    assert!(summary.complete && summary.missing.is_empty(), "{summary:?}");
    assert_eq!((summary.counts.files_vanished, summary.counts.files_published), (1, 3), "{summary:?}");
    assert!(summary.notes.iter().any(|note| note.ends_with("could be copied: a.txt")), "{summary:?}");
}

#[tokio::test]
async fn modes_of_files_and_folders_are_kept() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    let with = |at: &str, mode: u32| {
        let node = source.tree()[&path(at)].clone();
        source.put_node(&path(at), Node { mode, ..node });
    };
    with("hollow", 0o700);
    with("d", 0o750);
    with("a.txt", 0o640);
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    let mode = |at: &str| target.tree()[&path(at)].mode;
    assert_eq!((mode("hollow"), mode("d"), mode("d/e"), mode("a.txt")), (0o700, 0o750, 0o755, 0o640));
    // A folder whose mode changed later follows, too.
    with("d", 0o711);
    assert!(lab.go((1, 2), &source, &target, quick()).await.complete);
    assert_eq!(mode("d"), 0o711);
}

#[tokio::test]
async fn a_full_target_is_said_at_once_and_ends_the_run() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("big"), vec![7; 3 << 20]);
    target.script(|_| ());
    lab.go((1, 1), &source, &target, quick()).await;
    let write = target.log().iter().position(|step| step.starts_with("write-next")).unwrap() as u64 + 1;
    let target = Memory::new();
    let full = Fault::new(Phase::Transfer, FaultKind::DiskFull, "writing: no space left: make room");
    target.script(|s| s.fail_from = Some((write, full)));
    let progress = Arc::new(Progress::new());
    let going = run(lab.order((2, 2), &source, &target, quick()), Arc::clone(&progress), CancellationToken::new());
    let going = tokio::spawn(going);
    let mut said = None;
    while said.is_none() && !going.is_finished() {
        said = progress.snapshot().waits_for;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(said.is_some_and(|said| said.contains("no space left")), "nobody was told while it waited");
    let summary = going.await.unwrap().unwrap();
    let Ended::GaveUp { fault } = &summary.ended else { panic!("{summary:?}") };
    assert!(fault.message.contains("about 3 MiB are still to be written"), "{fault}");
    assert_eq!(progress.snapshot().waits_for, None, "nobody waits any more");
    target.script(|s| s.fail_from = None);
    assert!(lab.go((2, 2), &source, &target, quick()).await.complete);
    assert_eq!(content(&source), content(&target));
}

#[tokio::test]
async fn a_mode_alone_is_set_without_copying() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    let chmod = |mode: u32| {
        let node = source.tree()[&path("a.txt")].clone();
        source.put_node(&path("a.txt"), Node { mode, ..node });
    };
    chmod(0o600);
    let (sender, mut steps) = tokio::sync::mpsc::channel(100);
    let order = lab.order((1, 2), &source, &target, Policy { dry_run: true, ..quick() });
    let dry = run(order, Arc::new(Progress::with_plan(sender)), CancellationToken::new()).await.unwrap();
    let told = steps.try_recv().unwrap();
    assert_eq!((told.action, told.path), ("set-mode", path("a.txt")));
    assert!(told.why.unwrap().contains("0600") && steps.try_recv().is_err());
    assert_eq!((dry.counts.modes_set, target.tree()[&path("a.txt")].mode), (1, 0o644));

    source.script(|_| ());
    let summary = lab.go((1, 3), &source, &target, quick()).await;
    assert!(summary.complete && summary.verified, "{summary:?}");
    let counts = summary.counts;
    assert_eq!((counts.files_published, counts.files_unchanged, counts.modes_set), (0, 4, 1), "{summary:?}");
    assert_eq!(target.tree()[&path("a.txt")].mode, 0o600);
    assert!(!source.log().iter().any(|step| step.starts_with("read")), "{:?}", source.log());

    // Set by a process that was killed before it could say so: said once by the next.
    chmod(0o640);
    target.script(|_| ());
    lab.go((1, 4), &source, &target, quick()).await;
    let set = target.log().iter().position(|step| step == "set-attributes a.txt").unwrap() as u64 + 1;
    chmod(0o604);
    target.script(|s| s.unheard_from = Some((set, Fault::new(Phase::Login, FaultKind::Auth, "killed"))));
    lab.go((1, 5), &source, &target, quick()).await;
    target.script(|s| s.unheard_from = None);
    let last = lab.go((1, 5), &source, &target, quick()).await;
    assert!(last.complete && last.counts.modes_set == 1, "{last:?}");
    assert_eq!(target.tree()[&path("a.txt")].mode, 0o604);
    let log = AuditLog::new(lab.db.clone(), Arc::new(SystemClock));
    let records = log.page(&Filter { limit: 1000, ..Filter::default() }).await.unwrap();
    assert_eq!(audited(&records, "mode-set"), 3);
}

#[tokio::test]
async fn a_time_alone_is_set_on_the_file_that_is_there() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    source.put(&path("a.txt"), "alpha");
    target.script(|_| ());
    let summary = lab.go((1, 2), &source, &target, quick()).await;
    assert!(summary.complete && summary.verified, "{summary:?}");
    assert_eq!(content(&source), content(&target));
    let moved = |step: &String| step.starts_with("rename") || step.starts_with("exchange");
    assert!(!target.log().iter().any(moved), "{:?}", target.log());
    assert_eq!(lab.go((1, 3), &source, &target, quick()).await.counts.files_unchanged, 4);
}

#[tokio::test]
async fn a_listing_that_broke_off_leaves_nothing_behind() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|_| ());
    lab.go((1, 1), &source, &target, quick()).await;
    let end = source.log().iter().position(|step| step == "list-finish d").unwrap() as u64 + 1;
    // The listing fails at its last word, and by the next try everything in the folder is gone.
    source.script(|s| {
        s.fail_at = Some((end, Fault::new(Phase::List, FaultKind::Reset, "on cue")));
        s.gone_at = Some((end, path("d/b.bin")));
    });
    let summary = lab.go((1, 2), &source, &Memory::new(), quick()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!((summary.counts.files_seen, summary.counts.files_vanished), (3, 0), "{summary:?}");
}

#[tokio::test]
async fn what_an_earlier_run_was_about_to_do_is_settled_by_the_next() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, deleting()).await;
    source.take(&path("a.txt"));
    // Run 2 moved it into the trash and died; somebody cancelled it, and the next run has another number.
    let intended = "INSERT INTO items (job, run, path, target, kind, action, state, at) \
                    VALUES (1, 2, CAST('a.txt' AS BLOB), CAST('a.txt' AS BLOB), 0, 'trash', 'planned', 0)";
    let mut tx = lab.db.write().await.unwrap();
    sqlx::query(intended).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let node = target.tree()[&path("a.txt")].clone();
    target.take(&path("a.txt"));
    target.put_node(&path(".causeway-trash/run-2/a.txt"), node);
    lab.go((1, 3), &source, &target, deleting()).await;
    let log = AuditLog::new(lab.db.clone(), Arc::new(SystemClock));
    let records = log.page(&Filter { limit: 1000, ..Filter::default() }).await.unwrap();
    assert_eq!(audited(&records, "file-trashed"), 1);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM files WHERE path = CAST('a.txt' AS BLOB)")
        .fetch_one(lab.db.read())
        .await
        .unwrap();
    assert_eq!(rows, 0, "the job no longer counts it among what it published");
}
