//! Why a link was not made, or opens nothing.

use std::io;

use super::{MAX_SHARES, Standing};
use crate::account::{LoginError, NoRandom, PasswordError};
use crate::db::DbError;

/// Why a link was not made, or does not open.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// It never was, or is forgotten.
    #[error("there is no such link")]
    Missing,
    /// It opens nothing any more.
    #[error("{}", over(*.0))]
    Over(Standing),
    /// The browser has not given the password yet.
    #[error("the link asks for a password")]
    Closed,
    /// What it leads to cannot be shared so.
    #[error("{0}")]
    Place(&'static str),
    /// There are enough.
    #[error("an account has at most {MAX_SHARES} links at once: end those that are not needed any more")]
    Full,
    /// Only for reading.
    #[error("your account may not write there, so nobody else can by a link of yours")]
    ReadOnly,
    /// The password for it.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The password that was shown.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The random generator failed.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// The file system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] DbError),
}

impl From<sqlx::Error> for ShareError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

const fn over(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "the link is open",
        Standing::UsedUp => "the link was used as often as it may be: ask whoever gave it to you for another",
        Standing::Expired => "the time of the link is over: ask whoever gave it to you for another",
        Standing::Ended => "the link was ended by whoever gave it to you",
    }
}
