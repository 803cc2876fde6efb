//! Kinds of values: how each is read from TOML or from a variable, and how it is written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use crate::drive::Junk;
use crate::model::size;
use crate::net::{Network, NetworkError};
use crate::reliability::objective::{NoObjective, Objective};
use crate::serve::http::Directory;
use crate::serve::sftp::Ciphers;

/// A value before its kind is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    /// A TOML string, or a variable.
    Text(String),
    /// A TOML integer, float, boolean or date as it was written.
    Bare(String),
    /// A TOML array of strings.
    List(Vec<String>),
}

/// Why it is not of the kind: what is wrong, and what to write instead.
pub(super) type Wrong = (String, String);

fn wrong(what: impl Into<String>, then: impl Into<String>) -> Wrong {
    (what.into(), then.into())
}

impl Raw {
    /// Takes what the TOML parser found.
    pub(super) fn of(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(text) => Ok(Self::Text(text.clone().into_owned())),
            DeValue::Integer(number) => Ok(Self::Bare(number.to_string())),
            DeValue::Float(number) => Ok(Self::Bare(number.to_string())),
            DeValue::Boolean(yes) => Ok(Self::Bare(yes.to_string())),
            DeValue::Datetime(at) => Ok(Self::Bare(at.to_string())),
            DeValue::Array(items) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .map(Self::List)
                .ok_or_else(|| wrong("the list holds something that is not text", "put every item in quotes")),
            DeValue::Table(_) => Err(wrong("a value is expected, not a section", "write key = value")),
        }
    }

    fn text(&self) -> Result<&str, Wrong> {
        match self {
            Self::Text(text) | Self::Bare(text) => Ok(text),
            Self::List(_) => Err(wrong("one value is expected, not a list", "take the brackets away")),
        }
    }
}

/// A kind of value.
pub(super) trait Kind: Sized {
    /// Reads it.
    fn read(raw: &Raw) -> Result<Self, Wrong>;
    /// Writes it as TOML.
    fn write(&self) -> String;
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Kind for PathBuf {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        match raw {
            Raw::Text(text) if text.is_empty() => Err(wrong("the path is empty", "name a file or folder")),
            Raw::Text(text) if text.contains('\0') => Err(wrong("the path holds a NUL", "take it away")),
            Raw::Text(text) => Ok(Self::from(text)),
            _ => Err(wrong("a path is expected", "put it in quotes")),
        }
    }
    fn write(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Kind for Option<PathBuf> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        PathBuf::read(raw).map(Some)
    }
    fn write(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), Kind::write)
    }
}

impl Kind for Option<SocketAddr> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        let text = raw.text()?;
        if text == "off" || text == "false" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            wrong(
                format!("'{text}' is not an address and a port"),
                "write for example \"0.0.0.0:8443\", \"[::]:8443\" or \"off\"",
            )
        })
    }
    fn write(&self) -> String {
        self.map_or_else(|| quoted("off"), |address| quoted(&address.to_string()))
    }
}

impl Kind for Option<u16> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        number(raw, 1, 65_535).map(|n| u16::try_from(n).ok())
    }
    fn write(&self) -> String {
        self.map_or_else(|| quoted(""), |port| port.to_string())
    }
}

impl Kind for Option<Directory> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        let text = raw.text()?;
        if text == "off" || text == "false" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|()| {
            wrong(
                format!("'{text}' is no authority that issues certificates"),
                "write \"letsencrypt\", \"letsencrypt-staging\", an address that begins with https://, or \"off\"",
            )
        })
    }
    fn write(&self) -> String {
        self.as_ref().map_or_else(|| quoted("off"), |directory| quoted(&directory.to_string()))
    }
}

impl Kind for Vec<String> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        Ok(match raw {
            Raw::List(items) => items.clone(),
            other => other.text()?.split(',').map(|item| item.trim().to_owned()).collect(),
        })
    }
    fn write(&self) -> String {
        let items: Vec<_> = self.iter().map(|item| quoted(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// Addresses and networks.
impl Kind for Vec<Network> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        let items = Vec::<String>::read(raw)?;
        // An empty variable is no item.
        let items = items.iter().filter(|item| !item.is_empty());
        items.map(|item| item.parse()).collect::<Result<_, NetworkError>>().map_err(|error| {
            wrong(error.to_string(), "write for example [\"10.0.0.7\", \"192.0.2.0/24\", \"2001:db8::/32\"]")
        })
    }
    fn write(&self) -> String {
        self.iter().map(Network::to_string).collect::<Vec<_>>().write()
    }
}

impl Kind for Objective {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        let text = raw.text()?;
        text.parse().map_err(|NoObjective| {
            wrong(format!("'{text}' is no availability objective"), "write for example \"99.9% over 30d\"")
        })
    }
    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

/// Objectives of single endpoints.
impl Kind for Vec<(String, Objective)> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        let items = Vec::<String>::read(raw)?;
        let items = items.iter().filter(|item| !item.is_empty());
        let item = |item: &String| {
            let (name, objective) = item.trim().split_once(' ')?;
            Some((name.to_owned(), objective.trim_start().parse().ok()?))
        };
        items
            .map(|text| {
                let what = || format!("'{text}' is no endpoint with its availability objective");
                item(text).ok_or_else(|| wrong(what(), "write for example [\"old.example:21 99.5% over 30d\"]"))
            })
            .collect()
    }
    fn write(&self) -> String {
        self.iter().map(|(name, objective)| format!("{name} {objective}")).collect::<Vec<_>>().write()
    }
}

