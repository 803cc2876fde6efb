//! The embedded database: one writer, some readers, migrations, named errors.
//!
//! SQL stands in `store.rs` files and here. All writing goes through [`Db::write`]: one connection, a
//! bounded queue before it, and `BEGIN IMMEDIATE`, so that a transaction that reads first can always
//! write. Another process on the same file (the command line beside a server) waits its turn.

mod migrations;
mod patience;
mod vault;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::Semaphore;

use patience::Patience;

pub use patience::Waiting;
pub use vault::{Vault, VaultError};

/// A write transaction. Dropping it without [`Transaction::commit`] rolls it back.
pub type WriteTx = Transaction<'static, Sqlite>;

/// How many may wait for the writer before the next is told that the store is busy.
const WRITE_QUEUE: usize = 1024;
/// How long SQLite waits by itself while another process keeps the file locked.
const LOCKED: Duration = Duration::from_secs(20);

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A value that must be unique is there already; holds the table and column.
    #[error("already there: {0}")]
    Exists(String),
    /// A row that others refer to, or that refers to nothing.
    #[error("the row is referred to, or refers to a row that is not there")]
    Reference,
    /// No such row.
    #[error("no such row")]
    Missing,
    /// Too many are waiting, or another process keeps the file locked.
    #[error("the job store is busy: another program keeps it locked, try again in a moment")]
    Busy,
    /// The file is damaged or no database at all.
    #[error("the job store is damaged ({0}): put the last backup in its place, or move it away to start anew")]
    Damaged(String),
    /// Written by a newer Causeway.
    #[error("the job store was written by a newer version: {0}")]
    Newer(String),
    /// No space left for the database.
    #[error(
        "no space left for the job store: make room where it lies; what was stored is kept, and the next run goes on from it"
    )]
    Full,
    /// A stored value that this version cannot read.
    #[error("the job store holds a value that cannot be read: {0}")]
    Value(String),
    /// Anything else.
    #[error("the job store failed: {0}")]
    Other(#[source] sqlx::Error),
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => return Self::Missing,
            sqlx::Error::PoolTimedOut => return Self::Busy,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => return Self::Value(error.to_string()),
            _ => {}
        }
        let Some(database) = error.as_database_error() else { return Self::Other(error) };
        if database.is_unique_violation() {
            return Self::Exists(database.message().rsplit(": ").next().unwrap_or_default().to_owned());
        }
        if database.is_foreign_key_violation() {
            return Self::Reference;
        }
        // Primary result codes of SQLite: the low byte of the extended ones.
        match database.code().and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff) {
            Some(5 | 6) => Self::Busy,
            Some(11 | 26) => Self::Damaged(database.message().to_owned()),
            Some(13) => Self::Full,
            _ => Self::Other(error),
        }
    }
}

/// The open store. Clones share it.
#[derive(Debug, Clone)]
pub struct Db {
    writer: SqlitePool,
    durable: SqlitePool,
    readers: SqlitePool,
    queue: Arc<Semaphore>,
    patience: Option<Patience>,
}

impl Db {
    /// Opens the file, creates it when it is missing and brings its schema up to date. Whether it is sound
    /// as a whole says [`Db::check`].
    ///
    /// # Errors
    /// [`DbError::Damaged`], [`DbError::Newer`], or what the operating system says.
    pub async fn open(path: &Path) -> Result<Self, DbError> {
        Self::open_waiting(path, LOCKED).await
    }

    /// As [`Db::open`], but SQLite itself waits no longer than `locked` for a file that is locked.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_waiting(path: &Path, locked: Duration) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(locked)
            .pragma("cache_size", "-8192")
            .pragma("temp_store", "MEMORY");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(60))
            // A file does not hang up.
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await?;
        migrations::migrator().run(&writer).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(version) => Self::newer(version),
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            other => DbError::Other(sqlx::Error::Migrate(Box::new(other))),
        })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(30))
            // They mostly read from one end to the other, and the kernel keeps the file at hand for all of them.
            .connect_with(options.clone().read_only(true).pragma("cache_size", "-2048"))
            .await?;
        // One connection, made when it is needed for the first time.
        let durable = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(60))
            .connect_lazy_with(options.synchronous(SqliteSynchronous::Full));
        Ok(Self { writer, durable, readers, queue: Arc::new(Semaphore::new(WRITE_QUEUE)), patience: None })
    }

    /// Reads all of the file to see whether it is sound: seconds for a gigabyte. For the start of a service
    /// and after an end that was none; a single command would wait too long for it.
    ///
    /// # Errors
    /// [`DbError::Damaged`].
    pub async fn check(&self) -> Result<(), DbError> {
        let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&self.readers).await?;
        if verdict == "ok" { Ok(()) } else { Err(DbError::Damaged(verdict)) }
    }

    fn newer(version: i64) -> DbError {
        DbError::Newer(format!("schema {version} is not known here"))
    }

    /// The same store for somebody who waits up to `most` while the file is locked, and lets `hears` know. A transaction
    /// that has begun is never refused for a lock: only beginnings wait.
    #[must_use]
    pub fn patient(&self, most: Duration, hears: Arc<dyn Waiting>) -> Self {
        Self { patience: Some(Patience { most, hears }), ..self.clone() }
    }

    async fn begin(&self, pool: &SqlitePool) -> Result<WriteTx, DbError> {
        patience::persist(self.patience.as_ref(), || async {
            let _turn = self.queue.try_acquire().map_err(|_| DbError::Busy)?;
            Ok(pool.begin_with("BEGIN IMMEDIATE").await?)
        })
        .await
    }

    /// Begins a write transaction, waiting for its turn.
    ///
    /// # Errors
    /// [`DbError::Busy`] when the queue is full or the turn does not come within a minute, and nobody has more patience:
    /// see [`Db::patient`].
    pub async fn write(&self) -> Result<WriteTx, DbError> {
        self.begin(&self.writer).await
    }

    /// As [`Db::write`], but what is committed, and all that was committed before it, also outlives a
    /// power cut. Other commits may then be lost together, newest first: SQLite syncs them only when it
    /// tidies up. For what something outside the store is going to refer to.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_durably(&self) -> Result<WriteTx, DbError> {
        self.begin(&self.durable).await
    }

    /// The connection that writes, for one statement that is a transaction of its own: the cheapest way to write.
    ///
    /// # Errors
    /// [`DbError::Busy`] when too many wait or the turn does not come within a minute.
    pub async fn statement(&self) -> Result<PoolConnection<Sqlite>, DbError> {
        let _turn = self.queue.try_acquire().map_err(|_| DbError::Busy)?;
        Ok(self.writer.acquire().await?)
    }

    /// For queries that change nothing.
    #[must_use]
    pub fn read(&self) -> &SqlitePool {
        &self.readers
    }

    /// Does the store answer?
    ///
    /// # Errors
    /// What it says instead.
    pub async fn ping(&self) -> Result<(), DbError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.durable.close().await;
        self.writer.close().await;
    }
}
