//! What a target does not hold any more as it was published is told by no manifest, whatever becomes of it.

use aws_lc_rs::digest::{SHA256, digest};

use super::proof::{change_unseen, proving};
use super::*;
use crate::manifest::Entry;
use crate::mirror::Proving;
use crate::mirror::proof::store as proofs;
use crate::remote::memory::Script;

async fn entries(lab: &Lab, job: i64) -> Vec<Entry> {
    proofs::entries(&lab.db, JobId(job), &RelPath::root(), 100).await.unwrap()
}

async fn told(lab: &Lab) -> Vec<String> {
    entries(lab, 1).await.iter().map(|entry| entry.path.display().into_owned()).collect()
}

/// A manifest of now tells only what is there.
async fn is_true(lab: &Lab, job: i64, target: &Memory, what: &str) {
    let tree = target.tree();
    for Entry { path, digest: told, .. } in entries(lab, job).await {
        let there = tree.get(&path).map(|node| digest(&SHA256, &node.data).as_ref().to_vec());
        let claimed = told.map(|sum| sum.as_bytes().to_vec());
        assert_eq!(there, claimed, "{what}: {} is told and not there", path.display());
    }
}

/// From now on nothing of the file arrives.
fn cut(source: &Memory, at: &str) {
    source.script(|s| s.cut.extend([(path(at), 1)]));
}

fn whole(memory: &Memory) {
    memory.script(|s| *s = Script::default());
}

