//! Making, changing and removing accounts.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::guess::{Limits, peer_subject};
use super::password::{self, Hasher};
use super::request::Remembered;
use super::standing::Standing;
use super::store::{self, AccountRow, Subject};
use super::{
    AccountError, AppPassword, HashCost, PasswordError, PublicKey, Required, StoredKey, app_password, check_name,
    readable_password,
};
use crate::audit::{self, Actor, Event};
use crate::db::{Db, DbError, Vault};
use crate::model::{Access, AccountId, Clock, Quota, RelPath, Scope, Secret};

/// How dear hashing is and how much guessing is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The cost of a password hash.
    pub hash: HashCost,
    /// Slow-down and lock-out.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hash: HashCost::DEFAULT, limits: Limits::DEFAULT }
    }
}

/// The accounts of one store. Clones share it.
#[derive(Debug, Clone)]
pub struct Accounts {
    pub(super) db: Db,
    pub(super) vault: Arc<Vault>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hasher: Hasher,
    pub(super) settings: Settings,
    /// Logins by name and password alone that passed.
    pub(super) remembered: Arc<Remembered>,
    /// Passwords of accounts that were right, whatever else is required.
    pub(super) hashed: Arc<Remembered>,
    pub(super) standing: Arc<Standing>,
}

/// An account, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The row.
    pub id: AccountId,
    /// What it is called.
    pub name: String,
    /// Its folder and what may be done in it.
    pub scope: Scope,
    /// May it administer Causeway?
    pub admin: bool,
    /// Switched off: nobody comes in by it.
    pub disabled: bool,
    /// Has it a password (else keys only)?
    pub has_password: bool,
    /// Has it a second factor?
    pub second_factor: bool,
    /// What a login must show.
    pub required: Required,
    /// Its SSH keys.
    pub keys: Vec<StoredKey>,
    /// Its app passwords, also those that have expired.
    pub app_passwords: Vec<AppPassword>,
    /// When it was made.
    pub created: Timestamp,
    /// When somebody last came in by it.
    pub last_login: Option<Timestamp>,
    /// Locked out after failures until then.
    pub locked_until: Option<Timestamp>,
}

/// What a new account is to be.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// See [`check_name`].
    pub name: String,
    /// None = SSH keys only.
    pub password: Option<Secret>,
    /// Its folder and what may be done in it.
    pub scope: Scope,
    /// May it administer Causeway?
    pub admin: bool,
}

/// What to change; none = stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// A new password.
    pub password: Option<Secret>,
    /// Another folder.
    pub home: Option<RelPath>,
    /// Other rights in it.
    pub access: Option<Access>,
    /// How much may be in it.
    pub quota: Option<Quota>,
    /// Give or take administration.
    pub admin: Option<bool>,
    /// Switch off or on.
    pub disabled: Option<bool>,
    /// What a login must show.
    pub required: Option<Required>,
}

impl Accounts {
    /// The accounts in `db`, with the usual [`Settings`]; `vault` seals the secrets of second factors.
    #[must_use]
    pub fn new(db: Db, vault: Arc<Vault>, clock: Arc<dyn Clock>) -> Self {
        Self::with(db, vault, clock, Settings::default())
    }

    /// The accounts in `db`, with other settings.
    #[must_use]
    pub fn with(db: Db, vault: Arc<Vault>, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let hasher = Hasher::new(settings.hash);
        Self {
            db,
            vault,
            clock,
            hasher,
            settings,
            remembered: Arc::default(),
            hashed: Arc::default(),
            standing: Arc::default(),
        }
    }

    /// Does once what the first login would have to wait for. Call it at start.
    ///
    /// # Errors
    /// When nothing can be hashed, as on a machine without memory.
    pub async fn warm_up(&self) -> Result<(), PasswordError> {
        self.hasher.warm_up().await
    }

