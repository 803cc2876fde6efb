//! A source whose listings show a clock of which nobody said the zone.

use super::*;
use crate::model::ServerZone;

/// Listings show a clock of this zone.
fn listed_by(source: &Memory, zone: &str) {
    source.script(|s| s.listed_by = Some(zone.parse().unwrap()));
}

/// Six files of winter and of summer.
fn a_year(source: &Memory) {
    for (name, at) in [
        ("jan", "2024-01-15T10:11:12Z"),
        ("feb", "2024-02-20T23:59:59Z"),
        ("dec", "2023-12-29T00:59:30Z"),
        ("d/jun", "2024-06-01T12:00:00Z"),
        ("d/jul", "2024-07-31T22:30:00Z"),
        ("d/aug", "2024-08-25T01:30:00Z"),
    ] {
        source.put(&path(name), name);
        let node = source.tree()[&path(name)].clone();
        source.put_node(&path(name), Node { mtime: at.parse().unwrap(), ..node });
    }
    source.put_node(&path("d"), Node { mtime: "2024-08-25T01:30:00Z".parse().unwrap(), ..node(EntryKind::Dir) });
}

fn said<'a>(summary: &'a Summary, words: &str) -> Vec<&'a String> {
    summary.notes.iter().filter(|note| note.contains(words)).collect()
}

fn asked(source: &Memory) -> usize {
    source.log().iter().filter(|step| step.starts_with("stat")).count()
}

/// Times to the minute, as listings tell them.
fn minutes(memory: &Memory) -> BTreeMap<RelPath, i64> {
    memory.tree().into_iter().map(|(path, node)| (path, node.mtime.as_second().div_euclid(60))).collect()
}

#[tokio::test]
async fn the_zone_is_learned_once_and_used_for_what_only_listings_tell() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    a_year(&source);
    listed_by(&source, "Europe/Berlin");
    let first = lab.go((1, 1), &source, &target, quick()).await;
    assert!(first.complete && first.counts.files_published == 6, "{first:?}");
    let note = "listing times are read as Europe/Berlin: learned from 6 files";
    assert_eq!(said(&first, "listing times are read as"), [note]);
    // Of folders only the listing tells the time.
    assert_eq!(minutes(&source), minutes(&target));

    listed_by(&source, "Europe/Berlin");
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, 6), "{second:?}");
    assert_eq!(said(&second, "listing times are read as"), [note]);
    assert_eq!(asked(&source), 0, "{:?}", source.log());

    // Another job that reads the same server knows it, too.
    let other = Memory::new();
    listed_by(&source, "Europe/Berlin");
    let foreign = lab.go((2, 3), &source, &other, quick()).await;
    assert_eq!(said(&foreign, "listing times are read as"), [note]);
    assert_eq!(minutes(&source), minutes(&other));
}

#[tokio::test]
async fn what_was_read_by_another_zone_is_no_change() {
    // By UTC until now, or by what somebody said: the rule of summer moves only a part of the tree.
    for before in ["UTC", "60", "America/New_York", "Australia/Lord_Howe"] {
        let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
        a_year(&source);
        listed_by(&source, "Europe/Berlin");
        let given = |run, zone: &str| MirrorRun {
            zone: Some(zone.parse().unwrap()),
            ..lab.order((1, run), &source, &target, quick())
        };
        let go = |order| run(order, Arc::new(Progress::new()), CancellationToken::new());
        let first = go(given(1, before)).await.unwrap();
        assert!(first.complete && said(&first, "listing times are read").is_empty(), "{first:?}");

        // A dry run says what the next one would do, and learns nothing.
        let dry = lab.go((1, 2), &source, &target, Policy { dry_run: true, ..quick() }).await;
        assert_eq!((dry.counts.files_unchanged, said(&dry, "learned").len()), (6, 0), "{before}: {dry:?}");

        listed_by(&source, "Europe/Berlin");
        let second = lab.go((1, 3), &source, &target, quick()).await;
        assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, 6), "{before}: {second:?}");
        assert_eq!(said(&second, "learned from 6 files").len(), 1, "{before}: {second:?}");
        assert_eq!(said(&second, "nothing is copied because of that").len(), 1, "{before}: {second:?}");
        assert_eq!(said(&second, "its clock shows another zone").len(), 0, "{before}: {second:?}");
        assert_eq!(asked(&source), 6, "only to learn: {:?}", source.log());
        assert_eq!(minutes(&source), minutes(&target), "{before}: folders, too");

        // Somebody knows better again.
        listed_by(&source, "Europe/Berlin");
        let third = go(given(4, before)).await.unwrap();
        assert_eq!((third.counts.files_published, third.counts.files_unchanged), (0, 6), "{before}: {third:?}");
        assert_eq!(asked(&source), 0, "{before}: {:?}", source.log());
    }
}

#[tokio::test]
async fn a_clock_that_is_set_to_summer_time_between_two_runs_is_learned_anew() {
    // vsftpd shows all files by the distance from UTC of the moment.
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    a_year(&source);
    listed_by(&source, "60");
    let first = lab.go((1, 1), &source, &target, quick()).await;
    assert_eq!(said(&first, "listing times are read as 60: learned from 6 files").len(), 1, "{first:?}");

    listed_by(&source, "120");
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, 6), "{second:?}");
    assert_eq!(said(&second, "all moved by +60 minutes").len(), 1, "{second:?}");
    assert_eq!(said(&second, "listing times are read as 120: learned from 6 files").len(), 1, "{second:?}");
    assert_eq!(minutes(&source), minutes(&target));

    listed_by(&source, "120");
    source.put(&path("new"), "new");
    let third = lab.go((1, 3), &source, &target, quick()).await;
    assert_eq!((third.counts.files_published, third.counts.files_unchanged), (1, 6), "{third:?}");
    assert_eq!(said(&third, "all moved by").len(), 0, "{third:?}");
}

#[tokio::test]
async fn a_file_that_changed_while_the_zone_was_learned_is_copied() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    a_year(&source);
    listed_by(&source, "Europe/Berlin");
    let zone: ServerZone = ServerZone::default();
    let order = MirrorRun { zone: Some(zone), ..lab.order((1, 1), &source, &target, quick()) };
    run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
    // Of the same size, an hour younger: to those who read by the wrong zone it was always of that time.
    let mtime = "2024-01-15T11:11:12Z".parse().unwrap();
    source.put_node(&path("jan"), Node { data: b"JAN".to_vec(), mtime, ..node(EntryKind::File) });
    let second = lab.go((1, 2), &source, &target, quick()).await;
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (1, 5), "{second:?}");
    assert_eq!(content(&source)[&path("jan")].1, content(&target)[&path("jan")].1);
}
