//! Dead properties (RFC 4918, 4.1): what clients store about files and we only keep. They survive a
//! restart and follow MOVE and COPY.

use std::collections::HashMap;
use std::io;

use dav_server::fs::{DavProp, FsError};
use http::StatusCode;
use jiff::Timestamp;
use sqlx::Acquire as _;

use super::status::{Remark, fs_error};
use super::{checksums, mtime, store};
use crate::audit::Event;
use crate::db::{Db, DbError, WriteTx};
use crate::drive::Guest;
use crate::model::RelPath;
use crate::task;
use crate::tree::SetAttributes;

/// Most properties of one file.
const MOST: i64 = 500;
/// Bytes of the largest one, as XML.
const LARGEST: usize = 16 * 1024;
/// Bytes that one account may store, with names and paths.
const MOST_BYTES: i64 = 64 << 20;
/// Most that one PROPFIND looks up.
pub(super) const MOST_AT_ONCE: u32 = 20_000;

/// One stored property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dead {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) prefix: Option<String>,
    pub(super) xml: Vec<u8>,
}

/// The stored properties.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    db: Db,
}

impl Properties {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Those of `path` alone.
    pub(super) async fn of(&self, path: &RelPath) -> Result<Vec<DavProp>, FsError> {
        let found =
            store::properties(self.db.read(), path, false, MOST_AT_ONCE).await.map_err(|error| failed(&error))?;
        Ok(found
            .into_iter()
            .map(|(_, dead)| DavProp {
                name: dead.name,
                prefix: dead.prefix,
                namespace: Some(dead.namespace).filter(|namespace| !namespace.is_empty()),
                xml: Some(dead.xml),
            })
            .collect())
    }

    /// Those of `path`, and of everything below when `deep`.
    pub(super) async fn around(&self, path: &RelPath, deep: bool) -> Result<HashMap<RelPath, Vec<Dead>>, DbError> {
        let mut found: HashMap<RelPath, Vec<Dead>> = HashMap::new();
        for (path, dead) in store::properties(self.db.read(), path, deep, MOST_AT_ONCE).await? {
            found.entry(path).or_default().push(dead);
        }
        Ok(found)
    }

    /// PROPPATCH (RFC 4918, 9.2): all or nothing; 507 for what is more than may be stored. Times that came
    /// redirected (see `mtime`) are set on the file, and checksums (see `checksums`) are only looked at.
    pub(super) async fn patch(
        &self,
        guest: &Guest,
        path: &RelPath,
        patch: Vec<(bool, DavProp)>,
        remark: &Remark,
    ) -> Result<Vec<(StatusCode, DavProp)>, FsError> {
        let whole = guest.whole(path);
        let is_dead = |prop: &DavProp| mtime::original(prop.namespace.as_deref()).is_none() && !checksums::is(prop);
        let sizes: Vec<Option<usize>> =
            patch.iter().map(|(set, prop)| prop.xml.as_ref().filter(|_| *set && is_dead(prop)).map(Vec::len)).collect();
        let mut time = None;
        let mut answer = Vec::with_capacity(patch.len());
        let mut dead = Vec::new();
        for (set, prop) in patch {
            let named = DavProp { xml: None, ..prop.clone() };
            if let Some(original) = mtime::original(prop.namespace.as_deref()) {
                let wanted = prop.xml.as_deref().and_then(mtime::read).filter(|_| set);
                let status = if wanted.is_some() { StatusCode::OK } else { StatusCode::CONFLICT };
                time = wanted.or(time);
                let (namespace, prefix) = (Some(original.to_owned()), Some("t".to_owned()));
                answer.push((status, DavProp { namespace, prefix, ..named }));
                continue;
            }
            if checksums::is(&prop) {
                let wanted = prop.xml.as_deref().filter(|_| set);
                answer.push((checksums::judged(guest, path, wanted).await?, named));
                continue;
            }
            dead.push((set, prop));
            answer.push((StatusCode::OK, named));
        }
        if answer.iter().any(|(status, _)| *status != StatusCode::OK) {
            for (status, _) in answer.iter_mut().filter(|(status, _)| *status == StatusCode::OK) {
                *status = StatusCode::FAILED_DEPENDENCY;
            }
            return Ok(answer);
        }
        // The file first: whoever holds the writer must not wait for a thread, whose other users may be
        // waiting for the writer.
        let before = match time {
            Some(at) => Some(set_time(guest, path, at).await?),
            None => None,
        };
        let stored = self.store(&guest.account, &whole, dead).await;
        if let (Err(_), Some(before)) = (&stored, before) {
            set_time(guest, path, before).await?;
        }
        match stored {
            Ok(()) => {}
            Err(Unstored::Db(error)) => return Err(failed(&error)),
            Err(Unstored::Over(bound)) => {
                remark.make(bound.sentence());
                for ((status, _), size) in answer.iter_mut().zip(sizes) {
                    let refused = size.is_some_and(|size| size > LARGEST || !matches!(bound, Bound::Size));
                    *status = if refused { StatusCode::INSUFFICIENT_STORAGE } else { StatusCode::FAILED_DEPENDENCY };
                }
                return Ok(answer);
            }
        }
        let (door, account) = (guest.door, guest.account.clone());
        guest.record(Event::DoorAttributes { door, account, path: whole }).await;
        Ok(answer)
    }

