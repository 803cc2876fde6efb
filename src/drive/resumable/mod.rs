//! Uploads that can be gone on with, after a lost connection and after a crash.
//!
//! The content lies in a kept part beside its name, whose key is the upload's id. The store holds how much of it is on
//! the disk: it is told to a client only after the part was synced, so that no crash leaves it above what is there; what
//! lies behind it is cut off when somebody goes on. One writer holds the part's lock, a second one is refused with 423.
//! An upload has its name before the store knows it. The file then is the inode that the part was: that is how a look
//! after a crash in between knows that it arrived.

mod metadata;
mod store;
mod writer;

use std::io;
use std::time::Duration;

use data_encoding::HEXLOWER;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

pub use metadata::{Metadata, MetadataError};
pub use writer::Writer;

use self::store::Row;
use super::upload::blocking;
use super::{Guest, Terms, Unfinished};
use crate::audit::Event;
use crate::db::{Db, DbError};
use crate::model::RelPath;
use crate::tree::{PartFile, Replace, View};

/// Uploads of one account that may be under way at once: whole folders come at once.
const MOST: i64 = 10_000;
/// How long it is remembered that an upload arrived, for a client that has not heard the last answer.
const REMEMBER: SignedDuration = SignedDuration::from_hours(24);
/// Uploads of one account of which it is remembered; the oldest are forgotten first.
const REMEMBERED: i64 = 1_000;
/// Rows that one step of the sweep takes.
const STEP: i64 = 500;

/// Every upload that can be gone on with. Clones share them.
#[derive(Debug, Clone)]
pub struct Resumable {
    db: Db,
    keep: SignedDuration,
}

/// How far one upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The end of its address.
    pub id: String,
    /// So many bytes are safe here; all of them only once the file has its name.
    pub offset: u64,
    /// Bytes when it is complete.
    pub size: u64,
    /// As the client sent it.
    pub metadata: String,
    /// When it is forgotten.
    pub expires: Timestamp,
}

impl From<&Row> for Entry {
    fn from(row: &Row) -> Self {
        let (id, metadata) = (row.id.clone(), row.metadata.clone());
        Self { id, offset: row.confirmed, size: row.size, metadata, expires: row.expires }
    }
}

impl From<DbError> for Unfinished {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy => Self::Refused(StatusCode::SERVICE_UNAVAILABLE),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl Resumable {
    /// Those in `db`; one that nobody goes on with is forgotten after `keep`.
    #[must_use]
    pub fn new(db: Db, keep: Duration) -> Self {
        Self { db, keep: SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX) }
    }

