//! OpenSSH user certificates (PROTOCOL.certkeys): a key that an authority has signed opens the accounts that the
//! certificate names, while it is valid, without being stored here.

mod check;
mod store;

use jiff::Timestamp;
use russh::keys::Certificate;
use sqlx::SqliteConnection;

use super::{AccountError, Accounts, PublicKey};
use crate::audit::{self, Actor, CertificateShown, Event};
use crate::db::DbError;

pub(super) use check::check;

/// Somebody whose signature under a certificate is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// What stood behind the key.
    pub comment: String,
    /// When it was added.
    pub added: Timestamp,
}

/// Which certificates of an authority are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// The one with this serial number, which is not 0: that is what stands in certificates without a number.
    Serial(std::num::NonZeroU64),
    /// All with this key id.
    KeyId(String),
}

impl Revocation {
    fn columns(&self) -> (&'static str, String) {
        match self {
            Self::Serial(serial) => ("serial", serial.to_string()),
            Self::KeyId(id) => ("key-id", id.clone()),
        }
    }
}

impl std::fmt::Display for Revocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial {serial}"),
            Self::KeyId(id) => write!(f, "key id {id}"),
        }
    }
}

/// What is remembered of a certificate that somebody showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    authority: String,
    key_id: String,
    serial: u64,
    /// It allows nothing but the SFTP subsystem.
    pub(super) sftp_only: bool,
}

impl Seen {
    pub(super) fn of(certificate: &Certificate) -> Self {
        Self {
            authority: check::authority(certificate).1,
            key_id: certificate.key_id().chars().filter(|c| !c.is_control()).take(200).collect(),
            serial: certificate.serial(),
            sftp_only: certificate.critical_options().contains_key(check::FORCE_COMMAND),
        }
    }

    /// For the log.
    pub(super) fn shown(&self) -> CertificateShown {
        CertificateShown {
            key_id: self.key_id.clone(),
            serial: self.serial.to_string(),
            authority: self.authority.clone(),
        }
    }

    /// Is its authority still believed, and is it not revoked?
    pub(super) async fn stands(&self, conn: &mut SqliteConnection) -> Result<bool, DbError> {
        Ok(store::knows(conn, &self.authority, None).await? && !store::is_revoked(conn, self).await?)
    }
}

impl Accounts {
    /// Believes an authority from now on, by one line as `ssh-keygen` writes it. Returns its fingerprint.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn add_authority(&self, actor: &Actor, line: &str) -> Result<String, AccountError> {
        let key = PublicKey::parse(line)?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        store::add(&mut tx, &key, now).await.map_err(|error| match error {
            DbError::Exists(_) => AccountError::AuthorityExists,
            other => other.into(),
        })?;
        let event = Event::AuthorityAdded { fingerprint: key.fingerprint.clone(), name: key.comment };
        audit::append(&mut tx, now, actor, &event).await?;
        tx.commit().await?;
        Ok(key.fingerprint)
    }

    /// Believes an authority no more. Connections that began with its certificates end.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn remove_authority(&self, actor: &Actor, fingerprint: &str) -> Result<(), AccountError> {
        let mut tx = self.db.write().await?;
        if !store::remove(&mut tx, fingerprint).await? {
            return Err(AccountError::AuthorityMissing(fingerprint.to_owned()));
        }
        let event = Event::AuthorityRemoved { fingerprint: fingerprint.to_owned() };
        audit::append(&mut tx, self.clock.now(), actor, &event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Revokes certificates of an authority. Connections that began with them end.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn revoke(&self, actor: &Actor, authority: &str, which: &Revocation) -> Result<(), AccountError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        if !store::knows(&mut tx, authority, None).await? {
            return Err(AccountError::AuthorityMissing(authority.to_owned()));
        }
        if store::revoke(&mut tx, authority, which, now).await? {
            let event = Event::CertificateRevoked { authority: authority.to_owned(), subject: which.to_string() };
            audit::append(&mut tx, now, actor, &event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The authorities, the first added first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn authorities(&self) -> Result<Vec<Authority>, DbError> {
        store::all(&mut *self.db.read().acquire().await?).await
    }

    /// Could any key at all be certified?
    ///
    /// # Errors
    /// What the store says.
    pub async fn takes_certificates(&self) -> Result<bool, DbError> {
        store::any(&mut *self.db.read().acquire().await?).await
    }
}
