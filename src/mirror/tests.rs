//! The mirror against trees in memory that misbehave.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

mod busy;
mod charset;
mod clock;
mod collide;
mod doubt;
mod foreign;
mod heat;
mod limits;
mod links;
mod place;
mod proof;
mod review;
mod settle;
mod shift;
mod uploads;

use super::store::{self, ItemFilter};
use super::{Deletions, Ended, Existing, Extent, ItemState, MirrorRun, Policy, Progress, Summary, run};
use crate::audit::{Actor, AuditLog, Filter};
use crate::db::Db;
use crate::model::{EntryKind, Fault, FaultKind, JobId, Phase, RelPath, RunId, SystemClock};
use crate::reliability::Recorder;
use crate::remote::Doubt;
use crate::remote::memory::{Memory, Node};

struct Lab {
    db: Db,
    folder: tempfile::TempDir,
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn quick() -> Policy {
    Policy { patience_seconds: 1, attempts: 3, ..Policy::default() }
}

fn deleting() -> Policy {
    Policy { delete: Deletions { enabled: true, max_percent: 50, max_files: 100 }, ..quick() }
}

impl Lab {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        Self { db, folder }
    }

    fn order(&self, (job, run): (i64, i64), source: &Memory, target: &Memory, policy: Policy) -> MirrorRun {
        MirrorRun {
            db: self.db.clone(),
            clock: Arc::new(SystemClock),
            recorder: Recorder::discard(),
            job: JobId(job),
            run: RunId(run),
            source: Arc::new(source.clone()),
            target: Arc::new(target.clone()),
            extent: Extent::Whole,
            server: "memory".to_owned(),
            zone: None,
            place: "memory".to_owned(),
            policy,
            actor: Actor::Job(JobId(job)),
        }
    }

    async fn go(&self, ids: (i64, i64), source: &Memory, target: &Memory, policy: Policy) -> Summary {
        let order = self.order(ids, source, target, policy);
        run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap()
    }

    /// Journal and audit log name the same files, each once per publication.
    async fn agree(&self, run: i64) {
        let filter = ItemFilter { state: Some(ItemState::Published), limit: 10_000, ..ItemFilter::default() };
        let items = store::items(&self.db, RunId(run), &filter).await.unwrap();
        let log = AuditLog::new(self.db.clone(), Arc::new(SystemClock));
        let filter = Filter { action: Some("file-published".into()), limit: 1000, ..Filter::default() };
        let records = log.page(&filter).await.unwrap();
        let audited = records
            .iter()
            .filter(|r| matches!(&r.event, Some(crate::audit::Event::FilePublished { run: of, .. }) if of.0 == run))
            .count();
        let published =
            items.iter().filter(|i| matches!(i.action, super::Action::Copy | super::Action::Replace)).count();
        assert_eq!(audited, published, "journal and audit log disagree about run {run}");
        assert!(log.verify(None).await.unwrap().is_sound());
    }
}

fn small_tree() -> Memory {
    let source = Memory::new();
    source.put(&path("a.txt"), "alpha");
    source.put(&path("empty"), "");
    source.put(&path("d/b.bin"), vec![7; 200_000]);
    source.put(&path("d/e/c.txt"), "gamma");
    source.put_node(&path("hollow"), node(EntryKind::Dir));
    source
}

fn node(kind: EntryKind) -> Node {
    Node { kind, data: Vec::new(), mtime: jiff::Timestamp::from_second(1_400_000_000).unwrap(), mode: 0o755 }
}

/// What must be equal: paths, kinds, contents, times of files and directories.
fn content(memory: &Memory) -> BTreeMap<RelPath, (EntryKind, Vec<u8>, i64)> {
    memory.tree().into_iter().map(|(p, n)| (p, (n.kind, n.data, n.mtime.as_second()))).collect()
}