/// A whole number between two ends.
fn number(raw: &Raw, low: u64, high: u64) -> Result<u64, Wrong> {
    let text = raw.text()?;
    text.replace('_', "")
        .parse::<u64>()
        .ok()
        .filter(|n| (low..=high).contains(n))
        .ok_or_else(|| wrong(format!("'{text}' is not possible here"), format!("write a number from {low} to {high}")))
}

impl Kind for bool {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        match raw.text()? {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(wrong(format!("'{other}' is neither true nor false"), "write true or false")),
        }
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

impl Kind for usize {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        number(raw, 1, 100_000).map(|n| Self::try_from(n).unwrap_or(Self::MAX))
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

impl Kind for u32 {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        number(raw, 1, 1_000_000).map(|n| Self::try_from(n).unwrap_or(Self::MAX))
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

impl Kind for u16 {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        number(raw, 1, 64).map(|n| Self::try_from(n).unwrap_or(Self::MAX))
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

/// Bytes: `"20GiB"`, `"512 MiB"` or a plain number.
impl Kind for u64 {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        let text = raw.text()?;
        size::parse(text).ok_or_else(|| {
            wrong(format!("'{text}' is not a size"), "write for example \"20GiB\", \"512MiB\" or 1000000")
        })
    }
    fn write(&self) -> String {
        quoted(&size::exact(*self))
    }
}

/// Reads a span of time such as `20s`, `5m`, `2h` or `30d`; none when it is not one.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)].into_iter().find_map(
        |(unit, millis)| {
            let number = text.trim().strip_suffix(unit)?.trim().parse::<u64>().ok()?;
            number.checked_mul(millis).map(Duration::from_millis)
        },
    )
}

/// A span, or `"off"`.
impl Kind for Option<Duration> {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        if matches!(raw.text()?, "off" | "false") { Ok(None) } else { Duration::read(raw).map(Some) }
    }
    fn write(&self) -> String {
        self.as_ref().map_or_else(|| quoted("off"), Kind::write)
    }
}

/// A span such as `"20s"`, `"5m"`, `"2h"`.
impl Kind for Duration {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        let text = raw.text()?;
        parse_span(text)
            .ok_or_else(|| wrong(format!("'{text}' is not a time span"), "write for example \"20s\", \"5m\" or \"2h\""))
    }
    fn write(&self) -> String {
        quoted(&if self.subsec_millis() == 0 {
            format!("{}s", self.as_secs())
        } else {
            format!("{}ms", self.as_millis())
        })
    }
}

impl Kind for super::LogFormat {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        match raw.text()? {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(wrong(format!("'{other}' is no log format"), "write \"text\" or \"json\"")),
        }
    }
    fn write(&self) -> String {
        quoted(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl Kind for Ciphers {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        match raw.text()? {
            "compatible" => Ok(Self::Compatible),
            "fast" => Ok(Self::Fast),
            other => Err(wrong(format!("'{other}' is no choice of ciphers"), "write \"compatible\" or \"fast\"")),
        }
    }
    fn write(&self) -> String {
        quoted(match self {
            Self::Compatible => "compatible",
            Self::Fast => "fast",
        })
    }
}

impl Kind for Junk {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        match raw.text()? {
            "keep" => Ok(Self::Keep),
            "hide" => Ok(Self::Hide),
            "refuse" => Ok(Self::Refuse),
            other => {
                Err(wrong(format!("'{other}' is nothing to do with it"), "write \"keep\", \"hide\" or \"refuse\""))
            }
        }
    }
    fn write(&self) -> String {
        quoted(match self {
            Self::Keep => "keep",
            Self::Hide => "hide",
            Self::Refuse => "refuse",
        })
    }
}

impl Kind for String {
    fn read(raw: &Raw) -> Result<Self, Wrong> {
        raw.text().map(str::to_owned)
    }
    fn write(&self) -> String {
        quoted(self)
    }
}

/// A path of the file is relative to the file's folder; one of the environment to the working folder.
pub(super) fn beside(base: Option<&Path>, path: &Path) -> PathBuf {
    base.map_or_else(|| path.to_path_buf(), |base| base.join(path))
}
