//! A lot in the tables `items`, `attempts` and `files`.

use jiff::Timestamp;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::super::FileRow;
use super::{Lot, Published};
use crate::db::DbError;
use crate::mirror::codes;
use crate::mirror::marks::Prefix;
use crate::mirror::store::{digest_bytes, stored};
use crate::model::{JobId, Proof, RunId};

/// Rows per statement: powers of two, so that few different statements are prepared, and the largest far below
/// SQLite's limit of bound values.
const MOST_ROWS: usize = 128;

/// Stores a lot in the order of its steps.
pub(in crate::mirror::journal) async fn apply(
    tx: &mut SqliteConnection,
    job: JobId,
    run: RunId,
    at: Timestamp,
    lot: &Lot,
) -> Result<(), DbError> {
    let now = at.as_microsecond();
    for rows in chunks(&lot.started) {
        let head = "UPDATE items SET state = 'transferring', part = new.column2, confirmed = new.column3, digest = new.column4, \
                    at = new.column5 FROM (";
        update(tx, head, rows, |row, (item, part, confirmed)| {
            let (length, digest) = columns(*confirmed);
            row.push_bind(item.0).push_bind(part.as_bytes()).push_bind(length).push_bind(digest).push_bind(now);
        })
        .await?;
    }
    for rows in chunks(&lot.confirmed) {
        let head = "UPDATE items SET confirmed = new.column2, digest = new.column3, at = new.column4 FROM (";
        update(tx, head, rows, |row, (item, confirmed)| {
            let (length, digest) = columns(*confirmed);
            row.push_bind(item.0).push_bind(length).push_bind(digest).push_bind(now);
        })
        .await?;
    }
    for rows in chunks(&lot.verified) {
        let head = "UPDATE items SET state = 'verified', confirmed = new.column2, digest = new.column3, proof = new.column4, \
                    at = new.column5 FROM (";
        update(tx, head, rows, |row, (item, digest, size, proof)| {
            row.push_bind(item.0)
                .push_bind(stored(*size))
                .push_bind(digest_bytes(*digest))
                .push_bind(proof.to_string())
                .push_bind(now);
        })
        .await?;
    }
    for rows in chunks(&lot.published) {
        publish(tx, job, run, now, rows).await?;
    }
    Ok(())
}

/// `confirmed` and `digest`, which is the digest of so many bytes.
fn columns(confirmed: Option<Prefix>) -> (i64, Option<Vec<u8>>) {
    confirmed.map_or((0, None), |prefix| (stored(prefix.length), Some(digest_bytes(prefix.digest))))
}

async fn publish(
    tx: &mut SqliteConnection,
    job: JobId,
    run: RunId,
    now: i64,
    rows: &[Published],
) -> Result<(), DbError> {
    let attempts: Vec<_> = rows.iter().filter_map(|row| Some((row.item, row.attempt.as_ref()?))).collect();
    for tries in chunks(&attempts) {
        let head = "INSERT INTO attempts (item, number, started, ended, from_offset, bytes) ";
        let mut query = QueryBuilder::<Sqlite>::new(head);
        query.push_values(tries, |mut row, (item, attempt)| {
            row.push_bind(item.0)
                .push_bind(i64::from(attempt.number))
                .push_bind(attempt.started.as_microsecond())
                .push_bind(attempt.ended.as_microsecond())
                .push_bind(stored(attempt.from))
                .push_bind(stored(attempt.bytes));
        });
        query.build().execute(&mut *tx).await?;
    }
    let head = "UPDATE items SET state = 'published', action = new.column2, part = NULL, \
                confirmed = coalesce(new.column3, confirmed), digest = new.column4, size = coalesce(new.column3, size), \
                proof = new.column5, attempts = attempts + 1, at = new.column6 FROM (";
    update(tx, head, rows, |row, published| {
        let file = &published.file;
        row.push_bind(published.item.0)
            .push_bind(published.action.as_str())
            .push_bind(file.version.size.map(stored))
            .push_bind(file.digest.map(digest_bytes))
            .push_bind(file.proof.as_ref().map(Proof::to_string))
            .push_bind(now);
    })
    .await?;
    remember(tx, job, run, now, rows.iter().map(|row| &*row.file)).await
}