#[tokio::test]
async fn what_is_gone_or_changed_in_the_target_and_cannot_be_copied_is_not_told() {
    type Harm = fn(&Memory);
    let harms: [(&str, Harm, &[&str]); 4] = [
        ("gone", |target| target.take(&path("a.txt")), &["d/b.bin", "d/e/c.txt", "empty"]),
        ("changed", |target| target.put(&path("a.txt"), "other"), &["d/b.bin", "d/e/c.txt", "empty"]),
        ("a folder", |target| target.put(&path("a.txt/x"), "x"), &["d/b.bin", "d/e/c.txt", "empty"]),
        (
            "a file for a folder",
            |target| {
                target.take(&path("d"));
                target.put(&path("d"), "file");
            },
            &["a.txt", "empty"],
        ),
    ];
    for (what, harm, left) in harms {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        let first = lab.go((1, 1), &source, &target, quick()).await;
        assert_eq!((first.counts.files_doubted, told(&lab).await.len()), (0, 4));
        if what == "a folder" {
            target.take(&path("a.txt"));
            target.put_node(&path("a.txt"), node(EntryKind::Dir));
        } else {
            harm(&target);
        }
        source.script(|s| s.cut.extend([(path("a.txt"), 1), (path("d/b.bin"), 1), (path("d/e/c.txt"), 1)]));
        let second = lab.go((1, 2), &source, &target, quick()).await;
        assert!(!second.complete, "{what}: {second:?}");
        assert_eq!(told(&lab).await, left, "{what}");
        assert_eq!(second.counts.files_doubted as usize, 4 - left.len(), "{what}: {second:?}");
        assert!(second.notes.iter().any(|note| note.contains("manifests leave them out")), "{what}: {second:?}");
        assert_ne!(second.records, first.records, "{what}");
        is_true(&lab, 1, &target, what).await;
        // A look that finds the same once more changes nothing.
        let third = lab.go((1, 3), &source, &target, quick()).await;
        assert_eq!(third.records, second.records, "{what}");
        if what == "gone" || what == "changed" {
            whole(&source);
            let last = lab.go((1, 4), &source, &target, quick()).await;
            assert!(last.complete && last.counts.files_doubted == 0, "{what}: {last:?}");
            assert_eq!(entries(&lab, 1).await[0].proof_run, RunId(4), "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_gone_from_the_source_and_changed_or_gone_in_the_target_is_not_told() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, quick()).await;
    for at in ["a.txt", "d/b.bin", "empty"] {
        source.take(&path(at));
    }
    target.take(&path("a.txt"));
    target.put(&path("d/b.bin"), "somebody else's");
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert!(second.complete, "deleting is off: {second:?}");
    assert_eq!(told(&lab).await, ["d/e/c.txt", "empty"]);
    // What is on neither side any more is nobody's business; what was changed stays one.
    assert_eq!(second.counts.files_doubted, 1, "{second:?}");
}

/// A folder of the target that cannot be listed says nothing about what is in it.
#[tokio::test]
async fn what_is_not_shown_is_not_gone() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, quick()).await;
    target.take(&path("a.txt"));
    source.script(|s| s.cut.extend([(path("a.txt"), 1), (path("d/b.bin"), 1), (path("d/e/c.txt"), 1)]));
    target.script(|s| s.unreadable = [path("d")].into());
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert!(!second.complete, "{second:?}");
    assert_eq!(told(&lab).await, ["d/b.bin", "d/e/c.txt", "empty"]);
}

#[tokio::test]
async fn what_a_look_disproved_is_not_told_and_never_believed_again() {
    for of_source in [true, false] {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        lab.go((1, 1), &source, &target, proving(Proving::SecondRead)).await;
        change_unseen(if of_source { &source } else { &target }, "d/b.bin", &"x".repeat(200_000));
        cut(&source, "d/b.bin");
        let second = lab.go((1, 2), &source, &target, proving(Proving::SecondRead)).await;
        assert!(!second.complete, "{second:?}");
        assert_eq!(told(&lab).await, ["a.txt", "d/e/c.txt", "empty"], "of the source: {of_source}");
        assert_eq!(second.proofs, [("second-read".to_owned(), 3)].into());
        let methods = proofs::of_job(&lab.db, JobId(1)).await.unwrap();
        assert_eq!(methods, [("second-read".to_owned(), 3)].into());
        // A run that looks at no content knows better than size and time.
        whole(&source);
        let third = lab.go((1, 3), &source, &target, proving(Proving::StreamHash)).await;
        assert!(third.complete && third.counts.files_published == 1, "{third:?}");
        assert_eq!(content(&source), content(&target));
        assert_eq!(told(&lab).await.len(), 4);
        let kept = target.whole().keys().filter(|at| at.is_reserved()).count();
        assert_eq!(kept > 0, !of_source, "only somebody else's bytes are kept: {:?}", target.whole().keys());
    }
}

/// Whatever fails while files take the place of older ones, no manifest tells what is not there.
#[tokio::test]
async fn at_no_step_of_a_replacement_anything_is_told_that_is_not_there() {
    let lab = Lab::new().await;
    let mut job = 0;
    for no_exchange in [false, true] {
        // What lies in a folder that cannot be listed is not seen: the first try shows where the listings end.
        let (mut step, mut most) = (u64::MAX, u64::MAX);
        while step == u64::MAX || step <= most {
            job += 1;
            let (source, target) = (small_tree(), Memory::new());
            lab.go((job, 2 * job), &source, &target, quick()).await;
            source.put(&path("a.txt"), "beta");
            source.put(&path("d/e/c.txt"), "delta");
            target.put(&path("d/b.bin"), "somebody else's");
            let denied = Fault::new(Phase::Publish, FaultKind::Permission, "on cue");
            target.script(|s| {
                s.no_exchange = no_exchange;
                s.fail_from = Some((step, denied));
            });
            let order = lab.order((job, 2 * job + 1), &source, &target, quick());
            let ended = run(order, Arc::new(Progress::new()), CancellationToken::new()).await;
            is_true(&lab, job, &target, &format!("exchange {}, step {step}: {ended:?}", !no_exchange)).await;
            if most == u64::MAX {
                let listings = target.log().iter().take_while(|step| step.starts_with("list")).count() as u64;
                (step, most) = (listings, target.steps());
                assert!(listings > 2 && most > listings + 10, "{:?}", target.log());
            }
            step += 1;
        }
    }
}

#[tokio::test]
async fn what_was_published_in_another_place_is_not_there() {
    let (lab, source, one) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &one, deleting()).await;
    // Another place holds something under every name, of the same size and time.
    let other = Memory::new();
    for (at, node) in one.whole() {
        other.put_node(&at, Node { data: vec![b'?'; node.data.len()], ..node });
    }
    source.take(&path("empty"));
    let order = |run| MirrorRun { place: "another".to_owned(), ..lab.order((1, run), &source, &other, deleting()) };
    let go = async |order| run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
    let dry = go(MirrorRun { policy: Policy { dry_run: true, ..deleting() }, ..order(2) }).await;
    assert!(dry.notes.iter().any(|note| note.contains("the target is another place than before")), "{dry:?}");
    let second = go(order(3)).await;
    assert!(second.complete && second.counts.files_published == 3, "{second:?}");
    assert!(second.notes.iter().any(|note| note.contains("the target is another place than before")), "{second:?}");
    assert_eq!(told(&lab).await, ["a.txt", "d/b.bin", "d/e/c.txt"]);
    assert!(entries(&lab, 1).await.iter().all(|entry| entry.proof_run == RunId(3)));
    is_true(&lab, 1, &other, "another place").await;
    // Nothing goes that was not published here, however often the source is without it.
    for number in 4..6 {
        let quiet = go(order(number)).await;
        assert_eq!((quiet.counts.files_unchanged, quiet.counts.files_trashed), (3, 0), "{quiet:?}");
        assert!(quiet.notes.iter().all(|note| !note.contains("another place")), "{quiet:?}");
    }
    assert!(other.tree().contains_key(&path("empty")));
}