    /// Makes an account `admin` with a random password, if nobody may administer Causeway. The password is
    /// returned this once and known to nobody after that. Where `admin` is taken by somebody who may not,
    /// it is called `admin-2` and so on.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn ensure_first_admin(&self) -> Result<Option<(String, Secret)>, AccountError> {
        if store::admins(&mut *self.db.read().acquire().await?).await? > 0 {
            return Ok(None);
        }
        let password = readable_password()?;
        let hash = self.hasher.hash(&password).await?;
        let mut tx = self.db.write().await?;
        if store::admins(&mut tx).await? > 0 {
            return Ok(None);
        }
        let mut name = "admin".to_owned();
        for number in 2_u32.. {
            if store::by_name(&mut tx, &name).await?.is_none() {
                break;
            }
            name = format!("admin-{number}");
        }
        let new = NewAccount { name, password: None, scope: Scope::whole(), admin: true };
        self.insert(&mut tx, &Actor::System, &new, Some(hash)).await?;
        tx.commit().await?;
        Ok(Some((new.name, password)))
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn create(&self, actor: &Actor, new: &NewAccount) -> Result<AccountId, AccountError> {
        check_name(&new.name)?;
        check_home(&new.scope.home)?;
        let hash = match &new.password {
            None => None,
            Some(password) => {
                password::check(password)?;
                Some(self.hasher.hash(password).await?)
            }
        };
        let mut tx = self.db.write().await?;
        let id = self.insert(&mut tx, actor, new, hash).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn insert(
        &self,
        tx: &mut SqliteConnection,
        actor: &Actor,
        new: &NewAccount,
        hash: Option<String>,
    ) -> Result<AccountId, AccountError> {
        let now = self.clock.now();
        let row = AccountRow {
            id: AccountId(0),
            name: new.name.clone(),
            password: hash,
            scope: new.scope.clone(),
            admin: new.admin,
            disabled: false,
            required: Required::default(),
            created: now,
            changed: now,
            last_login: None,
        };
        let id = store::insert(tx, &row).await.map_err(|error| match error {
            DbError::Exists(_) => AccountError::Exists(new.name.clone()),
            other => other.into(),
        })?;
        let event = Event::AccountCreated {
            account: row.name,
            home: row.scope.home,
            access: row.scope.access,
            admin: row.admin,
        };
        audit::append(tx, now, actor, &event).await?;
        Ok(id)
    }

    /// Changes an account. A new password, switching off and a change of rights end its sessions.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn change(&self, actor: &Actor, name: &str, change: &Change) -> Result<(), AccountError> {
        if let Some(home) = &change.home {
            check_home(home)?;
        }
        let hash = match &change.password {
            None => None,
            Some(password) => {
                password::check(password)?;
                Some(self.hasher.hash(password).await?)
            }
        };
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let mut row = store::by_name(&mut tx, name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))?;
        let was_admin = administers(&row);
        let changed = apply(&mut row, change);
        if was_admin && !administers(&row) && store::other_admins(&mut tx, row.id).await? == 0 {
            return Err(AccountError::LastAdmin);
        }
        if changed.is_empty() && hash.is_none() {
            return Ok(());
        }
        if row.required.code() && !self.has_second_factor(&mut tx, row.id).await? {
            return Err(AccountError::SecondFactorOff(row.name));
        }
        let new_password = hash.is_some();
        row.password = hash.or(row.password);
        row.changed = after(row.changed, now);
        store::update(&mut tx, &row).await?;
        if new_password || changed.iter().any(|what| matches!(what.as_str(), "admin" | "disabled" | "required")) {
            store::remove_sessions(&mut tx, row.id).await?;
        }
        if new_password {
            audit::append(&mut tx, now, actor, &Event::PasswordChanged { account: name.to_owned() }).await?;
        }
        if !changed.is_empty() {
            audit::append(&mut tx, now, actor, &Event::AccountChanged { account: name.to_owned(), changed }).await?;
        }
        self.commit(tx).await?;
        Ok(())
    }

    /// Sets a new password.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_password(&self, actor: &Actor, name: &str, password: &Secret) -> Result<(), AccountError> {
        self.change(actor, name, &Change { password: Some(password.clone()), ..Change::default() }).await
    }

    /// Sets folder, rights and quota.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_scope(&self, actor: &Actor, name: &str, scope: &Scope) -> Result<(), AccountError> {
        let Scope { home, access, quota } = scope.clone();
        let change = Change { home: Some(home), access: Some(access), quota: Some(quota), ..Change::default() };
        self.change(actor, name, &change).await
    }

    /// Removes an account with its keys and sessions. Its files stay.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn remove(&self, actor: &Actor, name: &str) -> Result<(), AccountError> {
        let mut tx = self.db.write().await?;
        let row = store::by_name(&mut tx, name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))?;
        if administers(&row) && store::other_admins(&mut tx, row.id).await? == 0 {
            return Err(AccountError::LastAdmin);
        }
        store::delete(&mut tx, row.id).await?;
        audit::append(&mut tx, self.clock.now(), actor, &Event::AccountRemoved { account: row.name }).await?;
        self.commit(tx).await?;
        Ok(())
    }

    /// Adds an SSH key from one line as `ssh-keygen` writes it. Returns its fingerprint.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn add_key(&self, actor: &Actor, name: &str, line: &str) -> Result<String, AccountError> {
        let key = PublicKey::parse(line)?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let row = store::by_name(&mut tx, name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))?;
        store::add_key(&mut tx, row.id, &key, now).await.map_err(|error| match error {
            DbError::Exists(_) => AccountError::KeyExists,
            other => other.into(),
        })?;
        let event = Event::KeyAdded { account: row.name, fingerprint: key.fingerprint.clone() };
        audit::append(&mut tx, now, actor, &event).await?;
        tx.commit().await?;
        Ok(key.fingerprint)
    }

    /// Removes an SSH key by its fingerprint, and ends the account's connections.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn remove_key(&self, actor: &Actor, name: &str, fingerprint: &str) -> Result<(), AccountError> {
        let mut tx = self.db.write().await?;
        let mut row = store::by_name(&mut tx, name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))?;
        if !store::remove_key(&mut tx, row.id, fingerprint).await? {
            return Err(AccountError::KeyMissing(fingerprint.to_owned()));
        }
        // Whoever came in with it must go: the key may be on a laptop that was stolen.
        let now = self.clock.now();
        row.changed = after(row.changed, now);
        store::update(&mut tx, &row).await?;
        let event = Event::KeyRemoved { account: row.name, fingerprint: fingerprint.to_owned() };
        audit::append(&mut tx, now, actor, &event).await?;
        self.commit(tx).await?;
        Ok(())
    }

    /// Lifts the lock-out of an account name, from wherever.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn unlock(&self, actor: &Actor, name: &str) -> Result<(), AccountError> {
        let mut tx = self.db.write().await?;
        if store::forget_account(&mut tx, name).await? {
            let event = Event::Unlocked { subject: name.to_owned() };
            audit::append(&mut tx, self.clock.now(), actor, &event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Lifts the lock-out of an address.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn unlock_peer(&self, actor: &Actor, peer: std::net::IpAddr) -> Result<(), AccountError> {
        let subject = peer_subject(peer);
        let mut tx = self.db.write().await?;
        if store::forget_guesses(&mut tx, Subject::Peer(&subject)).await? {
            let event = Event::Unlocked { subject };
            audit::append(&mut tx, self.clock.now(), actor, &event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<Account>, DbError> {
        let mut conn = self.db.read().acquire().await?;
        let rows = store::all(&mut conn).await?;
        let mut accounts = Vec::with_capacity(rows.len());
        for row in rows {
            accounts.push(self.shown(&mut conn, row).await?);
        }
        Ok(accounts)
    }

    /// Did anybody ever come in?
    ///
    /// # Errors
    /// What the store says.
    pub async fn was_used(&self) -> Result<bool, DbError> {
        store::was_used(&mut *self.db.read().acquire().await?).await
    }

    /// The name of an account as it is written, from one that was typed in other cases.
    ///
    /// # Errors
    /// What the store says.
    pub async fn spelling(&self, typed: &str) -> Result<Option<String>, DbError> {
        store::spelling(&mut *self.db.read().acquire().await?, typed).await
    }

    /// One account, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn get(&self, name: &str) -> Result<Option<Account>, DbError> {
        let mut conn = self.db.read().acquire().await?;
        match store::by_name(&mut conn, name).await? {
            None => Ok(None),
            Some(row) => Ok(Some(self.shown(&mut conn, row).await?)),
        }
    }

    async fn shown(&self, conn: &mut SqliteConnection, row: AccountRow) -> Result<Account, DbError> {
        let now = self.clock.now();
        let locked_until = store::locked_until(conn, &row.name).await?;
        Ok(Account {
            keys: store::keys(conn, row.id).await?,
            app_passwords: app_password::of(conn, row.id).await?,
            second_factor: self.has_second_factor(conn, row.id).await?,
            required: row.required,
            id: row.id,
            name: row.name,
            scope: row.scope,
            admin: row.admin,
            disabled: row.disabled,
            has_password: row.password.is_some(),
            created: row.created,
            last_login: row.last_login,
            locked_until: locked_until.filter(|until| *until > now),
        })
    }
}

/// Can its owner sign in and administer?
fn administers(row: &AccountRow) -> bool {
    row.admin && !row.disabled && row.password.is_some() && row.required.spares_key()
}

fn check_home(home: &RelPath) -> Result<(), AccountError> {
    if home.is_reserved() { Err(AccountError::Home) } else { Ok(()) }
}

/// Sets what differs and names it.
fn apply(row: &mut AccountRow, change: &Change) -> Vec<String> {
    fn set<T: PartialEq + Clone>(slot: &mut T, to: Option<&T>, name: &str, changed: &mut Vec<String>) {
        if let Some(to) = to
            && slot != to
        {
            *slot = to.clone();
            changed.push(name.to_owned());
        }
    }
    let mut changed = Vec::new();
    set(&mut row.scope.home, change.home.as_ref(), "home", &mut changed);
    set(&mut row.scope.access, change.access.as_ref(), "access", &mut changed);
    set(&mut row.scope.quota, change.quota.as_ref(), "quota", &mut changed);
    set(&mut row.admin, change.admin.as_ref(), "admin", &mut changed);
    set(&mut row.disabled, change.disabled.as_ref(), "disabled", &mut changed);
    set(&mut row.required, change.required.as_ref(), "required", &mut changed);
    changed
}

/// The time of a change, always later than the last one: grants are compared by it.
pub(super) fn after(last: Timestamp, now: Timestamp) -> Timestamp {
    let next = Timestamp::from_microsecond(last.as_microsecond().saturating_add(1)).unwrap_or(last);
    now.max(next)
}
