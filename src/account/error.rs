//! Why an account, or who may open it, was not changed.

use super::{AccountNameError, AppPasswordError, KeyError, PasswordError, random};
use crate::db::{DbError, VaultError};

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name.
    #[error(transparent)]
    Name(#[from] AccountNameError),
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The SSH key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The name is taken.
    #[error("there is an account '{0}' already")]
    Exists(String),
    /// The account has that key.
    #[error("the account has this key already")]
    KeyExists,
    /// No such account.
    #[error("there is no account '{0}'")]
    Missing(String),
    /// No such key.
    #[error("the account has no key {0}")]
    KeyMissing(String),
    /// Nobody could administer Causeway any more.
    #[error("this is the last admin who can log in: make another one first")]
    LastAdmin,
    /// The authority is known.
    #[error("certificates that this key signed are accepted already")]
    AuthorityExists,
    /// No such authority.
    #[error("there is no certificate authority {0}")]
    AuthorityMissing(String),
    /// It would have a second one.
    #[error("'{0}' has a second factor already: remove it first")]
    SecondFactorOn(String),
    /// There is nothing to confirm, to remove or to require.
    #[error("'{0}' has no second factor")]
    SecondFactorOff(String),
    /// The second factor cannot go while it is required.
    #[error("every login of '{0}' must show a code: require something else first")]
    CodeRequired(String),
    /// The first code of a new second factor.
    #[error("the code is not right: type the one that the app shows now, and see that its clock is right")]
    WrongCode,
    /// The app password.
    #[error(transparent)]
    AppPassword(#[from] AppPasswordError),
    /// A secret could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A home folder that Causeway keeps for itself.
    #[error("the home folder must not be inside a folder whose name begins with '.causeway-'")]
    Home,
    /// The random generator failed.
    #[error(transparent)]
    Random(#[from] random::NoRandom),
    /// The store.
    #[error(transparent)]
    Store(#[from] DbError),
}

impl From<sqlx::Error> for AccountError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
