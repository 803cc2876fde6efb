//! Locks (RFC 4918, 6 and 7): they end in time, they are held again after a restart, and they are kept
//! by the path in the tree, so two accounts that share a folder see each other's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use dav_server::davpath::DavPath;
use dav_server::ls::{DavLock, DavLockSystem, LsFuture};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use xmltree::Element;

use super::{MOUNT, store};
use crate::db::{Db, DbError};
use crate::drive::Guest;
use crate::model::{Clock, RelPath};
use crate::serve::http::href;

/// Who asks for no time or for ever gets this; a client that lives refreshes.
const LONGEST: u64 = 3600;
/// Locks at a time, everybody's together.
const MOST: usize = 20_000;
/// Locks at a time of one account.
const MOST_EACH: usize = 2_000;

/// One lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) token: String,
    pub(super) path: RelPath,
    pub(super) account: String,
    pub(super) owner: Option<String>,
    pub(super) shared: bool,
    pub(super) deep: bool,
    pub(super) seconds: u64,
    pub(super) until: Timestamp,
}

impl Held {
    /// Does it lock `path`?
    pub(super) fn covers(&self, path: &RelPath) -> bool {
        self.path == *path || (self.deep && path.starts_with(&self.path))
    }
}

/// All locks. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Locks {
    held: Arc<Mutex<Vec<Held>>>,
    /// Shared by those who looked at the locks and are about to put a file under its name.
    publishing: Arc<RwLock<()>>,
    db: Db,
    clock: Arc<dyn Clock>,
}

impl Locks {
    pub(super) async fn load(db: Db, clock: Arc<dyn Clock>) -> Result<Self, DbError> {
        let now = clock.now();
        let mut tx = db.write().await?;
        store::remove_expired(&mut tx, now).await?;
        tx.commit().await?;
        let held = store::locks(db.read()).await?;
        Ok(Self { held: Arc::new(Mutex::new(held)), publishing: Arc::default(), db, clock })
    }

    /// The locks as `guest` sees them.
    pub(super) fn seen_by(&self, guest: &Guest) -> SeenLocks {
        let (account, home) = (guest.account.clone(), guest.view.prefix().clone());
        SeenLocks { locks: self.clone(), account, home, target: None }
    }

    /// Looks at, or changes, the locks that have not ended.
    fn with<T>(&self, look: impl FnOnce(&mut Vec<Held>) -> T) -> T {
        let now = self.clock.now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|lock| lock.until > now);
        look(&mut held)
    }

    /// The locks on `path`, and below it when `deep`.
    pub(super) fn around(&self, path: &RelPath, deep: bool) -> Vec<Held> {
        self.with(|held| {
            held.iter().filter(|lock| lock.covers(path) || (deep && lock.path.starts_with(path))).cloned().collect()
        })
    }

    /// Makes the store follow. A lock that the store does not know is lost at a restart: said, not fatal.
    async fn keep(&self, changed: Option<Held>, gone: Vec<String>) {
        let kept = async {
            let mut tx = self.db.write().await?;
            if let Some(lock) = &changed {
                store::put_lock(&mut tx, lock).await?;
            }
            for token in &gone {
                store::remove_lock(&mut tx, token).await?;
            }
            store::remove_expired(&mut tx, self.clock.now()).await?;
            tx.commit().await.map_err(DbError::from)
        };
        if let Err(error) = kept.await {
            tracing::warn!(db.error = %error, "a lock could not be stored: it ends at the next restart");
        }
    }
}

/// The locks through the eyes of one account.
#[derive(Debug, Clone)]
pub(super) struct SeenLocks {
    locks: Locks,
    account: String,
    home: RelPath,
    /// Where a COPY or MOVE goes, in the tree.
    target: Option<RelPath>,
}

impl SeenLocks {
    /// For a COPY or MOVE to `destination`: what takes the place of something locked is under its lock from then on
    /// (RFC 4918, 7.7), although the old thing is deleted.
    pub(super) fn replacing(mut self, destination: Option<&RelPath>) -> Self {
        self.target = destination.map(|path| self.home.concat(path));
        self
    }

    /// For somebody who looks at the locks and then puts a file under its name: until this is dropped, nobody
    /// is told that a lock was granted. Blocks.
    pub(super) fn publishing(&self) -> OwnedRwLockReadGuard<()> {
        tokio::runtime::Handle::current().block_on(Arc::clone(&self.locks.publishing).read_owned())
    }

