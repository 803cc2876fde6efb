//! Trees that show more than any real one, and deletions that are held back by their number.

use super::*;
use crate::mirror::Limits;

fn limited(limits: Limits) -> Policy {
    Policy { limits, ..deleting() }
}

#[tokio::test]
async fn a_folder_with_too_many_names_is_reported_and_nothing_in_it_is_deleted() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    assert!(lab.go((1, 1), &source, &target, deleting()).await.complete);
    source.take(&path("d/b.bin"));
    for n in 0..7 {
        source.put(&path(&format!("d/new-{n}")), "new");
    }
    for run in 2..5 {
        let summary =
            lab.go((1, run), &source, &target, limited(Limits { folder_entries: 5, ..Limits::default() })).await;
        assert!(!summary.complete && summary.counts.files_trashed == 0, "{summary:?}");
        assert_eq!(summary.unsure[0].path, path("d"), "{summary:?}");
        assert!(summary.unsure[0].fault.as_ref().unwrap().message.contains("limits.folder-entries"), "{summary:?}");
    }
    assert!(target.tree().contains_key(&path("d/b.bin")) && target.tree().contains_key(&path("a.txt")));
    assert!(lab.go((1, 5), &source, &target, deleting()).await.complete);
}

#[tokio::test]
async fn a_tree_with_too_many_names_and_folders_in_folders_are_reported() {
    for (limits, said) in [
        (Limits { entries: 5, ..Limits::default() }, "limits.entries"),
        (Limits { depth: 1, ..Limits::default() }, "limits.depth"),
    ] {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        let summary = lab.go((1, 1), &source, &target, limited(limits)).await;
        let mut why = summary.unsure.iter().filter_map(|dir| dir.fault.as_ref());
        let told =
            why.any(|f| f.message.contains(said)) || summary.missing.iter().any(|m| m.fault.message.contains(said));
        assert!(!summary.complete && told, "{said}: {summary:?}");
        assert!(target.tree().contains_key(&path("a.txt")));
    }
}

fn careful() -> Policy {
    Policy { delete: Deletions { enabled: true, max_percent: 10, max_files: 100 }, ..quick() }
}

#[tokio::test]
async fn empty_folders_obey_the_cap() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    for n in 0..10 {
        source.put_node(&path(&format!("hollow-{n}")), node(EntryKind::Dir));
    }
    lab.go((1, 1), &source, &target, careful()).await;
    let all = target.tree().len();
    for n in 0..10 {
        source.take(&path(&format!("hollow-{n}")));
    }
    for run in 2..5 {
        let summary = lab.go((1, run), &source, &target, careful()).await;
        assert_eq!(target.tree().len(), all, "{summary:?}");
    }
    let told = lab.go((1, 5), &source, &target, careful()).await;
    assert!(told.notes.iter().any(|note| note.starts_with("10 files and folders")), "{told:?}");
    lab.go((1, 6), &source, &target, Policy { delete: Deletions { max_percent: 100, ..careful().delete }, ..quick() })
        .await;
    assert_eq!(target.tree().len(), all - 10);
}

#[tokio::test]
async fn one_file_of_a_small_tree_may_go_but_not_in_a_dry_run() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, careful()).await;
    source.take(&path("a.txt"));
    lab.go((1, 2), &source, &target, careful()).await;
    lab.go((1, 3), &source, &target, Policy { dry_run: true, ..careful() }).await;
    assert!(target.tree().contains_key(&path("a.txt")), "a dry run changes nothing");
    assert_eq!(lab.go((1, 4), &source, &target, careful()).await.counts.files_trashed, 1);
    assert!(!target.tree().contains_key(&path("a.txt")));
}
