//! What the operator says: one TOML file, the `CAUSEWAY_*` environment over it, and defaults under it.
//!
//! Every setting is one row of [`settings`], which knows its name, its environment variable, how it is
//! read and how it is shown. All problems are found before anything is said, each with its line and
//! with what to write instead. The process's environment is read in this module and nowhere else.

mod check;
mod environment;
mod problem;
mod settings;
mod value;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::drive::Junk;
use crate::net::Network;
use crate::reliability::objective::Objectives;
use crate::serve::http::Directory;
use crate::serve::sftp::Ciphers;
use crate::tree::file;

pub use environment::{Environment, MIRROR_PASSWORDS, PREFIX};
pub use problem::{Place, Problem, Problems};
pub use settings::{Origin, Shown, example};
pub use value::parse_span;

/// The file that is looked for when none is named.
pub const DEFAULT_FILE: &str = "causeway.toml";

/// A configuration file is small; a larger one is some other file.
const MAX_FILE: usize = 1 << 20;

/// Everything that can be set, complete and of the right kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Database, keys and certificates; only its owner may enter it.
    pub data: PathBuf,
    /// The folder that is served and mirrored into.
    pub tree: PathBuf,
    /// The HTTPS door: dashboard, WebDAV and downloads.
    pub https: Https,
    /// WebDAV, which is a part of the HTTPS door.
    pub dav: Dav,
    /// What is deleted.
    pub files: Files,
    /// The SFTP door.
    pub sftp: Sftp,
    /// What nobody may exceed.
    pub limits: Limits,
    /// How migration jobs run.
    pub jobs: Jobs,
    /// What is expected of endpoints.
    pub reliability: Reliability,
    /// What operators read.
    pub log: Log,
}

/// Settings of the HTTPS door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// Address and port; none when it is off.
    pub listen: Option<SocketAddr>,
    /// PEM chain; none for a self-signed one.
    pub certificate: Option<PathBuf>,
    /// PEM key of that chain.
    pub key: Option<PathBuf>,
    /// Names and addresses that a self-signed certificate is made for.
    pub names: Vec<String>,
    /// The authority that a certificate is ordered from; none when it is off.
    pub acme: Option<Directory>,
    /// The names to order it for.
    pub acme_names: Vec<String>,
    /// Whom the authority writes to; nobody when it is empty.
    pub acme_contact: String,
    /// PEM certificates to trust when talking to the authority, beside the system's.
    pub acme_ca: Option<PathBuf>,
    /// Address and port of plain HTTP, which only leads to HTTPS; none when it is off.
    pub plain: Option<SocketAddr>,
    /// The port of `listen` as it is reached from outside, where that is another one.
    pub public_port: Option<u16>,
    /// Whether HTTP/3 is spoken, too.
    pub http3: bool,
}

/// Settings of WebDAV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dav {
    /// What is done with what systems leave beside files.
    pub junk: Junk,
}

/// What people delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// How long it can be restored; none when it is gone at once.
    pub trash: Option<Duration>,
}

/// Settings of the SFTP door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sftp {
    /// Address and port; none when it is off.
    pub listen: Option<SocketAddr>,
    /// Clients that know only what is outdated may come in, too.
    pub legacy: bool,
    /// Connections of one account at once.
    pub connections_per_account: usize,
    /// Which ciphers are offered.
    pub ciphers: Ciphers,
    /// Proxies from which a PROXY header must come, and is believed.
    pub proxies: Vec<Network>,
}

/// What nobody may exceed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections to a door at once.
    pub connections: usize,
    /// Connections to a door at once from one address.
    pub connections_per_address: usize,
    /// Requests over HTTPS at once from one address.
    pub streams_per_address: usize,
    /// Requests a second of one account to WebDAV and `/files/`, in the long run.
    pub requests_per_account: u32,
    /// Folders that are fetched as archives at once.
    pub archives: usize,
    /// Bytes of one upload over HTTP.
    pub upload: u64,
    /// How long transfers may go on after the service was told to stop.
    pub drain: Duration,
    /// How long parts of uploads stay that were cut off.
    pub keep_parts: Duration,
}

/// How migration jobs run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jobs {
    /// Runs at once.
    pub parallel: u16,
    /// How many finished runs of a job keep their lists of paths.
    pub keep_runs: usize,
}

/// What operators read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines for people or JSON for machines.
    pub format: LogFormat,
    /// Directives such as `info,causeway::remote=debug`.
    pub filter: String,
}

/// Settings of the reliability figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reliability {
    /// What endpoints and doors should do.
    pub objectives: Objectives,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("causeway-data"),
            tree: PathBuf::new(),
            https: Https {
                listen: Some(SocketAddr::from(([0, 0, 0, 0], 8443))),
                certificate: None,
                key: None,
                names: vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
                acme: None,
                acme_names: Vec::new(),
                acme_contact: String::new(),
                acme_ca: None,
                plain: None,
                public_port: None,
                http3: true,
            },
            dav: Dav { junk: Junk::default() },
            files: Files { trash: Some(Duration::from_secs(30 * 24 * 3600)) },
            sftp: Sftp {
                listen: Some(SocketAddr::from(([0, 0, 0, 0], 2022))),
                legacy: false,
                connections_per_account: 256,
                ciphers: Ciphers::default(),
                proxies: Vec::new(),
            },
            limits: Limits {
                connections: 512,
                connections_per_address: 64,
                streams_per_address: 2048,
                requests_per_account: 2000,
                archives: 32,
                upload: 1 << 40,
                drain: Duration::from_secs(20),
                keep_parts: Duration::from_secs(7 * 24 * 3600),
            },
            jobs: Jobs { parallel: 2, keep_runs: crate::job::KEPT_RUNS },
            reliability: Reliability { objectives: Objectives::default() },
            log: Log { format: LogFormat::Text, filter: "info".to_owned() },
        }
    }
}

/// A configuration and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Every setting, for people.
    pub shown: Vec<Shown>,
}

/// Reads the file (`named` must be there; [`DEFAULT_FILE`] may be missing), puts the environment over
/// it, and checks the whole.
///
/// # Errors
/// All problems at once.
pub fn load(named: Option<&Path>, environment: &Environment) -> Result<Loaded, Problems> {
    let (config, problems) = inspect(named, environment);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Like [`load`], but also gives what could be understood when there are problems: for `causeway check`.
#[must_use]
pub fn inspect(named: Option<&Path>, environment: &Environment) -> (Loaded, Problems) {
    let mut problems = Problems::default();
    let named = named.map(Path::to_path_buf).or_else(|| environment.config_file());
    let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let text = match file::read_small(&path, MAX_FILE) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => None,
        Err(error) => {
            let then = "name another file with --config, or leave it out to use the defaults";
            problems.push(Place::file(&path, None), format!("the configuration cannot be read: {error}"), then);
            None
        }
    };
    let mut config = Config::default();
    let mut origins = settings::Origins::default();
    if let Some(text) = &text {
        settings::read_file(&mut config, &mut origins, &path, text, &mut problems);
    }
    settings::read_environment(&mut config, &mut origins, environment, &mut problems);
    if config.tree.as_os_str().is_empty() {
        config.tree = config.data.join("tree");
    }
    check::whole(&config, &origins, &mut problems);
    let shown = settings::show(&config, &origins);
    (Loaded { config, file: text.map(|_| path), shown }, problems)
}

#[cfg(test)]
mod tests;