#[tokio::test]
async fn a_second_run_moves_nothing() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    let first = lab.go((1, 1), &source, &target, quick()).await;
    assert!(first.complete && first.verified, "{first:?}");
    assert_eq!((first.counts.files_published, first.counts.files_failed), (4, 0));
    assert_eq!(content(&source), content(&target));
    assert!(target.whole().keys().all(|p| !p.is_reserved()), "parts are left: {:?}", target.whole().keys());
    source.script(|_| ());
    target.script(|_| ());
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, 4), "{second:?}");
    assert!(second.complete && second.verified);
    assert!(source.log().iter().all(|step| step.starts_with("list")), "{:?}", source.log());
    assert!(target.log().iter().all(|step| step.starts_with("list")), "{:?}", target.log());
    lab.agree(1).await;
}

#[tokio::test]
async fn one_failure_at_any_step_is_survived_in_the_same_run() {
    let lab = Lab::new().await;
    let (source, target) = (small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, quick()).await;
    let steps = [source.steps(), target.steps()];
    let mut run = 1;
    for (side, steps) in steps.into_iter().enumerate() {
        for k in 1..=steps {
            run += 1;
            let (source, target) = (small_tree(), Memory::new());
            let failing = if side == 0 { &source } else { &target };
            failing.script(|s| s.fail_at = Some((k, Fault::new(Phase::Transfer, FaultKind::Reset, "on cue"))));
            let summary = lab.go((run, run), &source, &target, quick()).await;
            assert!(summary.complete, "side {side} step {k}: {summary:?}");
            assert_eq!(content(&source), content(&target), "side {side} step {k}");
            run += 1;
            let again = lab.go((run - 1, run), &source, &target, quick()).await;
            assert!(again.complete, "side {side} step {k}: {again:?}");
            assert_eq!(content(&source), content(&target), "side {side} step {k}");
            assert!(target.whole().keys().all(|p| !p.is_reserved()), "side {side} step {k}: parts are left");
            lab.agree(run).await;
        }
    }
}

#[tokio::test]
async fn a_run_cut_off_at_any_step_goes_on_under_its_number() {
    let lab = Lab::new().await;
    let (source, target) = (small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, quick()).await;
    let steps = [source.steps(), target.steps()];
    let mut run_id = 1;
    for (side, steps) in steps.into_iter().enumerate() {
        for k in 1..=steps {
            run_id += 1;
            let (source, target) = (small_tree(), Memory::new());
            let failing = if side == 0 { &source } else { &target };
            let gone = Fault::new(Phase::Login, FaultKind::Auth, "on cue");
            failing.script(|s| s.fail_from = Some((k, gone)));
            let order = lab.order((run_id, run_id), &source, &target, quick());
            // A root that cannot be read is an error; anything else is a summary.
            let cut = run(order, Arc::new(Progress::new()), CancellationToken::new()).await;
            assert!(cut.as_ref().map_or(true, |s| !s.complete || k + 12 > steps), "side {side} step {k}: {cut:?}");
            let before: Vec<_> = target.tree().into_iter().filter(|(_, n)| n.kind == EntryKind::File).collect();
            for (at, node) in &before {
                assert_eq!(source.tree()[at].data, node.data, "side {side} step {k}: torn {at:?}");
            }
            source.script(|s| *s = crate::remote::memory::Script::default());
            target.script(|s| *s = crate::remote::memory::Script::default());
            let again = lab.go((run_id, run_id), &source, &target, quick()).await;
            assert!(again.complete, "side {side} step {k}: {again:?}");
            assert_eq!(content(&source), content(&target), "side {side} step {k}");
            lab.agree(run_id).await;
            for (at, _) in before {
                let journaled = store::items(&lab.db, RunId(run_id), &ItemFilter::default()).await.unwrap();
                let done = journaled.iter().find(|i| i.path == at).unwrap();
                assert_eq!(done.state, ItemState::Published);
                let read = format!("read {}", at.display());
                // Renamed but not journaled, and not even verified in the journal: cannot happen.
                assert!(!source.log().contains(&read), "side {side} step {k}: {at:?} was copied twice");
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_never_published_torn() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), vec![1; 300_000]);
    source.script(|s| {
        s.changes_while_read.insert(path("f"), vec![2; 300_000]);
    });
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(target.tree()[&path("f")].data, vec![2; 300_000]);
    let items = store::items(&lab.db, RunId(1), &ItemFilter::default()).await.unwrap();
    let attempts = store::attempts(&lab.db, items[0].id).await.unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].fault.as_ref().unwrap().kind, FaultKind::Changed);
    assert!(attempts[1].fault.is_none());
}

