//! How servers bear to be asked, remembered from run to run.
//!
//! What a server does with a command that comes early is nowhere written down: it is tried, and every try costs
//! something. What came of it is kept here for the next run, as long as the server is the same one by its greeting and
//! by what it says it can do.

mod remedy;
mod store;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::db::{Db, DbError};
use crate::task::Tasks;

pub use remedy::{Prescribed, Remedies, Remedy};

/// Longest reason that is kept, in characters.
const MOST_WHY: usize = 300;

/// One way of asking, which a server bears or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// User, password and the settings of a session in one write.
    Login,
    /// Commands that need no data connection, together.
    Batches,
    /// What follows a small transfer, sent with it.
    Chains,
    /// Data connections that the server opens.
    Active,
    /// Folders listed by STAT, which shows what LIST shows.
    Stat,
}

impl Manner {
    /// Every value, in the order of their telling.
    pub const ALL: &'static [Self] = &[Self::Login, Self::Batches, Self::Chains, Self::Active, Self::Stat];

    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Batches => "batches",
            Self::Chains => "chains",
            Self::Active => "active",
            Self::Stat => "stat",
        }
    }

    /// The other way round.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|manner| manner.as_str() == text)
    }

    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Login => "a login in one batch",
            Self::Batches => "commands in batches",
            Self::Chains => "the next data port asked for ahead",
            Self::Active => "data connections that it opens",
            Self::Stat => "folders listed by STAT",
        }
    }
}

/// For how long a loss is held against a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// The server showed that it does not bear it. Servers are changed, and not all of them greet otherwise then.
    Month,
    /// It may have been the network, or the very file.
    Day,
    /// It says little about the server, and trying again costs nothing: only this run does without.
    Run,
}

impl Term {
    /// When it is tried again.
    #[must_use]
    pub fn end(self, at: Timestamp) -> Timestamp {
        let days = match self {
            Self::Month => 30,
            Self::Day => 1,
            Self::Run => 0,
        };
        at.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
    }
}

/// Who a server is: two prints, equal as long as it is the same program with the same settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Of its greeting.
    pub greeting: String,
    /// Of what it says it can do.
    pub features: String,
}

/// A manner that a server does not bear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What went wrong.
    pub why: String,
    /// Then it is tried again.
    pub until: Timestamp,
}

/// What came of trying one manner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was tried.
    pub manner: Manner,
    /// When.
    pub at: Timestamp,
    /// None: the server bears it.
    #[serde(flatten)]
    pub loss: Option<Loss>,
}

impl Finding {
    /// Borne.
    #[must_use]
    pub const fn won(manner: Manner, at: Timestamp) -> Self {
        Self { manner, at, loss: None }
    }

    /// Not borne.
    #[must_use]
    pub fn lost(manner: Manner, at: Timestamp, why: &str, term: Term) -> Self {
        let why = why.chars().take(MOST_WHY).collect();
        Self { manner, at, loss: Some(Loss { why, until: term.end(at) }) }
    }

    /// Is it still to be minded?
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> bool {
        self.loss.as_ref().is_none_or(|loss| now < loss.until)
    }
}

/// All that is known about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who it was.
    pub identity: Identity,
    /// At most one for each manner.
    pub findings: Vec<Finding>,
}

/// What the findings say, as a sentence without its end; none when there are none.
#[must_use]
pub fn sentence(findings: &[Finding], now: Timestamp, show: impl Fn(Timestamp) -> String) -> Option<String> {
    let won: Vec<_> = findings.iter().filter(|found| found.loss.is_none()).map(|found| found.manner.word()).collect();
    // What was lost together, as all above a rung is, is told together.
    let mut lost: Vec<(String, Vec<&str>)> = Vec::new();
    for found in findings {
        let Some(Loss { why, until }) = &found.loss else { continue };
        let again = if found.counts(now) { format!("after {}", show(*until)) } else { "in the next run".to_owned() };
        let told = format!("(since {}: {why}; tried again {again})", show(found.at));
        match lost.iter_mut().find(|(other, _)| *other == told) {
            Some((_, words)) => words.push(found.manner.word()),
            None => lost.push((told, vec![found.manner.word()])),
        }
    }
    let lost = lost.into_iter().map(|(told, words)| format!("not {} {told}", words.join(" nor ")));
    let borne = Some(won.join(", ")).filter(|won| !won.is_empty());
    let parts: Vec<_> = borne.into_iter().chain(lost).collect();
    Some(parts.join("; ")).filter(|all| !all.is_empty())
}