    async fn store(&self, account: &str, path: &RelPath, patch: Vec<(bool, DavProp)>) -> Result<(), Unstored> {
        if patch.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        for (set, prop) in patch {
            let namespace = prop.namespace.unwrap_or_default();
            match prop.xml.filter(|_| set) {
                Some(xml) => {
                    let dead = Dead { namespace, name: prop.name, prefix: prop.prefix, xml };
                    if dead.xml.len() > LARGEST {
                        return Err(Unstored::Over(Bound::Size));
                    }
                    store::put_property(&mut tx, path, &dead, account).await?;
                }
                None => store::remove_property(&mut tx, path, &namespace, &prop.name).await?,
            }
        }
        // Nothing is stored when this returns: the transaction is rolled back.
        if store::count(&mut tx, path).await? > MOST {
            return Err(Unstored::Over(Bound::Number));
        }
        if store::stored(&mut tx, account).await? > MOST_BYTES {
            return Err(Unstored::Over(Bound::Total));
        }
        Ok(tx.commit().await.map_err(DbError::from)?)
    }

    /// `path` is gone, or is a new thing: so are its properties.
    pub(super) async fn removed(&self, path: &RelPath) {
        if !self.any(path).await {
            return;
        }
        let done = async {
            let mut tx = self.db.write().await?;
            store::remove_tree(&mut tx, path).await?;
            tx.commit().await.map_err(DbError::from)
        };
        complain(done.await);
    }

    /// `from` was moved to `to`, or copied there by `copier`.
    pub(super) async fn followed(&self, from: &RelPath, to: &RelPath, copier: Option<&str>) {
        if !self.any(from).await && !self.any(to).await {
            return;
        }
        let done = async {
            let mut tx = self.db.write().await?;
            store::remove_tree(&mut tx, to).await?;
            // A folder is copied entry by entry, but moved as a whole.
            match copier {
                Some(copier) => copy_within_bounds(tx, from, to, false, copier).await,
                None => {
                    store::copy_tree(&mut tx, from, to, true, None).await?;
                    store::remove_tree(&mut tx, from).await?;
                    tx.commit().await.map_err(DbError::from)
                }
            }
        };
        complain(done.await);
    }

    /// The folder `from` was copied to `to` by `copier`, with all that is in it when `deep`, and replaced what was there.
    pub(super) async fn copied_whole(&self, from: &RelPath, to: &RelPath, deep: bool, copier: &str) {
        if !self.any(from).await && !self.any(to).await {
            return;
        }
        let done = async {
            let mut tx = self.db.write().await?;
            store::remove_tree(&mut tx, to).await?;
            copy_within_bounds(tx, from, to, deep, copier).await
        };
        complain(done.await);
    }

    /// Most trees have none: then nothing has to be written.
    async fn any(&self, path: &RelPath) -> bool {
        store::any(self.db.read(), path).await.unwrap_or(true)
    }
}

/// Copies what `copier` has room for: all of it, or nothing. That nothing is copied is no reason to refuse the copy
/// of the files (RFC 4918, 9.8.2).
async fn copy_within_bounds(
    mut tx: WriteTx,
    from: &RelPath,
    to: &RelPath,
    deep: bool,
    copier: &str,
) -> Result<(), DbError> {
    let mut inner = tx.begin().await?;
    store::copy_tree(&mut inner, from, to, deep, Some(copier)).await?;
    if store::stored(&mut inner, copier).await? > MOST_BYTES {
        inner.rollback().await?;
        tracing::warn!(account = copier, dav.path = %to.display(), "a copy has no WebDAV properties: its account stores too many");
    } else {
        inner.commit().await?;
    }
    tx.commit().await.map_err(DbError::from)
}

/// Sets the modification time of `path`, and returns the one before. The content is the same: so are its checksums.
async fn set_time(guest: &Guest, path: &RelPath, at: Timestamp) -> Result<Timestamp, FsError> {
    let (view, path) = (guest.view.clone(), path.clone());
    let set = task::blocking(move || {
        let before = view.stat_follow(&path)?;
        view.set_attributes(&path, SetAttributes::mtime(at))?;
        Ok((before, view.stat_follow(&path)?))
    });
    let set = set.await.unwrap_or_else(|lost| Err(io::Error::other(lost)));
    let (before, after) = set.map_err(|error| fs_error(&error))?;
    guest.books.digests.retimed(&before, &after).await;
    Ok(before.mtime)
}

/// Why properties were not stored.
#[derive(Debug)]
enum Unstored {
    Over(Bound),
    Db(DbError),
}

impl<E: Into<DbError>> From<E> for Unstored {
    fn from(error: E) -> Self {
        Self::Db(error.into())
    }
}

/// What bounds them.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Size,
    Number,
    Total,
}

impl Bound {
    fn sentence(self) -> &'static str {
        match self {
            Self::Size => "nothing was stored: a property has at most 16 KiB",
            Self::Number => "nothing was stored: a file has at most 500 properties, remove some first",
            Self::Total => "nothing was stored: the properties of this account have reached 64 MiB, remove some first",
        }
    }
}

fn complain(done: Result<(), DbError>) {
    if let Err(error) = done {
        tracing::warn!(db.error = %error, "WebDAV properties could not follow their file");
    }
}

fn failed(error: &DbError) -> FsError {
    tracing::warn!(db.error = %error, "WebDAV properties cannot be stored or read");
    match error {
        DbError::Full => FsError::InsufficientStorage,
        _ => FsError::GeneralFailure,
    }
}
