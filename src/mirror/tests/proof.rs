//! What is proven, what is found, and what is not claimed.

use super::*;
use crate::manifest::Entry;
use crate::mirror::proof::store as proofs;
use crate::mirror::{Action, Proving};
use crate::model::{Algorithm, Digest, DigestAlgorithm, Hasher, Proof};

pub(super) fn proving(proof: Proving) -> Policy {
    Policy { proof, ..quick() }
}

/// Other bytes, the same size and time.
pub(super) fn change_unseen(memory: &Memory, at: &str, data: &str) {
    let old = memory.tree()[&path(at)].clone();
    assert_eq!(old.data.len(), data.len());
    memory.put_node(&path(at), Node { data: data.into(), ..old });
}

async fn entry(lab: &Lab, at: &str) -> Entry {
    let all = proofs::entries(&lab.db, JobId(1), &RelPath::root(), 100).await.unwrap();
    all.into_iter().find(|entry| entry.path == path(at)).unwrap()
}

fn reads(memory: &Memory, at: &str) -> usize {
    memory.log().iter().filter(|step| **step == format!("read {at}")).count()
}

#[tokio::test]
async fn content_that_changed_under_the_same_size_and_time_is_found_where_the_policy_reads_it() {
    for proof in [Proving::SecondRead, Proving::ServerHash, Proving::Sampling(100)] {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        let first = lab.go((1, 1), &source, &target, proving(proof)).await;
        assert!(first.complete && first.verified, "{first:?}");
        let quiet = lab.go((1, 2), &source, &target, proving(proof)).await;
        assert_eq!((quiet.counts.files_rechecked, quiet.counts.files_unseen), (4, 0), "{proof}: {quiet:?}");
        assert_eq!((quiet.counts.files_unchanged, quiet.counts.files_published), (4, 0), "{proof}: {quiet:?}");
        change_unseen(&source, "a.txt", "ALPHA");
        let found = lab.go((1, 3), &source, &target, proving(proof)).await;
        assert_eq!((found.counts.files_rechecked, found.counts.files_unseen), (3, 1), "{proof}: {found:?}");
        assert!(found.complete && found.notes.iter().any(|n| n.contains("under an unchanged size")), "{found:?}");
        assert_eq!(content(&source), content(&target), "{proof}");
        lab.agree(3).await;
    }
}

#[tokio::test]
async fn content_that_is_not_looked_at_is_not_called_proven_again() {
    for (proof, claimed) in [(Proving::Size, Proof::Size), (Proving::StreamHash, Proof::StreamHash)] {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        let first = lab.go((1, 1), &source, &target, proving(proof)).await;
        assert_eq!(first.verified, proof != Proving::Size);
        assert_eq!(first.proofs, [(claimed.method(), 4)].into());
        let before = entry(&lab, "a.txt").await;
        assert_eq!((&before.proof, before.proof_run), (&claimed, RunId(1)));
        change_unseen(&source, "a.txt", "ALPHA");
        let second = lab.go((1, 2), &source, &target, proving(proof)).await;
        assert_eq!((second.counts.files_published, second.counts.files_rechecked), (0, 0), "{second:?}");
        assert!(second.proofs.is_empty());
        // The proof of the first run stands, under its number.
        assert_eq!(entry(&lab, "a.txt").await, before);
        assert_eq!(second.records, first.records, "nothing changed");
    }
}

#[tokio::test]
async fn a_hash_of_the_server_that_differs_keeps_the_file_out() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|s| {
        s.told_content.insert(path("a.txt"), b"other".to_vec());
    });
    let summary = lab.go((1, 1), &source, &target, proving(Proving::ServerHash)).await;
    assert!(!summary.complete);
    assert!(!target.tree().contains_key(&path("a.txt")));
    assert_eq!(summary.missing.len(), 1);
    assert!(summary.missing[0].fault.message.contains("the server says that its file's sha-256 is"), "{summary:?}");
    assert_eq!(summary.counts.files_published, 3);
}

#[tokio::test]
async fn weaker_hashes_serve_where_there_is_no_better_one() {
    for algorithm in Algorithm::ALL {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        source.script(|s| s.hashes = vec![*algorithm]);
        let first = lab.go((1, 1), &source, &target, proving(Proving::ServerHash)).await;
        assert!(first.complete, "{first:?}");
        let method = format!("server-hash:{algorithm}");
        assert_eq!(first.proofs, [(method.clone(), 4)].into());
        assert_eq!(proofs::of_job(&lab.db, JobId(1)).await.unwrap(), [(method, 4)].into());
        // A target that tells no hash but SHA-256 is read.
        target.script(|s| s.hashes = vec![]);
        change_unseen(&source, "d/e/c.txt", "GAMMA");
        let second = lab.go((1, 2), &source, &target, proving(Proving::ServerHash)).await;
        assert_eq!((second.counts.files_rechecked, second.counts.files_unseen), (3, 1), "{algorithm}: {second:?}");
        assert_eq!(content(&source), content(&target), "{algorithm}");
    }
}

