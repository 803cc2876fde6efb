//! What proves who somebody is, and how much of it an account requires.

use std::fmt;
use std::str::FromStr;

use crate::audit::LoginMethod;

/// A set of factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Factors {
    /// An SSH key, or a certificate for one.
    pub key: bool,
    /// The password.
    pub password: bool,
    /// A one-time code of the second factor.
    pub code: bool,
}

impl Factors {
    /// The key alone.
    pub const KEY: Self = Self { key: true, password: false, code: false };
    /// The password alone.
    pub const PASSWORD: Self = Self { key: false, password: true, code: false };
    /// The code alone.
    pub const CODE: Self = Self { key: false, password: false, code: true };

    /// None of them?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Those of both.
    #[must_use]
    pub fn with(self, more: Self) -> Self {
        let Self { key, password, code } = self;
        Self { key: key | more.key, password: password | more.password, code: code | more.code }
    }

    /// Those that are not among the `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        let Self { key, password, code } = self;
        Self { key: key & !others.key, password: password & !others.password, code: code & !others.code }
    }

    /// Can it be found by trying?
    pub(super) fn is_guessable(self) -> bool {
        self.password || self.code
    }

    /// As the audit log names them, the strongest first.
    pub(super) fn methods(self) -> impl Iterator<Item = LoginMethod> {
        let all =
            [(self.key, LoginMethod::Key), (self.password, LoginMethod::Password), (self.code, LoginMethod::Code)];
        all.into_iter().filter_map(|(is, method)| is.then_some(method))
    }
}

/// What an account requires of a login. By default a key or the password, whichever is shown. With a second factor
/// a password that no key stands beside needs its code, whatever is required here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Required(Factors);

/// The text is none of the combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is required is one of {}", Required::WORDS.map(|(word, _)| word).join(", "))]
pub struct RequiredError;

impl Required {
    /// The words for the command line and the store. A code alone is none of them: it is six digits.
    const WORDS: [(&'static str, Factors); 7] = [
        ("any", Factors { key: false, password: false, code: false }),
        ("key", Factors::KEY),
        ("password", Factors::PASSWORD),
        ("key+password", Factors { key: true, password: true, code: false }),
        ("key+code", Factors { key: true, password: false, code: true }),
        ("password+code", Factors { key: false, password: true, code: true }),
        ("key+password+code", Factors { key: true, password: true, code: true }),
    ];

    /// Every word that can be read, the least that can be required first.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().map(|(word, _)| word)
    }

    /// Must a code be shown, whatever else is?
    pub(super) fn code(self) -> bool {
        self.0.code
    }

    /// May a key be part of a login?
    pub(super) fn takes_key(self) -> bool {
        self.0.is_empty() || self.0.key
    }

    /// Can name, password and code be enough, as the dashboard asks for them?
    pub(super) fn spares_key(self) -> bool {
        !self.0.key
    }

    /// All that a login needs of which `shown` is shown.
    pub(super) fn needed(self, shown: Factors, second_factor: bool) -> Factors {
        let needed = match (self.0.is_empty(), shown.key) {
            (false, _) => self.0,
            (true, true) => Factors::KEY,
            (true, false) => Factors::PASSWORD,
        };
        Factors { code: needed.code || second_factor && needed.password && !needed.key, ..needed }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.into_iter().find(|(_, factors)| *factors == self.0).map(|(word, _)| word);
        f.write_str(word.unwrap_or_default())
    }
}

impl FromStr for Required {
    type Err = RequiredError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        found.map(|(_, factors)| Self(factors)).ok_or(RequiredError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_needs_its_code_unless_a_key_stands_beside_it() {
        let needed = |required: &str, shown: Factors, second: bool| {
            let needed = required.parse::<Required>().unwrap().needed(shown, second);
            needed.methods().map(|m| format!("{m:?}").to_lowercase()).collect::<Vec<_>>().join("+")
        };
        for (required, shown, second, all) in [
            ("any", Factors::KEY, false, "key"),
            ("any", Factors::KEY, true, "key"),
            ("any", Factors::PASSWORD, false, "password"),
            ("any", Factors::PASSWORD, true, "password+code"),
            ("password", Factors::PASSWORD, true, "password+code"),
            ("password", Factors::KEY, false, "password"),
            ("key", Factors::PASSWORD, true, "key"),
            ("key+password", Factors::PASSWORD, true, "key+password"),
            ("key+code", Factors::KEY, true, "key+code"),
            ("key+password+code", Factors::default(), true, "key+password+code"),
        ] {
            assert_eq!(needed(required, shown, second), all, "{required}, {shown:?}, {second}");
        }
    }

    #[test]
    fn words_are_read_and_written() {
        for word in Required::words() {
            assert_eq!(word.parse::<Required>().unwrap().to_string(), word);
        }
        assert_eq!(Required::default().to_string(), "any");
        let wrong = "code".parse::<Required>().unwrap_err().to_string();
        assert!(wrong.ends_with("any, key, password, key+password, key+code, password+code, key+password+code"));
    }
}
