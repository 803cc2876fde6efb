//! The table of settings: one row each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::environment::{Environment, PREFIX};
use super::problem::{Place, Problems};
use super::value::{Kind, Raw, Wrong, beside};

/// One setting.
struct Row {
    /// `section.key`, or `key` at the top.
    name: &'static str,
    help: &'static str,
    set: fn(&mut Config, &Raw, Option<&Path>) -> Result<(), Wrong>,
    get: fn(&Config) -> String,
}

macro_rules! row {
    ($name:literal, $($field:ident).+, $help:literal) => {
        Row {
            name: $name,
            help: $help,
            set: |config, raw, _| { config.$($field).+ = Kind::read(raw)?; Ok(()) },
            get: |config| config.$($field).+.write(),
        }
    };
    (path $name:literal, $($field:ident).+, $help:literal) => {
        Row {
            name: $name,
            help: $help,
            set: |config, raw, base| {
                let path: std::path::PathBuf = Kind::read(raw)?;
                config.$($field).+ = beside(base, &path).into();
                Ok(())
            },
            get: |config| config.$($field).+.write(),
        }
    };
}

const ROWS: &[Row] = &[
    row!(path "data", data, "database, keys and certificates; mode 0700"),
    row!(path "tree", tree, "the folder that is served and mirrored into; default: tree in the data folder"),
    row!("https.listen", https.listen, "dashboard, WebDAV and downloads; \"off\" closes the door"),
    row!(path "https.certificate", https.certificate, "PEM chain; without one a self-signed is made at the first start"),
    row!(path "https.key", https.key, "PEM key of that chain"),
    row!("https.names", https.names, "what a self-signed certificate is made for"),
    row!(
        "https.acme",
        https.acme,
        "who issues a certificate: \"letsencrypt\", \"letsencrypt-staging\", the https:// address of a directory, or \"off\""
    ),
    row!("https.acme-names", https.acme_names, "what for: names that lead here from the whole net"),
    row!("https.acme-contact", https.acme_contact, "an e-mail address that the authority may write to"),
    row!(path "https.acme-ca", https.acme_ca, "PEM of who vouches for the authority's own server, if the system does not know"),
    row!(
        "https.plain",
        https.plain,
        "plain HTTP, which only leads to HTTPS and shows an authority what it asks for; \"off\" for none"
    ),
    row!("https.http3", https.http3, "speak HTTP/3 as well, on the UDP port of the same number"),
    row!("https.public-port", https.public_port, "the port of https.listen as it is reached from outside, if another"),
    row!(
        "dav.junk",
        dav.junk,
        "what systems leave beside files ('._*', '.DS_Store', 'Thumbs.db'): \"keep\", \"hide\" or \"refuse\""
    ),
    row!("files.trash", files.trash, "how long what people delete can be restored; \"off\" deletes at once"),
    row!("sftp.listen", sftp.listen, "SFTP; \"off\" closes the door"),
    row!("sftp.legacy", sftp.legacy, "clients with SHA-1, CBC or groups of 2048 bits only may come in, too"),
    row!("sftp.connections-per-account", sftp.connections_per_account, "of one account at once"),
    row!("sftp.ciphers", sftp.ciphers, "\"fast\" for AES-GCM only, \"compatible\" for all that are safe"),
    row!("sftp.proxies", sftp.proxies, "load balancers that must send a PROXY header: addresses or networks"),
    row!("limits.connections", limits.connections, "to one door at once"),
    row!("limits.connections-per-address", limits.connections_per_address, "to one door at once from one address"),
    row!("limits.streams-per-address", limits.streams_per_address, "requests over HTTPS at once from one address"),
    row!(
        "limits.requests-per-account",
        limits.requests_per_account,
        "a second, of one account to WebDAV and /files/; ten seconds' worth may come at once"
    ),
    row!("limits.archives", limits.archives, "folders that are fetched as archives at once, by all together"),
    row!("limits.upload", limits.upload, "bytes of one upload over HTTP"),
    row!("limits.drain", limits.drain, "how long transfers may go on after a stop"),
    row!("limits.keep-parts", limits.keep_parts, "how long the parts of uploads stay that were cut off"),
    row!("jobs.parallel", jobs.parallel, "runs at once"),
    row!("jobs.keep-runs", jobs.keep_runs, "finished runs of a job that keep their lists of paths, for a year at most"),
    row!(
        "reliability.objective",
        reliability.objectives.usual,
        "how many connections to an endpoint should become ready, over how long"
    ),
    row!(
        "reliability.objectives",
        reliability.objectives.named,
        "other ones of single endpoints, for example [\"old.example:21 99.5% over 30d\"]"
    ),
    row!("log.format", log.format, "\"text\" or \"json\""),
    row!("log.filter", log.filter, "for example \"info,causeway::remote=debug\""),
];

/// Who said a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Nobody.
    Default,
    /// The file.
    File,
    /// A variable.
    Environment,
}

