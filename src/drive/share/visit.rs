//! Who comes by a link.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Share, ShareError, Shares, Standing, store, stored};
use crate::account::{Grant, hashed, token};
use crate::audit::{self, Actor, Event};
use crate::drive::Guest;
use crate::model::{Access, Door, Name, RelPath, Secret, ShareKind};
use crate::task;

/// How long a browser that has opened a link is known.
const VISIT: SignedDuration = SignedDuration::from_hours(24);

/// A link that was opened by somebody who may.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Which one.
    pub share: Share,
    /// Whoever opened it. The view is the folder; of a shared file the one that it lies in.
    pub guest: Guest,
    /// The name of the shared file.
    pub file: Option<Name>,
}

/// A link that was opened, and counts as used.
#[derive(Debug)]
pub struct Taken {
    /// Who may do what.
    pub opened: Opened,
    /// For the browser's cookie: what it came with, or what makes its next request the same use.
    pub visit: Secret,
}

impl Shares {
    /// The link of a secret, whether or not it still opens anything.
    ///
    /// # Errors
    /// [`ShareError::Missing`], and what the store says.
    pub async fn find(&self, secret: &Secret) -> Result<Share, ShareError> {
        let found = store::find(&mut *self.db.read().acquire().await?, &stored(secret)).await?;
        Ok(found.ok_or(ShareError::Missing)?.share)
    }

    /// A browser comes with the password. The answer is for its cookie: what it came with, if it has opened another link
    /// before.
    ///
    /// # Errors
    /// [`ShareError::Login`] for a wrong password; [`ShareError::Over`]; and the others.
    pub async fn enter(
        &self,
        secret: &Secret,
        password: Option<&Secret>,
        visit: Option<&Secret>,
        peer: SocketAddr,
    ) -> Result<Secret, ShareError> {
        let now = self.clock.now();
        let row = store::find(&mut *self.db.read().acquire().await?, &stored(secret)).await?;
        let row = row.ok_or(ShareError::Missing)?;
        match row.share.standing(now) {
            Standing::Open => {}
            over => return Err(ShareError::Over(over)),
        }
        if let Some(right) = row.password {
            let shown = password.ok_or(ShareError::Closed)?;
            self.accounts.open_lent((row.share.id, right), shown, peer).await?;
        }
        let visit = visit.cloned().map_or_else(token, Ok)?;
        let mut tx = self.db.write().await?;
        store::visit(&mut tx, &visiting(&visit), row.share.id, (since(now), now)).await?;
        tx.commit().await?;
        Ok(visit)
    }

    /// Opens a link to look at, for a browser with `visit` in its cookie: nothing is counted.
    ///
    /// # Errors
    /// [`ShareError::Over`]; [`ShareError::Closed`] where the password is still to be given; those of the file system.
    pub async fn look(&self, secret: &Secret, visit: Option<&Secret>, peer: SocketAddr) -> Result<Opened, ShareError> {
        let (share, _) = self.admitted(secret, visit).await?;
        self.opened(share, peer).await
    }

    /// Opens a link to fetch or send something: counts it, if it is not the same use as before. A browser that comes
    /// without a cookie gets one; what it came for may still fail, and must not cost a second use then.
    ///
    /// # Errors
    /// As [`Shares::look`]; nothing is counted then.
    pub async fn take(&self, secret: &Secret, visit: Option<&Secret>, peer: SocketAddr) -> Result<Taken, ShareError> {
        let (share, counted) = self.admitted(secret, visit).await?;
        let mut opened = self.opened(share, peer).await?;
        let visit = visit.cloned().map_or_else(token, Ok)?;
        if !counted {
            opened.share.used = self.count(&opened.share, &visit, peer).await?;
        }
        Ok(Taken { opened, visit })
    }

