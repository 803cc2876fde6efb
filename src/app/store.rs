//! The data folder: database, key, and what stands directly on them. The server and the command line
//! open it the same way, and may have it open at the same time.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::account::Accounts;
use crate::audit::{Actor, AuditLog};
use crate::config::Config;
use crate::db::{Db, DbError, Vault, VaultError};
use crate::model::{Clock, SystemClock};
use crate::tree::file;

const KEY_FILE: &str = "causeway.key";
const DATABASE: &str = "causeway.db";
const KEY_LENGTH: usize = 32;

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder.
    #[error("the data folder {path} cannot be used: {source}; {then}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What to do.
        then: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The key file.
    #[error("the key file {path} cannot be used: {why}; put the file back from the backup of the data folder")]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A database without its key.
    #[error(
        "{path} is missing, but there is a job store: without the key its stored passwords cannot be read; \
         put the key file back from the backup of the data folder"
    )]
    KeyGone {
        /// Where it should be.
        path: PathBuf,
    },
    /// A command that only reads, and nothing to read.
    #[error("there is no store in {path}: name its folder with 'data' in the configuration, or with CAUSEWAY_DATA")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The database.
    #[error("{path}: {source}")]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        source: DbError,
    },
}

/// The open data folder.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where it is.
    pub folder: PathBuf,
    /// The database.
    pub db: Db,
    /// Seals stored passwords.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The operation log.
    pub audit: AuditLog,
    /// Who may come in.
    pub accounts: Accounts,
}

impl Store {
    /// Opens the folder, and makes it (mode 0700), its key (mode 0600) and its database when they are
    /// missing.
    ///
    /// # Errors
    /// [`StoreError`], each with what to do.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        Self::open_at(&config.data).await
    }

    /// As [`Store::open_at`], but a store that is not there is an error, and nothing is made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_existing(folder: &Path) -> Result<Self, StoreError> {
        if !folder.join(DATABASE).exists() {
            return Err(StoreError::Missing { path: folder.to_path_buf() });
        }
        Self::open_at(folder).await
    }

    /// As [`Store::open`], for a folder.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_at(folder: &Path) -> Result<Self, StoreError> {
        private_folder(folder)?;
        let path = folder.join(DATABASE);
        let vault = Arc::new(key(folder, path.exists())?);
        let db = Db::open(&path).await.map_err(|source| StoreError::Database { path, source })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(Self {
            folder: folder.to_path_buf(),
            audit: AuditLog::new(db.clone(), Arc::clone(&clock)),
            accounts: Accounts::new(db.clone(), Arc::clone(&vault), Arc::clone(&clock)),
            db,
            vault,
            clock,
        })
    }
}

impl Store {
    /// Reads the whole database to see whether it is sound.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn check(&self) -> Result<(), StoreError> {
        let path = self.folder.join(DATABASE);
        self.db.check().await.map_err(|source| StoreError::Database { path, source })
    }

    /// As [`Store::check`], for a folder that may hold no store yet; nothing is made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check_at(folder: &Path) -> Result<(), StoreError> {
        if !folder.join(DATABASE).exists() {
            return Ok(());
        }
        let store = Self::open_at(folder).await?;
        let sound = store.check().await;
        store.db.close().await;
        sound
    }
}

/// Who types at the command line of this machine.
#[must_use]
pub fn operator() -> Actor {
    Actor::Operator(rustix::process::getuid().as_raw())
}

fn private_folder(folder: &Path) -> Result<(), StoreError> {
    let wrong = |then| move |source| StoreError::Folder { path: folder.to_path_buf(), then, source };
    file::ensure_dir(folder, true)
        .map_err(wrong("make it writable for this user, or name another one with 'data' or CAUSEWAY_DATA"))?;
    let mode = std::fs::metadata(folder).map_err(wrong("look at its permissions"))?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
            .map_err(wrong("others may look into it: chmod 700 it"))?;
    }
    Ok(())
}

/// Reads the key, or makes it for a new store. Of two processes that make one, the first wins.
fn key(folder: &Path, has_database: bool) -> Result<Vault, StoreError> {
    let path = folder.join(KEY_FILE);
    let wrong = |why: String| StoreError::Key { path: path.clone(), why };
    for _ in 0..2 {
        match file::read_small(&path, 4096) {
            Ok(bytes) => return Vault::new(&bytes).map_err(|error: VaultError| wrong(error.to_string())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(error.to_string())),
            Err(_) if has_database => return Err(StoreError::KeyGone { path }),
            Err(_) => {}
        }
        let mut bytes = [0; KEY_LENGTH];
        crate::random::fill(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        match file::write_new_private(&path, &bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
    Err(wrong("it vanished again".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn makes_private_files_and_finds_them_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = Store::open_at(&data).await.unwrap();
        first.db.close().await;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join(KEY_FILE))), (0o700, 0o600));
        let key = std::fs::read(data.join(KEY_FILE)).unwrap();
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
        Store::open_at(&data).await.unwrap().db.close().await;
        assert_eq!((mode(&data), std::fs::read(data.join(KEY_FILE)).unwrap()), (0o700, key));
    }

    #[tokio::test]
    async fn a_store_without_its_key_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        Store::open_at(folder.path()).await.unwrap().db.close().await;
        std::fs::remove_file(folder.path().join(KEY_FILE)).unwrap();
        let error = Store::open_at(folder.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::KeyGone { .. }), "{error}");
        std::fs::write(folder.path().join(KEY_FILE), b"short").unwrap();
        let error = Store::open_at(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains("exactly 32 bytes"), "{error}");
    }

    #[tokio::test]
    async fn a_damaged_database_is_said_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        Store::open_at(folder.path()).await.unwrap().db.close().await;
        let path = folder.path().join(DATABASE);
        std::fs::write(&path, b"this is no database at all, it only looks like a file of some length").unwrap();
        let error = Store::open_at(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains("is damaged") && error.contains("backup"), "{error}");
        assert!(std::fs::read(&path).unwrap().starts_with(b"this is no database"));
    }
}
