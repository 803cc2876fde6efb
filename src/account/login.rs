//! Coming in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use russh::keys::Certificate;
use sqlx::SqliteConnection;

use super::certificate::{self, Seen};
use super::guess::{Guesses, peer_subject};
use super::request::REMEMBER;
use super::settle::Attempt;
use super::store::{self, AccountRow, Subject};
use super::{Accounts, Factors, Grant, MAX_NAME, PasswordError, app_password, key};
use crate::audit::{LoginMethod, LoginRefusal};
use crate::db::DbError;
use crate::model::{AccountId, Door, Secret};

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
    /// Unknown name, wrong password, code or key, or switched off. The audit log knows which.
    #[error("wrong name, password or key")]
    Refused,
    /// All that was shown is right, but the account requires more than fits through this door.
    #[error(
        "this account requires more than a name and a password: make an app password for this device on the dashboard, \
         under 'Your account', and use it instead of the password"
    )]
    Incomplete,
    /// Too many failures on this account; try again at the time given.
    #[error("too many failed logins: try again after {0:.0}, or lift it with 'causeway account unlock NAME'")]
    Locked(Timestamp),
    /// Too many failures from this address; try again at the time given.
    #[error(
        "too many failed logins from this address: try again after {0:.0}, or lift it with \
         'causeway account unlock ADDRESS'"
    )]
    PeerLocked(Timestamp),
    /// Too many failures on this link; try again at the time given.
    #[error("too many wrong passwords for this link: try again after {0:.0}")]
    LinkLocked(Timestamp),
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

/// What somebody shows to be let in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proofs<'a> {
    /// A password.
    pub password: Option<&'a Secret>,
    /// A one-time code. One that the account does not need is not looked at.
    pub code: Option<&'a Secret>,
    /// An SSH key; that its owner signed must have been checked before.
    pub key: Option<ShownKey<'a>>,
}

