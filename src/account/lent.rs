//! What the owner of an account lends to people who have none.

use std::net::SocketAddr;

use jiff::Timestamp;

use super::guess::{Guesses, peer_subject};
use super::login::LoginError;
use super::password;
use super::store::{self, Subject};
use super::{Accounts, Grant, PasswordError};
use crate::audit::{self, Actor, Event};
use crate::db::DbError;
use crate::model::{AccountId, Secret};

impl Accounts {
    /// What an account may do now, for what its owner has lent to others by a link; none when it is gone or switched
    /// off.
    ///
    /// # Errors
    /// What the store says.
    pub async fn lender(&self, id: AccountId) -> Result<Option<Grant>, DbError> {
        let mut conn = self.db.read().acquire().await?;
        Ok(store::by_id(&mut conn, id).await?.filter(|row| !row.disabled).map(|row| Grant::of(&row)))
    }

    /// A password for what is lent, as it is stored.
    ///
    /// # Errors
    /// [`PasswordError`]: it is none, or could not be hashed.
    pub async fn lent_password(&self, password: &Secret) -> Result<String, PasswordError> {
        password::check(password)?;
        self.hasher.hash(password).await
    }

    /// Is it that password of the link with this number? A wrong one counts for the address that it came from, as at a
    /// login, and for the link, from wherever it came.
    ///
    /// # Errors
    /// [`LoginError::Refused`]: no; the others say that it was not looked at.
    pub async fn open_lent(
        &self,
        (link, stored): (i64, String),
        password: &Secret,
        peer: SocketAddr,
    ) -> Result<(), LoginError> {
        let (peer, now) = (peer_subject(peer.ip()), self.clock.now());
        let mut conn = self.db.read().acquire().await?;
        let on_peer = store::guesses(&mut conn, Subject::Peer(&peer), now).await?;
        let on_link = store::guesses(&mut conn, Subject::Link(link), now).await?;
        drop(conn);
        locked(&on_peer, &on_link, now)?;
        self.wait(&on_link, &on_peer, now).await;
        let right = self.hasher.verify(Some(stored), password).await?;
        // While it waited, others may have guessed.
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let on_peer = store::guesses(&mut tx, Subject::Peer(&peer), now).await?;
        let on_link = store::guesses(&mut tx, Subject::Link(link), now).await?;
        locked(&on_peer, &on_link, now)?;
        if right {
            return Ok(());
        }
        self.count_peer(&mut tx, &peer, (&on_peer, now)).await?;
        let limits = &self.settings.limits;
        let after = on_link.after_failure(now, limits.account_failures, limits);
        store::put_guesses(&mut tx, Subject::Link(link), &after).await?;
        if let Some(until) = after.lock(now) {
            audit::append(&mut tx, now, &Actor::System, &Event::ShareLocked { share: link, until }).await?;
        }
        tx.commit().await?;
        Err(LoginError::Refused)
    }
}

fn locked(on_peer: &Guesses, on_link: &Guesses, now: Timestamp) -> Result<(), LoginError> {
    match (on_peer.lock(now), on_link.lock(now)) {
        (Some(until), _) => Err(LoginError::PeerLocked(until)),
        (None, Some(until)) => Err(LoginError::LinkLocked(until)),
        (None, None) => Ok(()),
    }
}
