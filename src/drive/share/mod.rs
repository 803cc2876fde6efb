//! Links for people without an account: to fetch a file, to look around in a folder, or to send files into one.
//!
//! Who has a link sees what the account that made it would see there now, and no more: when the account is switched
//! off, moved or may only read, so it is for the link. Only the hash of what is in a link is stored.
//!
//! A *use* is what one browser fetches or sends within a day; a program without cookies uses the link anew with every
//! request. It is counted before the first byte, so that no number of requests at once gets more than was given.

mod arriving;
mod error;
mod store;
mod visit;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Books;
use crate::account::{Accounts, Grant, hashed, token};
use crate::audit::{self, Actor, Event};
use crate::db::{Db, DbError};
use crate::model::{Access, AccountId, Clock, RelPath, Secret, ShareKind};
use crate::tree::Tree;

pub use arriving::Arriving;
use arriving::Coming;
pub use error::ShareError;
pub use visit::{Opened, Taken};

/// Links of one account that may be open at once.
pub const MAX_SHARES: i64 = 1_000;
/// How long a link that opens nothing any more stays in the list.
const SHOWN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A link, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its number.
    pub id: i64,
    /// Who made it,
    pub account: AccountId,
    /// by name.
    pub owner: String,
    /// What it leads to, below the account's home.
    pub path: RelPath,
    /// What one may do there.
    pub kind: ShareKind,
    /// Is a password asked for?
    pub with_password: bool,
    /// When it was made.
    pub made: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// How often it may be used.
    pub most: Option<u32>,
    /// How often it was used.
    pub used: u32,
    /// Bytes that may be sent by it, for a drop box.
    pub room: Option<u64>,
    /// Bytes that were sent by it.
    pub taken: u64,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
    /// When somebody ended it.
    pub ended: Option<Timestamp>,
}

/// Does a link still open something?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Open,
    /// It was used as often as it may be. Browsers that are known go on.
    UsedUp,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Ended,
}

impl Share {
    /// As it stands at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        if self.ended.is_some() {
            Standing::Ended
        } else if self.expires.is_some_and(|end| end <= now) {
            Standing::Expired
        } else if self.most.is_some_and(|most| self.used >= most) {
            Standing::UsedUp
        } else {
            Standing::Open
        }
    }
}

/// What a new link is to be.
#[derive(Debug, Clone)]
pub struct NewShare {
    /// What it leads to, below the account's home.
    pub path: RelPath,
    /// What one may do there.
    pub kind: ShareKind,
    /// Asked for before anything is shown.
    pub password: Option<Secret>,
    /// How long it holds; none = until it is ended.
    pub lasts: Option<SignedDuration>,
    /// How often it may be used; none = any number of times.
    pub most: Option<u32>,
    /// Bytes that may be sent by it, for a drop box; none = as many as the account may hold.
    pub room: Option<u64>,
}

/// The links of one store. Clones share it.
#[derive(Debug, Clone)]
pub struct Shares {
    db: Db,
    clock: Arc<dyn Clock>,
    accounts: Accounts,
    tree: Arc<Tree>,
    books: Books,
    coming: Coming,
}

impl Shares {
    /// The links in `db` to what is in `tree`.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, tree: Arc<Tree>, books: Books) -> Self {
        Self { db, clock: Arc::clone(&books.clock), accounts, tree, books, coming: Coming::default() }
    }

    /// Makes a link. What belongs into it is returned this once and known to nobody after that.
    ///
    /// # Errors
    /// [`ShareError`].
    pub async fn make(&self, grant: &Grant, new: NewShare) -> Result<Secret, ShareError> {
        if new.kind == ShareKind::DropBox && grant.scope().access == Access::ReadOnly {
            return Err(ShareError::ReadOnly);
        }
        let secret = token()?;
        let password = match &new.password {
            Some(password) => Some(self.accounts.lent_password(password).await?),
            None => None,
        };
        let now = self.clock.now();
        let share = Share {
            id: 0,
            account: grant.id(),
            owner: grant.name().to_owned(),
            path: new.path,
            kind: new.kind,
            with_password: password.is_some(),
            made: now,
            expires: new.lasts.map(|lasts| now.saturating_add(lasts).unwrap_or(Timestamp::MAX)),
            most: new.most,
            used: 0,
            room: new.room.filter(|_| new.kind == ShareKind::DropBox),
            taken: 0,
            last_used: None,
            ended: None,
        };
        self.guest(&share, grant, ([0, 0, 0, 0], 0).into()).await?;
        let mut tx = self.db.write().await?;
        store::forget(&mut tx, now.saturating_sub(SHOWN).unwrap_or(Timestamp::MIN)).await?;
        if store::open(&mut tx, share.account, now).await? >= MAX_SHARES {
            return Err(ShareError::Full);
        }
        let id = store::insert(&mut tx, &stored(&secret), &share, password).await?;
        let event = Event::ShareMade {
            account: share.owner,
            share: id,
            path: grant.in_tree(&share.path),
            kind: share.kind,
            with_password: share.with_password,
            expires: share.expires,
            most: share.most,
            room: share.room,
        };
        audit::append(&mut tx, now, &grant.actor(), &event).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Those of an account, or all, the newest first, also those that opened something not long ago: `most` of them, of
    /// those that were made before the one with the number `before`.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        account: Option<AccountId>,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<Share>, DbError> {
        store::list(&mut *self.db.read().acquire().await?, account, (before, most.into())).await
    }

    /// Bytes that may still be sent by a link; none = as many as the account may hold.
    ///
    /// # Errors
    /// [`ShareError::Missing`], and what the store says.
    pub async fn room(&self, id: i64) -> Result<Option<u64>, ShareError> {
        let row = store::by_id(&mut *self.db.read().acquire().await?, id).await?.ok_or(ShareError::Missing)?;
        Ok(row.share.room.map(|room| room.saturating_sub(row.share.taken)))
    }

    /// A file begins to come by a link.
    #[must_use]
    pub fn arriving(&self, id: i64) -> Arriving {
        Arriving::new(self, id)
    }

    /// `bytes` were sent by a link and are about to get their name; false when it has no room for them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn fill(&self, id: i64, bytes: u64) -> Result<bool, ShareError> {
        let mut tx = self.db.write().await?;
        let fits = store::fill(&mut tx, id, bytes).await?;
        tx.commit().await?;
        Ok(fits)
    }

    /// They did not get it after all.
    ///
    /// # Errors
    /// What the store says.
    pub async fn unfill(&self, id: i64, bytes: u64) -> Result<(), ShareError> {
        let mut tx = self.db.write().await?;
        store::unfill(&mut tx, id, bytes).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a link, for its owner or (with none given) for an administrator: the next request with it is refused.
    ///
    /// # Errors
    /// [`ShareError::Missing`], and what the store says.
    pub async fn end(&self, actor: &Actor, id: i64, owner: Option<AccountId>) -> Result<(), ShareError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = store::by_id(&mut tx, id).await?.map(|row| row.share);
        let share =
            found.filter(|share| owner.is_none_or(|owner| owner == share.account)).ok_or(ShareError::Missing)?;
        if store::end(&mut tx, id, now).await? {
            let event = Event::ShareEnded { account: share.owner, share: id };
            audit::append(&mut tx, now, actor, &event).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn stored(secret: &Secret) -> [u8; 32] {
    hashed("causeway share", secret.expose())
}

#[cfg(test)]
mod tests;
