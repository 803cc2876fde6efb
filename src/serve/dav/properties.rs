//! Dead properties (RFC 4918, 4.1): what clients store about files and we only keep. They survive a
//! restart and follow MOVE and COPY.

use std::collections::HashMap;

use dav_server::fs::{DavProp, FsError};
use http::StatusCode;

use super::{mtime, store};
use crate::audit::Event;
use crate::db::{Db, DbError};
use crate::model::RelPath;
use crate::serve::http::Guest;
use crate::task;
use crate::tree::SetAttributes;

/// Most properties of one file.
const MOST: usize = 500;
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

    /// PROPPATCH: all or nothing. Times that came redirected (see `mtime`) are set on the file.
    pub(super) async fn patch(
        &self,
        guest: &Guest,
        path: &RelPath,
        patch: Vec<(bool, DavProp)>,
    ) -> Result<Vec<(StatusCode, DavProp)>, FsError> {
        let whole = guest.whole(path);
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
            dead.push((set, prop));
            answer.push((StatusCode::OK, named));
        }
        if answer.iter().any(|(status, _)| *status != StatusCode::OK) {
            for (status, _) in answer.iter_mut().filter(|(status, _)| *status == StatusCode::OK) {
                *status = StatusCode::FAILED_DEPENDENCY;
            }
            return Ok(answer);
        }
        if let Some(at) = time {
            let (view, path) = (guest.view.clone(), path.clone());
            let set = task::blocking(move || view.set_attributes(&path, SetAttributes::mtime(at))).await;
            let set = set.map_err(std::io::Error::other).and_then(|set| set);
            set.map_err(|error| super::status::fs_error(&error))?;
        }
        // The file first: whoever holds the writer must not wait for a thread, whose other users may be
        // waiting for the writer.
        self.store(&whole, dead).await.map_err(|error| failed(&error))?;
        if store::properties(self.db.read(), &whole, false, MOST_AT_ONCE).await.is_ok_and(|all| all.len() > MOST) {
            tracing::warn!(dav.path = %whole.display(), "a file has very many WebDAV properties");
        }
        let (door, account) = (guest.door, guest.account.clone());
        guest.record(Event::DoorAttributes { door, account, path: whole }).await;
        Ok(answer)
    }

    async fn store(&self, path: &RelPath, patch: Vec<(bool, DavProp)>) -> Result<(), DbError> {
        if patch.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        for (set, prop) in patch {
            let namespace = prop.namespace.unwrap_or_default();
            match prop.xml.filter(|_| set) {
                Some(xml) => {
                    let dead = Dead { namespace, name: prop.name, prefix: prop.prefix, xml };
                    store::put_property(&mut tx, path, &dead).await?;
                }
                None => store::remove_property(&mut tx, path, &namespace, &prop.name).await?,
            }
        }
        tx.commit().await.map_err(DbError::from)
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

    /// As [`Properties::removed`], when `new`.
    pub(super) async fn forget_new(&self, path: &RelPath, new: bool) {
        if new {
            self.removed(path).await;
        }
    }

    /// `from` was copied or moved to `to`.
    pub(super) async fn followed(&self, from: &RelPath, to: &RelPath, copy: bool) {
        if !self.any(from).await && !self.any(to).await {
            return;
        }
        let done = async {
            let mut tx = self.db.write().await?;
            store::remove_tree(&mut tx, to).await?;
            // A folder is copied entry by entry, but moved as a whole.
            store::copy_tree(&mut tx, from, to, !copy).await?;
            if !copy {
                store::remove_tree(&mut tx, from).await?;
            }
            tx.commit().await.map_err(DbError::from)
        };
        complain(done.await);
    }

    /// A whole folder `from` was copied to `to`, and replaced what was there.
    pub(super) async fn copied_whole(&self, from: &RelPath, to: &RelPath) {
        if !self.any(from).await && !self.any(to).await {
            return;
        }
        let done = async {
            let mut tx = self.db.write().await?;
            store::remove_tree(&mut tx, to).await?;
            store::copy_tree(&mut tx, from, to, true).await?;
            tx.commit().await.map_err(DbError::from)
        };
        complain(done.await);
    }

    /// Most trees have none: then nothing has to be written.
    async fn any(&self, path: &RelPath) -> bool {
        store::any(self.db.read(), path).await.unwrap_or(true)
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