    /// Announces an upload of `size` bytes that will be as `metadata` says, and makes the missing folders above it. `terms`
    /// are asked now; they must hold again when it is complete.
    ///
    /// # Errors
    /// 413 when it is larger than uploads may be; 412 when the name is taken; 429 when too many are under way; 507 when there
    /// is no room for it; what the terms say; those of [`View::part`].
    pub async fn announce(
        &self,
        guest: &Guest,
        size: u64,
        (metadata, raw): (&Metadata, &str),
        terms: Terms,
    ) -> Result<Entry, Unfinished> {
        if size > guest.books.max_upload {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into());
        }
        // Asked before anything is made, and once more when it is written down.
        if store::count(&mut *self.db.read().acquire().await.map_err(DbError::from)?, &guest.account).await? >= MOST {
            return Err(StatusCode::TOO_MANY_REQUESTS.into());
        }
        let mut key = [0; 16];
        crate::random::fill(&mut key)?;
        let id = HEXLOWER.encode(&key);
        let (view, path, replace, key) = (guest.view.clone(), metadata.path.clone(), metadata.replace, id.clone());
        let (made, ino) = crate::task::blocking(move || prepare(&view, &path, &key, size, replace, terms))
            .await
            .map_err(io::Error::other)?;
        for path in &made {
            let (account, path) = (guest.account.clone(), guest.whole(path));
            guest.record(Event::DoorDirMade { door: guest.door, account, path }).await;
        }
        let ino = ino?;
        let (account, path) = (guest.account.clone(), guest.whole(&metadata.path));
        let (said, expires) = (raw.to_owned(), self.expiry(guest.books.clock.now()));
        let row = Row { id, account, path, size, metadata: said, ino, confirmed: 0, done: false, expires };
        let mut tx = self.db.write().await?;
        if store::count(&mut tx, &row.account).await? >= MOST {
            drop(tx);
            let (view, path) = (guest.view.clone(), metadata.path.clone());
            blocking(move || discard(&view, &path, &row.id)).await?;
            return Err(StatusCode::TOO_MANY_REQUESTS.into());
        }
        store::insert(&mut tx, &row).await?;
        tx.commit().await.map_err(DbError::from)?;
        Ok(Entry::from(&row))
    }

    /// How far the guest's upload `id` is.
    ///
    /// # Errors
    /// 404 when there is none, when it is somebody else's or does not lie in the guest's view, and when its content is gone.
    pub async fn look(&self, guest: &Guest, id: &str) -> Result<Entry, Unfinished> {
        let (row, path) = self.find(guest, id).await?;
        Ok(Entry::from(&self.settled(guest, row, path).await?))
    }

    /// Begins to take more of the upload `id`, from `offset` on. With `integrity` the bytes of this request are kept only
    /// when they are as it says.
    ///
    /// # Errors
    /// As [`Resumable::look`]; 409 when `offset` is not where it stands; 423 when somebody else writes it.
    pub async fn go_on(
        &self,
        guest: &Guest,
        id: &str,
        offset: u64,
        integrity: super::Integrity,
    ) -> Result<Writer, Unfinished> {
        Writer::begin(self, guest, id, offset, integrity).await
    }

    /// Ends the upload `id` and removes what came of it; a file that has its name already stays.
    ///
    /// # Errors
    /// As [`Resumable::look`]; 423 when somebody writes it.
    pub async fn remove(&self, guest: &Guest, id: &str) -> Result<(), Unfinished> {
        let (row, path) = self.find(guest, id).await?;
        let (view, key) = (guest.view.clone(), row.id.clone());
        // Nobody writes it while its lock is held here.
        let part = if row.done { None } else { blocking(move || kept(&view, &path, &key)).await? };
        store::remove(&mut *self.db.statement().await?, id).await?;
        match part {
            Some(part) => Ok(blocking(move || part.discard()).await?),
            None => Ok(()),
        }
    }

    /// Removes what has expired by `now`, from the tree that `view` shows as a whole. What somebody writes just now, or
    /// what cannot be removed, waits for the next sweep.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep(&self, view: &View, now: Timestamp) -> Result<(), DbError> {
        let mut after = (Timestamp::MIN, String::new());
        loop {
            let expired = store::expired(&mut *self.db.read().acquire().await?, now, (&after, STEP)).await?;
            let Some(last) = expired.last() else { return Ok(()) };
            after = (last.expires, last.id.clone());
            for row in &expired {
                let (view, path, id) = (view.clone(), row.path.clone(), row.id.clone());
                let removed = if row.done { Ok(()) } else { blocking(move || discard(&view, &path, &id)).await };
                match removed {
                    Ok(()) => store::remove(&mut *self.db.statement().await?, &row.id).await?,
                    Err(error) => {
                        tracing::info!(file.path = %row.path.display(), io.error = %error, "an expired part stays");
                    }
                }
            }
        }
    }

    fn expiry(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.keep).unwrap_or(Timestamp::MAX)
    }

    /// The row, and its path in the guest's view.
    async fn find(&self, guest: &Guest, id: &str) -> Result<(Row, RelPath), Unfinished> {
        let row = store::find(&mut *self.db.read().acquire().await.map_err(DbError::from)?, id, &guest.account).await?;
        let row = row.filter(|row| row.expires > guest.books.clock.now()).ok_or(StatusCode::NOT_FOUND)?;
        // The account has another home now, or came with an app password for some other folder.
        let path = below(guest.view.prefix(), &row.path).ok_or(StatusCode::NOT_FOUND)?;
        Ok((row, path))
    }

    /// The row as it is after a look at the tree: a crash may have come before it was written.
    async fn settled(&self, guest: &Guest, mut row: Row, path: RelPath) -> Result<Row, Unfinished> {
        if row.done {
            return Ok(row);
        }
        let (view, known) = (guest.view.clone(), row.clone());
        match blocking(move || Lies::of(&view, &path, &known)).await? {
            Lies::Waiting => Ok(row),
            Lies::Arrived => {
                self.arrived(guest, &mut row).await?;
                Ok(row)
            }
            Lies::Nowhere => {
                store::remove(&mut *self.db.statement().await?, &row.id).await?;
                Err(StatusCode::NOT_FOUND.into())
            }
        }
    }

    /// It has its name.
    async fn arrived(&self, guest: &Guest, row: &mut Row) -> Result<(), Unfinished> {
        let now = guest.books.clock.now();
        (row.done, row.confirmed) = (true, row.size);
        row.expires = now.saturating_add(REMEMBER).unwrap_or(row.expires).min(self.expiry(now));
        let mut tx = self.db.write().await?;
        // The file is there: whether somebody has removed the row meanwhile changes nothing.
        store::update(&mut tx, row).await?;
        store::forget_done(&mut tx, &row.account, REMEMBERED).await?;
        Ok(tx.commit().await.map_err(DbError::from)?)
    }

    /// Writes down what was reached, of an upload that is still wanted.
    async fn reached(&self, row: &Row) -> Result<(), Unfinished> {
        if store::update(&mut *self.db.statement().await?, row).await? {
            Ok(())
        } else {
            Err(StatusCode::NOT_FOUND.into())
        }
    }
}

