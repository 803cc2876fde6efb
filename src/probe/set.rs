//! What is compared with what, and how.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Budget;
use crate::model::{EndpointId, RelPath, SetId};

/// Most members of a set.
const MOST_MEMBERS: usize = 8;
/// Longest name, in characters.
const LONGEST_NAME: usize = 100;
/// Seconds between two rounds: from a second (for one's own servers) to a day.
const PACE: std::ops::RangeInclusive<u64> = 1..=86_400;

/// What a visit does. All paths are below the roots of the endpoints, and the same at each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Work {
    /// A small file, some kilobytes: what costs is the way to it.
    pub small: Option<RelPath>,
    /// A file of a megabyte or more: what costs is its bytes.
    pub medium: Option<RelPath>,
    /// The folder that is listed; the root when none is named.
    pub folder: RelPath,
    /// The folder that a file may be written into and removed from again; none = nothing is written.
    pub upload: Option<RelPath>,
}

/// One endpoint of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which one.
    pub endpoint: EndpointId,
    /// What people call it.
    pub name: String,
    /// Its address, without a password.
    pub url: String,
    /// "FTP", "SFTP", "WebDAV".
    pub family: String,
}

/// A comparison set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its number.
    pub id: SetId,
    /// What people call it.
    pub name: String,
    /// What is compared, in the order of the page.
    pub members: Vec<Member>,
    /// What a visit does.
    pub work: Work,
    /// Between the starts of two rounds, on average.
    pub every: Duration,
    /// How much rounds may take.
    pub budget: Budget,
    /// Do rounds begin by themselves?
    pub on: bool,
}

/// A set to be made, or what one shall be from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// What people call it.
    pub name: String,
    /// What is compared.
    pub members: Vec<EndpointId>,
    /// What a visit does.
    pub work: Work,
    /// Between the starts of two rounds, on average.
    pub every: Duration,
    /// How much rounds may take.
    pub budget: Budget,
    /// Do rounds begin by themselves?
    pub on: bool,
}

/// Why a set cannot be as asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Nothing, too long, or with line breaks.
    #[error("a comparison needs a name of at most {LONGEST_NAME} characters")]
    Name,
    /// One is compared with nothing.
    #[error("choose two to {MOST_MEMBERS} different endpoints: one alone is compared with nothing")]
    Members,
    /// Out of bounds.
    #[error("rounds begin every {} to {} seconds", PACE.start(), PACE.end())]
    Pace,
    /// No round would ever begin.
    #[error("the budget is too small: a round needs a login for each of its {0} members")]
    Budget(usize),
}

impl Changes {
    /// The name without blanks around it, if all of it makes sense.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn checked(&self) -> Result<&str, SetError> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().any(char::is_control) || name.chars().count() > LONGEST_NAME {
            return Err(SetError::Name);
        }
        let mut different = self.members.clone();
        different.sort_unstable();
        different.dedup();
        if different.len() != self.members.len() || !(2..=MOST_MEMBERS).contains(&different.len()) {
            return Err(SetError::Members);
        }
        if !PACE.contains(&self.every.as_secs()) {
            return Err(SetError::Pace);
        }
        if usize::try_from(self.budget.logins).unwrap_or(usize::MAX) < self.members.len() {
            return Err(SetError::Budget(self.members.len()));
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_in_a_sentence() {
        let good = Changes {
            name: " Plant ".into(),
            members: vec![EndpointId(1), EndpointId(2)],
            work: Work::default(),
            every: Duration::from_secs(300),
            budget: Budget::default(),
            on: true,
        };
        assert_eq!(good.checked(), Ok("Plant"));
        let wrong = |change: fn(&mut Changes)| {
            let mut set = good.clone();
            change(&mut set);
            set.checked().unwrap_err()
        };
        assert_eq!(wrong(|set| set.name = "  ".into()), SetError::Name);
        assert_eq!(wrong(|set| set.members = vec![EndpointId(1)]), SetError::Members);
        assert_eq!(wrong(|set| set.members = vec![EndpointId(1), EndpointId(1)]), SetError::Members);
        assert_eq!(wrong(|set| set.every = Duration::ZERO), SetError::Pace);
        assert_eq!(wrong(|set| set.budget.logins = 1), SetError::Budget(2));
    }
}
