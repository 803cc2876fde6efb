//! Names that the target cannot hold, or takes for one.

use super::*;
use crate::mirror::Naming;
use crate::model::Folds;

fn portable() -> Policy {
    Policy { names: Naming::Portable, ..quick() }
}

fn folding() -> Memory {
    let target = Memory::new();
    target.script(|s| s.folds = Folds::BOTH);
    target
}

/// What the target holds, by path.
fn shown(memory: &Memory) -> Vec<String> {
    let files = memory.tree().into_iter().filter(|(_, node)| node.kind == EntryKind::File);
    files.map(|(path, node)| format!("{}={}", path.display(), String::from_utf8_lossy(&node.data))).collect()
}

fn alike() -> Memory {
    let source = Memory::new();
    source.put(&path("README"), "upper");
    source.put(&path("readme"), "lower");
    source.put(&path("Docs/a"), "Docs a");
    source.put(&path("Docs/b"), "Docs b");
    source.put(&path("docs/a"), "docs a");
    source.put(&path("café"), "composed");
    source.put(&path("cafe\u{301}"), "decomposed");
    source.put(&path("plain"), "plain");
    source
}

#[tokio::test]
async fn names_that_the_target_takes_for_one_never_overwrite_each_other() {
    let (lab, source, target) = (Lab::new().await, alike(), folding());
    for run in 1..4 {
        let summary = lab.go((1, run), &source, &target, quick()).await;
        let missing: Vec<_> = summary.missing.iter().map(|item| item.path.display().into_owned()).collect();
        assert_eq!(missing, ["café", "docs", "docs/a", "readme"], "{summary:?}");
        assert_eq!(summary.counts.files_published, if run == 1 { 5 } else { 0 }, "run {run}: {summary:?}");
        assert_eq!(
            shown(&target),
            ["Docs/a=Docs a", "Docs/b=Docs b", "README=upper", "cafe\u{301}=decomposed", "plain=plain"]
        );
    }
    assert!(target.whole().keys().all(|at| !at.is_reserved()), "{:?}", target.whole().keys());
    // Who holds the name keeps it, whoever comes.
    let (source, target) = (Memory::new(), folding());
    source.put(&path("b"), "first");
    assert!(lab.go((2, 11), &source, &target, quick()).await.complete);
    source.put(&path("B"), "second");
    let second = lab.go((2, 12), &source, &target, quick()).await;
    assert!(second.missing.len() == 1 && second.missing[0].path == path("B"), "{second:?}");
    assert_eq!(shown(&target), ["b=first"]);
}

#[tokio::test]
async fn a_target_that_tells_them_apart_gets_them_all_and_is_asked_only_where_it_matters() {
    let (lab, source, target) = (Lab::new().await, alike(), Memory::new());
    let summary = lab.go((1, 1), &source, &target, quick()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(shown(&source), shown(&target));
    let (plain, other) = (small_tree(), folding());
    assert!(lab.go((2, 2), &plain, &other, quick()).await.complete);
    assert!(other.log().iter().all(|step| !step.contains("probe")), "{:?}", other.log());
    let dry = lab.go((3, 3), &source, &other, Policy { dry_run: true, ..quick() }).await;
    assert!(dry.notes.iter().any(|note| note.contains("differ only in case")), "{dry:?}");
    assert!(other.log().iter().all(|step| !step.contains("probe")), "{:?}", other.log());
}

#[tokio::test]
async fn portable_names_get_a_suffix_of_their_own_that_never_changes() {
    let (lab, source, target) = (Lab::new().await, alike(), folding());
    let first = lab.go((1, 1), &source, &target, portable()).await;
    assert!(first.complete && first.counts.files_published == 8, "{first:?}");
    assert!(first.notes.iter().any(|note| note.starts_with("4 files and folders")), "{first:?}");
    let there = shown(&target);
    let named = |start: &str, end: &str| there.iter().any(|at| at.starts_with(start) && at.ends_with(end));
    assert!(named("readme~", "=lower") && named("café~", "=composed") && named("docs~", "/a=docs a"), "{there:?}");
    let mapped = crate::mirror::mapped(&lab.db, JobId(1), &RelPath::root(), 10).await.unwrap();
    assert!(mapped.len() == 4 && mapped.iter().any(|(source, _)| *source == path("readme")), "{mapped:?}");
    for run in 2..4 {
        let again = lab.go((1, run), &source, &target, portable()).await;
        assert_eq!((again.complete, again.counts.files_published), (true, 0), "{again:?}");
    }
    // The one with the plain name goes: nobody takes its place.
    source.take(&path("README"));
    source.take(&path("Docs"));
    let alone = lab.go((1, 4), &source, &target, portable()).await;
    assert!(alone.complete && alone.counts.files_published == 0, "{alone:?}");
    assert_eq!(shown(&target), there);
    lab.agree(1).await;
}

#[tokio::test]
async fn a_name_in_another_case_is_not_gone() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), folding());
    source.put(&path("readme"), "text");
    source.put(&path("other"), "other");
    lab.go((1, 1), &source, &target, deleting()).await;
    let same = source.tree()[&path("readme")].clone();
    source.take(&path("readme"));
    source.put_node(&path("README"), same);
    for run in 2..5 {
        let summary = lab.go((1, run), &source, &target, deleting()).await;
        assert!(summary.complete && summary.counts.files_trashed == 0, "{summary:?}");
    }
    assert_eq!(shown(&target), ["other=other", "readme=text"]);
}

#[tokio::test]
async fn what_windows_cannot_hold_is_escaped_and_a_refusal_is_listed() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("12:30/CON.txt"), "one");
    source.put(&RelPath::new(b"\xd6\xd0.").unwrap(), "two");
    source.put(&path("100%"), "three");
    target.script(|s| s.refuses = Some(b':'));
    let kept = lab.go((1, 1), &source, &target, quick()).await;
    let kinds: Vec<_> = kept.missing.iter().map(|item| (item.path.display().into_owned(), item.fault.kind)).collect();
    assert_eq!(kinds.first(), Some(&("12:30".to_owned(), FaultKind::BadName)), "{kept:?}");
    assert!(kinds.iter().any(|(at, _)| at == "12:30/CON.txt"), "{kept:?}");
    let target = Memory::new();
    let first = lab.go((2, 2), &source, &target, portable()).await;
    assert!(first.complete, "{first:?}");
    assert_eq!(shown(&target), ["%D6%D0%2E=two", "100%=three", "12%3A30/%43ON.txt=one"]);
    let again = lab.go((2, 3), &source, &target, portable()).await;
    assert_eq!((again.counts.files_published, again.counts.files_unchanged), (0, 3), "{again:?}");
}

#[tokio::test]
async fn a_holder_that_the_target_shows_under_another_of_its_names_is_not_copied_again() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), folding());
    source.put(&path("README"), "upper");
    source.put(&path("readme"), "lower");
    target.put(&path("readme"), "somebody else's");
    for (run, published) in [(1, 1), (2, 0), (3, 0)] {
        let summary = lab.go((1, run), &source, &target, quick()).await;
        assert_eq!(summary.counts.files_published, published, "run {run}: {summary:?}");
        assert!(summary.missing.len() == 1 && summary.missing[0].path == path("readme"), "{summary:?}");
    }
    assert_eq!(shown(&target), ["readme=upper"]);
    assert_eq!(target.whole()[&path(".causeway-trash/run-1/README")].data, b"somebody else's");
}
