//! Deleting, so that it can be taken back: what people delete is moved aside in one step, a folder with all that is in
//! it, and lies in the trash for a time.
//!
//! The row is written first, and outlives a power cut; the folder in the trash is named after it. A crash leaves either
//! the thing in its place and a row that nobody sees, or the thing in the trash and its row. What comes back has its
//! place before the row goes. What goes for good is renamed first, so that nobody restores a half of it.

mod store;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::{Claims, Guest, Terms, Unfinished};
use crate::audit::{Actor, AuditLog, Event};
use crate::db::{Db, DbError};
use crate::model::{Access, RelPath, Scope, Used};
use crate::task;
use crate::tree::{self, Replace, Tree};

/// How the folders are named of what can be restored,
const KEPT: &str = "people";
/// and of what goes.
const GOING: &str = "going";

/// The shortest time in it.
const SHORTEST: Duration = Duration::from_secs(3600);

/// Something in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// Its number.
    pub id: i64,
    /// Who deleted it.
    pub account: String,
    /// Where it was, from the root of the tree.
    pub path: RelPath,
    /// When it was deleted.
    pub at: Timestamp,
    /// What it weighs, once that is counted.
    pub weight: Option<Used>,
    /// Is it a folder?
    pub is_dir: bool,
}

/// Who looks into the trash: people see what they deleted themselves, administrators what anybody did, and both only
/// what was in their part of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    /// Of an account.
    Own,
    /// Of an administrator.
    All,
}

/// The trash of a tree. Clones share it.
#[derive(Debug, Clone)]
pub struct Trash {
    db: Db,
    tree: Arc<Tree>,
    keep: Option<Duration>,
}

/// Parts, probes and empty folders of a Causeway that writes here: nobody wants them back, and they would fill the trash.
fn is_a_programs(path: &RelPath) -> bool {
    path.name().is_some_and(|name| name.as_bytes().starts_with(b".causeway"))
}

fn stored(error: DbError) -> io::Error {
    io::Error::other(error)
}

impl Trashed {
    /// The folder in the trash, and the one it becomes when it goes for good. The time makes it new also where the
    /// store was put back from an older copy, and numbers are given again.
    fn batch(&self, lead: &str) -> io::Result<RelPath> {
        tree::trash_folder(&self.batch_name(lead))
    }

    fn batch_name(&self, lead: &str) -> String {
        format!("{lead}-{}-{}", self.id, self.at.as_microsecond())
    }

    /// Where in the tree it lies.
    fn place(&self) -> io::Result<RelPath> {
        Ok(self.batch(KEPT)?.concat(&self.path))
    }
}

impl Trash {
    /// The trash of `tree`, with its list in `db`. What is in it stays for `keep`, an hour at least; with none, nothing is
    /// put in.
    #[must_use]
    pub fn new(db: Db, tree: Arc<Tree>, keep: Option<Duration>) -> Self {
        // What is on its way in is older than its row says.
        Self { db, tree, keep: keep.map(|keep| keep.max(SHORTEST)) }
    }

    /// How long what is deleted can be restored; none when it is gone at once.
    #[must_use]
    pub fn keeps(&self) -> Option<Duration> {
        self.keep
    }

    /// Deletes `path` if the terms hold: a file, a link, or a folder with all that is in it. Without a trash a folder
    /// must be empty, as one of a program's own must be. It is done, and written down, also when nobody waits for it any more.
    ///
    /// # Errors
    /// 403 for the root; what the terms say; those of moving; [`io::ErrorKind::CrossesDevices`] where the file system
    /// is another than that of the tree's root.
    pub async fn delete(&self, guest: &Guest, path: &RelPath, terms: Terms) -> Result<(), Unfinished> {
        if path.is_root() || guest.view.access() == Access::ReadOnly {
            return Err(StatusCode::FORBIDDEN.into());
        }
        let (trash, guest, path) = (self.clone(), guest.clone(), path.clone());
        let tasks = guest.books.tasks.clone();
        let done = tasks.spawn("deletion", async move { trash.deleted(&guest, path, terms).await });
        done.await.unwrap_or_else(|lost| Err(io::Error::other(lost).into()))
    }

