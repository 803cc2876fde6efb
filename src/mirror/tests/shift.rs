//! A source whose clock is set to another zone.

use super::*;
use crate::model::ServerZone;

/// Lists by a clock that is so many minutes ahead.
fn ahead(source: &Memory, minutes: i64) {
    source.script(|s| s.listed_by = Some(zone(minutes)));
}

fn zone(minutes: i64) -> ServerZone {
    ServerZone::minutes(minutes.try_into().unwrap()).unwrap()
}

/// Nobody asks what the clock shows: what moves can only be seen.
async fn go(lab: &Lab, ids: (i64, i64), source: &Memory, target: &Memory, policy: Policy) -> Summary {
    let order = MirrorRun { zone: Some(ServerZone::default()), ..lab.order(ids, source, target, policy) };
    run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap()
}

fn only_lists(memory: &Memory) -> bool {
    memory.log().iter().all(|step| step.starts_with("list"))
}

fn of_the_clock(summary: &Summary) -> Vec<&String> {
    summary.notes.iter().filter(|note| note.contains("its clock shows another zone")).collect()
}

#[tokio::test]
async fn a_tree_that_is_shifted_by_quarters_of_an_hour_transfers_nothing() {
    for minutes in [60, 15, -60, 345, 14 * 60] {
        let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
        ahead(&source, 0);
        let first = go(&lab, (1, 1), &source, &target, quick()).await;
        assert!(first.complete && first.counts.files_published == 4, "{first:?}");
        let before = content(&target);

        ahead(&source, minutes);
        target.script(|_| ());
        let dry = Policy { dry_run: true, ..quick() };
        let told = go(&lab, (1, 2), &source, &target, dry).await;
        assert_eq!(told.counts.files_unchanged, 4, "{minutes}: {told:?}");

        // Not even looked at: neither side is asked anything beyond its listing; and it is said once.
        let second = go(&lab, (1, 3), &source, &target, quick()).await;
        assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, 4), "{minutes}: {second:?}");
        assert!(second.complete && second.verified, "{minutes}: {second:?}");
        assert!(only_lists(&source), "{minutes}: {:?}", source.log());
        assert_eq!(of_the_clock(&second).len(), 1, "{minutes}: {second:?}");
        assert!(of_the_clock(&second)[0].contains(&format!("{minutes:+} minutes")), "{second:?}");
        let files = |tree: &BTreeMap<RelPath, (EntryKind, Vec<u8>, i64)>| {
            tree.iter()
                .filter(|(_, (kind, ..))| *kind == EntryKind::File)
                .map(|(p, n)| (p.clone(), n.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(files(&content(&target)), files(&before), "{minutes}: nothing is published anew");
        lab.agree(3).await;

        // The new zone is the usual one now.
        ahead(&source, minutes);
        let third = go(&lab, (1, 4), &source, &target, quick()).await;
        assert_eq!((third.counts.files_unchanged, of_the_clock(&third).len()), (4, 0), "{minutes}: {third:?}");
        assert!(only_lists(&source), "{minutes}: {:?}", source.log());
    }
}

#[tokio::test]
async fn times_that_lie_centuries_apart_break_no_run() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    for (run, time) in [(1, "2262-01-01T00:00:00Z"), (2, "1900-01-01T00:00:00Z")] {
        source.put_node(
            &path("f"),
            Node { mtime: time.parse().unwrap(), data: b"same size".into(), ..node(EntryKind::File) },
        );
        ahead(&source, 0);
        let summary = go(&lab, (1, run), &source, &target, Policy { settle_seconds: 0, ..quick() }).await;
        assert!(summary.complete && summary.counts.files_published == 1, "{time}: {summary:?}");
        assert_eq!(of_the_clock(&summary).len(), 0, "{time}: {summary:?}");
    }
}

#[tokio::test]
async fn a_file_that_changed_besides_is_copied() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    for n in 0..20 {
        source.put(&path(&format!("many/{n}")), vec![n; 100]);
    }
    ahead(&source, 0);
    go(&lab, (1, 1), &source, &target, quick()).await;
    // Of the same length, a minute younger; and one that only another minute tells.
    source.put_node(
        &path("a.txt"),
        Node {
            data: b"ALPHA".to_vec(),
            mtime: jiff::Timestamp::from_second(1_600_000_000).unwrap(),
            ..node(EntryKind::File)
        },
    );
    ahead(&source, 60);
    let second = go(&lab, (1, 2), &source, &target, quick()).await;
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (1, 23), "{second:?}");
    assert_eq!(of_the_clock(&second).len(), 1, "{second:?}");
    assert_eq!(content(&source)[&path("a.txt")], content(&target)[&path("a.txt")]);
}

#[tokio::test]
async fn what_is_no_clock_is_looked_at() {
    // Ten minutes are no zone; and a tree of which a part stayed is none either.
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    ahead(&source, 0);
    go(&lab, (1, 1), &source, &target, quick()).await;
    ahead(&source, 10);
    let second = go(&lab, (1, 2), &source, &target, quick()).await;
    assert!(second.complete && of_the_clock(&second).is_empty(), "{second:?}");
    assert!(source.log().iter().any(|step| step.starts_with("stat")), "{:?}", source.log());
    assert_eq!(second.counts.files_published, 0, "the exact time tells that nothing changed: {second:?}");
}

#[tokio::test]
async fn files_that_are_rewritten_at_the_same_hour_are_no_clock() {
    // All of the source, of the same size, an hour younger than when it was published; recent, so that it may be new.
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    let now = jiff::Timestamp::now().as_second() / 60 * 60;
    let write = |text: &str, second: i64| {
        for name in ["rates.bin", "state.dat", "cam.jpg"] {
            let mtime = jiff::Timestamp::from_second(second).unwrap();
            source.put_node(&path(name), Node { data: text.into(), mtime, ..node(EntryKind::File) });
        }
    };
    write("monday ", now - 7200);
    ahead(&source, 0);
    go(&lab, (1, 1), &source, &target, quick()).await;
    write("tuesday", now - 3600);
    ahead(&source, 0);
    let second = go(&lab, (1, 2), &source, &target, quick()).await;
    assert_eq!((second.counts.files_published, of_the_clock(&second).len()), (3, 0), "{second:?}");
    assert_eq!(content(&source), content(&target));
}
