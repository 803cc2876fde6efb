//! What both sides show in this run, in the table `scan`.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::heat::Dir;
use crate::mirror::names::key;
use crate::mirror::plan::Kind;
use crate::mirror::store::{fault, length, path, stored};
use crate::mirror::summary::{EXAMPLES, UnsureDir};
use crate::model::{Fault, Fingerprint, RelPath, RunId};
use crate::remote::{Completeness, Doubt};

/// One of the two trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

impl Side {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Source => 0,
            Self::Target => 1,
        }
    }

    /// For people.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// How reading a directory ended, as the store keeps it.
const PROVEN: i64 = 2;
const DOUBTFUL: i64 = 3;
const FAILED: i64 = 4;
/// Nothing is known to be missing, but nothing may be deleted by it either.
const HELD: i64 = 5;
/// Named by its parent, and left for a run over the whole tree: nothing is known of what is in it.
const COLD: i64 = 7;
/// Named by its parent in this run and then proven to be gone. The row stays: this run saw both, so it deletes nothing
/// below.
pub(in crate::mirror) const GONE: i64 = 6;

/// One entry on its way into the table.
#[derive(Debug)]
pub(super) struct ScanRow {
    /// In the target's naming.
    pub path: RelPath,
    /// In the source's, when it differs.
    pub source: Option<RelPath>,
    pub kind: Kind,
    pub version: Fingerprint,
    pub mode: Option<u32>,
    pub refused: Option<Fault>,
    /// Where a link points.
    pub link: Option<Vec<u8>>,
}

/// A name in a directory of which its listing alone does not say what is to become of it.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// In the target's naming.
    pub target: RelPath,
    /// In the source's.
    pub source: RelPath,
    /// Where a link points.
    pub link: Option<Vec<u8>>,
}

type UnsettledRow = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

/// How a directory was read.
#[derive(Debug)]
pub(super) enum Listed {
    Ended(Completeness),
    Failed(Fault),
    /// It went away after its parent was listed, which a new listing of the parent proves.
    Gone,
    /// No directory, and nothing that the policy wants: its name alone did not say so.
    LeftOut,
    /// Not looked at by this run.
    Cold,
}

/// Rows per statement: far below SQLite's limit of bound values, and one statement for the cache.
const CHUNK: usize = 250;

/// Forgets what an earlier start of this run saw, and names the directories where it begins.
pub(super) async fn begin(db: &Db, run: RunId, seeds: [(Side, &Vec<Dir>); 2]) -> Result<(), DbError> {
    clear(db, run).await?;
    let mut tx = db.write().await?;
    for (side, dirs) in seeds {
        for (target, source) in dirs {
            sqlx::query("INSERT INTO scan (run, side, path, source, kind) VALUES (?, ?, ?, ?, 1)")
                .bind(run.0)
                .bind(side.number())
                .bind(target.as_bytes())
                .bind(Some(source.as_bytes()).filter(|source| *source != target.as_bytes()))
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Removes a run's rows: all at once when no other run has any, which costs the same for a million of them, else a part at
/// a time so that others can write in between.
pub(crate) async fn clear(db: &Db, run: RunId) -> Result<(), DbError> {
    loop {
        let mut tx = db.write().await?;
        let others: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM scan WHERE run < ?1) OR EXISTS (SELECT 1 FROM scan WHERE run > ?1)",
        )
        .bind(run.0)
        .fetch_one(&mut *tx)
        .await?;
        let part =
            "DELETE FROM scan WHERE (run, side, path) IN (SELECT run, side, path FROM scan WHERE run = ? LIMIT 50000)";
        let gone = if others {
            sqlx::query(part).bind(run.0).execute(&mut *tx).await?.rows_affected()
        } else {
            sqlx::query("DELETE FROM scan").execute(&mut *tx).await?;
            0
        };
        tx.commit().await?;
        if gone < 50_000 {
            return Ok(());
        }
    }
}

/// Writes entries and ends of directories in one transaction.
pub(super) async fn write(
    db: &Db,
    run: RunId,
    side: Side,
    rows: &[ScanRow],
    ends: &[(RelPath, Listed)],
) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    for chunk in rows.chunks(CHUNK) {
        insert(&mut tx, run, side, chunk).await?;
    }
    let mut proven = Vec::new();
    for (dir, listed) in ends {
        let (state, doubt) = match listed {
            Listed::Ended(Completeness::Proven { .. }) => {
                proven.push(dir);
                continue;
            }
            Listed::LeftOut => {
                leave_out(&mut tx, run, side, dir).await?;
                continue;
            }
            Listed::Gone => (GONE, None),
            Listed::Cold => (COLD, None),
            Listed::Ended(whole @ Completeness::Doubtful { doubts }) => {
                (if whole.is_whole() { HELD } else { DOUBTFUL }, serde_json::to_string(doubts).ok())
            }
            Listed::Failed(fault) => (FAILED, serde_json::to_string(fault).ok()),
        };
        ended(&mut tx, run, side, &[dir], (state, doubt)).await?;
    }
    // Nearly all of them, and with nothing to be said of any.
    for dirs in proven.chunks(CHUNK) {
        ended(&mut tx, run, side, dirs, (PROVEN, None)).await?;
    }
    Ok(tx.commit().await?)
}