    /// Is `path` locked with `token`?
    pub(super) fn is_locked_with(&self, path: &RelPath, token: &str) -> bool {
        self.locks.around(&self.home.concat(path), false).iter().any(|lock| lock.token == token)
    }

    /// May this account, with these tokens, change the content of `path`, and of all that is below when `deep`?
    pub(super) fn allow(&self, path: &RelPath, deep: bool, tokens: &[String]) -> bool {
        let path = self.home.concat(path);
        let mine = |lock: &Held| tokens.contains(&lock.token) && lock.account == self.account;
        verdict(&self.locks.around(&path, deep), &path, mine, false).is_ok()
    }

    fn whole(&self, path: &DavPath) -> RelPath {
        self.home.concat(&RelPath::lenient(path.as_bytes()).unwrap_or_default())
    }

    fn shown(&self, lock: &Held) -> DavLock {
        let timeout = Duration::from_secs(lock.seconds);
        DavLock {
            token: lock.token.clone(),
            path: Box::new(dav_path(&lock_root(&lock.path, &self.home))),
            principal: Some(lock.account.clone()),
            owner: lock.owner.as_ref().and_then(|xml| Element::parse(xml.as_bytes()).ok()).map(Box::new),
            timeout_at: Some(SystemTime::from(lock.until)),
            timeout: Some(timeout),
            shared: lock.shared,
            deep: lock.deep,
        }
    }

    fn term(&self, timeout: Option<Duration>) -> (u64, Timestamp) {
        let seconds = timeout.map_or(LONGEST, |timeout| timeout.as_secs().clamp(1, LONGEST));
        let term = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
        let now = self.locks.clock.now();
        (seconds, now.saturating_add(term).unwrap_or(now))
    }
}

/// The locked path in the view of somebody whose home may lie below it.
pub(super) fn lock_root(path: &RelPath, home: &RelPath) -> RelPath {
    if !path.starts_with(home) {
        return RelPath::root();
    }
    let rest = path.as_bytes().get(home.as_bytes().len()..).unwrap_or_default();
    RelPath::lenient(rest).unwrap_or_default()
}

fn dav_path(path: &RelPath) -> DavPath {
    let mut made = DavPath::new(&href::path(MOUNT, path, false))
        .or_else(|_| DavPath::new(MOUNT))
        .unwrap_or_else(|_| unreachable_root());
    // Every path of ours begins with the prefix.
    let _set = made.set_prefix(MOUNT).is_ok();
    made
}

/// `DavPath` has no constructor that cannot fail; an address without a path is the nearest.
fn unreachable_root() -> DavPath {
    DavPath::from_uri(&http::Uri::default()).unwrap_or_else(|_| unreachable_root())
}

