//! Checksums of files in the tree, so that they can be told without reading the files.
//!
//! They belong to a content, not to a name: to the inode that holds it, and to its version, which is its entity tag
//! ([`Stat::etag`]: inode, birth, size and time). A file keeps them when it is moved; a content that replaces it begins
//! without any. Only what was computed here is ever stored: what others say about a content is compared, not believed.

mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::db::{Db, DbError};
use crate::model::{Algorithm, Checksum};
use crate::tree::Stat;

/// The most files whose checksums are kept; the oldest make room.
const MOST: i64 = 1_000_000;

/// What is known. Clones share it.
#[derive(Debug, Clone)]
pub struct Digests {
    db: Db,
}

/// What is known of some files.
#[derive(Debug, Default)]
pub struct Known(HashMap<(u64, u64), (String, Vec<Checksum>)>);

impl Known {
    /// The checksums of the content that `stat` describes; empty when there are none.
    #[must_use]
    pub fn of(&self, stat: &Stat) -> &[Checksum] {
        match self.0.get(&(stat.dev, stat.ino)) {
            Some((version, sums)) if *version == stat.etag() => sums,
            _ => &[],
        }
    }

    /// The one by `algorithm` of the content that `stat` describes.
    #[must_use]
    pub fn by(&self, stat: &Stat, algorithm: Algorithm) -> Option<&Checksum> {
        self.of(stat).iter().find(|sum| sum.algorithm() == algorithm)
    }
}

impl Digests {
    /// Those of a job store.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Stores what was computed over the content that `stat` describes, beside what is known of it. When that fails it
    /// is only not known: said to the operator.
    pub async fn note(&self, stat: &Stat, sums: &[Checksum]) {
        if sums.is_empty() || !stat.is_file() {
            return;
        }
        let stored = async {
            let mut tx = self.db.write().await?;
            let known = store::read(&mut tx, &[stat]).await?;
            let mut all = sums.to_vec();
            let computed = |one: &&Checksum| sums.iter().all(|sum| sum.algorithm() != one.algorithm());
            all.extend(known.of(stat).iter().filter(computed).cloned());
            store::replace(&mut tx, stat, &all, MOST).await?;
            tx.commit().await.map_err(DbError::from)
        };
        if let Err(error) = stored.await {
            tracing::warn!(db.error = %error, "checksums could not be stored");
        }
    }

    /// What is known of these files. Those that are of one file system cost one question together.
    pub async fn of(&self, stats: &[&Stat]) -> Known {
        let known = async { store::read(&mut *self.db.read().acquire().await?, stats).await };
        known.await.unwrap_or_else(|error| {
            tracing::warn!(db.error = %error, "checksums could not be read");
            Known::default()
        })
    }

    /// Only the time of a file was changed, and `after` is what it is now: what is known of its content stays true.
    pub async fn retimed(&self, before: &Stat, after: &Stat) {
        let same = (before.dev, before.ino, before.born, before.size) == (after.dev, after.ino, after.born, after.size);
        if !same || before.mtime == after.mtime || !after.is_file() || self.of(&[before]).await.of(before).is_empty() {
            return;
        }
        let moved = async { store::retime(&mut *self.db.statement().await?, before, &after.etag()).await };
        if let Err(error) = moved.await {
            tracing::warn!(db.error = %error, "checksums could not follow their file");
        }
    }
}