async fn ended(
    tx: &mut sqlx::SqliteConnection,
    run: RunId,
    side: Side,
    dirs: &[&RelPath],
    (state, doubt): (i64, Option<String>),
) -> Result<(), DbError> {
    let mut query = QueryBuilder::<Sqlite>::new("UPDATE scan SET listing = ");
    query.push_bind(state).push(", doubt = ").push_bind(doubt);
    query.push(" WHERE run = ").push_bind(run.0).push(" AND side = ").push_bind(side.number()).push(" AND path IN (");
    let mut paths = query.separated(", ");
    for dir in dirs {
        paths.push_bind(dir.as_bytes());
    }
    query.push(")").build().persistent(dirs.len() == 1).execute(tx).await?;
    Ok(())
}

async fn leave_out(tx: &mut sqlx::SqliteConnection, run: RunId, side: Side, at: &RelPath) -> Result<(), DbError> {
    sqlx::query("DELETE FROM scan WHERE run = ? AND side = ? AND path = ?")
        .bind(run.0)
        .bind(side.number())
        .bind(at.as_bytes())
        .execute(tx)
        .await?;
    Ok(())
}

/// Where everything below `dir` sorts: after "dir/" and before "dir0", because '0' comes after '/'.
fn below(dir: &RelPath) -> (Vec<u8>, Option<Vec<u8>>) {
    if dir.is_root() {
        (Vec::new(), None)
    } else {
        ([dir.as_bytes(), b"/"].concat(), Some([dir.as_bytes(), b"0"].concat()))
    }
}

/// Entries of `dir` itself that are of `kind` and not refused, after `after`.
pub(super) async fn of_kind(
    db: &Db,
    run: RunId,
    (side, kind): (Side, Kind),
    dir: &RelPath,
    after: &RelPath,
    limit: i64,
) -> Result<Vec<Unsettled>, DbError> {
    let (from, to) = below(dir);
    let depth = i64::try_from(from.len()).unwrap_or(i64::MAX);
    let rows: Vec<UnsettledRow> = sqlx::query_as(
        "SELECT path, coalesce(source, path), link FROM scan WHERE run = ?1 AND side = ?2 AND kind = ?3 AND refused IS NULL \
         AND path > max(?4, ?5) AND (?6 IS NULL OR path < ?6) AND instr(substr(path, ?8 + 1), x'2f') = 0 \
         ORDER BY path LIMIT ?7",
    )
    .bind(run.0)
    .bind(side.number())
    .bind(codes::kind_number(kind))
    .bind(from)
    .bind(after.as_bytes())
    .bind(to)
    .bind(limit)
    .bind(depth)
    .fetch_all(db.read())
    .await?;
    rows.into_iter()
        .map(|(target, source, link)| Ok(Unsettled { target: path(&target)?, source: path(&source)?, link }))
        .collect()
}

