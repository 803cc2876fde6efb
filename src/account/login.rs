//! Coming in.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::guess::{Guesses, peer_subject};
use super::store::{self, AccountRow, Subject};
use super::{Accounts, Grant, MAX_NAME, PasswordError, key};
use crate::audit::{self, Actor, Event, LoginMethod, LoginRefusal};
use crate::db::DbError;
use crate::model::{Door, Secret};

/// Where somebody knocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginContext {
    /// At which door.
    pub door: Door,
    /// From where.
    pub peer: SocketAddr,
}

/// Why nobody came in. What may be told to the one who tried is the same for names that exist and names
/// that do not.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown name, wrong password or key, or switched off. The audit log knows which.
    #[error("wrong name, password or key")]
    Refused,
    /// Too many failures on this account; try again at the time given.
    #[error("too many failed logins: try again after {0:.0}, or lift it with 'causeway account unlock NAME'")]
    Locked(Timestamp),
    /// Too many failures from this address; try again at the time given.
    #[error(
        "too many failed logins from this address: try again after {0:.0}, or lift it with \
         'causeway account unlock ADDRESS'"
    )]
    PeerLocked(Timestamp),
    /// Too many logins at once.
    #[error("too many logins at once, try again in a moment")]
    Busy,
    /// The store or the hashing failed; nothing is known about the password.
    #[error("the login could not be checked")]
    Store(#[source] DbError),
}

impl From<DbError> for LoginError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy => Self::Busy,
            other => Self::Store(other),
        }
    }
}

impl From<sqlx::Error> for LoginError {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl From<PasswordError> for LoginError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            other => Self::Store(DbError::Value(other.to_string())),
        }
    }
}

/// What the look at the store and the password gave.
struct Attempt<'a> {
    name: &'a str,
    peer: String,
    method: LoginMethod,
    context: &'a LoginContext,
    /// The row as it was when the proof was checked.
    row: Option<AccountRow>,
    refusal: Option<LoginRefusal>,
    rehash: Option<String>,
    fingerprint: Option<&'a str>,
}

impl Accounts {
    /// Lets somebody in by name and password. Takes the time of one argon2id hash, whether the name
    /// exists or not, and longer after failures.
    ///
    /// # Errors
    /// [`LoginError`]; the failure is counted and logged.
    pub async fn login_password(
        &self,
        name: &str,
        password: &Secret,
        context: &LoginContext,
    ) -> Result<Grant, LoginError> {
        let peer = peer_subject(context.peer.ip());
        let name = short(name);
        let now = self.clock.now();
        let mut conn = self.db.read().acquire().await?;
        let row = store::by_name(&mut conn, name).await?;
        let counted = self.counted(&mut conn, row.as_ref(), (name, &peer), now).await?;
        let on_account = store::guesses(&mut conn, counted, now).await?;
        let on_peer = store::guesses(&mut conn, Subject::Peer(&peer), now).await?;
        drop(conn);
        if let Some(until) = on_peer.lock(now) {
            return Err(LoginError::PeerLocked(until));
        }
        let (refusal, rehash) = if on_account.lock(now).is_some() {
            (Some(LoginRefusal::Locked), None)
        } else {
            self.wait(&on_account, &on_peer, now).await;
            self.check_password(row.as_ref(), password).await?
        };
        let method = LoginMethod::Password;
        self.settle(Attempt { name, peer, method, context, row, refusal, rehash, fingerprint: None }).await
    }

    /// Lets the owner of an SSH key in. `blob` is the key as SSH sends it; that its owner signed must
    /// have been checked before.
    ///
    /// # Errors
    /// [`LoginError`]; logged, but not counted as a guess: clients offer one key after the other.
    pub async fn login_key(&self, name: &str, blob: &[u8], context: &LoginContext) -> Result<Grant, LoginError> {
        let name = short(name);
        let peer = peer_subject(context.peer.ip());
        let now = self.clock.now();
        let mut conn = self.db.read().acquire().await?;
        let on_peer = store::guesses(&mut conn, Subject::Peer(&peer), now).await?;
        if let Some(until) = on_peer.lock(now) {
            return Err(LoginError::PeerLocked(until));
        }
        let row = store::by_name(&mut conn, name).await?;
        let fingerprint = key::fingerprint(blob);
        let known = match &row {
            None => false,
            Some(row) => store::has_key(&mut conn, row.id, &fingerprint, blob).await?,
        };
        drop(conn);
        let refusal = match &row {
            None => Some(LoginRefusal::Unknown),
            Some(_) if !known => Some(LoginRefusal::Wrong),
            Some(row) if row.disabled => Some(LoginRefusal::Disabled),
            Some(_) => None,
        };
        let method = LoginMethod::Key;
        let fingerprint = Some(fingerprint.as_str());
        self.settle(Attempt { name, peer, method, context, row, refusal, rehash: None, fingerprint }).await
    }