#[tokio::test]
async fn a_resume_reads_only_the_rest_and_compares_the_overlap() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    source.put(&path("f"), data.clone());
    // list, list-next ×2, list-finish, read, then chunks of 64 KiB: the tenth chunk fails.
    source.script(|s| s.fail_at = Some((15, Fault::new(Phase::Transfer, FaultKind::Reset, "on cue"))));
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(target.tree()[&path("f")].data, data);
    let items = store::items(&lab.db, RunId(1), &ItemFilter::default()).await.unwrap();
    let attempts = store::attempts(&lab.db, items[0].id).await.unwrap();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(attempts[0].bytes > 300_000 && attempts[1].from_offset == attempts[0].bytes, "{attempts:?}");
}

#[tokio::test]
async fn an_overlap_that_differs_begins_anew() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), vec![1; 1_000_000]);
    source.script(|s| s.fail_from = Some((15, Fault::new(Phase::Login, FaultKind::Auth, "on cue"))));
    let cut = lab.go((1, 1), &source, &target, quick()).await;
    assert!(matches!(cut.ended, Ended::GaveUp { .. }), "{cut:?}");
    // Same size and time, other content: only the overlap can tell.
    let mut other = source.tree()[&path("f")].clone();
    other.data = vec![2; 1_000_000];
    source.put_node(&path("f"), other);
    source.script(|s| s.fail_from = None);
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(target.tree()[&path("f")].data, vec![2; 1_000_000]);
}

#[tokio::test]
async fn a_server_that_ignores_offsets_does_not_splice() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 1000 % 251) as u8).collect();
    source.put(&path("f"), data.clone());
    source.script(|s| {
        s.ignores_offset = true;
        s.fail_at = Some((15, Fault::new(Phase::Transfer, FaultKind::Reset, "on cue")));
    });
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    assert_eq!(target.tree()[&path("f")].data, data);
}

#[tokio::test]
async fn a_cut_with_a_clean_ending_and_a_wrong_size_are_mismatches() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|s| {
        s.cut.insert(path("d/b.bin"), 100_000);
        s.told_size.insert(path("a.txt"), Some(4));
        s.told_size.insert(path("d/e/c.txt"), None);
    });
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    assert!(!summary.complete);
    let kinds: Vec<_> = summary.missing.iter().map(|m| (m.path.clone(), m.fault.kind)).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert!(kinds.contains(&(path("d/b.bin"), FaultKind::Mismatch)), "{kinds:?}");
    // An unknown size is no obstacle: the rest went through.
    assert_eq!(target.tree()[&path("d/e/c.txt")].data, b"gamma");
    assert!(!target.tree().contains_key(&path("d/b.bin")));
}

#[tokio::test]
async fn a_missing_closing_word_after_all_bytes_is_not_sent_again() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), "all of it");
    // list, next, next, finish, read, next, next, finish
    source.script(|s| s.fail_at = Some((8, Fault::new(Phase::Finish, FaultKind::Timeout, "no closing reply"))));
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    assert!(summary.complete && summary.counts.retries == 0, "{summary:?} {:?}", source.log());
    assert_eq!(source.log().iter().filter(|s| *s == "read f").count(), 1);
}