/// An SSH key that somebody shows.
#[derive(Debug, Clone, Copy)]
pub enum ShownKey<'a> {
    /// One that the account must have, as SSH sends it.
    Plain(&'a [u8]),
    /// One that an authority has certified.
    Certified(&'a Certificate),
}

impl<'a> Proofs<'a> {
    /// A password alone.
    #[must_use]
    pub fn password(password: &'a Secret) -> Self {
        Self { password: Some(password), ..Self::default() }
    }

    pub(super) fn factors(&self) -> Factors {
        Factors { key: self.key.is_some(), password: self.password.is_some(), code: self.code.is_some() }
    }

    /// What the log calls it by.
    pub(super) fn method(&self) -> LoginMethod {
        match self.key {
            Some(ShownKey::Certified(_)) => LoginMethod::Certificate,
            _ => self.factors().methods().next().unwrap_or(LoginMethod::Password),
        }
    }
}

/// How far a login came.
#[derive(Debug)]
pub enum Progress {
    /// To its end.
    In(Grant),
    /// All that was shown is right, and more is required.
    Partly(Passed),
}

/// The proof of a part of a login; the rest may follow in another step.
#[derive(Debug, Clone)]
pub struct Passed {
    account: AccountId,
    changed: Timestamp,
    factors: Factors,
    missing: Factors,
    key: Key,
}

/// The key that was shown, if any.
#[derive(Debug, Clone, Default)]
pub(super) struct Key {
    /// Of one that the account has.
    pub(super) fingerprint: Option<String>,
    /// Of one that is certified.
    pub(super) certificate: Option<Arc<Seen>>,
}

impl Passed {
    /// What has still to be shown.
    #[must_use]
    pub fn missing(&self) -> Factors {
        self.missing
    }

    /// What was shown, as far as it counts.
    pub(super) fn factors(&self) -> Factors {
        self.factors
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn new(row: &AccountRow, factors: Factors, missing: Factors, key: Key) -> Self {
        Self { account: row.id, changed: row.changed, factors, missing, key }
    }

    fn is_of(&self, row: &AccountRow) -> bool {
        self.account == row.id && self.changed == row.changed
    }
}

impl Accounts {
    /// Lets somebody in who shows everything at once. A password takes the time of one argon2id hash, whether the name
    /// exists or not, and longer after failures; one that was right in the last ten minutes, from the same address, takes
    /// none.
    ///
    /// # Errors
    /// [`LoginError`]; the failure is logged, and counted where it can be a guess.
    pub async fn login(&self, name: &str, proofs: Proofs<'_>, context: &LoginContext) -> Result<Grant, LoginError> {
        match self.attempt(name, &proofs, None, false, context).await? {
            Progress::In(grant) => Ok(grant),
            Progress::Partly(_) => Err(LoginError::Incomplete),
        }
    }

    /// One step of a login in which the account's owner may show one thing after the other; `before` is what the step
    /// before gave.
    ///
    /// # Errors
    /// As [`Accounts::login`].
    pub async fn step(
        &self,
        name: &str,
        proofs: Proofs<'_>,
        before: Option<&Passed>,
        context: &LoginContext,
    ) -> Result<Progress, LoginError> {
        self.attempt(name, &proofs, before, true, context).await
    }

    /// Lets somebody in by name and password alone.
    ///
    /// # Errors
    /// As [`Accounts::login`].
    pub async fn login_password(
        &self,
        name: &str,
        password: &Secret,
        context: &LoginContext,
    ) -> Result<Grant, LoginError> {
        self.login(name, Proofs::password(password), context).await
    }

    /// Lets the owner of an SSH key in. `blob` is the key as SSH sends it; that its owner signed must
    /// have been checked before.
    ///
    /// # Errors
    /// [`LoginError`]; logged, but not counted as a guess: clients offer one key after the other.
    pub async fn login_key(&self, name: &str, blob: &[u8], context: &LoginContext) -> Result<Grant, LoginError> {
        self.login(name, Proofs { key: Some(ShownKey::Plain(blob)), ..Proofs::default() }, context).await
    }

    /// What to ask somebody for who may type (RFC 4256): the password and the code, as far as they are missing. Of a
    /// name that cannot come in by them the password is asked for all the same.
    ///
    /// # Errors
    /// What the store says.
    pub async fn to_type(&self, name: &str, before: Option<&Passed>) -> Result<Factors, DbError> {
        let mut conn = self.db.read().acquire().await?;
        let Some(row) = store::by_name(&mut conn, short(name)).await?.filter(|row| !row.disabled) else {
            return Ok(Factors::PASSWORD);
        };
        let second = self.has_second_factor(&mut conn, row.id).await?;
        let shown = before.filter(|before| before.is_of(&row)).map(|before| before.factors).unwrap_or_default();
        let missing = row.required.needed(shown, second).without(shown);
        // A code is asked for beside or behind something that is no guess among a million.
        let code = missing.code && (missing.password || !shown.is_empty());
        Ok(match (Factors { key: false, code, ..missing }) {
            nothing if nothing.is_empty() => Factors::PASSWORD,
            some => some,
        })
    }

    async fn attempt(
        &self,
        name: &str,
        proofs: &Proofs<'_>,
        before: Option<&Passed>,
        in_steps: bool,
        context: &LoginContext,
    ) -> Result<Progress, LoginError> {
        let peer = peer_subject(context.peer.ip());
        let name = short(name);
        let now = self.clock.now();
        let mut conn = self.db.read().acquire().await?;
        let row = store::by_name(&mut conn, name).await?;
        let counted = self.counted(&mut conn, row.as_ref(), (name, &peer), now).await?;
        let on_account = store::guesses(&mut conn, counted, now).await?;
        let on_peer = store::guesses(&mut conn, Subject::Peer(&peer), now).await?;
        if let Some(until) = on_peer.lock(now) {
            return Err(LoginError::PeerLocked(until));
        }
        let before = before.filter(|before| row.as_ref().is_some_and(|row| before.is_of(row)));
        let (key, refusal) = match proofs.key {
            None => (before.map(|before| before.key.clone()).unwrap_or_default(), None),
            Some(ShownKey::Plain(blob)) => {
                let fingerprint = key::fingerprint(blob);
                let refusal = check_key(&mut conn, row.as_ref(), &fingerprint, blob).await?;
                (Key { fingerprint: Some(fingerprint), certificate: None }, refusal)
            }
            Some(ShownKey::Certified(shown)) => {
                let refusal = certificate::check(&mut conn, row.as_ref(), shown, (context, now.as_second())).await?;
                (Key { fingerprint: None, certificate: Some(Arc::new(Seen::of(shown))) }, refusal)
            }
        };
        let mut attempt =
            Attempt { refusal, key, rehash: None, name, peer: peer.clone(), proofs, before, in_steps, context, row };
        drop(conn);
        if proofs.factors().is_guessable() {
            if on_account.lock(now).is_some() {
                attempt.refusal = Some(LoginRefusal::Locked);
            } else {
                self.wait(&on_account, &on_peer, now).await;
            }
        }
        if let (Some(password), None) = (proofs.password, attempt.refusal) {
            let tag = self.hashed.tag(name, password, context);
            let row = attempt.row.as_ref();
            let was_right = self.hashed.find(tag, now).is_some_and(|proof| row.is_some_and(|row| proof.is_of(row)));
            if !was_right {
                (attempt.refusal, attempt.rehash) = self.check_password(row, password).await?;
                let right = row.filter(|_| attempt.refusal.is_none()).map(|row| (row.id, row.changed));
                let settled = self.settle(attempt).await?;
                // Not where it is of no use: that a second try is faster would tell that it was right.
                if let (Some(right), Ok(until)) = (right, now.checked_add(REMEMBER)) {
                    self.hashed.put(tag, right, until);
                }
                return Ok(settled);
            }
        }
        self.settle(attempt).await
    }

    /// Would this key help to come in? For the question that SSH clients ask before they sign; logs and counts
    /// nothing.
    ///
    /// # Errors
    /// What the store says.
    pub async fn knows_key(&self, name: &str, blob: &[u8]) -> Result<bool, DbError> {
        let mut conn = self.db.read().acquire().await?;
        match store::by_name(&mut conn, short(name)).await? {
            Some(row) if !row.disabled && row.required.takes_key() => {
                store::has_key(&mut conn, row.id, &key::fingerprint(blob), blob).await
            }
            _ => Ok(false),
        }
    }

    /// A word that is another one when a login that held may hold no longer: see [`Accounts::is_current`].
    ///
    /// # Errors
    /// What the store says.
    pub async fn logins(&self) -> Result<String, DbError> {
        store::logins(&mut *self.db.read().acquire().await?).await
    }

    /// Is what a grant was given for still so? Doors with long connections ask now and then: false after
    /// the account was removed, switched off, or changed in password, scope or rights, or the certificate it came in
    /// with was revoked, or the app password was removed or has expired.
    ///
    /// # Errors
    /// What the store says.
    pub async fn is_current(&self, grant: &Grant) -> Result<bool, DbError> {
        let mut conn = self.db.read().acquire().await?;
        if let Some(seen) = grant.certificate()
            && !seen.stands(&mut conn).await?
        {
            return Ok(false);
        }
        if let Some(id) = grant.app_password()
            && !app_password::stands(&mut conn, id, self.clock.now()).await?
        {
            return Ok(false);
        }
        let row = store::by_id(&mut conn, grant.id()).await?;
        Ok(row.is_some_and(|row| !row.disabled && row.changed == grant.changed()))
    }

    /// Whose count a failure of `name` from `peer` goes to.
    pub(super) async fn counted<'a>(
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
    pub(super) fn lately(&self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.settings.limits.known).unwrap_or(Timestamp::MIN)
    }

    pub(super) async fn wait(&self, on_account: &Guesses, on_peer: &Guesses, now: Timestamp) {
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
}

/// Why a key does not open the account; none when it does.
async fn check_key(
    conn: &mut SqliteConnection,
    row: Option<&AccountRow>,
    fingerprint: &str,
    blob: &[u8],
) -> Result<Option<LoginRefusal>, DbError> {
    let Some(row) = row else { return Ok(Some(LoginRefusal::Unknown)) };
    Ok(match store::has_key(conn, row.id, fingerprint, blob).await? {
        false => Some(LoginRefusal::Wrong),
        true => row.disabled.then_some(LoginRefusal::Disabled),
    })
}

/// A name as it is looked up and logged: whatever was sent, but not more than a name can be long.
pub(super) fn short(name: &str) -> &str {
    match name.char_indices().nth(MAX_NAME + 1) {
        Some((end, _)) => name.get(..end).unwrap_or_default(),
        None => name,
    }
}
