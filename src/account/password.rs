//! Passwords: argon2id (RFC 9106), off the async threads, a few at a time.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::random;
use crate::model::Secret;
use crate::task;

/// Fewest characters of a password that a person chooses (NIST SP 800-63B, section 3.1.1.2).
pub const MIN_PASSWORD: usize = 8;
/// Most bytes of a password: more is an attempt to keep us busy.
pub const MAX_PASSWORD: usize = 1024;

/// How dear one hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// How many hashes may be computed at once; each takes `memory_kib` while it runs.
    pub parallel: usize,
    /// How many logins may wait for their turn before the next is told that we are busy.
    pub waiting: usize,
}

impl HashCost {
    /// 32 MiB and three passes: above the least that OWASP names (19 MiB, two passes), some 60 ms on one
    /// core. Two at once keep a small machine responsive.
    pub const DEFAULT: Self = Self { memory_kib: 32 * 1024, passes: 3, parallel: 2, waiting: 256 };
    /// For tests of everything else.
    pub const CHEAP: Self = Self { memory_kib: 64, passes: 1, parallel: 4, waiting: 256 };
}

/// What is wrong with a password, or with hashing it.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("a password has at least {MIN_PASSWORD} characters")]
    Short,
    /// Too long.
    #[error("a password has at most {MAX_PASSWORD} bytes")]
    Long,
    /// Too many logins at once.
    #[error("too many logins at once, try again in a moment")]
    Busy,
    /// A NUL or a line break.
    #[error("a password must not hold a NUL or a line break")]
    Control,
    /// The hash could not be computed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// Checks a password that is to be stored.
pub(super) fn check(password: &Secret) -> Result<(), PasswordError> {
    let text = password.expose();
    if text.len() > MAX_PASSWORD {
        Err(PasswordError::Long)
    } else if text.chars().count() < MIN_PASSWORD {
        Err(PasswordError::Short)
    } else if text.contains(['\0', '\r', '\n']) {
        Err(PasswordError::Control)
    } else {
        Ok(())
    }
}

/// Hashes and verifies, a bounded number at a time.
#[derive(Debug, Clone)]
pub(super) struct Hasher {
    cost: HashCost,
    running: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// The hash that unknown names are compared with, so that they take as long.
    decoy: Arc<OnceLock<String>>,
    /// What every comparison cost, in KiB × passes: tests look at the work, for time is the machine's.
    #[cfg(test)]
    pub(super) spent: Arc<std::sync::Mutex<Vec<u32>>>,
}

impl Hasher {
    pub(super) fn new(cost: HashCost) -> Self {
        Self {
            cost,
            running: Arc::new(Semaphore::new(cost.parallel.max(1))),
            queue: Arc::new(Semaphore::new(cost.parallel.max(1) + cost.waiting)),
            decoy: Arc::default(),
            #[cfg(test)]
            spent: Arc::default(),
        }
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let _place = self.queue.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _turn = self.running.acquire().await.map_err(|_| PasswordError::Busy)?;
        task::blocking(work).await.map_err(|lost| PasswordError::Hash(lost.to_string()))
    }

    /// The PHC string of a new password.
    pub(super) async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        let (cost, password) = (self.cost, password.clone());
        self.run(move || hash(cost, &password)).await?
    }

    /// Is it the password of `phc`? Without one the answer is no, after the same time.
    pub(super) async fn verify(&self, phc: Option<String>, password: &Secret) -> Result<bool, PasswordError> {
        if password.expose().len() > MAX_PASSWORD {
            return Ok(false);
        }
        let (hasher, password) = (self.clone(), password.clone());
        self.run(move || match phc {
            Some(phc) => hasher.matches(&phc, &password),
            None => hasher.matches(hasher.decoy()?, &password).map(|_| false),
        })
        .await?
    }

    fn decoy(&self) -> Result<&str, PasswordError> {
        if let Some(decoy) = self.decoy.get() {
            return Ok(decoy);
        }
        let made = hash(self.cost, &random::readable_password().map_err(no_random)?)?;
        Ok(self.decoy.get_or_init(|| made))
    }

    /// The comparison of the outputs is in constant time.
    fn matches(&self, phc: &str, password: &Secret) -> Result<bool, PasswordError> {
        let phc =
            PasswordHash::new(phc).map_err(|e| PasswordError::Hash(format!("the stored hash is damaged: {e}")))?;
        let right = Argon2::default().verify_password(password.expose().as_bytes(), &phc).is_ok();
        #[cfg(test)]
        if let (Ok(params), Ok(mut spent)) = (Params::try_from(&phc), self.spent.lock()) {
            spent.push(params.m_cost() * params.t_cost());
        }
        Ok(right)
    }

    /// Makes the decoy now, so that the first unknown name does not take longer than the next.
    pub(super) async fn warm_up(&self) -> Result<(), PasswordError> {
        self.verify(None, &Secret::new("")).await.map(|_| ())
    }

    /// Was the stored hash made with another cost than today's?
    pub(super) fn is_outdated(&self, phc: &str) -> bool {
        PasswordHash::new(phc)
            .ok()
            .and_then(|parsed| Params::try_from(&parsed).ok())
            .is_none_or(|params| params.m_cost() != self.cost.memory_kib || params.t_cost() != self.cost.passes)
    }
}

fn no_random(error: random::NoRandom) -> PasswordError {
    PasswordError::Hash(error.to_string())
}

fn hash(cost: HashCost, password: &Secret) -> Result<String, PasswordError> {
    let failed = |error: &dyn std::fmt::Display| PasswordError::Hash(error.to_string());
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|e| failed(&e))?;
    let salt = random::bytes::<16>().map_err(no_random)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.expose().as_bytes(), &salt)
        .map(|phc: PasswordHash| phc.to_string())
        .map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_verify() {
        let hasher = Hasher::new(HashCost::CHEAP);
        let phc = hasher.hash(&Secret::new("correct horse")).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert!(hasher.verify(Some(phc.clone()), &Secret::new("correct horse")).await.unwrap());
        assert!(!hasher.verify(Some(phc.clone()), &Secret::new("correct horsf")).await.unwrap());
        assert!(!hasher.verify(None, &Secret::new("correct horse")).await.unwrap());
        assert!(!hasher.is_outdated(&phc));
        assert!(Hasher::new(HashCost::DEFAULT).is_outdated(&phc));
    }

    /// Made by the reference implementation: `printf %s password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 24`,
    /// as its manual page shows for `-i`; recomputed with `argon2-cffi`.
    #[test]
    fn foreign_hashes_are_understood() {
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hasher = Hasher::new(HashCost::CHEAP);
        assert!(hasher.matches(phc, &Secret::new("password")).unwrap());
        assert!(!hasher.matches(phc, &Secret::new("passwore")).unwrap());
    }
}
