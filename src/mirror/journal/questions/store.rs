//! Questions to the tables `items`, `files` and `tombstones`. They change nothing.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::time::Instant;

use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::plan::{Kind, Known, nanos};
use crate::mirror::scan::store::version;
use crate::mirror::store::{digest, fault, length, path, proof, stored, time, unreadable};
use crate::mirror::summary::{EXAMPLES, MissingItem};
use crate::mirror::words::{Action, ItemState};
use crate::model::{Digest, Entry, EntryKind, Fingerprint, ItemId, JobId, Proof, RelPath, RunId};

/// An item as the copy needs it.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub id: ItemId,
    pub run: RunId,
    pub path: RelPath,
    pub target: RelPath,
    pub state: ItemState,
    /// The target had another version.
    pub replaces: bool,
    /// As the listing told it.
    pub listed: Fingerprint,
    pub mode: Option<u32>,
    pub part: Option<RelPath>,
    pub confirmed: u64,
    /// Of the first `confirmed` bytes of the part: of the whole file, once it is verified.
    pub digest: Option<Digest>,
    /// How the part was proven.
    pub proof: Option<Proof>,
    /// Tries in all starts of this run.
    pub attempts: u32,
    /// The version at the last look, and since when it has been seen.
    pub seen: Option<(Fingerprint, Instant)>,
    /// It came out wrong once: the next try reads it in one flow, since a server may take offsets for nothing.
    pub undivided: bool,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, run, path, target, state, action, size, mtime, mtime_precision, mtime_told, unique_fact, mode, ",
            "part, confirmed, digest, proof, attempts FROM items ",
            $tail
        )
    };
}

/// The next files to move after `after`, in the order of the plan.
pub(crate) async fn still_open(db: &Db, run: RunId, after: ItemId, limit: i64) -> Result<Vec<Item>, DbError> {
    let rows = sqlx::query(select!(
        "WHERE run = ? AND id > ? AND kind = 0 AND state IN ('planned', 'transferring', 'verified') \
         AND action IN ('copy', 'replace', 'adopt', 'recheck') ORDER BY id LIMIT ?"
    ))
    .bind(run.0)
    .bind(after.0)
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(item).collect()
}

/// The biggest files to move, of at least `least` bytes, the biggest first.
pub(crate) async fn biggest_open(db: &Db, run: RunId, least: u64, limit: i64) -> Result<Vec<Item>, DbError> {
    let rows = sqlx::query(select!(
        "WHERE run = ? AND size >= ? AND kind = 0 AND state IN ('planned', 'transferring', 'verified') \
         AND action IN ('copy', 'replace', 'adopt') ORDER BY size DESC, id LIMIT ?"
    ))
    .bind(run.0)
    .bind(stored(least))
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(item).collect()
}

/// Files of any run of the job whose part was about to change places when the process died.
pub(crate) async fn publishing(db: &Db, job: JobId) -> Result<Vec<Item>, DbError> {
    let rows = sqlx::query(select!("WHERE job = ? AND part IS NOT NULL AND state = 'publishing' ORDER BY id"))
        .bind(job.0)
        .fetch_all(db.read())
        .await?;
    rows.iter().map(item).collect()
}

fn item(row: &SqliteRow) -> Result<Item, DbError> {
    let word: String = row.try_get("state")?;
    Ok(Item {
        id: ItemId(row.try_get("id")?),
        run: RunId(row.try_get("run")?),
        path: path(row.try_get("path")?)?,
        target: path(row.try_get("target")?)?,
        state: ItemState::of(&word).ok_or_else(|| unreadable(word))?,
        replaces: row.try_get::<String, _>("action")? != Action::Copy.as_str(),
        listed: version(row, ["size", "mtime", "mtime_precision", "mtime_told"], Some("unique_fact"))?,
        mode: row.try_get::<Option<i64>, _>("mode")?.and_then(|m| u32::try_from(m).ok()),
        part: row.try_get::<Option<Vec<u8>>, _>("part")?.map(|bytes| path(&bytes)).transpose()?,
        confirmed: length(row.try_get("confirmed")?)?,
        digest: digest(row.try_get("digest")?)?,
        proof: proof(row.try_get("proof")?)?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        seen: None,
        undivided: false,
    })
}

/// What a run was about to do with a path.
#[derive(Debug)]
pub(crate) struct Intent {
    pub run: RunId,
    /// In the source.
    pub path: RelPath,
    pub target: RelPath,
    pub kind: Kind,
    /// Permission bits in the source.
    pub mode: Option<u32>,
    /// Where a link points.
    pub link: Option<Vec<u8>>,
}

