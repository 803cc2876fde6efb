//! Who may come in, and what they may see.
//!
//! A login that passed is a [`Grant`]; nothing else makes one, and only a grant opens a
//! [`View`](crate::tree::View) for somebody. Passwords are argon2id, SSH keys are compared by their
//! bytes, a [second factor](Accounts::begin_second_factor) stands beside the password, an account may
//! [require](Required) several of these, and every login and every change writes its audit event in the same transaction.
//!
//! A device or program may have an [app password](AppPassword) of its own, for WebDAV and `/files/` alone.
//! A key may also come with a certificate of an [authority](Accounts::add_authority) that is believed here.
//!
//! Guessing is slowed down, then locked out, per account and per address; see [`Limits`]. A name that
//! does not exist costs a guesser the same time and gets the same answers as one that does.

mod accounts;
mod app_password;
mod certificate;
mod error;
mod factors;
mod grant;
mod guess;
mod key;
mod lent;
mod login;
pub mod mask;
mod name;
mod password;
mod random;
mod request;
mod second;
mod session;
mod settle;
mod standing;
mod store;

pub use accounts::{Account, Accounts, Change, NewAccount, Settings};
pub use app_password::{AppPassword, AppPasswordError, MAX_LABEL, NewAppPassword};
pub use certificate::{Authority, Revocation};
pub use error::AccountError;
pub use factors::{Factors, Required, RequiredError};
pub use grant::Grant;
pub use guess::Limits;
pub use key::{KeyError, PublicKey, StoredKey};
pub use login::{LoginContext, LoginError, Passed, Progress, Proofs, ShownKey};
pub use name::{AccountNameError, MAX_NAME, check_name};
pub use password::{HashCost, MAX_PASSWORD, MIN_PASSWORD, PasswordError};
pub use random::{NoRandom, hashed, readable_password, token};
pub use second::SharedSecret;
pub use session::{ABSOLUTE_HOURS, IDLE_HOURS, Session, SessionInfo, Sessions};

#[cfg(test)]
mod tests;
