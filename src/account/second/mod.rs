//! The second factor: a code from an authenticator app beside the password.
//!
//! The secret that the app and we share is made here, shown once, and sealed in the store. It holds only after a first
//! right code, so that nobody is locked out by an app that did not take it.

mod store;
mod totp;

use sqlx::SqliteConnection;

use self::totp::Shared;
use super::accounts::after;
use super::store::{AccountRow, by_name, remove_sessions, update};
use super::{AccountError, Accounts};
use crate::audit::{self, Actor, Event};
use crate::db::DbError;
use crate::model::{AccountId, Secret};

/// What the owner of a new second factor gives the app; shown once.
#[derive(Debug, Clone)]
pub struct SharedSecret {
    /// To type, in base32.
    pub base32: Secret,
    /// The same as an `otpauth://` address, for apps that take a link.
    pub uri: Secret,
}

/// Where the secret of an account may be opened.
fn context(id: AccountId) -> String {
    format!("second_factors/{}/secret", id.0)
}

impl Accounts {
    /// Makes the secret of a second factor. The factor does not hold before [`Accounts::confirm_second_factor`]; a
    /// secret that was made before and not confirmed is worth nothing any more.
    ///
    /// # Errors
    /// [`AccountError::SecondFactorOn`] when there is one already, and the others.
    pub async fn begin_second_factor(&self, name: &str) -> Result<SharedSecret, AccountError> {
        let shared = Shared::random()?;
        let mut tx = self.db.write().await?;
        let row = known(&mut tx, name).await?;
        if store::get(&mut tx, row.id).await?.is_some_and(|factor| factor.confirmed) {
            return Err(AccountError::SecondFactorOn(row.name));
        }
        let base32 = shared.base32();
        store::begin(&mut tx, row.id, self.vault.seal(&context(row.id), &base32)?).await?;
        tx.commit().await?;
        Ok(SharedSecret { base32, uri: shared.uri(&row.name) })
    }

    /// Lets the second factor hold from now on, when `code` is right. This ends the account's sessions and connections,
    /// which began without it.
    ///
    /// # Errors
    /// [`AccountError::WrongCode`], and the others.
    pub async fn confirm_second_factor(&self, actor: &Actor, name: &str, code: &Secret) -> Result<(), AccountError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let mut row = known(&mut tx, name).await?;
        match store::get(&mut tx, row.id).await? {
            None => return Err(AccountError::SecondFactorOff(row.name)),
            Some(factor) if factor.confirmed => return Err(AccountError::SecondFactorOn(row.name)),
            Some(factor) => {
                let step = self.open(row.id, &factor)?.step_of(code, now, factor.last_step);
                store::use_step(&mut tx, row.id, step.ok_or(AccountError::WrongCode)?).await?;
            }
        }
        remove_sessions(&mut tx, row.id).await?;
        row.changed = after(row.changed, now);
        update(&mut tx, &row).await?;
        audit::append(&mut tx, now, actor, &Event::SecondFactorAdded { account: row.name }).await?;
        self.commit(tx).await?;
        Ok(())
    }

    /// Takes the second factor away: the password alone opens the account again.
    ///
    /// # Errors
    /// [`AccountError::CodeRequired`] while the account requires a code of every login, and the others.
    pub async fn remove_second_factor(&self, actor: &Actor, name: &str) -> Result<(), AccountError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let mut row = known(&mut tx, name).await?;
        if row.required.code() {
            return Err(AccountError::CodeRequired(row.name));
        }
        if !store::remove(&mut tx, row.id).await? {
            return Err(AccountError::SecondFactorOff(row.name));
        }
        row.changed = after(row.changed, now);
        update(&mut tx, &row).await?;
        audit::append(&mut tx, now, actor, &Event::SecondFactorRemoved { account: row.name }).await?;
        self.commit(tx).await?;
        Ok(())
    }

    /// Has the account a second factor that holds?
    pub(super) async fn has_second_factor(&self, conn: &mut SqliteConnection, id: AccountId) -> Result<bool, DbError> {
        Ok(store::get(conn, id).await?.is_some_and(|factor| factor.confirmed))
    }

    /// Is it the account's code now? Then it is used up; `conn` must be that of a write transaction.
    pub(super) async fn use_code(
        &self,
        conn: &mut SqliteConnection,
        id: AccountId,
        code: &Secret,
    ) -> Result<bool, DbError> {
        let Some(factor) = store::get(conn, id).await?.filter(|factor| factor.confirmed) else { return Ok(false) };
        let Some(step) = self.open(id, &factor)?.step_of(code, self.clock.now(), factor.last_step) else {
            return Ok(false);
        };
        store::use_step(conn, id, step).await?;
        Ok(true)
    }

    fn open(&self, id: AccountId, factor: &store::Row) -> Result<Shared, DbError> {
        let base32 =
            self.vault.open(&context(id), &factor.secret).map_err(|error| DbError::Value(error.to_string()))?;
        Shared::read(&base32).ok_or_else(|| DbError::Value("the secret of a second factor".to_owned()))
    }
}

/// The code that an app shows then.
#[cfg(test)]
pub(super) fn code_at(base32: &Secret, at: jiff::Timestamp) -> Secret {
    Secret::new(Shared::read(base32).unwrap().code(at.as_second() / totp::PERIOD))
}

async fn known(conn: &mut SqliteConnection, name: &str) -> Result<AccountRow, AccountError> {
    by_name(conn, name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))
}
