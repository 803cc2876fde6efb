//! The log as a whole: recording, paging, verifying, exporting.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use futures_util::TryStreamExt as _;

use super::verify::Verifier;
use super::{Actor, Checkpoint, CheckpointError, Event, Filter, Record, Verification, checkpoint, entry, store};
use crate::db::{Db, DbError};
use crate::model::Clock;
use crate::task;

/// The operation log of one store. Clones share it.
#[derive(Debug, Clone)]
pub struct AuditLog {
    db: Db,
    clock: Arc<dyn Clock>,
    /// Number and hash of the last entry that was appended here: most likely still the last one.
    last: Arc<Mutex<Option<Head>>>,
}

impl AuditLog {
    /// The log in `db`.
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock, last: Arc::default() }
    }

    /// Appends one entry in a transaction of its own, for operations that change nothing else in the
    /// store (a file in the tree, a start, a stop). Returns its number.
    ///
    /// # Errors
    /// What the store says.
    pub async fn record(&self, actor: &Actor, event: &Event) -> Result<i64, DbError> {
        if let Some(seq) = self.record_behind_last(actor, event).await {
            return Ok(seq);
        }
        let mut tx = self.db.write().await?;
        let seq = store::append(&mut tx, self.clock.now(), actor, event).await?;
        let head = store::head(&mut tx).await?;
        tx.commit().await?;
        *lock(&self.last) = Some(head);
        Ok(seq)
    }

    /// In one step of the store, where a transaction takes five: `None` when somebody else has appended meanwhile, or
    /// when it fails. A client waits for this entry with every file that it sends.
    async fn record_behind_last(&self, actor: &Actor, event: &Event) -> Option<i64> {
        let last = *lock(&self.last);
        let (seq, hash) = last?;
        let mut conn = self.db.statement().await.ok()?;
        // Whoever waited longer for the connection finds what was appended before.
        let last = (*lock(&self.last)).unwrap_or((seq, hash));
        let sealed = entry::seal(last.0 + 1, self.clock.now(), actor, event, &last.1).ok()?;
        let next = (sealed.seq, sealed.hash);
        match store::append_behind(&mut conn, last, sealed).await {
            Ok(true) => {
                *lock(&self.last) = Some(next);
                Some(next.0)
            }
            Ok(false) => None,
            Err(error) => {
                tracing::debug!(%error, "an audit entry could not be appended in one step");
                None
            }
        }
    }

    /// The newest entries that pass the filter, newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn page(&self, filter: &Filter) -> Result<Vec<Record>, DbError> {
        store::page(self.db.read(), filter).await
    }

    /// Reads the whole log, in bounded memory, and says what is wrong with it and where.
    ///
    /// # Errors
    /// What the store says; damage of the log itself is in the answer.
    pub async fn verify(&self, checkpoint: Option<&Checkpoint>) -> Result<Verification, DbError> {
        let mut verifier = Verifier::new(checkpoint);
        let mut rows = store::rows(self.db.read());
        while let Some(row) = rows.try_next().await? {
            verifier.take(&row);
        }
        Ok(verifier.finish(self.clock.now()))
    }

    /// The head as it is now, to be kept outside.
    ///
    /// # Errors
    /// What the store says.
    pub async fn head(&self) -> Result<Checkpoint, DbError> {
        let mut conn = self.db.read().acquire().await?;
        let (seq, hash) = store::head(&mut conn).await?;
        Ok(Checkpoint { seq, hash, at: self.clock.now() })
    }

    /// Writes the head to a file that is to be kept outside, and says so in the log first (the checkpoint
    /// covers that entry, too). A checkpoint that is there already must agree with the log.
    ///
    /// # Errors
    /// [`CheckpointError`]; the old file then stays.
    pub async fn checkpoint(&self, actor: &Actor, path: &Path) -> Result<Checkpoint, CheckpointError> {
        let file = path.to_owned();
        let old = blocking(move || checkpoint::read(&file)).await??;
        // The file outlives a power cut, so what it refers to has to do so as well.
        let mut tx = self.db.write_durably().await?;
        if let Some(old) = old
            && old.seq > 0
            && store::hash_of(&mut tx, old.seq).await? != Some(old.hash)
        {
            return Err(CheckpointError::Disagrees(old.seq));
        }
        let now = self.clock.now();
        let (seq, hash) = store::head(&mut tx).await?;
        let event = Event::CheckpointWritten { seq, hash: HEXLOWER.encode(&hash) };
        store::append(&mut tx, now, actor, &event).await?;
        let (seq, hash) = store::head(&mut tx).await?;
        tx.commit().await.map_err(DbError::from)?;
        let (file, taken) = (path.to_owned(), Checkpoint { seq, hash, at: now });
        let copy = taken.clone();
        blocking(move || checkpoint::write(&file, &copy)).await??;
        Ok(taken)
    }

    /// Reads a checkpoint file; `None` when there is none. Blocks.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn read_checkpoint(path: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
        checkpoint::read(path)
    }

    /// Every entry as one line of JSON, oldest first; `line` is called with each, without line break.
    /// The SHA-256 of a line is the `previous` of the next.
    ///
    /// # Errors
    /// What the store says, or the first error of `line` (then the export stops).
    pub async fn export<E>(&self, mut line: impl FnMut(&[u8]) -> Result<(), E>) -> Result<u64, E>
    where
        E: From<DbError>,
    {
        let mut rows = store::rows(self.db.read());
        let mut count = 0;
        while let Some(row) = rows.try_next().await? {
            line(&row.entry)?;
            count += 1;
        }
        Ok(count)
    }
}

/// Number and hash of an entry.
type Head = (i64, [u8; 32]);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// File work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CheckpointError> {
    task::blocking(work).await.map_err(|lost| CheckpointError::File(std::io::Error::other(lost)))
}
