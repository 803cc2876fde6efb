//! Whose observations are put together: those of one endpoint, seen from one side.

use super::digest::{Digest, Ended};
use crate::reliability::stat::{Sample, resets};
use crate::reliability::{End, Observation, Role, What};

/// A series of observations.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series {
    /// The family, as in [`crate::reliability::FAMILIES`].
    pub family: &'static str,
    /// Whose connections: the stable word of a [`Role`].
    role: &'static str,
    /// The other side, or the door.
    pub endpoint: String,
}

impl Series {
    /// The series that an observation belongs to.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        Self {
            family: observation.protocol.family(),
            role: observation.role.as_str(),
            endpoint: observation.endpoint.clone(),
        }
    }

    /// The word of the role.
    #[must_use]
    pub const fn role(&self) -> &'static str {
        self.role
    }

    /// Of this role.
    #[must_use]
    pub fn new(family: &'static str, role: Role, endpoint: impl Into<String>) -> Self {
        Self { family, role: role.as_str(), endpoint: endpoint.into() }
    }
}

/// One other side or door, with what was seen of it in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The family, as in [`crate::reliability::FAMILIES`].
    pub family: String,
    /// Whose connections.
    pub role: Role,
    /// The other side, or the door.
    pub endpoint: String,
    /// Connections, also those that never got through.
    pub connections: u64,
    /// Transfer attempts.
    pub transfers: u64,
    /// Connections and transfers that failed, for whatever reason.
    pub failed: u64,
}

/// What was seen, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Connections, also those that never got through.
    pub connections: u64,
    /// Transfer attempts.
    pub transfers: u64,
    /// Of both, those that failed, for whatever reason.
    pub failed: u64,
    /// Connections of which the TCP connection stood.
    pub stood: u64,
    /// Of those, the ones that were reset.
    pub resets: u64,
}

impl Seen {
    /// In a digest.
    pub fn of(digest: &Digest) -> Self {
        let failed = |all: &mut dyn Iterator<Item = (Ended, u64)>| -> u64 {
            all.filter(|(ended, _)| ended.failed.is_some()).map(|(_, count)| count).sum()
        };
        let (resets, stood) = resets(&Sample::of(digest.clone()));
        Self {
            stood,
            resets,
            connections: digest.connections().map(|(_, count)| count).sum(),
            transfers: digest.transfers().map(|(_, count)| count).sum(),
            failed: failed(&mut digest.connections()) + failed(&mut digest.transfers()),
        }
    }

    /// Takes an observation in.
    pub fn add(&mut self, what: &What) {
        match what {
            What::Connection { .. } => self.connections += 1,
            What::Transfer { .. } => self.transfers += 1,
            What::Check { .. } => return,
        }
        // What stood and what was reset is asked of roll-ups only.
        self.failed += u64::from(matches!(what.end(), End::Failed(..)));
    }

    /// Adds all of another.
    pub const fn merge(&mut self, other: Self) {
        self.connections += other.connections;
        self.transfers += other.transfers;
        self.failed += other.failed;
        self.stood += other.stood;
        self.resets += other.resets;
    }
}

impl Source {
    /// Of a name (family, role, endpoint) and what was seen of it.
    pub(super) fn new((family, role, endpoint): (String, String, String), seen: Seen) -> Self {
        Self {
            role: if role == Role::Door.as_str() { Role::Door } else { Role::Client },
            connections: seen.connections,
            transfers: seen.transfers,
            failed: seen.failed,
            family,
            endpoint,
        }
    }
}