/// One setting for people.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// `section.key`.
    pub name: &'static str,
    /// As TOML.
    pub value: String,
    /// Who said it.
    pub origin: Origin,
}

/// Where each value came from, for messages about the whole.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<&'static str, Place>);

impl Origins {
    /// The place of one setting.
    pub(super) fn of(&self, name: &str) -> Place {
        self.0.get(name).cloned().unwrap_or(Place::Default)
    }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace(['.', '-'], "_").to_uppercase())
}

/// Puts the file's values into `config`.
pub(super) fn read_file(config: &mut Config, origins: &mut Origins, path: &Path, text: &str, problems: &mut Problems) {
    let line = |at: usize| Some(1 + text.bytes().take(at).filter(|b| *b == b'\n').count());
    let (table, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    for error in &errors {
        let at = error.span().and_then(|span| line(span.start));
        problems.push(Place::file(path, at), format!("not TOML: {}", error.message()), "mend the line");
    }
    if !errors.is_empty() {
        // What the parser guessed after an error would only bring problems that nobody has.
        return;
    }
    let mut found = Vec::new();
    flatten("", table.get_ref(), &mut found);
    found.sort_by_key(|(_, at, _)| *at);
    let base = path.parent().filter(|p| !p.as_os_str().is_empty());
    for (name, at, value) in found {
        let place = Place::file(path, line(at));
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            problems.push(place, format!("'{name}' is not a setting"), did_you_mean(&name));
            continue;
        };
        match Raw::of(value).and_then(|raw| (row.set)(config, &raw, base)) {
            Ok(()) => {
                origins.0.insert(row.name, place);
            }
            Err((what, then)) => problems.push(place, format!("{name}: {what}"), then),
        }
    }
}

/// Every value with its dotted name and the byte where its key begins.
fn flatten<'t>(prefix: &str, table: &'t DeTable<'_>, found: &mut Vec<(String, usize, &'t DeValue<'t>)>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        let is_section =
            ROWS.iter().any(|row| row.name.strip_prefix(name.as_str()).is_some_and(|r| r.starts_with('.')));
        match value.get_ref() {
            DeValue::Table(inner) if is_section => flatten(&format!("{name}."), inner, found),
            other => found.push((name, key.span().start, other)),
        }
    }
}

/// Puts the environment's values into `config`.
pub(super) fn read_environment(
    config: &mut Config,
    origins: &mut Origins,
    environment: &Environment,
    problems: &mut Problems,
) {
    for name in environment.not_text() {
        problems.push(Place::Environment(name.clone()), "the value is not UTF-8", "set it to plain text");
    }
    for (name, value) in environment.settings() {
        let place = Place::Environment(name.to_owned());
        let Some(row) = ROWS.iter().find(|row| variable(row.name) == name) else {
            let known: Vec<_> = ROWS.iter().map(|row| variable(row.name)).collect();
            let near = nearest(name, known.iter().map(String::as_str));
            problems.push(place, "no setting has this variable", format!("unset it, or did you mean {near}?"));
            continue;
        };
        match (row.set)(config, &Raw::Text(value.to_owned()), None) {
            Ok(()) => {
                origins.0.insert(row.name, place);
            }
            Err((what, then)) => problems.push(place, what, then),
        }
    }
}

/// Every setting with its value.
pub(super) fn show(config: &Config, origins: &Origins) -> Vec<Shown> {
    let origin = |name| match origins.of(name) {
        Place::File(..) => Origin::File,
        Place::Environment(_) => Origin::Environment,
        Place::Default => Origin::Default,
    };
    ROWS.iter().map(|row| Shown { name: row.name, value: (row.get)(config), origin: origin(row.name) }).collect()
}

/// A file with every setting at its default, each with what it is for.
#[must_use]
pub fn example() -> String {
    let config = Config::default();
    let mut text = String::new();
    let mut section = "";
    for row in ROWS {
        let (own, key) = row.name.split_once('.').unwrap_or(("", row.name));
        if own != section {
            section = own;
            text.push_str(&format!("\n[{own}]\n"));
        }
        let value = (row.get)(&config);
        let off = if value == "\"\"" { "# " } else { "" };
        // Writing to a String cannot fail.
        if writeln!(text, "{off}{key} = {value}  # {}", row.help).is_err() {
            break;
        }
    }
    text
}

fn did_you_mean(name: &str) -> String {
    format!("take it away, or did you mean '{}'?", nearest(name, ROWS.iter().map(|row| row.name)))
}

/// The known name that shares most letter pairs with `name`.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> &'n str {
    let pairs = |text: &str| text.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let own = pairs(name);
    known
        .max_by_key(|other| {
            let theirs = pairs(other);
            let common = own.iter().filter(|pair| theirs.contains(pair)).count();
            2000 * common / (own.len() + theirs.len()).max(1)
        })
        .unwrap_or_default()
}