    /// Would this key be let in? For the question that SSH clients ask before they sign; logs and counts
    /// nothing.
    ///
    /// # Errors
    /// What the store says.
    pub async fn knows_key(&self, name: &str, blob: &[u8]) -> Result<bool, DbError> {
        let mut conn = self.db.read().acquire().await?;
        match store::by_name(&mut conn, short(name)).await? {
            Some(row) if !row.disabled => store::has_key(&mut conn, row.id, &key::fingerprint(blob), blob).await,
            _ => Ok(false),
        }
    }

    /// Is what a grant was given for still so? Doors with long connections ask now and then: false after
    /// the account was removed, switched off, or changed in password, scope or rights.
    ///
    /// # Errors
    /// What the store says.
    pub async fn is_current(&self, grant: &Grant) -> Result<bool, DbError> {
        let mut conn = self.db.read().acquire().await?;
        let row = store::by_id(&mut conn, grant.id()).await?;
        Ok(row.is_some_and(|row| !row.disabled && row.changed == grant.changed()))
    }

    /// Whose count a failure of `name` from `peer` goes to.
    async fn counted<'a>(
        &self,
        conn: &mut SqliteConnection,
        row: Option<&AccountRow>,
        (name, peer): (&'a str, &'a str),
        now: Timestamp,
    ) -> Result<Subject<'a>, DbError> {
        let Some(row) = row else { return Ok(Subject::Account(name)) };
        let known = store::knows_address(conn, row.id, peer, self.lately(now)).await?;
        Ok(if known { Subject::Known(name, peer) } else { Subject::Account(name) })
    }

    /// Since when an address is known.
    fn lately(&self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.settings.limits.known).unwrap_or(Timestamp::MIN)
    }

    async fn wait(&self, on_account: &Guesses, on_peer: &Guesses, now: Timestamp) {
        let limits = &self.settings.limits;
        // An address may be a whole office: it is slowed down in proportion to its higher limit.
        let share = limits.peer_failures.checked_div(limits.account_failures).unwrap_or(1).max(1);
        let failures = on_account.counted(now, limits).max(on_peer.counted(now, limits) / share);
        let wait = limits.slow_down(failures);
        if wait > Duration::ZERO {
            tokio::time::sleep(wait).await;
        }
    }

    async fn check_password(
        &self,
        row: Option<&AccountRow>,
        password: &Secret,
    ) -> Result<(Option<LoginRefusal>, Option<String>), LoginError> {
        let phc = row.and_then(|row| row.password.clone());
        let right = self.hasher.verify(phc.clone(), password).await?;
        let refusal = match row {
            None => Some(LoginRefusal::Unknown),
            Some(row) if row.password.is_none() => Some(LoginRefusal::NoPassword),
            Some(_) if !right => Some(LoginRefusal::Wrong),
            Some(row) if row.disabled => Some(LoginRefusal::Disabled),
            Some(_) => None,
        };
        let rehash = match phc {
            Some(phc) if refusal.is_none() && self.hasher.is_outdated(&phc) => Some(self.hasher.hash(password).await?),
            _ => None,
        };
        Ok((refusal, rehash))
    }

    /// Writes down how it went, in one transaction, and looks once more: between the check and now the
    /// account or the address may have been locked by others, or the account changed.
    async fn settle(&self, mut attempt: Attempt<'_>) -> Result<Grant, LoginError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let on_peer = store::guesses(&mut tx, Subject::Peer(&attempt.peer), now).await?;
        if let Some(until) = on_peer.lock(now) {
            return Err(LoginError::PeerLocked(until));
        }
        let peer = attempt.peer.clone();
        let row = store::by_name(&mut tx, attempt.name).await?;
        let counted = self.counted(&mut tx, row.as_ref(), (attempt.name, &peer), now).await?;
        let on_account = store::guesses(&mut tx, counted, now).await?;
        if attempt.method == LoginMethod::Password && on_account.lock(now).is_some() {
            attempt.refusal = Some(LoginRefusal::Locked);
        }
        let same = |then: &AccountRow, row: &AccountRow| then.id == row.id && then.changed == row.changed;
        let granted = match (attempt.refusal, &attempt.row, row) {
            (None, Some(then), Some(row)) if same(then, &row) => Some(Grant::of(&row)),
            (None, _, _) => {
                attempt.refusal = Some(LoginRefusal::Wrong);
                None
            }
            (Some(_), _, _) => None,
        };
        let result = match granted {
            Some(grant) => {
                self.note_success(&mut tx, &attempt, (&grant, counted), now).await?;
                Ok(grant)
            }
            None => {
                let seen = Seen { counted, on_account, on_peer };
                Err(self.note_failure(&mut tx, &attempt, &seen, now).await?)
            }
        };
        tx.commit().await?;
        result
    }

    async fn note_success(
        &self,
        tx: &mut SqliteConnection,
        attempt: &Attempt<'_>,
        (grant, counted): (&Grant, Subject<'_>),
        now: Timestamp,
    ) -> Result<(), DbError> {
        if attempt.method == LoginMethod::Password {
            store::forget_guesses(tx, counted).await?;
        }
        store::note_login(tx, grant.id(), attempt.fingerprint, attempt.rehash.as_deref(), now).await?;
        store::note_address(tx, grant.id(), &attempt.peer, (self.lately(now), now)).await?;
        let event = Event::LoginSucceeded {
            account: grant.name().to_owned(),
            door: attempt.context.door,
            peer: attempt.context.peer.to_string(),
            method: attempt.method,
        };
        audit::append(tx, now, &grant.actor(), &event).await?;
        Ok(())
    }

    async fn note_failure(
        &self,
        tx: &mut SqliteConnection,
        attempt: &Attempt<'_>,
        seen: &Seen<'_>,
        now: Timestamp,
    ) -> Result<LoginError, DbError> {
        let reason = attempt.refusal.unwrap_or(LoginRefusal::Wrong);
        let event = Event::LoginFailed {
            account: attempt.name.to_owned(),
            door: attempt.context.door,
            peer: attempt.context.peer.to_string(),
            method: attempt.method,
            reason,
        };
        audit::append(tx, now, &Actor::System, &event).await?;
        if attempt.method == LoginMethod::Key {
            return Ok(LoginError::Refused);
        }
        let limits = &self.settings.limits;
        let peer_after = seen.on_peer.after_failure(now, limits.peer_failures, limits);
        store::put_guesses(tx, Subject::Peer(&attempt.peer), &peer_after).await?;
        if let Some(until) = peer_after.lock(now) {
            let event = Event::PeerLocked { peer: attempt.peer.clone(), until };
            audit::append(tx, now, &Actor::System, &event).await?;
        }
        if let Some(until) = seen.on_account.lock(now) {
            return Ok(LoginError::Locked(until));
        }
        let after = seen.on_account.after_failure(now, limits.account_failures, limits);
        store::put_guesses(tx, seen.counted, &after).await?;
        store::bound_guesses(tx, now).await?;
        if let Some(until) = after.lock(now) {
            let peer = match seen.counted {
                Subject::Known(_, peer) => Some(peer.to_owned()),
                Subject::Account(_) | Subject::Peer(_) => None,
            };
            let event = Event::AccountLocked { account: attempt.name.to_owned(), peer, until };
            audit::append(tx, now, &Actor::System, &event).await?;
        }
        Ok(LoginError::Refused)
    }
}

/// What was counted when a failure is written down.
struct Seen<'a> {
    /// Whose count it goes to.
    counted: Subject<'a>,
    on_account: Guesses,
    on_peer: Guesses,
}

/// A name as it is looked up and logged: whatever was sent, but not more than a name can be long.
fn short(name: &str) -> &str {
    match name.char_indices().nth(MAX_NAME + 1) {
        Some((end, _)) => name.get(..end).unwrap_or_default(),
        None => name,
    }
}
