//! A journal that another program keeps locked, and one for which there is no room.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::*;
use crate::db::DbError;
use crate::mirror::{MirrorError, Stage};

/// As [`Lab::new`], and SQLite itself has no patience.
async fn hasty() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_waiting(&folder.path().join("causeway.db"), Duration::from_millis(20)).await.unwrap();
    Lab { db, folder }
}

/// Another program on the same file.
async fn other(lab: &Lab) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(lab.folder.path().join("causeway.db"))
        .busy_timeout(Duration::from_secs(20));
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn say(other: &mut SqliteConnection, words: &'static str) {
    sqlx::query(words).execute(other).await.unwrap();
}

/// Locks the store again and again, each time until the run waits for it; in which stages it did.
async fn harass(lab: &Lab, progress: &Progress, over: &CancellationToken) -> BTreeSet<String> {
    let (mut other, mut seen) = (other(lab).await, BTreeSet::new());
    while !over.is_cancelled() {
        say(&mut other, "BEGIN IMMEDIATE").await;
        for _ in 0..100 {
            let now = progress.snapshot();
            if now.waits_for.is_some_and(|what| what.contains("keeps it locked")) {
                seen.insert(format!("{:?}", now.stage));
                break;
            }
            if now.stage == Stage::Done || over.is_cancelled() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        say(&mut other, "COMMIT").await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen
}

#[tokio::test]
async fn a_store_that_is_locked_is_waited_for_in_every_stage() {
    let (lab, mut seen) = (hasty().await, BTreeSet::new());
    for job in 1..=20 {
        let (source, target) = (small_tree(), Memory::new());
        let order = lab.order((job, job), &source, &target, Policy { patience_seconds: 60, ..quick() });
        let (progress, over) = (Arc::new(Progress::new()), CancellationToken::new());
        let work = async {
            let summary = run(order, Arc::clone(&progress), CancellationToken::new()).await;
            over.cancel();
            summary
        };
        let (summary, stages) = tokio::join!(work, harass(&lab, &progress, &over));
        let summary = summary.unwrap();
        assert!(summary.complete && summary.verified && summary.counts.files_published == 4, "{summary:?}");
        let said = summary.notes.iter().any(|note| note.contains("kept the job store locked"));
        assert!(said || stages.is_empty(), "{summary:?}");
        assert_eq!(content(&source), content(&target));
        lab.agree(job).await;
        seen.extend(stages);
        if seen.len() == 4 {
            return;
        }
    }
    panic!("the run waited in these stages only: {seen:?}");
}

#[tokio::test]
async fn a_store_that_stays_locked_ends_the_run_and_nothing_is_lost() {
    let (lab, source, target) = (hasty().await, small_tree(), Memory::new());
    let mut other = other(&lab).await;
    say(&mut other, "BEGIN IMMEDIATE").await;
    let order = lab.order((1, 1), &source, &target, quick());
    let begun = std::time::Instant::now();
    let ended = run(order, Arc::new(Progress::new()), CancellationToken::new()).await;
    assert!(matches!(ended, Err(MirrorError::Db(DbError::Busy))), "{ended:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waits as long as for any other outage");
    say(&mut other, "COMMIT").await;
    let again = lab.go((1, 1), &source, &target, quick()).await;
    assert!(again.complete, "{again:?}");
    assert_eq!(content(&source), content(&target));
    lab.agree(1).await;
}

/// The file may grow by so many pages; none: as it likes.
async fn room_for(lab: &Lab, pages: Option<i64>) {
    let now: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(lab.db.read()).await.unwrap();
    let most = pages.map_or(1 << 30, |pages| now + pages);
    let limit = format!("PRAGMA max_page_count = {most}");
    for durably in [false, true] {
        let mut tx = if durably { lab.db.write_durably().await } else { lab.db.write().await }.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(limit.clone())).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_store_without_room_ends_the_run_in_clear_words_and_nothing_is_lost() {
    let (lab, source, target) = (Lab::new().await, small_tree(), Memory::new());
    for n in 0..500 {
        source.put(&path(&format!("many/{n:03}-{}", "x".repeat(100))), format!("{n}"));
    }
    // From no room at all to almost enough: another step finds none each time.
    let mut outcomes = BTreeSet::new();
    for pages in [0, 5, 20, 60, 90, 120, 150, 180, 210, 250] {
        room_for(&lab, Some(pages)).await;
        let order = lab.order((1, 1), &source, &target, quick());
        let ended = run(order, Arc::new(Progress::new()), CancellationToken::new()).await;
        match &ended {
            Err(full @ MirrorError::Db(DbError::Full)) => {
                assert!(full.to_string().contains("no space left for the job store: make room"), "{full}");
            }
            Ok(summary) => assert!(summary.complete, "{summary:?}"),
            Err(other) => panic!("{pages} pages: {other}"),
        }
        outcomes.insert(ended.is_ok());
        for (at, node) in target.tree().into_iter().filter(|(_, node)| node.kind == EntryKind::File) {
            assert_eq!(source.tree()[&at].data, node.data, "{pages} pages: torn {at:?}");
        }
    }
    assert!(outcomes.contains(&false));
    room_for(&lab, None).await;
    let last = lab.go((1, 1), &source, &target, quick()).await;
    assert!(last.complete, "{last:?}");
    assert_eq!(content(&source), content(&target));
    assert!(target.whole().keys().all(|p| !p.is_reserved()), "parts are left: {:?}", target.whole().keys());
    lab.agree(1).await;
}