    async fn deleted(&self, guest: &Guest, path: RelPath, terms: Terms) -> Result<(), Unfinished> {
        let (whole, account, door) = (guest.whole(&path), guest.account.clone(), guest.door);
        let view = guest.view.clone();
        if self.keep.is_none() || is_a_programs(&path) {
            let removed =
                task::blocking(move || view.remove_if(&path, |now| terms.hold(Some(now)).map_err(Unfinished::from)));
            removed.await.map_err(io::Error::other)??;
            guest.record(Event::DoorRemoved { door, account, path: whole }).await;
            return Ok(());
        }
        let (looking, at) = (view.clone(), path.clone());
        let is_dir = task::blocking(move || looking.stat(&at)).await.map_err(io::Error::other)??.is_dir();
        let row = self.written(account.clone(), whole, guest.books.clock.now(), is_dir).await?;
        let batch = row.batch_name(KEPT);
        let moved = task::blocking(move || {
            view.trash_if(&path, &path, &batch, |now| terms.hold(Some(now)).map_err(Unfinished::from))
        });
        if let Err(error) = moved.await.unwrap_or_else(|lost| Err(io::Error::other(lost).into())) {
            self.undone(&row).await?;
            return Err(error);
        }
        guest.record(Event::DoorTrashed { door, account, path: row.path.clone() }).await;
        let (trash, guest) = (self.clone(), guest.clone());
        guest.books.tasks.clone().spawn("size of what was deleted", async move {
            match trash.bounded(&guest, &row).await {
                // It is back already.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(io.error = %error, "what was deleted could not be counted"),
                Ok(()) => {}
            }
        });
        Ok(())
    }

    /// A row for what is going to be deleted.
    async fn written(&self, account: String, path: RelPath, at: Timestamp, is_dir: bool) -> io::Result<Trashed> {
        let mut row = Trashed { id: 0, account, path, at, weight: None, is_dir };
        let mut tx = self.db.write_durably().await.map_err(stored)?;
        row.id = store::insert(&mut tx, &row).await.map_err(stored)?;
        tx.commit().await.map_err(io::Error::other)?;
        // As the store gives it back.
        row.at = Timestamp::from_microsecond(row.at.as_microsecond()).map_err(io::Error::other)?;
        Ok(row)
    }

    /// It was not deleted: the row goes, unless it lies there all the same.
    async fn undone(&self, row: &Trashed) -> io::Result<()> {
        let (tree, at) = (Arc::clone(&self.tree), row.place()?);
        let look = move || tree.view(&Scope::whole())?.with_own_files().stat(&at).map(drop);
        match task::blocking(look).await.map_err(io::Error::other)? {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.emptied(row).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Counts what was deleted. Of an account with a quota the trash holds as much again, and the last thing in any
    /// case; beyond that the oldest goes.
    async fn bounded(&self, guest: &Guest, row: &Trashed) -> io::Result<()> {
        let (tree, at) = (Arc::clone(&self.tree), row.place()?);
        let weigh = move || tree.view(&Scope::whole())?.trashed_weight(&at);
        let weight = task::blocking(weigh).await.map_err(io::Error::other)??;
        let mut tx = self.db.write().await.map_err(stored)?;
        store::counted(&mut tx, row.id, weight).await.map_err(stored)?;
        tx.commit().await.map_err(io::Error::other)?;
        let Some(quota) = guest.view.quota() else { return Ok(()) };
        let mut conn = self.db.read().acquire().await.map_err(io::Error::other)?;
        let beyond = store::beyond(&mut conn, &row.account, quota).await.map_err(stored)?;
        drop(conn);
        self.emptied_all(beyond, &guest.books.audit).await
    }

    async fn forget(&self, id: i64) -> io::Result<()> {
        let mut tx = self.db.write().await.map_err(stored)?;
        store::forget(&mut tx, id).await.map_err(stored)?;
        tx.commit().await.map_err(io::Error::other)
    }

    /// What the guest may see, the last first, and the number to go on before; `most` rows are looked at.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(
        &self,
        guest: &Guest,
        eyes: Eyes,
        before: Option<i64>,
        most: u32,
    ) -> io::Result<(Vec<Trashed>, Option<i64>)> {
        let mut conn = self.db.read().acquire().await.map_err(io::Error::other)?;
        let account = (eyes == Eyes::Own).then_some(guest.account.as_str());
        let rows = store::list(&mut conn, account, (before, most)).await.map_err(stored)?;
        let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= most);
        let next = rows.last().filter(|_| full).map(|row| row.id);
        let (tree, home) = (Arc::clone(&self.tree), guest.view.prefix().clone());
        let there = move || {
            let view = tree.view(&Scope::whole())?.with_own_files();
            let is_there = |row: &Trashed| row.place().and_then(|at| view.stat(&at)).is_ok();
            Ok::<Vec<Trashed>, io::Error>(
                rows.into_iter().filter(|row| row.path.starts_with(&home) && is_there(row)).collect(),
            )
        };
        Ok((task::blocking(there).await.map_err(io::Error::other)??, next))
    }

    /// One that the guest may see.
    async fn seen(&self, guest: &Guest, eyes: Eyes, id: i64) -> io::Result<Trashed> {
        let mut conn = self.db.read().acquire().await.map_err(io::Error::other)?;
        let row = store::find(&mut conn, id).await.map_err(stored)?;
        let mine = |row: &Trashed| eyes == Eyes::All || row.account == guest.account;
        row.filter(|row| mine(row) && row.path.starts_with(guest.view.prefix())).ok_or_else(missing)
    }