    /// The link, if it is open to this browser; and whether its use is counted already.
    async fn admitted(&self, secret: &Secret, visit: Option<&Secret>) -> Result<(Share, bool), ShareError> {
        let now = self.clock.now();
        let mut conn = self.db.read().acquire().await?;
        let share = store::find(&mut conn, &stored(secret)).await?.ok_or(ShareError::Missing)?.share;
        let visited = match visit {
            Some(visit) => store::visited(&mut conn, &visiting(visit), share.id, since(now)).await?,
            None => None,
        };
        match share.standing(now) {
            Standing::UsedUp if visited == Some(true) => {}
            Standing::Open => {}
            over => return Err(ShareError::Over(over)),
        }
        if share.with_password && visited.is_none() {
            Err(ShareError::Closed)
        } else {
            Ok((share, visited == Some(true)))
        }
    }

    async fn count(&self, share: &Share, visit: &Secret, peer: SocketAddr) -> Result<u32, ShareError> {
        let grant = self.lender(share).await?;
        let (now, hash) = (self.clock.now(), visiting(visit));
        let mut tx = self.db.write().await?;
        // Another request of the same browser may have been faster.
        if store::visited(&mut tx, &hash, share.id, since(now)).await? == Some(true) {
            return Ok(share.used);
        }
        let Some(used) = store::count(&mut tx, share.id, now).await? else {
            let now = store::by_id(&mut tx, share.id).await?.map(|row| row.share.standing(now));
            return Err(now.map_or(ShareError::Missing, ShareError::Over));
        };
        store::visit(&mut tx, &hash, share.id, (since(now), now)).await?;
        store::mark(&mut tx, &hash, share.id).await?;
        let (account, path, peer) = (share.owner.clone(), grant.in_tree(&share.path), peer.ip().to_string());
        let event = Event::ShareUsed { account, share: share.id, path, peer, used };
        audit::append(&mut tx, now, &Actor::Share(share.id), &event).await?;
        tx.commit().await?;
        Ok(used)
    }

    async fn lender(&self, share: &Share) -> Result<Grant, ShareError> {
        self.accounts.lender(share.account).await?.ok_or(ShareError::Over(Standing::Ended))
    }

    async fn opened(&self, share: Share, peer: SocketAddr) -> Result<Opened, ShareError> {
        let grant = self.lender(&share).await?;
        let (guest, file) = self.guest(&share, &grant, peer).await?;
        Ok(Opened { share, guest, file })
    }

    /// Who comes by the link, in the folder that it leads to.
    pub(super) async fn guest(
        &self,
        share: &Share,
        grant: &Grant,
        peer: SocketAddr,
    ) -> Result<(Guest, Option<Name>), ShareError> {
        let (path, kind, tree, granted) = (share.path.clone(), share.kind, Arc::clone(&self.tree), grant.clone());
        let found = task::blocking(move || {
            let view = granted.view(&tree)?;
            let (folder, file, access) = match kind {
                ShareKind::File => (path.parent().unwrap_or_default(), path.name(), Access::ReadOnly),
                ShareKind::Folder => (path, None, Access::ReadOnly),
                ShareKind::DropBox => (path, None, Access::ReadWrite),
            };
            let view = view.narrowed(&folder, access)?;
            if let Some(name) = &file
                && !view.stat(&RelPath::root().join(name))?.is_file()
            {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((view, file))
        });
        let (view, file) = found.await.map_err(io::Error::other)?.map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => ShareError::Place("what the link leads to is not there any more"),
            io::ErrorKind::NotADirectory => ShareError::Place("what the link leads to is no folder"),
            io::ErrorKind::IsADirectory => ShareError::Place("what the link leads to is no file"),
            io::ErrorKind::PermissionDenied => {
                ShareError::Place("the way to it leads over a link, or to what Causeway keeps for itself")
            }
            _ => ShareError::Io(error),
        })?;
        let actor = Actor::Share(share.id);
        let guest =
            Guest { account: grant.name().to_owned(), actor, view, door: Door::Share, peer, books: self.books.clone() };
        Ok((guest, file))
    }
}

fn since(now: Timestamp) -> Timestamp {
    now.saturating_sub(VISIT).unwrap_or(Timestamp::MIN)
}

fn visiting(secret: &Secret) -> [u8; 32] {
    hashed("causeway share visit", secret.expose())
}
