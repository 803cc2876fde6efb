//! Sessions of the dashboard: a random token in a cookie, its hash in the store.

use std::net::SocketAddr;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};

use super::random::{self, NoRandom, hashed};
use super::store::{self, SessionRow};
use super::{Grant, mask};
use crate::audit::{self, Event};
use crate::db::{Db, DbError};
use crate::model::{AccountId, Clock, Secret};

/// Hours without a request after which a session ends.
pub const IDLE_HOURS: i64 = 12;
/// Hours after which every session ends.
pub const ABSOLUTE_HOURS: i64 = 7 * 24;
/// The store learns about use at most this often: reading a page is not worth a write each.
const TOUCH: SignedDuration = SignedDuration::from_mins(1);

/// The sessions of one store. Clones share it.
#[derive(Debug, Clone)]
pub struct Sessions {
    db: Db,
    clock: Arc<dyn Clock>,
}

/// A session that was found.
#[derive(Debug, Clone)]
pub struct Session {
    /// What the one who signed in may do, as it is now.
    pub grant: Grant,
    /// The secret that forms send back, under a mask. It is made from the token, and not stored.
    pub csrf: Secret,
    /// When it began.
    pub created: Timestamp,
}

/// A session as its owner sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// From where it began.
    pub peer: String,
}

fn stored(token: &str) -> [u8; 32] {
    hashed("causeway session", token)
}

impl Session {
    /// That secret, as one page may show it.
    #[must_use]
    pub fn csrf_shown(&self) -> String {
        mask::masked(self.csrf.expose())
    }

    /// Is it the secret that this session's forms carry, under a mask? In constant time.
    #[must_use]
    pub fn csrf_matches(&self, sent: &str) -> bool {
        mask::is_masked(self.csrf.expose(), sent)
    }
}

impl Sessions {
    /// The sessions in `db`.
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    fn limits(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let back = |hours| now.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN);
        (back(IDLE_HOURS), back(ABSOLUTE_HOURS))
    }

    /// Begins a session for one who has just logged in (the login has its audit entry already) and
    /// returns the token for the cookie.
    ///
    /// # Errors
    /// What the store says, or no random numbers.
    pub async fn create(&self, grant: &Grant, peer: SocketAddr) -> Result<Secret, DbError> {
        let token = random::token().map_err(|error: NoRandom| DbError::Value(error.to_string()))?;
        let now = self.clock.now();
        let row = SessionRow { account: grant.id(), created: now, used: now, peer: peer.ip().to_string() };
        let (idle, absolute) = self.limits(now);
        let mut tx = self.db.write().await?;
        store::expire_sessions(&mut tx, idle, absolute).await?;
        store::insert_session(&mut tx, &stored(token.expose()), &row).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// The session of a token; none when it is unknown, has ended, or its account may not come in. This is
    /// a use of the session.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find(&self, token: &str) -> Result<Option<Session>, DbError> {
        let Some((session, used)) = self.stored(token).await? else { return Ok(None) };
        let now = self.clock.now();
        if now.duration_since(used) >= TOUCH {
            let mut tx = self.db.write().await?;
            store::touch_session(&mut tx, &stored(token), now).await?;
            tx.commit().await?;
        }
        Ok(Some(session))
    }

    /// As [`Sessions::find`], but no use: a page that stays open does not keep its session alive.
    ///
    /// # Errors
    /// What the store says.
    pub async fn look(&self, token: &str) -> Result<Option<Session>, DbError> {
        Ok(self.stored(token).await?.map(|(session, _)| session))
    }

    /// The session, and when it was last used.
    async fn stored(&self, token: &str) -> Result<Option<(Session, Timestamp)>, DbError> {
        let now = self.clock.now();
        let (idle, absolute) = self.limits(now);
        let mut conn = self.db.read().acquire().await?;
        let Some(row) = store::find_session(&mut conn, &stored(token)).await? else { return Ok(None) };
        if row.used < idle || row.created < absolute {
            return Ok(None);
        }
        let Some(account) = store::by_id(&mut conn, row.account).await?.filter(|a| !a.disabled) else {
            return Ok(None);
        };
        let csrf = Secret::new(BASE64URL_NOPAD.encode(&hashed("causeway csrf", token)));
        Ok(Some((Session { grant: Grant::of(&account), csrf, created: row.created }, row.used)))
    }

    /// Ends a session; its owner signs out.
    ///
    /// # Errors
    /// What the store says.
    pub async fn remove(&self, token: &str, grant: &Grant) -> Result<(), DbError> {
        let mut tx = self.db.write().await?;
        if store::remove_session(&mut tx, &stored(token)).await? {
            let event = Event::SignedOut { account: grant.name().to_owned() };
            audit::append(&mut tx, self.clock.now(), &grant.actor(), &event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends every session of an account. Returns how many there were.
    ///
    /// # Errors
    /// What the store says.
    pub async fn remove_all(&self, account: AccountId) -> Result<u64, DbError> {
        let mut tx = self.db.write().await?;
        let count = store::remove_sessions(&mut tx, account).await?;
        tx.commit().await?;
        Ok(count)
    }

    /// The sessions of an account, the last used first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self, account: AccountId) -> Result<Vec<SessionInfo>, DbError> {
        let mut conn = self.db.read().acquire().await?;
        let rows = store::sessions_of(&mut conn, account).await?;
        Ok(rows.into_iter().map(|r| SessionInfo { created: r.created, used: r.used, peer: r.peer }).collect())
    }
}