/// What an earlier start of this run, or an earlier run of the job, was about to do when it ended.
pub(crate) async fn intended(db: &Db, job: JobId, run: RunId, action: Action) -> Result<Vec<Intent>, DbError> {
    let rows = sqlx::query(
        "SELECT run, path, target, kind, mode, link FROM items WHERE job = ?1 AND run <= ?2 AND action = ?3 \
         AND state = 'planned' AND action IN ('trash', 'make-dir', 'link', 'set-mode') ORDER BY id LIMIT 5000",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(action.as_str())
    .fetch_all(db.read())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Intent {
                run: RunId(row.try_get("run")?),
                path: path(row.try_get("path")?)?,
                target: path(row.try_get("target")?)?,
                kind: codes::kind(row.try_get("kind")?),
                link: row.try_get("link")?,
                mode: row.try_get::<Option<i64>, _>("mode")?.and_then(|mode| u32::try_from(mode).ok()),
            })
        })
        .collect()
}

/// What the job published from `at` in the source under `target`, with its digest.
pub(crate) async fn file_known(
    db: &Db,
    job: JobId,
    at: &RelPath,
    target: &RelPath,
) -> Result<Option<(Known, Option<Digest>)>, DbError> {
    let row = sqlx::query(
        "SELECT size, mtime, mtime_precision, mtime_told, unique_fact, listed_mtime, listed_precision, listed_told, \
         listed_unique, target_size, target_mtime, proven, proof IS NULL AND proof_run IS NOT NULL AS doubted, run, at, link, \
         digest FROM files WHERE job = ? AND path = ? AND target = ?",
    )
    .bind(job.0)
    .bind(at.as_bytes())
    .bind(target.as_bytes())
    .fetch_optional(db.read())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let known = Known {
        version: version(&row, ["size", "mtime", "mtime_precision", "mtime_told"], Some("unique_fact"))?,
        listed: version(&row, ["size", "listed_mtime", "listed_precision", "listed_told"], Some("listed_unique"))?,
        target: (row.try_get::<Option<i64>, _>("target_size")?.map(length).transpose()?, row.try_get("target_mtime")?),
        proven: row.try_get::<i64, _>("proven")? == 1,
        doubted: row.try_get::<i64, _>("doubted")? == 1,
        run: RunId(row.try_get("run")?),
        at: time(row.try_get("at")?)?,
        link: row.try_get("link")?,
    };
    Ok(Some((known, digest(row.try_get("digest")?)?)))
}

/// A path that the job published and that this run did not see in the source.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub path: RelPath,
    pub target: RelPath,
    /// What the job published.
    pub kind: Kind,
    /// The target holds something there.
    pub there: Option<Found>,
    /// What the target told of a file after publishing.
    pub published: (Option<u64>, Option<i64>),
    /// Where the link points that the job made.
    pub link: Option<Vec<u8>>,
    /// An earlier run found it gone, too, and no run in between said otherwise.
    pub buried: bool,
}

/// What lies in a place of the target.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub kind: Kind,
    pub version: Fingerprint,
    /// Where a link points.
    pub link: Option<Vec<u8>>,
}

impl Found {
    pub(crate) fn of(entry: &Entry) -> Self {
        let link = if let EntryKind::Symlink(target) = &entry.kind { target.clone() } else { None };
        Self { kind: codes::kind_of(&entry.kind), version: entry.fingerprint(), link }
    }
}

impl Candidate {
    pub(crate) fn is_dir(&self) -> bool {
        self.kind == Kind::Dir
    }

    /// Is it still what was published?
    pub(crate) fn is_ours(&self) -> bool {
        self.is_as_published(self.there.as_ref())
    }

    /// Is `there` what was published?
    pub(crate) fn is_as_published(&self, there: Option<&Found>) -> bool {
        let Some(there) = there.filter(|there| there.kind == self.kind) else { return false };
        match there.kind {
            Kind::Dir => true,
            // Without a time nobody knows.
            Kind::File => self.published.1.is_some() && self.published == (there.version.size, nanos(&there.version)),
            Kind::Link => self.link.is_some() && self.link == there.link,
            Kind::Special | Kind::Unknown => false,
        }
    }
}

