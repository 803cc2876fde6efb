//! How much rounds may take from those who are visited.

use serde::{Deserialize, Serialize};

/// What a set may use within an hour, all its members together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Budget {
    /// Logins.
    pub logins: u32,
    /// Payload bytes, both ways.
    pub bytes: u64,
}

impl Default for Budget {
    /// A round of three members every five minutes, with a megabyte or two each.
    fn default() -> Self {
        Self { logins: 60, bytes: 256 << 20 }
    }
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Logins.
    pub logins: u32,
    /// Payload bytes.
    pub bytes: u64,
}

impl Budget {
    /// May a round begin that will need about as much as `usual`, when `spent` was used in the last hour?
    #[must_use]
    pub const fn allows(&self, spent: Spent, usual: Spent) -> bool {
        spent.logins.saturating_add(usual.logins) <= self.logins
            && spent.bytes.saturating_add(usual.bytes) <= self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_begins_only_when_all_of_it_fits() {
        let budget = Budget { logins: 10, bytes: 100 };
        let spent = |logins, bytes| Spent { logins, bytes };
        assert!(budget.allows(spent(7, 50), spent(3, 50)));
        assert!(!budget.allows(spent(8, 0), spent(3, 0)));
        assert!(!budget.allows(spent(0, 51), spent(3, 50)));
        assert!(!budget.allows(spent(u32::MAX, u64::MAX), spent(1, 1)));
    }
}