/// Where the content of an upload is.
enum Lies {
    /// In its part; or there is none of it yet.
    Waiting,
    /// Under its name.
    Arrived,
    /// Somebody or something removed it.
    Nowhere,
}

impl Lies {
    /// Only what is known to be absent is nowhere: a look that failed says nothing.
    fn of(view: &View, path: &RelPath, row: &Row) -> io::Result<Self> {
        match view.kept_stat(path, &row.id) {
            Ok(Some(part)) if part.size >= row.confirmed => return Ok(Self::Waiting),
            Err(error) if !is_absent(&error) => return Err(error),
            Ok(_) | Err(_) => {}
        }
        Ok(if has_arrived(view, path, row)? {
            Self::Arrived
        } else if row.confirmed == 0 {
            Self::Waiting
        } else {
            Self::Nowhere
        })
    }
}

/// Is what was the part the file under the name?
fn has_arrived(view: &View, path: &RelPath, row: &Row) -> io::Result<bool> {
    match view.stat_follow(path) {
        Ok(file) => Ok(file.is_file() && (file.ino, file.size) == (row.ino, row.size)),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Looks whether the upload may come, and makes its folders and its part. The folders that were made, also by one that
/// failed then; and the part's inode.
fn prepare(
    view: &View,
    path: &RelPath,
    key: &str,
    size: u64,
    replace: Replace,
    terms: Terms,
) -> (Vec<RelPath>, Result<u64, Unfinished>) {
    let mut made = Vec::new();
    let begun = || {
        let there = match view.stat_follow(path) {
            Ok(stat) => Some(stat),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(error.into()),
        };
        if there.is_some() && replace == Replace::No {
            return Err(StatusCode::PRECONDITION_FAILED.into());
        }
        let kept = terms.hold(there.as_ref())?;
        let room = view.space()?.available.saturating_add(there.map_or(0, |stat| stat.size));
        if size > room {
            return Err(StatusCode::INSUFFICIENT_STORAGE.into());
        }
        make_folders(view, &path.parent().unwrap_or_default(), &mut made)?;
        let ino = view.part(path, key)?.stat()?.ino;
        drop(kept);
        Ok(ino)
    };
    let ino = begun();
    (made, ino)
}

/// Makes `folder` and what is missing above it; notes what it `made`.
fn make_folders(view: &View, folder: &RelPath, made: &mut Vec<RelPath>) -> io::Result<()> {
    if view.stat_follow(folder).is_ok_and(|stat| stat.is_dir()) {
        return Ok(());
    }
    let mut at = RelPath::root();
    for name in folder.names() {
        at = at.join(&name);
        match view.make_dir(&at) {
            Ok(()) => made.push(at.clone()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The part, if it is there, locked.
fn kept(view: &View, path: &RelPath, key: &str) -> io::Result<Option<PartFile>> {
    match view.kept_part(path, key) {
        Err(error) if is_absent(&error) => Ok(None),
        found => found,
    }
}

/// Removes a part, if it is there.
fn discard(view: &View, path: &RelPath, key: &str) -> io::Result<()> {
    kept(view, path, key)?.map_or(Ok(()), PartFile::discard)
}

/// `path` of the tree as a view at `prefix` has it.
fn below(prefix: &RelPath, path: &RelPath) -> Option<RelPath> {
    if !path.starts_with(prefix) {
        return None;
    }
    let rest = path.as_bytes().get(prefix.as_bytes().len()..)?;
    RelPath::new(rest.strip_prefix(b"/").unwrap_or(rest)).ok().filter(|path| !path.is_root())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_only_in_a_view_that_holds_it() {
        let path = |text: &str| RelPath::new(text).unwrap();
        assert_eq!(below(&RelPath::root(), &path("a/b")), Some(path("a/b")));
        assert_eq!(below(&path("a"), &path("a/b/c")), Some(path("b/c")));
        assert_eq!(below(&path("a"), &path("ab/c")), None);
        assert_eq!(below(&path("a/b"), &path("a/b")), None, "the view itself is no file in it");
    }
}