/// Where findings are kept. Clones share it.
#[derive(Debug, Clone)]
pub struct Manners(Option<(Db, Tasks)>);

impl Manners {
    /// In `db`; what is under way is written among `tasks`.
    #[must_use]
    pub fn new(db: Db, tasks: &Tasks) -> Self {
        Self(Some((db, tasks.clone())))
    }

    /// Remembers nothing: for tests, and for tools without a store.
    #[must_use]
    pub const fn forgetful() -> Self {
        Self(None)
    }

    /// What is known about `server`. A store that cannot be read is said in the log, and knows nothing: every server
    /// can be asked as a stranger.
    pub async fn of(&self, server: &str) -> Option<Known> {
        let (db, _) = self.0.as_ref()?;
        known(db, server).await.unwrap_or_else(|error| {
            tracing::warn!(%error, server, "what is known about the server cannot be read");
            None
        })
    }

    /// What helps at `server`, as far as it counts at `now`. A store that cannot be read knows nothing.
    pub async fn remedies(&self, server: &str, now: Timestamp) -> Remedies {
        let Some((db, _)) = &self.0 else { return Remedies::default() };
        let known = store::remedies(db, server).await.unwrap_or_else(|error| {
            tracing::warn!(%error, server, "what helps at the server cannot be read");
            Vec::new()
        });
        known.into_iter().filter(|known| now < known.until).map(|known| known.remedy).collect()
    }

    /// Keeps a finding, at once: a run that is killed soon after has still learned it. Nobody waits for it.
    pub fn note(&self, server: &str, identity: &Identity, finding: Finding) {
        let Some((db, tasks)) = self.0.clone() else { return };
        let (server, identity) = (server.to_owned(), identity.clone());
        tasks.spawn("manners", async move {
            if let Err(error) = store::note(&db, &server, &identity, &finding).await {
                tracing::warn!(%error, server, "what was found out about the server cannot be kept");
            }
        });
    }
}

/// All that helps at `server`, that which is out of date as well.
///
/// # Errors
/// What the store says.
pub async fn remedies(db: &Db, server: &str) -> Result<Vec<Prescribed>, DbError> {
    store::remedies(db, server).await
}

/// From now on `remedy` is used at `server`, for a month.
///
/// # Errors
/// What the store says.
pub async fn prescribe(db: &Db, server: &str, remedy: Remedy, why: &str, at: Timestamp) -> Result<(), DbError> {
    let why = why.chars().take(MOST_WHY).collect();
    store::prescribe(db, server, &Prescribed { remedy, why, at, until: Term::Month.end(at) }).await
}

/// What is known about `server` in one store is known in another, too.
///
/// # Errors
/// What the stores say.
pub async fn carry(from: &Db, to: &Db, server: &str) -> Result<(), DbError> {
    if let Some(known) = store::of(from, server).await? {
        for finding in &known.findings {
            store::note(to, server, &known.identity, finding).await?;
        }
    }
    for prescribed in store::remedies(from, server).await? {
        store::prescribe(to, server, &prescribed).await?;
    }
    Ok(())
}

/// `remedy` is not used at `server` any more: it was tried, and made no difference.
///
/// # Errors
/// What the store says.
pub async fn withdraw(db: &Db, server: &str, remedy: Remedy) -> Result<(), DbError> {
    store::withdraw(db, server, remedy).await
}

/// What is known about `server`, that which is to be tried again as well.
///
/// # Errors
/// What the store says.
pub async fn known(db: &Db, server: &str) -> Result<Option<Known>, DbError> {
    store::of(db, server).await
}