#[tokio::test]
async fn a_server_without_hashes_is_said_and_not_asked_for_every_file() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    source.script(|s| s.hashes = vec![]);
    lab.go((1, 1), &source, &target, proving(Proving::ServerHash)).await;
    source.script(|s| s.hashes = vec![]);
    let second = lab.go((1, 2), &source, &target, proving(Proving::ServerHash)).await;
    assert!(second.notes.iter().any(|note| note.contains("tells no hashes")), "{second:?}");
    assert_eq!((second.counts.files_rechecked, second.counts.files_unchanged), (0, 4));
    assert_eq!(entry(&lab, "a.txt").await.proof, Proof::StreamHash);
    let asked = source.log().iter().filter(|step| !step.starts_with("list")).count();
    assert_eq!(asked, 1, "{:?}", source.log());
}

#[tokio::test]
async fn a_sample_is_read_twice_and_the_rest_once() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    let names: Vec<_> = (0..60).map(|n| format!("f{n:02}")).collect();
    names.iter().for_each(|name| source.put(&path(name), name.as_str()));
    source.script(|_| ());
    let policy = Proving::Sampling(30);
    let first = lab.go((1, 1), &source, &target, proving(policy)).await;
    let chosen: Vec<_> = names.iter().filter(|name| policy.reads_twice(&path(name))).collect();
    assert!((5..35).contains(&chosen.len()));
    for name in &names {
        assert_eq!(reads(&source, name), if chosen.contains(&name) { 2 } else { 1 }, "{name}");
    }
    assert_eq!(first.proofs["second-read"], chosen.len() as u64);
    assert_eq!(first.proofs["stream-hash"], (60 - chosen.len()) as u64);
    let second = lab.go((1, 2), &source, &target, proving(policy)).await;
    assert_eq!(second.counts.files_rechecked, chosen.len() as u64);
}

#[tokio::test]
async fn bytes_that_changed_in_the_target_are_put_away_and_replaced() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, proving(Proving::SecondRead)).await;
    change_unseen(&target, "a.txt", "hacks");
    let second = lab.go((1, 2), &source, &target, proving(Proving::SecondRead)).await;
    assert!(second.complete && second.counts.files_unseen == 1, "{second:?}");
    assert_eq!(content(&source), content(&target));
    let kept: Vec<_> = target.whole().into_values().filter(|node| node.data == b"hacks").collect();
    assert_eq!(kept.len(), 1, "what somebody wrote there is gone");
}

#[tokio::test]
async fn a_mode_that_changed_is_set_although_the_content_is_looked_at() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, proving(Proving::SecondRead)).await;
    let old = source.tree()[&path("a.txt")].clone();
    source.put_node(&path("a.txt"), Node { mode: 0o600, ..old });
    lab.go((1, 2), &source, &target, proving(Proving::SecondRead)).await;
    assert_eq!(target.tree()[&path("a.txt")].mode, 0o600);
}

#[tokio::test]
async fn a_file_that_was_believed_is_proven_by_a_second_read() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    source.put(&path("f"), "content");
    target.put_node(&path("f"), source.tree()[&path("f")].clone());
    let policy = |proof| Policy { existing: Existing::Adopt, ..proving(proof) };
    lab.go((1, 1), &source, &target, policy(Proving::StreamHash)).await;
    assert_eq!(entry(&lab, "f").await.proof, Proof::Believed);
    let second = lab.go((1, 2), &source, &target, policy(Proving::SecondRead)).await;
    assert!(second.verified, "{second:?}");
    assert_eq!(entry(&lab, "f").await.proof, Proof::SecondRead);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_looked_at() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    lab.go((1, 1), &source, &target, proving(Proving::SecondRead)).await;
    let (sender, mut plan) = tokio::sync::mpsc::channel(100);
    let order = lab.order((1, 2), &source, &target, Policy { dry_run: true, ..proving(Proving::SecondRead) });
    run(order, Arc::new(Progress::with_plan(sender)), CancellationToken::new()).await.unwrap();
    let mut steps = Vec::new();
    while let Some(step) = plan.recv().await {
        steps.push(step.action);
    }
    assert_eq!(steps, [Action::Recheck.as_str(); 4]);
}

