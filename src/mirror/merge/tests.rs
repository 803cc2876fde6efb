//! The sieve holds back all that the plan would do something about.

use super::Sieve;
use super::store::{Merged, merged};
use crate::db::Db;
use crate::mirror::plan::{Rules, Step, decide};
use crate::mirror::policy::{Existing, Links};
use crate::model::{JobId, RelPath, RunId};

const JOB: JobId = JobId(1);
const RUN: RunId = RunId(7);

/// One file on both sides and in the records, all alike, written a long time before it was published.
const ALIKE: [&str; 3] = [
    "INSERT INTO scan (run, side, path, kind, size, mtime, mtime_precision, mtime_told, unique_fact, mode) \
     VALUES (7, 0, ?1, 0, 5, 1000000000, 1, 3, 'u', 420)",
    "INSERT INTO scan (run, side, path, kind, size, mtime, mtime_precision, mtime_told, mode) \
     VALUES (7, 1, ?1, 0, 5, 2000000000, 0, 0, 420)",
    "INSERT INTO files (job, path, target, kind, size, mtime, mtime_precision, mtime_told, listed_mtime, \
     listed_precision, listed_told, listed_unique, proven, target_size, target_mtime, run, at) \
     VALUES (1, ?1, ?1, 0, 5, 1000000000, 1, 3, 1000000000, 1, 3, 'u', 1, 5, 2000000000, 6, 9000000000000)",
];

/// What may be otherwise, alone or together with another.
const OTHERWISE: [&str; 22] = [
    "UPDATE scan SET size = 6 WHERE side = 0 AND path = ?1",
    "UPDATE scan SET size = NULL WHERE side = 0 AND path = ?1",
    "UPDATE scan SET mtime = 3000000000 WHERE side = 0 AND path = ?1",
    "UPDATE scan SET mtime = NULL, mtime_precision = NULL, mtime_told = NULL WHERE side = 0 AND path = ?1",
    "UPDATE scan SET mtime_precision = 2 WHERE side = 0 AND path = ?1",
    "UPDATE scan SET unique_fact = 'v' WHERE side = 0 AND path = ?1",
    "UPDATE scan SET mode = 384 WHERE side = 0 AND path = ?1",
    "UPDATE scan SET refused = '{\"phase\":\"list\",\"kind\":\"bad-name\",\"retry\":\"never\",\"message\":\"no\",\"evidence\":{}}' \
     WHERE side = 0 AND path = ?1",
    "UPDATE scan SET kind = 2 WHERE side = 0 AND path = ?1",
    "UPDATE scan SET kind = 4 WHERE side = 0 AND path = ?1",
    "UPDATE scan SET kind = 1 WHERE side = 0 AND path = ?1",
    "UPDATE scan SET kind = 1 WHERE path = ?1",
    "UPDATE scan SET kind = 2 WHERE side = 1 AND path = ?1",
    "UPDATE scan SET size = 6 WHERE side = 1 AND path = ?1",
    "UPDATE scan SET mtime = 3000000000 WHERE side = 1 AND path = ?1",
    "DELETE FROM scan WHERE side = 1 AND path = ?1",
    "DELETE FROM files WHERE path = ?1",
    "UPDATE files SET proven = 0 WHERE path = ?1",
    "UPDATE files SET proof_run = 6 WHERE path = ?1",
    "UPDATE files SET run = 7 WHERE path = ?1",
    "UPDATE files SET target_mtime = NULL WHERE path = ?1",
    // Read as to the minute, and to the day, of a file that was published within that time.
    "UPDATE files SET at = 61000000, listed_precision = 2 WHERE path = ?1",
];

async fn filled() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
    let mut tx = db.write().await.unwrap();
    for one in 0..=OTHERWISE.len() {
        for other in one..=OTHERWISE.len() {
            let path = format!("{one:02}-{other:02}");
            let changes = OTHERWISE.get(one).into_iter().chain(OTHERWISE.get(other));
            for sql in ALIKE.iter().chain(changes) {
                sqlx::query(*sql).bind(path.as_bytes()).execute(&mut *tx).await.unwrap();
            }
        }
    }
    tx.commit().await.unwrap();
    (folder, db)
}

fn is_nothing(row: &Merged, keep_mode: bool) -> bool {
    let (existing, links) = (Existing::Adopt, Links::Skip);
    let rules = Rules { existing, links, can_link: true, keep_mode, recheck: false, run: RUN, shift: None };
    matches!(decide(&row.seen, row.known.as_ref(), row.there.as_ref(), rules), Step::Unchanged | Step::DirThere)
}

#[tokio::test]
async fn what_falls_through_needs_nothing() {
    let (_folder, db) = filled().await;
    for keep_mode in [false, true] {
        let rows = async |sieve| merged(&db, (JOB, RUN), sieve, &RelPath::root(), 10_000).await.unwrap();
        let all = rows(None).await;
        let held: Vec<_> = rows(Some(Sieve { keep_mode })).await.into_iter().map(|row| row.seen.path).collect();
        assert!(all.len() > 250 && held.len() < all.len());
        for row in &all {
            let fell = !held.contains(&row.seen.path);
            assert!(!fell || is_nothing(row, keep_mode), "{} fell through", row.seen.path.display());
        }
        // And it is worth its while: what differs in nothing does.
        let alike = format!("{0:02}-{0:02}", OTHERWISE.len());
        assert!(held.iter().all(|path| path.display() != alike));
    }
}