/// Paths that may have to go, files first; `dirs` asks for directories, the deepest first.
pub(crate) async fn candidates(
    db: &Db,
    job: JobId,
    run: RunId,
    dirs: bool,
    after: Option<&RelPath>,
    limit: i64,
) -> Result<Vec<Candidate>, DbError> {
    let order = if dirs {
        "AND (?4 IS NULL OR f.path < ?4) ORDER BY f.path DESC"
    } else {
        "AND (?4 IS NULL OR f.path > ?4) ORDER BY f.path"
    };
    let sql = format!(
        "SELECT f.path, f.target, f.kind AS f_kind, f.target_size, f.target_mtime, f.link, t.link AS t_link, t.kind, t.size, t.mtime, t.mtime_precision, t.mtime_told, \
         (b.first_run IS NOT NULL AND b.first_run <> ?2) AS buried FROM files f \
         LEFT JOIN scan s ON s.run = ?2 AND s.side = 0 AND s.path = f.target \
         LEFT JOIN scan t ON t.run = ?2 AND t.side = 1 AND t.path = f.target \
         LEFT JOIN tombstones b ON b.job = ?1 AND b.path = f.path \
         WHERE f.job = ?1 AND (f.kind = 1) = ?3 AND s.path IS NULL {order} LIMIT ?5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(job.0)
        .bind(run.0)
        .bind(i64::from(dirs))
        .bind(after.map(RelPath::as_bytes))
        .bind(limit)
        .fetch_all(db.read())
        .await?;
    rows.iter()
        .map(|row| {
            let there = match row.try_get::<Option<i64>, _>("kind")? {
                Some(kind) => Some(Found {
                    kind: codes::kind(kind),
                    version: version(row, ["size", "mtime", "mtime_precision", "mtime_told"], None)?,
                    link: row.try_get("t_link")?,
                }),
                None => None,
            };
            Ok(Candidate {
                path: path(row.try_get("path")?)?,
                target: path(row.try_get("target")?)?,
                kind: codes::kind(row.try_get("f_kind")?),
                link: row.try_get("link")?,
                there,
                published: (
                    row.try_get::<Option<i64>, _>("target_size")?.map(length).transpose()?,
                    row.try_get("target_mtime")?,
                ),
                buried: row.try_get::<i64, _>("buried")? == 1,
            })
        })
        .collect()
}

/// How many files and folders the job published.
pub(crate) async fn count_paths(db: &Db, job: JobId) -> Result<u64, DbError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM files WHERE job = ? AND path > x''")
        .bind(job.0)
        .fetch_one(db.read())
        .await?;
    length(count)
}

/// Does the job know at least so many paths?
pub(crate) async fn holds(db: &Db, job: JobId, count: i64) -> Result<bool, DbError> {
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM (SELECT 1 FROM files WHERE job = ? LIMIT ?)")
        .bind(job.0)
        .bind(count)
        .fetch_one(db.read())
        .await?;
    Ok(found >= count)
}

/// Parts of earlier runs of the job that nobody will go on with, and their items.
pub(crate) async fn leftover_parts(db: &Db, job: JobId, run: RunId) -> Result<Vec<(ItemId, RelPath)>, DbError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT id, part FROM items AS old WHERE job = ?1 AND part IS NOT NULL AND run <> ?2 \
         AND NOT EXISTS (SELECT 1 FROM items AS now WHERE now.run = ?2 AND now.part = old.part \
         AND now.state <> 'published') LIMIT 10000",
    )
    .bind(job.0)
    .bind(run.0)
    .fetch_all(db.read())
    .await?;
    rows.into_iter().map(|(id, part)| Ok((ItemId(id), path(&part)?))).collect()
}

/// Items of a job that have a part, and whether another job knows a part of the same name.
pub(crate) async fn parts_of(db: &Db, job: JobId, after: ItemId, limit: i64) -> Result<Vec<(Item, bool)>, DbError> {
    let rows = sqlx::query(
        "SELECT *, EXISTS (SELECT 1 FROM items AS other WHERE other.part = items.part AND other.job <> items.job) \
         AS is_shared FROM items WHERE job = ? AND part IS NOT NULL AND id > ? ORDER BY id LIMIT ?",
    )
    .bind(job.0)
    .bind(after.0)
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(|row| Ok((item(row)?, row.try_get::<i64, _>("is_shared")? == 1))).collect()
}