/// Reset at every step of a run that looks at everything again and finds one file changed on each side.
#[tokio::test]
async fn a_look_that_fails_at_any_step_is_repeated() {
    for proof in [Proving::SecondRead, Proving::ServerHash] {
        let lab = Lab::new().await;
        let prepare = async |job| {
            let (source, target) = (small_tree(), Memory::new());
            lab.go((job, 2 * job), &source, &target, proving(proof)).await;
            change_unseen(&source, "a.txt", "ALPHA");
            change_unseen(&target, "d/e/c.txt", "hacks");
            source.script(|_| ());
            target.script(|_| ());
            (source, target)
        };
        let (source, target) = prepare(1).await;
        lab.go((1, 3), &source, &target, proving(proof)).await;
        let steps = [source.steps(), target.steps()];
        let mut job = 1;
        for (side, steps) in steps.into_iter().enumerate() {
            for k in 1..=steps {
                job += 1;
                let (source, target) = prepare(job).await;
                let failing = if side == 0 { &source } else { &target };
                failing.script(|s| s.fail_at = Some((k, Fault::new(Phase::Transfer, FaultKind::Reset, "on cue"))));
                let summary = lab.go((job, 2 * job + 1), &source, &target, proving(proof)).await;
                assert!(summary.complete, "{proof} side {side} step {k}: {summary:?}");
                assert_eq!(content(&source), content(&target), "{proof} side {side} step {k}");
                let kept = target.whole().into_values().filter(|node| node.data == b"hacks").count();
                assert_eq!(kept, 1, "{proof} side {side} step {k}: what somebody wrote there is gone");
            }
        }
    }
}

fn digested(algorithm: DigestAlgorithm, content: &[u8]) -> Digest {
    let mut hasher = Hasher::of_digest(algorithm);
    hasher.update(content);
    hasher.try_into().unwrap()
}

#[tokio::test]
async fn content_is_hashed_as_the_policy_wants_and_what_is_kept_keeps_its_digest() {
    for proof in [Proving::StreamHash, Proving::SecondRead, Proving::ServerHash] {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        let policy = |digest| Policy { digest, ..proving(proof) };
        assert!(lab.go((1, 1), &source, &target, policy(DigestAlgorithm::Sha256)).await.verified);
        source.put(&path("new"), "new");
        let second = lab.go((1, 2), &source, &target, policy(DigestAlgorithm::Blake3)).await;
        assert!(second.complete && second.counts.files_published == 1, "{proof}: {second:?}");
        assert_eq!((second.counts.files_unchanged, second.counts.files_unseen), (4, 0), "{proof}: {second:?}");
        let (old, new) = (entry(&lab, "a.txt").await, entry(&lab, "new").await);
        assert_eq!(old.digest, Some(digested(DigestAlgorithm::Sha256, b"alpha")), "{proof}");
        assert_eq!(new.digest, Some(digested(DigestAlgorithm::Blake3, b"new")), "{proof}");
        change_unseen(&source, "a.txt", "ALPHA");
        change_unseen(&source, "new", "NEW");
        let third = lab.go((1, 3), &source, &target, policy(DigestAlgorithm::Blake3)).await;
        let looks = proof != Proving::StreamHash;
        assert_eq!(third.counts.files_unseen, if looks { 2 } else { 0 }, "{proof}: {third:?}");
        if looks {
            assert_eq!(content(&source), content(&target), "{proof}");
            assert_eq!(entry(&lab, "a.txt").await.digest, Some(digested(DigestAlgorithm::Blake3, b"ALPHA")), "{proof}");
        }
        lab.agree(3).await;
    }
}

/// A part that was begun under one algorithm is gone on with under another: no byte is sent again for that.
#[tokio::test]
async fn a_resume_keeps_the_digest_that_it_began_with() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    source.put(&path("f"), data.clone());
    source.script(|s| s.fail_from = Some((15, Fault::new(Phase::Login, FaultKind::Auth, "on cue"))));
    let begun = Policy { digest: DigestAlgorithm::Blake3, ..quick() };
    let cut = lab.go((1, 1), &source, &target, begun).await;
    assert!(matches!(cut.ended, Ended::GaveUp { .. }), "{cut:?}");
    source.script(|s| s.fail_from = None);
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    assert_eq!(target.tree()[&path("f")].data, data);
    assert_eq!(entry(&lab, "f").await.digest, Some(digested(DigestAlgorithm::Blake3, &data)));
    let items = store::items(&lab.db, RunId(1), &ItemFilter::default()).await.unwrap();
    let attempts = store::attempts(&lab.db, items[0].id).await.unwrap();
    assert!(attempts.last().unwrap().from_offset > 300_000, "{attempts:?}");
}

/// What lies in the target already is compared by the digest of what arrived, whichever that is.
#[tokio::test]
async fn what_is_there_already_is_recognised_by_either_digest() {
    for digest in DigestAlgorithm::ALL {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        target.put(&path("a.txt"), "alpha");
        let summary = lab.go((1, 1), &source, &target, Policy { digest: *digest, ..quick() }).await;
        assert!(summary.complete, "{summary:?}");
        assert!(!target.whole().keys().any(|at| at.is_reserved()), "{digest}: the same content needs no trash");
    }
}