    /// Puts it back, or to another place: `to`, from the guest's root. Folders above it are made; what has the name stays.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] for what the guest may not see; [`io::ErrorKind::AlreadyExists`] when the name is
    /// taken; [`io::ErrorKind::QuotaExceeded`]; those of moving; and what `claims` say of a new file there: 423 where
    /// somebody holds a lock.
    pub async fn restore(
        &self,
        (guest, eyes): (&Guest, Eyes),
        id: i64,
        to: Option<RelPath>,
        claims: &dyn Claims,
    ) -> Result<RelPath, Unfinished> {
        let row = self.seen(guest, eyes, id).await?;
        let to = match to {
            Some(to) => to,
            None => within(&row.path, guest.view.prefix())?,
        };
        let terms = claims.of_put(guest, &to, &HeaderMap::new());
        let (trash, guest) = (self.clone(), guest.clone());
        let tasks = guest.books.tasks.clone();
        let done = tasks.spawn("restoration", async move {
            let (view, at, lies) = (guest.view.clone(), to.clone(), row.place()?);
            let back = move || {
                let _kept = terms.hold(view.stat(&at).ok().as_ref())?;
                if let Some(folder) = at.parent().filter(|folder| !folder.is_root()) {
                    view.make_dirs(&folder)?;
                }
                view.restore(&lies, &at).map_err(Unfinished::from)
            };
            task::blocking(back).await.map_err(io::Error::other)??;
            let (door, account, from) = (guest.door, guest.account.clone(), row.path.clone());
            guest.record(Event::DoorRestored { door, account, from, to: guest.whole(&to) }).await;
            if let Err(error) = trash.emptied(&row).await {
                tracing::warn!(io.error = %error, "the empty place of what was restored stays in the trash");
            }
            Ok::<_, Unfinished>(to)
        });
        done.await.unwrap_or_else(|lost| Err(io::Error::other(lost).into()))
    }

    /// Removes what lies there, and the row. Was it there?
    async fn emptied(&self, row: &Trashed) -> io::Result<bool> {
        let (tree, kept, going, path) = (Arc::clone(&self.tree), row.batch(KEPT)?, row.batch(GOING)?, row.path.clone());
        let remove = move || {
            let view = tree.view(&Scope::whole())?.with_own_files();
            match view.rename(&kept, &going, Replace::Yes) {
                // It never came, or went half the last time.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed?,
            }
            let there = view.stat(&going.concat(&path)).is_ok();
            view.remove_tree(&going)?;
            Ok::<_, io::Error>(there)
        };
        let there = task::blocking(remove).await.map_err(io::Error::other)??;
        self.forget(row.id).await?;
        Ok(there)
    }

    /// What cannot be removed is tried again with the next sweep.
    async fn emptied_all(&self, rows: Vec<Trashed>, audit: &AuditLog) -> io::Result<()> {
        for row in rows {
            match self.emptied(&row).await {
                Ok(true) => {
                    let event = Event::TrashEmptied { account: row.account, path: row.path };
                    audit.record(&Actor::System, &event).await.map_err(io::Error::other)?;
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(io.error = %error, "something stays in the trash"),
            }
        }
        Ok(())
    }

    /// Deletes it for good.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] for what the guest may not see; [`io::ErrorKind::PermissionDenied`] for who may only
    /// read; those of removing.
    pub async fn purge(&self, guest: &Guest, eyes: Eyes, id: i64) -> io::Result<()> {
        if guest.view.access() == Access::ReadOnly {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let row = self.seen(guest, eyes, id).await?;
        let (trash, guest) = (self.clone(), guest.clone());
        let tasks = guest.books.tasks.clone();
        let done = tasks.spawn("emptying of the trash", async move {
            if !trash.emptied(&row).await? {
                return Err(missing());
            }
            guest.record(Event::TrashEmptied { account: row.account, path: row.path }).await;
            Ok::<_, io::Error>(())
        });
        done.await.unwrap_or_else(|lost| Err(io::Error::other(lost)))
    }

    /// Empties what has been there for longer than it is kept. What cannot be removed is tried again the next time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep(&self, audit: &AuditLog, now: Timestamp) -> io::Result<()> {
        let Some(keep) = self.keep.and_then(|keep| SignedDuration::try_from(keep).ok()) else { return Ok(()) };
        let limit = now.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        let mut after = 0;
        loop {
            let mut conn = self.db.read().acquire().await.map_err(io::Error::other)?;
            let old = store::older(&mut conn, limit, after).await.map_err(stored)?;
            drop(conn);
            let Some(last) = old.last() else { return Ok(()) };
            after = last.id;
            self.emptied_all(old, audit).await?;
        }
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// `path` from `home` on.
fn within(path: &RelPath, home: &RelPath) -> io::Result<RelPath> {
    let rest = path.as_bytes().get(home.as_bytes().len()..).filter(|_| path.starts_with(home)).ok_or_else(missing)?;
    RelPath::lenient(rest).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}