fn token() -> Option<String> {
    let mut bytes = [0_u8; 16];
    crate::random::fill(&mut bytes).ok()?;
    // RFC 9562, 5.4: version 4, variant 10.
    if let Some(byte) = bytes.get_mut(6) {
        *byte = (*byte & 0x0f) | 0x40;
    }
    if let Some(byte) = bytes.get_mut(8) {
        *byte = (*byte & 0x3f) | 0x80;
    }
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    Some(format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}

impl DavLockSystem for SeenLocks {
    fn lock(
        &'_ self,
        path: &DavPath,
        _principal: Option<&str>,
        owner: Option<&Element>,
        timeout: Option<Duration>,
        shared: bool,
        deep: bool,
    ) -> LsFuture<'_, Result<DavLock, DavLock>> {
        let (seconds, until) = self.term(timeout);
        let owner = owner.and_then(|owner| {
            let mut xml = Vec::new();
            owner.write(&mut xml).ok()?;
            String::from_utf8(xml).ok()
        });
        let (path, account) = (self.whole(path), self.account.clone());
        let wanted = Held { token: token().unwrap_or_default(), path, account, owner, shared, deep, seconds, until };
        let taken = self.locks.with(|held| {
            let conflict = held.iter().find(|lock| {
                let meets = lock.covers(&wanted.path) || (wanted.deep && lock.path.starts_with(&wanted.path));
                meets && !(lock.shared && wanted.shared)
            });
            if let Some(conflict) = conflict {
                return Err(Box::new(conflict.clone()));
            }
            let own = held.iter().filter(|lock| lock.account == wanted.account).count();
            if held.len() >= MOST || own >= MOST_EACH || wanted.token.is_empty() {
                return Err(Box::new(wanted.clone()));
            }
            held.push(wanted.clone());
            Ok(wanted.clone())
        });
        Box::pin(async move {
            match taken {
                Err(conflict) => Err(self.shown(&conflict)),
                Ok(lock) => {
                    let shown = self.shown(&lock);
                    self.locks.keep(Some(lock), Vec::new()).await;
                    // Whoever looked before the lock was there has put its file under the name by then.
                    drop(self.locks.publishing.write().await);
                    Ok(shown)
                }
            }
        })
    }

    fn unlock(&'_ self, path: &DavPath, token: &str) -> LsFuture<'_, Result<(), ()>> {
        let path = self.whole(path);
        let removed = self.locks.with(|held| {
            let at = held.iter().position(|lock| {
                // Tokens are no secrets (RFC 4918, 6.5): only the one who locked may unlock.
                lock.token == token && lock.covers(&path) && lock.account == self.account
            })?;
            Some(held.swap_remove(at).token)
        });
        Box::pin(async move {
            let token = removed.ok_or(())?;
            self.locks.keep(None, vec![token]).await;
            Ok(())
        })
    }

    fn refresh(&'_ self, path: &DavPath, token: &str, timeout: Option<Duration>) -> LsFuture<'_, Result<DavLock, ()>> {
        let path = self.whole(path);
        let (seconds, until) = self.term(timeout);
        let refreshed = self.locks.with(|held| {
            let lock = held.iter_mut().find(|lock| lock.token == token && lock.covers(&path))?;
            (lock.seconds, lock.until) = (seconds, until);
            Some(lock.clone())
        });
        Box::pin(async move {
            let lock = refreshed.ok_or(())?;
            let shown = self.shown(&lock);
            self.locks.keep(Some(lock), Vec::new()).await;
            Ok(shown)
        })
    }

    fn check(
        &'_ self,
        path: &DavPath,
        principal: Option<&str>,
        ignore_principal: bool,
        deep: bool,
        submitted_tokens: &[String],
    ) -> LsFuture<'_, Result<(), DavLock>> {
        let path = self.whole(path);
        let around = self.locks.around(&path, deep);
        let mine = |lock: &Held| {
            submitted_tokens.contains(&lock.token) && (ignore_principal || principal == Some(lock.account.as_str()))
        };
        let verdict = verdict(&around, &path, mine, ignore_principal);
        let verdict = verdict.map_err(|conflict| match conflict {
            Some(lock) => self.shown(&lock),
            None => {
                let (seconds, until) = self.term(None);
                let (account, token) = (self.account.clone(), String::new());
                self.shown(&Held { token, path, account, owner: None, shared: false, deep: false, seconds, until })
            }
        });
        Box::pin(std::future::ready(verdict))
    }

    fn discover(&'_ self, path: &DavPath) -> LsFuture<'_, Vec<DavLock>> {
        let locks = self.locks.around(&self.whole(path), false);
        Box::pin(std::future::ready(locks.iter().map(|lock| self.shown(lock)).collect()))
    }

    fn delete(&'_ self, path: &DavPath) -> LsFuture<'_, Result<(), ()>> {
        let path = self.whole(path);
        let gone = self.locks.with(|held| {
            let goes = |lock: &Held| lock.path.starts_with(&path) && self.target.as_ref() != Some(&lock.path);
            let (gone, kept): (Vec<_>, Vec<_>) = held.drain(..).partition(goes);
            *held = kept;
            gone.into_iter().map(|lock| lock.token).collect::<Vec<_>>()
        });
        Box::pin(async move {
            if !gone.is_empty() {
                self.locks.keep(None, gone).await;
            }
            Ok(())
        })
    }
}

/// May somebody who holds `mine` change `path`? When only a token is asked about (`token_only`, for the
/// `If` header) one of the locks must be it: a token whose lock has ended is no longer true.
fn verdict(
    around: &[Held],
    path: &RelPath,
    mine: impl Fn(&Held) -> bool,
    token_only: bool,
) -> Result<(), Option<Box<Held>>> {
    let covering = || around.iter().filter(|lock| lock.covers(path));
    let holds = covering().any(&mine);
    if token_only {
        return if holds { Ok(()) } else { Err(covering().next().cloned().map(Box::new)) };
    }
    if let Some(exclusive) = covering().find(|lock| !lock.shared && !mine(lock)) {
        return Err(Some(Box::new(exclusive.clone())));
    }
    if !holds && let Some(shared) = covering().next() {
        return Err(Some(Box::new(shared.clone())));
    }
    match around.iter().find(|lock| !lock.covers(path) && !mine(lock)) {
        Some(below) => Err(Some(Box::new(below.clone()))),
        None => Ok(()),
    }
}