#[tokio::test]
async fn what_others_changed_in_the_target_is_never_lost() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    target.put(&path("a.txt"), "somebody else's");
    target.put(&path("d/e/c.txt"), "gamma");
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    assert_eq!(target.tree()[&path("a.txt")].data, b"alpha");
    assert_eq!(target.whole()[&path(".causeway-trash/run-1/a.txt")].data, b"somebody else's");
    assert!(!target.whole().contains_key(&path(".causeway-trash/run-1/d/e/c.txt")), "the same content needs no trash");
    // Published, then changed: copied again, the change kept.
    target.put(&path("empty"), "no longer");
    target.take(&path("d/b.bin"));
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert_eq!(second.counts.files_published, 2, "{second:?}");
    assert_eq!(content(&source), content(&target));
    assert_eq!(target.whole()[&path(".causeway-trash/run-2/empty")].data, b"no longer");
    lab.agree(1).await;
    lab.agree(2).await;
}

#[tokio::test]
async fn adopting_believes_but_says_so() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    target.put_node(&path("a.txt"), source.tree()[&path("a.txt")].clone());
    let summary = lab.go((1, 1), &source, &target, Policy { existing: Existing::Adopt, ..quick() }).await;
    assert!(summary.complete && !summary.verified, "{summary:?}");
    assert_eq!((summary.counts.files_adopted, summary.counts.files_published), (1, 3));
    let adopted = "SELECT count(*) FROM audit WHERE action = 'file-adopted'";
    assert_eq!(sqlx::query_scalar::<_, i64>(adopted).fetch_one(lab.db.read()).await.unwrap(), 1);
    // Asking for proof later reads it.
    let proof = lab.go((1, 2), &source, &target, quick()).await;
    assert!(proof.complete && proof.verified && proof.counts.files_published == 1, "{proof:?}");
}

#[tokio::test]
async fn deleting_takes_two_proven_runs() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, deleting()).await;
    source.take(&path("a.txt"));
    source.take(&path("hollow"));
    let first = lab.go((1, 2), &source, &target, deleting()).await;
    assert_eq!((first.counts.files_trashed, first.counts.files_kept), (0, 1), "{first:?}");
    assert!(target.tree().contains_key(&path("a.txt")));
    let second = lab.go((1, 3), &source, &target, deleting()).await;
    assert_eq!(second.counts.files_trashed, 1, "{second:?}");
    assert_eq!(content(&source), content(&target));
    assert_eq!(target.whole()[&path(".causeway-trash/run-3/a.txt")].data, b"alpha");
    assert!(lab.go((1, 4), &source, &target, deleting()).await.complete);
}

#[tokio::test]
async fn nothing_is_deleted_without_proof() {
    type Lie = fn(&Memory);
    let lies: [(&str, Lie); 5] = [
        ("round", |m| m.script(|s| drop(s.doubtful.insert(path("d"), Doubt::RoundCount { count: 10_000 })))),
        ("doubtful", |m| m.script(|s| drop(s.doubtful.insert(path("d"), Doubt::Duplicates { count: 1 })))),
        ("unreadable", |m| m.script(|s| s.unreadable.extend([path("d")]))),
        ("doubtful root", |m| m.script(|s| drop(s.doubtful.insert(RelPath::root(), Doubt::UnconfirmedEmpty)))),
        ("a file in its place", |m| {
            m.take(&path("d"));
            m.put(&path("d"), "now a file");
        }),
    ];
    for (number, (name, lie)) in (1..).zip(lies) {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        lab.go((number, 1), &source, &target, deleting()).await;
        let all = target.tree();
        source.take(&path("d/b.bin"));
        if name == "doubtful root" {
            source.take(&path("d"));
        }
        lie(&source);
        for run in 2..6 {
            let summary = lab.go((number, run), &source, &target, deleting()).await;
            assert_eq!(summary.counts.files_trashed, 0, "{name}: {summary:?}");
            // A round number alone holds deletions back; all that was seen is there nevertheless.
            assert_eq!(summary.complete, name == "round", "{name}: {summary:?}");
            assert!(!summary.notes.is_empty() || !summary.unsure.is_empty(), "{name}: {summary:?}");
        }
        assert!(all.keys().all(|at| target.tree().contains_key(at)), "{name}");
    }
}