/// What became of a run's items.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ItemTotals {
    pub published: u64,
    pub bytes: u64,
    pub adopted: u64,
    pub kept: u64,
    pub failed: u64,
    pub open: u64,
    /// Of these, left because they may still be being written.
    pub unsettled: u64,
    pub skipped: u64,
    /// Gone from the source before they could be copied.
    pub vanished: u64,
    pub trashed: u64,
    pub dirs_made: u64,
    pub links_made: u64,
    pub modes_set: u64,
}

/// Counts a run's items.
pub(crate) async fn totals(db: &Db, run: RunId) -> Result<ItemTotals, DbError> {
    let rows: Vec<(String, String, i64, bool, i64, i64)> = sqlx::query_as(
        "SELECT action, state, kind, fault_kind IS 'unsettled' AS unsettled, count(*), coalesce(sum(size), 0) FROM items \
         WHERE run = ? GROUP BY action, state, kind, unsettled",
    )
    .bind(run.0)
    .fetch_all(db.read())
    .await?;
    let mut totals = ItemTotals::default();
    for (action, state, kind, unsettled, count, bytes) in rows {
        let count = length(count)?;
        let action = Action::of(&action).ok_or_else(|| unreadable(&action))?;
        match ItemState::of(&state).ok_or_else(|| unreadable(&state))? {
            ItemState::Published => match action {
                Action::Copy | Action::Replace if kind == 0 => {
                    totals.published += count;
                    totals.bytes += length(bytes)?;
                }
                Action::Adopt => totals.adopted += count,
                Action::Keep => totals.kept += count,
                Action::SetMode => totals.modes_set += count,
                Action::MakeDir => totals.dirs_made += count,
                Action::Link => totals.links_made += count,
                Action::Trash if kind != 1 => totals.trashed += count,
                _ => {}
            },
            ItemState::Failed => totals.failed += count,
            ItemState::Skipped => match action {
                Action::Skip => totals.skipped += count,
                Action::Copy | Action::Replace | Action::Adopt | Action::Recheck | Action::Keep => {
                    totals.vanished += count;
                }
                Action::SetMode | Action::MakeDir | Action::Link | Action::Trash | Action::Refuse => {}
            },
            // A deletion that was meant and not done is no missing file.
            _ if action == Action::Trash => {}
            ItemState::Planned | ItemState::Transferring | ItemState::Verified | ItemState::Publishing => {
                totals.open += count;
                totals.unsettled += if unsettled { count } else { 0 };
            }
        }
    }
    Ok(totals)
}

/// Files of the run that the source listed and then called missing, after `after` in the order of the plan.
pub(crate) async fn called_missing(
    db: &Db,
    run: RunId,
    after: ItemId,
    limit: i64,
) -> Result<Vec<(ItemId, RelPath)>, DbError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT id, path FROM items WHERE run = ? AND id > ? AND state = 'failed' AND fault_kind = 'missing' \
         AND action IN ('copy', 'replace', 'adopt', 'recheck') ORDER BY id LIMIT ?",
    )
    .bind(run.0)
    .bind(after.0)
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.into_iter().map(|(id, at)| Ok((ItemId(id), path(&at)?))).collect()
}

/// The first files of the run that went away from the source before they could be copied.
pub(crate) async fn vanished_names(db: &Db, run: RunId, limit: i64) -> Result<Vec<RelPath>, DbError> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT path FROM items WHERE run = ? AND state = 'skipped' AND action IN ('copy', 'replace', 'adopt', 'recheck', 'keep') \
         ORDER BY id LIMIT ?",
    )
    .bind(run.0)
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(|at| path(at)).collect()
}

/// The first items that failed or were left, and why.
pub(crate) async fn missing_examples(db: &Db, run: RunId) -> Result<Vec<MissingItem>, DbError> {
    let rows: Vec<(Vec<u8>, Option<String>)> = sqlx::query_as(
        "SELECT path, fault FROM items WHERE run = ? AND (state = 'failed' OR (fault_kind = 'unsettled' \
                AND state IN ('planned', 'transferring', 'verified'))) ORDER BY id LIMIT ?",
    )
    .bind(run.0)
    .bind(i64::try_from(EXAMPLES).unwrap_or(100))
    .fetch_all(db.read())
    .await?;
    rows.into_iter()
        .filter_map(|(at, json)| match (path(&at), fault(json)) {
            (Ok(path), Ok(Some(fault))) => Some(Ok(MissingItem { path, fault })),
            (Ok(_), Ok(None)) => None,
            (Err(error), _) | (_, Err(error)) => Some(Err(error)),
        })
        .collect()
}