/// Forgets what a try that failed found in a directory. Nothing deeper was read yet, unless it is at or below one of
/// `begun`, the directories where the scan began: those stay as they are.
pub(super) async fn forget_children(
    db: &Db,
    run: RunId,
    side: Side,
    dir: &RelPath,
    begun: &HashSet<RelPath>,
) -> Result<(), DbError> {
    let (from, to) = below(dir);
    let mut query = QueryBuilder::<Sqlite>::new("DELETE FROM scan WHERE run = ");
    query.push_bind(run.0).push(" AND side = ").push_bind(side.number()).push(" AND path > ").push_bind(from.clone());
    if let Some(to) = to {
        query.push(" AND path < ").push_bind(to);
    }
    let inner: Vec<_> = begun.iter().filter(|seed| *seed != dir && seed.starts_with(dir)).collect();
    if !inner.is_empty() {
        only_children(&mut query, &from);
    }
    for seed in inner.into_iter().filter(|seed| seed.parent().as_ref() == Some(dir)) {
        query.push(" AND path <> ").push_bind(seed.as_bytes());
    }
    let mut tx = db.write().await?;
    query.build().execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// Not what lies deeper than right behind `from`.
fn only_children(query: &mut QueryBuilder<Sqlite>, from: &[u8]) {
    let behind = i64::try_from(from.len()).unwrap_or(i64::MAX).saturating_add(1);
    query.push(" AND instr(substr(path, ").push_bind(behind).push("), x'2f') = 0");
}

async fn insert(tx: &mut sqlx::SqliteConnection, run: RunId, side: Side, rows: &[ScanRow]) -> Result<(), DbError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO scan (run, side, path, source, kind, size, mtime, mtime_precision, mtime_told, mode, unique_fact, refused, link, fold) ",
    );
    query.push_values(rows, |mut values, row| {
        let (at, precision, told) = codes::columns(row.version.mtime);
        values
            .push_bind(run.0)
            .push_bind(side.number())
            .push_bind(row.path.as_bytes())
            .push_bind(row.source.as_ref().map(RelPath::as_bytes))
            .push_bind(codes::kind_number(row.kind))
            .push_bind(row.version.size.map(stored))
            .push_bind(at)
            .push_bind(precision)
            .push_bind(told)
            .push_bind(row.mode.map(i64::from))
            .push_bind(row.version.unique.as_deref())
            .push_bind(row.refused.as_ref().and_then(|f| serde_json::to_string(f).ok()))
            .push_bind(row.link.as_deref())
            .push_bind(Some(key(&row.path)).filter(|key| *key != row.path).map(|key| key.as_bytes().to_vec()));
    });
    // A directory may be read again after a reset. Two source names that become one target name: neither
    // is mirrored in silence.
    query.push(
        " ON CONFLICT DO UPDATE SET kind = excluded.kind, size = excluded.size, mtime = excluded.mtime, \
         mtime_precision = excluded.mtime_precision, mtime_told = excluded.mtime_told, mode = excluded.mode, \
         unique_fact = excluded.unique_fact, link = excluded.link, refused = CASE \
         WHEN coalesce(scan.source, scan.path) = coalesce(excluded.source, excluded.path) THEN coalesce(excluded.refused, scan.refused) ELSE ",
    );
    query.push_bind(collision());
    query.push(" END");
    query.build().persistent(rows.len() == CHUNK).execute(tx).await?;
    Ok(())
}

fn collision() -> Option<String> {
    let fault = Fault::new(
        crate::model::Phase::List,
        crate::model::FaultKind::BadName,
        "two names of the source become the same name in the target: rename one of them",
    );
    serde_json::to_string(&fault).ok()
}

/// Directories of the source that cannot be mirrored: what lies below them was read for all that.
pub(crate) async fn refused_dirs(db: &Db, run: RunId) -> Result<BTreeSet<RelPath>, DbError> {
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT path FROM scan WHERE run = ? AND side = 0 AND kind = 1 AND refused IS NOT NULL")
            .bind(run.0)
            .fetch_all(db.read())
            .await?;
    rows.iter().map(|bytes| path(bytes)).collect()
}

/// Directories that were seen and not read yet: target path, source path.
pub(super) async fn waiting(db: &Db, run: RunId, side: Side, limit: i64) -> Result<Vec<(RelPath, RelPath)>, DbError> {
    let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = sqlx::query_as(
        "SELECT path, source FROM scan WHERE run = ? AND side = ? AND kind = 1 AND listing = 0 AND refused IS NULL LIMIT ?",
    )
    .bind(run.0)
    .bind(side.number())
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.into_iter().map(|(target, source)| Ok((path(&target)?, path(source.as_deref().unwrap_or(&target))?))).collect()
}