#[tokio::test]
async fn caps_excludes_and_changes_hold_deletions_back() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, deleting()).await;
    source.take(&path("d"));
    let capped = Policy { delete: Deletions { enabled: true, max_percent: 10, max_files: 100 }, ..quick() };
    for run in 2..5 {
        let summary = lab.go((1, run), &source, &target, capped.clone()).await;
        assert_eq!(summary.counts.files_trashed, 0, "{summary:?}");
    }
    let excluding = Policy { exclude: vec!["d/e/".into()], ..deleting() };
    target.put(&path("d/b.bin"), "changed here");
    let summary = lab.go((1, 5), &source, &target, excluding).await;
    assert_eq!(summary.counts.files_trashed, 0, "{summary:?}");
    assert!(target.tree().contains_key(&path("d/e/c.txt")) && target.tree().contains_key(&path("d/b.bin")));
    // A run that sees a path again begins the count of two anew.
    source.put(&path("d/e/c.txt"), "gamma");
    lab.go((1, 6), &source, &target, deleting()).await;
    source.take(&path("d"));
    assert_eq!(lab.go((1, 7), &source, &target, deleting()).await.counts.files_trashed, 0);
    assert_eq!(lab.go((1, 8), &source, &target, deleting()).await.counts.files_trashed, 1);
    assert_eq!(target.tree()[&path("d/b.bin")].data, b"changed here");
}

#[tokio::test]
async fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.put_node(&path("link"), node(EntryKind::Symlink(None)));
    let (sender, mut steps) = tokio::sync::mpsc::channel(100);
    let order = lab.order((1, 1), &source, &target, Policy { dry_run: true, ..quick() });
    let summary = run(order, Arc::new(Progress::with_plan(sender)), CancellationToken::new()).await.unwrap();
    let mut told = BTreeMap::new();
    while let Ok(step) = steps.try_recv() {
        told.insert(step.path.display().into_owned(), step.action);
    }
    assert_eq!(told.len(), 8, "{told:?}");
    assert_eq!((told["a.txt"], told["d"], told["link"]), ("copy", "make-dir", "skip"));
    assert!(target.whole().is_empty());
    assert!(summary.dry_run && !summary.complete && summary.counts.files_waiting == 4, "{summary:?}");
    assert!(store::items(&lab.db, RunId(1), &ItemFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stopped_run_goes_on() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    let stop = CancellationToken::new();
    stop.cancel();
    let order = lab.order((1, 1), &source, &target, quick());
    let stopped = run(order, Arc::new(Progress::new()), stop).await.unwrap();
    assert!(stopped.ended == Ended::Stopped && !stopped.complete);
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    assert_eq!(content(&source), content(&target));
}

#[tokio::test]
async fn a_server_with_a_limit_is_asked_by_fewer() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|s| s.fail_at = Some((20, Fault::new(Phase::Login, FaultKind::Limit, "too many connections"))));
    let summary = lab.go((1, 1), &source, &target, Policy { patience_seconds: 30, ..quick() }).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(content(&source), content(&target));
}

#[tokio::test]
async fn names_are_carried_over_or_reported() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    let gbk = RelPath::new([0xd6, 0xd0, b'/', 0xce, 0xc4]).unwrap();
    source.put(&gbk, "text");
    source.put(&RelPath::new([b'x', 0xff]).unwrap(), "no gbk");
    let summary = lab.go((1, 1), &source, &target, Policy { charset: Some("gbk".into()), ..quick() }).await;
    assert_eq!(target.tree()[&path("中/文")].data, b"text");
    assert_eq!(summary.missing.len(), 1, "{summary:?}");
    assert_eq!(summary.missing[0].fault.kind, FaultKind::BadName);
    let second = lab.go((1, 2), &source, &target, Policy { charset: Some("gbk".into()), ..quick() }).await;
    assert_eq!((second.counts.files_unchanged, second.counts.files_published), (1, 0), "{second:?}");
}
