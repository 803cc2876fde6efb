//! Basic authentication sends name and password with every request, and SFTP clients open one connection after the other.
//! Hashing each time would take longer than all the rest, so a password that was right is remembered for a while, as a
//! keyed hash in memory that is worth nothing to anybody else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use jiff::{SignedDuration, Timestamp};

use super::store::AccountRow;
use super::{Accounts, Grant, LoginContext, LoginError, app_password, random, store};
use crate::model::{AccountId, Secret};

/// How long a right password is remembered, counted from the real check. After that the next one is hashed again, and
/// the next request of many is a login again, with an audit entry.
pub(super) const REMEMBER: SignedDuration = SignedDuration::from_mins(10);
/// How many are remembered.
const MOST: usize = 4096;

/// What is remembered, and the key that makes it useless elsewhere.
#[derive(Default)]
pub(super) struct Remembered {
    key: std::sync::OnceLock<Option<Key>>,
    proofs: Mutex<HashMap<[u8; 32], Proof>>,
}

/// That a login passed, or that a password was right: the two are remembered apart, since more than a password may be
/// required.
#[derive(Clone, Copy)]
pub(super) struct Proof {
    account: AccountId,
    changed: Timestamp,
    pub(super) until: Timestamp,
}

impl Proof {
    /// Is the account still the same, and open?
    pub(super) fn is_of(&self, row: &AccountRow) -> bool {
        !row.disabled && (row.id, row.changed) == (self.account, self.changed)
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remembered(***)")
    }
}

impl Remembered {
    /// `None` without random numbers: then nothing is remembered.
    pub(super) fn tag(&self, name: &str, password: &Secret, context: &LoginContext) -> Option<[u8; 32]> {
        let key = self.key.get_or_init(|| random::bytes::<32>().ok().map(|bytes| Key::new(HMAC_SHA256, &bytes)));
        let who = format!("{}\0{}\0{name}\0", context.door, context.peer.ip());
        let mut message = who.into_bytes();
        message.extend_from_slice(password.expose().as_bytes());
        let tag = sign(key.as_ref()?, &message);
        zeroize::Zeroize::zeroize(&mut message);
        tag.as_ref().try_into().ok()
    }

    pub(super) fn find(&self, tag: Option<[u8; 32]>, now: Timestamp) -> Option<Proof> {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.get(&tag?).copied().filter(|proof| proof.until > now)
    }

    /// What is behind `tag` holds until then for an account that was changed last at a time.
    pub(super) fn put(&self, tag: Option<[u8; 32]>, (account, changed): (AccountId, Timestamp), until: Timestamp) {
        let Some(tag) = tag else { return };
        let proof = Proof { account, changed, until };
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if proofs.len() >= MOST {
            let first = proofs.values().map(|proof| proof.until).min();
            proofs.retain(|_, proof| Some(proof.until) != first);
        }
        if proofs.len() < MOST {
            proofs.insert(tag, proof);
        }
    }
}

impl Accounts {
    /// Lets in one request of many with the same name and password from the same address. The first is a
    /// [login](Accounts::login_password); for ten minutes after that the others are not logged one by one, and are let in
    /// without a look at the store until something changes about logins. What has the form of an app password is taken for
    /// one, and not for the password of the account.
    ///
    /// # Errors
    /// As [`Accounts::login_password`].
    pub async fn login_request(
        &self,
        name: &str,
        password: &Secret,
        context: &LoginContext,
    ) -> Result<Grant, LoginError> {
        let now = self.clock.now();
        let tag = self.remembered.tag(name, password, context);
        let mark = self.mark(now).await?;
        if let Some(grant) = self.standing.find(tag, now) {
            return Ok(grant);
        }
        let (grant, until) = if app_password::is_one(password) {
            self.login_app_password(Some(name), password, context).await?
        } else {
            let grant = self.login_remembered(name, password, (tag, context), now).await?;
            (grant, self.remembered.find(tag, now).map_or(now, |proof| proof.until))
        };
        self.standing.put(tag, mark, &grant, (now, until));
        Ok(grant)
    }

    /// Lets in one request with a bearer token: an app password without the account's name (RFC 6750, section 2.1).
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login_bearer(&self, token: &Secret, context: &LoginContext) -> Result<Grant, LoginError> {
        let now = self.clock.now();
        // No name beside a password has a colon (RFC 7617, section 2).
        let tag = self.remembered.tag(":", token, context);
        let mark = self.mark(now).await?;
        if let Some(grant) = self.standing.find(tag, now) {
            return Ok(grant);
        }
        let (grant, until) = self.login_app_password(None, token, context).await?;
        self.standing.put(tag, mark, &grant, (now, until));
        Ok(grant)
    }

    /// By the password of the account, which was perhaps right a moment ago.
    async fn login_remembered(
        &self,
        name: &str,
        password: &Secret,
        (tag, context): (Option<[u8; 32]>, &LoginContext),
        now: Timestamp,
    ) -> Result<Grant, LoginError> {
        if let Some(proof) = self.remembered.find(tag, now) {
            let mut conn = self.db.read().acquire().await?;
            if let Some(row) = store::by_id(&mut conn, proof.account).await?.filter(|row| proof.is_of(row)) {
                return Ok(Grant::of(&row));
            }
        }
        let grant = self.login_password(name, password, context).await?;
        // It may have been hashed a while ago, for another login.
        if let Some(hashed) = self.hashed.find(self.hashed.tag(name, password, context), now) {
            self.remembered.put(tag, (grant.id(), grant.changed()), hashed.until);
        }
        Ok(grant)
    }
}