/// Directories that could not be listed, after `after`: target path, source path, and why.
pub(super) async fn failed(
    db: &Db,
    run: RunId,
    side: Side,
    after: &RelPath,
    limit: i64,
) -> Result<Vec<(RelPath, RelPath, Fault)>, DbError> {
    let rows = sqlx::query(
        "SELECT path, source, doubt FROM scan WHERE run = ? AND side = ? AND kind = 1 AND listing = ? AND listing > 2 \
         AND path > ? ORDER BY path LIMIT ?",
    )
    .bind(run.0)
    .bind(side.number())
    .bind(FAILED)
    .bind(after.as_bytes())
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter()
        .map(|row| {
            let target: Vec<u8> = row.try_get("path")?;
            let source: Option<Vec<u8>> = row.try_get("source")?;
            let why =
                fault(row.try_get("doubt")?)?.ok_or_else(|| crate::mirror::store::unreadable("a failed listing"))?;
            Ok((path(&target)?, path(source.as_deref().unwrap_or(&target))?, why))
        })
        .collect()
}

/// Reads a version from four or five columns.
pub(crate) fn version(row: &SqliteRow, names: [&str; 4], unique: Option<&str>) -> Result<Fingerprint, DbError> {
    let [size, at, precision, told] = names;
    Ok(Fingerprint {
        size: row.try_get::<Option<i64>, _>(size)?.map(length).transpose()?,
        mtime: codes::mtime((row.try_get(at)?, row.try_get(precision)?, row.try_get(told)?)),
        unique: unique.map(|name| row.try_get(name)).transpose()?.flatten(),
    })
}

/// Remembers that something in these directories was or will be changed, so that their times are set anew.
pub(crate) async fn touch(tx: &mut sqlx::SqliteConnection, run: RunId, dirs: &[RelPath]) -> Result<(), DbError> {
    for dir in dirs {
        sqlx::query("UPDATE scan SET touched = 1 WHERE run = ? AND side = 0 AND path = ?")
            .bind(run.0)
            .bind(dir.as_bytes())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// A directory that is given the source's time and mode.
#[derive(Debug)]
pub(crate) struct UnsettledDir {
    pub path: RelPath,
    pub version: Fingerprint,
    pub mode: Option<u32>,
    /// This run changed something in it.
    pub touched: bool,
}

/// Directories of the source whose target was made or changed by this run, or shows another time or mode.
/// Of modes only what the owner grants others counts: the owner's own bits are always set.
pub(crate) async fn dirs_to_settle(
    db: &Db,
    run: RunId,
    after: Option<&RelPath>,
    limit: i64,
) -> Result<Vec<UnsettledDir>, DbError> {
    let rows = sqlx::query(
        "SELECT s.path, s.size, s.mtime, s.mtime_precision, s.mtime_told, s.mode, s.touched FROM scan s \
         LEFT JOIN scan t ON t.run = s.run AND t.side = 1 AND t.path = s.path \
         WHERE s.run = ?1 AND s.side = 0 AND s.kind = 1 AND (?2 IS NULL OR s.path > ?2) AND s.refused IS NULL AND s.listing <> ?4 \
         AND (s.touched = 1 OR t.path IS NULL OR (s.mode & 63) <> (t.mode & 63) OR (s.mtime IS NOT NULL AND \
              (t.mtime IS NULL OR abs(t.mtime / 1000000000 - s.mtime / 1000000000) > \
              CASE s.mtime_precision WHEN 0 THEN 0 WHEN 1 THEN 0 WHEN 2 THEN 60 ELSE 86400 END))) \
         ORDER BY s.path LIMIT ?3",
    )
    .bind(run.0)
    .bind(after.map(RelPath::as_bytes))
    .bind(limit)
    .bind(GONE)
    .fetch_all(db.read())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(UnsettledDir {
                path: path(row.try_get("path")?)?,
                version: version(row, ["size", "mtime", "mtime_precision", "mtime_told"], None)?,
                mode: row.try_get::<Option<i64>, _>("mode")?.and_then(|m| u32::try_from(m).ok()),
                touched: row.try_get::<i64, _>("touched")? == 1,
            })
        })
        .collect()
}

