//! What the owner of an account lends to people who have none.

use std::net::SocketAddr;

use super::guess::peer_subject;
use super::login::LoginError;
use super::password;
use super::store::{self, Subject};
use super::{Accounts, Grant, PasswordError};
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

    /// Is it that password? A wrong one counts for the address that it came from, as at a login.
    ///
    /// # Errors
    /// [`LoginError::Refused`]: no; the others say that it was not looked at.
    pub async fn open_lent(&self, stored: String, password: &Secret, peer: SocketAddr) -> Result<(), LoginError> {
        let (peer, now) = (peer_subject(peer.ip()), self.clock.now());
        let seen = store::guesses(&mut *self.db.read().acquire().await?, Subject::Peer(&peer), now).await?;
        if let Some(until) = seen.lock(now) {
            return Err(LoginError::PeerLocked(until));
        }
        self.wait(&seen, &seen, now).await;
        if self.hasher.verify(Some(stored), password).await? {
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        let seen = store::guesses(&mut tx, Subject::Peer(&peer), now).await?;
        self.count_peer(&mut tx, &peer, (&seen, now)).await?;
        tx.commit().await?;
        Err(LoginError::Refused)
    }
}
