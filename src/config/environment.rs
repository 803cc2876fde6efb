//! The process's environment, read once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::Secret;

/// What every variable of ours begins with.
pub const PREFIX: &str = "CAUSEWAY_";

/// Passwords for `causeway mirror`: of the source, of the target.
pub const MIRROR_PASSWORDS: [&str; 2] = ["CAUSEWAY_SOURCE_PASSWORD", "CAUSEWAY_TARGET_PASSWORD"];

/// The password for `causeway account`.
const PASSWORD: &str = "CAUSEWAY_PASSWORD";
/// Where the SSH agent of this login listens.
const AGENT: &str = "SSH_AUTH_SOCK";
/// Which file to read.
const CONFIG: &str = "CAUSEWAY_CONFIG";

/// A copy of the variables that concern us.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    ours: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
    not_text: Vec<String>,
    state: Option<PathBuf>,
    agent: Option<String>,
}

impl Environment {
    /// Takes the copy.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn read() -> Self {
        let agent = std::env::var(AGENT).ok().filter(|socket| !socket.is_empty());
        let mut environment = Self { state: state_folder(), agent, ..Self::default() };
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|n| n.starts_with(PREFIX)).map(str::to_owned) else { continue };
            match value.into_string() {
                Ok(value) => environment.put(name, value),
                Err(_) => environment.not_text.push(name),
            }
        }
        environment
    }

    /// Made of pairs, for tests and for programs that start us inside themselves.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in pairs {
            environment.put(name.to_owned(), value.to_owned());
        }
        environment
    }

    fn put(&mut self, name: String, value: String) {
        if name == PASSWORD || MIRROR_PASSWORDS.contains(&name.as_str()) {
            self.secrets.insert(name, Secret::new(value));
        } else {
            self.ours.insert(name, value);
        }
    }

    /// The file that `CAUSEWAY_CONFIG` names.
    #[must_use]
    pub fn config_file(&self) -> Option<PathBuf> {
        self.ours.get(CONFIG).map(PathBuf::from)
    }

    /// Where this user's programs keep what must survive (XDG base directories); none without a home.
    #[must_use]
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.state.clone()
    }

    /// The socket of the SSH agent; none where there is none.
    #[must_use]
    pub fn ssh_agent(&self) -> Option<String> {
        self.agent.clone()
    }

    /// The password in one of [`MIRROR_PASSWORDS`].
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets.get(name).cloned()
    }

    /// The password in `CAUSEWAY_PASSWORD`.
    #[must_use]
    pub fn password(&self) -> Option<Secret> {
        self.secret(PASSWORD)
    }

    /// Every variable that should be a setting.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ours.iter().filter(|(name, _)| *name != CONFIG).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Variables whose value is not UTF-8.
    pub(super) fn not_text(&self) -> &[String] {
        &self.not_text
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn state_folder() -> Option<PathBuf> {
    let path = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = path("XDG_STATE_HOME").or_else(|| Some(path("HOME")?.join(".local/state")))?;
    Some(base.join("causeway"))
}