/// The newest time of a file in the source that is not after `now`.
pub(crate) async fn newest(db: &Db, run: RunId, now: Timestamp) -> Result<Option<Timestamp>, DbError> {
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT max(mtime) FROM scan WHERE run = ? AND side = 0 AND kind = 0 AND mtime <= ?")
            .bind(run.0)
            .bind(i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX))
            .fetch_one(db.read())
            .await?;
    Ok(newest.and_then(|at| Timestamp::from_nanosecond(at.into()).ok()))
}

/// What the source shows at `path` of the target's naming: its kind, and for a directory whether it was
/// proven to be listed in full.
pub(crate) async fn source_at(db: &Db, run: RunId, at: &RelPath) -> Result<Option<(Kind, bool)>, DbError> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "SELECT kind, iif(refused IS NULL, listing, 0) FROM scan WHERE run = ? AND side = 0 AND path = ?",
    )
    .bind(run.0)
    .bind(at.as_bytes())
    .fetch_optional(db.read())
    .await?;
    Ok(row.map(|(kind, listing)| (codes::kind(kind), listing == PROVEN)))
}

/// Is nothing known to be below `path` in the target but what this run was shown there? None: it shows nothing at `path`.
pub(crate) async fn shows_all(db: &Db, run: RunId, at: &RelPath) -> Result<Option<bool>, DbError> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "SELECT kind, iif(refused IS NULL, listing, 0) FROM scan WHERE run = ? AND side = ? AND path = ?",
    )
    .bind(run.0)
    .bind(Side::Target.number())
    .bind(at.as_bytes())
    .fetch_optional(db.read())
    .await?;
    Ok(row.map(|(kind, listing)| match codes::kind(kind) {
        Kind::Dir => matches!(listing, PROVEN | HELD | GONE),
        Kind::Unknown => false,
        // Nothing lies below what is no folder.
        Kind::File | Kind::Link | Kind::Special => true,
    }))
}

/// How the directories of the source were listed.
#[derive(Debug)]
pub(crate) struct Directories {
    pub all: u64,
    /// Not listed, or something is known to be missing.
    pub unsure: u64,
    /// Listed, but not proof enough to delete anything.
    pub held: u64,
    /// The first of the unsure ones.
    pub first: Vec<UnsureDir>,
}

/// How the directories of the source were listed.
pub(crate) async fn directories(db: &Db, run: RunId) -> Result<Directories, DbError> {
    let (all, unsure, held): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(listing NOT IN (?1, ?2, ?4)), 0), coalesce(sum(listing = ?2), 0) FROM scan \
         WHERE run = ?3 AND side = 0 AND kind = 1 AND refused IS NULL AND listing <> ?5",
    )
    .bind(PROVEN)
    .bind(HELD)
    .bind(run.0)
    .bind(GONE)
    .bind(COLD)
    .fetch_one(db.read())
    .await?;
    let rows = sqlx::query(
        "SELECT path, source, listing, doubt FROM scan WHERE run = ? AND side = 0 AND kind = 1 AND listing IN (3, 4) LIMIT ?",
    )
    .bind(run.0)
    .bind(i64::try_from(EXAMPLES).unwrap_or(100))
    .fetch_all(db.read())
    .await?;
    let mut first = Vec::new();
    for row in rows {
        let target: Vec<u8> = row.try_get("path")?;
        let source: Option<Vec<u8>> = row.try_get("source")?;
        let doubt: Option<String> = row.try_get("doubt")?;
        let (mut why, mut doubts) = (None, Vec::new());
        if row.try_get::<i64, _>("listing")? == FAILED {
            why = fault(doubt)?;
        } else if let Some(json) = doubt {
            doubts = serde_json::from_str::<Vec<Doubt>>(&json).map_err(|_| crate::mirror::store::unreadable(&json))?;
        }
        first.push(UnsureDir { path: path(source.as_deref().unwrap_or(&target))?, fault: why, doubts });
    }
    Ok(Directories { all: length(all)?, unsure: length(unsure)?, held: length(held)?, first })
}