/// Remembers what was published. A file whose proof is not told keeps the one that it had.
pub(in crate::mirror::journal) async fn remember<'a>(
    tx: &mut SqliteConnection,
    job: JobId,
    run: RunId,
    now: i64,
    files: impl Iterator<Item = &'a FileRow>,
) -> Result<(), DbError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT OR REPLACE INTO files (job, path, target, kind, size, mtime, mtime_precision, mtime_told, unique_fact, \
         listed_mtime, listed_precision, listed_told, listed_unique, digest, proven, target_size, target_mtime, run, at, \
         proof, proof_run, proof_at, link) SELECT new.column1, new.column2, new.column3, new.column4, new.column5, new.column6, \
         new.column7, new.column8, new.column9, new.column10, new.column11, new.column12, new.column13, new.column14, \
         new.column15, new.column16, new.column17, new.column18, new.column19, coalesce(new.column20, old.proof), \
         iif(new.column20 IS NULL, old.proof_run, new.column18), iif(new.column20 IS NULL, old.proof_at, new.column19), \
         new.column21 FROM (",
    );
    query.push_values(files, |mut row, file| {
        let (mtime, precision, told) = codes::columns(file.version.mtime);
        let (listed, listed_precision, listed_told) = codes::columns(file.listed.mtime);
        row.push_bind(job.0)
            .push_bind(file.path.as_bytes())
            .push_bind(file.target.as_bytes())
            .push_bind(codes::kind_number(file.kind))
            .push_bind(file.version.size.map(stored))
            .push_bind(mtime)
            .push_bind(precision)
            .push_bind(told)
            .push_bind(file.version.unique.as_deref())
            .push_bind(listed)
            .push_bind(listed_precision)
            .push_bind(listed_told)
            .push_bind(file.listed.unique.as_deref())
            .push_bind(file.digest.map(digest_bytes))
            .push_bind(i64::from(file.proven))
            .push_bind(file.target_size.map(stored))
            .push_bind(file.target_mtime)
            .push_bind(run.0)
            .push_bind(now)
            .push_bind(file.proof.as_ref().map(Proof::to_string))
            .push_bind(file.link.as_deref());
    });
    query.push(") AS new LEFT JOIN files AS old ON old.job = new.column1 AND old.path = new.column2");
    query.build().execute(tx).await?;
    Ok(())
}

/// `UPDATE items … FROM (VALUES …) AS new WHERE items.id = new.column1`.
async fn update<'a, T: Sync>(
    tx: &mut SqliteConnection,
    head: &'static str,
    rows: &'a [T],
    mut bind: impl FnMut(&mut Separated<'_, Sqlite, &'static str>, &'a T),
) -> Result<(), DbError> {
    let mut query = QueryBuilder::<Sqlite>::new(head);
    query.push_values(rows, |mut row, item| bind(&mut row, item));
    query.push(") AS new WHERE items.id = new.column1");
    query.build().execute(tx).await?;
    Ok(())
}

/// Pieces whose lengths are powers of two, the longest first.
pub(in crate::mirror::journal) fn chunks<T: Sync>(rows: &[T]) -> impl Iterator<Item = &[T]> + Send {
    let mut left = rows;
    std::iter::from_fn(move || {
        let most = MOST_ROWS.min(left.len());
        let take = if most == 0 { return None } else { 1 << most.ilog2() };
        let (piece, rest) = left.split_at_checked(take)?;
        left = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_few_lengths_and_lose_nothing() {
        for count in [0, 1, 2, 3, 127, 128, 129, 300] {
            let rows: Vec<_> = (0..count).collect();
            let pieces: Vec<_> = chunks(&rows).collect();
            assert_eq!(pieces.concat(), rows);
            assert!(pieces.iter().all(|piece| piece.len().is_power_of_two() && piece.len() <= MOST_ROWS));
        }
    }
}
