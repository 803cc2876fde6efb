//! App passwords: one for each device or program, instead of the account's own password and its code.
//!
//! One secret, shown in either of two ways: as the password beside the account's name, or alone as a bearer token
//! (RFC 6750). It opens WebDAV and `/files/`, never the dashboard nor SFTP, and it may be narrower than the account: a
//! folder, reading only, an end. It is made here, shown once, and stored as a hash.

mod login;
mod secret;
mod store;

use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;

use super::store::by_name;
use super::{AccountError, Accounts};
use crate::audit::{self, Actor, Event};
use crate::db::DbError;
use crate::model::{Access, AccountId, RelPath, Secret};

pub(super) use secret::is_one;

/// App passwords that one account may have.
pub const MAX_APP_PASSWORDS: usize = 64;
/// Most characters of a label.
pub const MAX_LABEL: usize = 64;

/// An app password, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPassword {
    /// The device or program that has it.
    pub label: String,
    /// The folder that it is for, below the account's home.
    pub folder: RelPath,
    /// What may be done there, if the account may, too.
    pub access: Access,
    /// When it was made.
    pub made: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// The address from which it was used then.
    pub last_peer: Option<String>,
}

impl AppPassword {
    /// Has it ended?
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// What a new app password is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAppPassword {
    /// The device or program that gets it.
    pub label: String,
    /// The folder that it is for, below the account's home; the root is all of it.
    pub folder: RelPath,
    /// What may be done there. It never allows what the account may not.
    pub access: Access,
    /// How long it holds; none = until it is removed.
    pub lasts: Option<SignedDuration>,
}

/// Why an app password was not made or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppPasswordError {
    /// The label.
    #[error("name the device or program in 1 to {MAX_LABEL} characters, without line breaks")]
    Label,
    /// The account has one of that label.
    #[error("there is an app password '{0}' already: choose another name, or remove it first")]
    Exists(String),
    /// The account has none of that label.
    #[error("there is no app password '{0}'")]
    Missing(String),
    /// The account has as many as it may have.
    #[error("an account has at most {MAX_APP_PASSWORDS} app passwords: remove those that are not used any more")]
    Full,
    /// The folder is Causeway's own.
    #[error("the folder must not be inside a folder whose name begins with '.causeway-'")]
    Folder,
}

fn check(new: &NewAppPassword) -> Result<(), AppPasswordError> {
    let label = &new.label;
    if label.trim().is_empty() || label.chars().count() > MAX_LABEL || label.contains(char::is_control) {
        Err(AppPasswordError::Label)
    } else if new.folder.is_reserved() {
        Err(AppPasswordError::Folder)
    } else {
        Ok(())
    }
}

impl Accounts {
    /// Makes an app password. It is returned this once and known to nobody after that. Sessions and connections go on.
    ///
    /// # Errors
    /// [`AccountError::AppPassword`], and the others.
    pub async fn add_app_password(
        &self,
        actor: &Actor,
        name: &str,
        new: &NewAppPassword,
    ) -> Result<Secret, AccountError> {
        check(new)?;
        let made = secret::make()?;
        let now = self.clock.now();
        let expires = new.lasts.map(|lasts| now.saturating_add(lasts).unwrap_or(Timestamp::MAX));
        let mut tx = self.db.write().await?;
        let row = by_name(&mut tx, name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))?;
        if store::of(&mut tx, row.id).await?.len() >= MAX_APP_PASSWORDS {
            return Err(AppPasswordError::Full.into());
        }
        let NewAppPassword { label, folder, access, .. } = new.clone();
        let about = AppPassword { label, folder, access, made: now, expires, last_used: None, last_peer: None };
        store::insert(&mut tx, row.id, &secret::hash(&made), &about).await.map_err(|error| match error {
            DbError::Exists(_) => AppPasswordError::Exists(new.label.clone()).into(),
            other => AccountError::from(other),
        })?;
        let AppPassword { label, folder, access, .. } = about;
        let event = Event::AppPasswordMade { account: row.name, label, folder, access, expires };
        audit::append(&mut tx, now, actor, &event).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Removes an app password: the next request with it is refused. Sessions, connections and other app passwords of
    /// the account go on.
    ///
    /// # Errors
    /// [`AppPasswordError::Missing`], and the others.
    pub async fn remove_app_password(&self, actor: &Actor, name: &str, label: &str) -> Result<(), AccountError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let row = by_name(&mut tx, name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))?;
        if !store::remove(&mut tx, row.id, label, now).await? {
            return Err(AppPasswordError::Missing(label.to_owned()).into());
        }
        let event = Event::AppPasswordRemoved { account: row.name, label: label.to_owned() };
        audit::append(&mut tx, now, actor, &event).await?;
        self.commit(tx).await?;
        Ok(())
    }
}

/// Those of an account.
pub(super) async fn of(conn: &mut SqliteConnection, account: AccountId) -> Result<Vec<AppPassword>, DbError> {
    store::of(conn, account).await
}

/// Does it still hold?
pub(super) async fn stands(conn: &mut SqliteConnection, id: i64, now: Timestamp) -> Result<bool, DbError> {
    Ok(store::by_id(conn, id).await?.is_some_and(|row| !row.about.is_over(now)))
}
