//! What can be typed.

mod app;
mod ca;
mod doctor;
mod drill;
mod host_key;
mod ls;
mod manifest;
mod report;
mod stress;
mod survey;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::account::Required;
use crate::mirror::{Links, Naming, Proving, Uploads};
use crate::model::{Deadlines, DigestAlgorithm, ServerZone};

pub use app::{AppAdd, AppVerb};
pub use ca::{CaRevoke, CaVerb};
pub use doctor::DoctorArgs;
pub use drill::DrillArgs;
pub use host_key::{HostKeyList, HostKeyVerb};
pub use ls::LsArgs;
pub use manifest::{KeptVerb, ManifestDiff, ManifestStore, ManifestVerb, ManifestVerify};
pub use report::{ReportArgs, ReportFormat};
pub use stress::StressArgs;
pub use survey::SurveyArgs;

/// Takes an organisation off FTP: mirrors legacy trees with proof, serves them over SFTP, WebDAV and
/// HTTPS, schedules the work and keeps a tamper-evident record.
#[derive(Debug, Parser)]
#[command(name = "causeway", version, propagate_version = true, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// The configuration file [default: causeway.toml, when it is there].
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  causeway demo                                  see everything at work on this machine
  causeway check                                 is the configuration right?
  causeway serve                                 serve the tree and run the jobs
  causeway ls ftp://anna@old.example/pub         how is its listing read?
  causeway survey ftp://anna@old.example/        what is there, what will not come along, how long will it take?
  causeway doctor ftp://anna@old.example/        why do transfers from it break, and what helps?
  causeway stress sftp://anna@localhost:2022/    how much does it bear, and what limits it?
  causeway mirror ftp://anna@old.example/pub ./pub   copy a tree once, with proof
  causeway job add nightly ftp://old.example/ legacy --cron '0 2 * * *' --zone Europe/Berlin
  causeway drill nightly                         what becomes of that job when something breaks in the middle?
  causeway report --output report.html           what would we gain by leaving FTP?
  causeway audit verify                          was the record changed?

Every command has its own --help. Exit codes: 0 all is well, 1 it is not (the last line says why),
2 the command line was not understood, 3 everything is there but not all of it was verified.
'survey', 'doctor', 'stress', 'drill', 'manifest verify' and 'manifest diff' have exit codes of their own: see their --help.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start everything on this machine beside an old FTP server with a sample tree.
    Demo(DemoArgs),
    /// Serve the tree and run the migration jobs until Ctrl-C or SIGTERM.
    Serve,
    /// Copy a tree once; exit code 0 only if everything is there and verified.
    Mirror(Box<MirrorArgs>),
    /// Show how a server's listing of a folder is read, line by line.
    Ls(Box<LsArgs>),
    /// Look over a tree that is to be migrated: what there is, what will not come along, how long it will take.
    Survey(Box<SurveyArgs>),
    /// Find out why transfers from an FTP server break, and what helps.
    Doctor(Box<DoctorArgs>),
    /// Find out how much a server of your own bears, and what limits it.
    Stress(Box<StressArgs>),
    /// Rehearse what becomes of a job when something breaks: resets, black holes, a full disk, a killed process.
    Drill(Box<DrillArgs>),
    /// A copy of a drill, in a process that is killed.
    #[command(name = crate::drill::WORD, hide = true)]
    DrillCopy,
    /// Migration jobs: what to copy, and when.
    #[command(subcommand)]
    Job(JobVerb),
    /// Executions of jobs.
    #[command(subcommand)]
    Run(RunVerb),
    /// Signed lists of what a target holds and how it was proven; verify and diff work offline.
    #[command(subcommand)]
    Manifest(ManifestVerb),
    /// Who may come in.
    #[command(subcommand)]
    Account(AccountVerb),
    /// Who may sign SSH certificates that open accounts.
    #[command(subcommand)]
    Ca(CaVerb),
    /// The keys by which clients know the SFTP door.
    #[command(subcommand)]
    HostKey(HostKeyVerb),
    /// The tamper-evident record of what was done.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Write what leaving FTP would bring here, with figures, intervals and definitions.
    Report(ReportArgs),
    /// Print the effective configuration without secrets, and every problem in it.
    Check(CheckArgs),
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, Args)]
pub struct Format {
    /// Write JSON for scripts.
    #[arg(long)]
    pub json: bool,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
    /// Print a configuration file with every setting instead.
    #[arg(long)]
    pub example: bool,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Minutes between two runs of the sample jobs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=59))]
    pub every: u8,
}

/// Options of `mirror`.
#[derive(Debug, Args)]
#[command(after_help = MIRROR_HELP)]
pub struct MirrorArgs {
    /// Where from: ftp://, ftp+tls:// (explicit TLS), ftps:// (implicit TLS), sftp://, davs:// (WebDAV over TLS), dav://
    /// (WebDAV in the clear), or a folder.
    pub source: String,
    /// Where to: a folder, sftp://, davs:// or dav://.
    pub target: String,
    /// Only what matches this glob (as in .gitignore); may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Not what matches this glob (as in .gitignore); may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// What is waited for.
    #[command(flatten)]
    pub uploads: UploadArgs,
    /// Move what is gone from the source into the target's trash: only on the word of complete
    /// listings of two runs in a row.
    #[arg(long)]
    pub delete: bool,
    /// Most files that one run may move into the trash, in percent.
    #[arg(long, value_name = "PERCENT", requires = "delete", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub delete_limit: Option<u8>,
    /// Say what would be done, change nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Believe files of the target that have the same size and time, instead of reading them again
    /// (they are not verified, so the exit code is 3).
    #[arg(long)]
    pub adopt: bool,
    /// How names and links are carried over.
    #[command(flatten)]
    pub carry: CarryArgs,
    /// What is proven.
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Most bytes a second, for example 2MiB.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub bandwidth: Option<u64>,
    /// The zone of the source's clock, which its listings show: minutes ahead of UTC, or a name such as Europe/Berlin
    /// [default: learned from files whose exact time the server tells].
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: Option<ServerZone>,
    /// How the source is spoken to.
    #[command(flatten)]
    pub via: Via,
    /// How the target is spoken to.
    #[command(flatten)]
    pub toward: Toward,
    /// How long the source or target may be out of reach before giving up, for example 5m.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub patience: Option<u32>,
    /// Where the journal is kept, so that an interrupted copy goes on [default: the user's state folder].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// When progress is shown.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub progress: When,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

/// Files that are left for a later run because they may still be being uploaded.
#[derive(Debug, Clone, Args)]
pub struct UploadArgs {
    /// Names of uploads under way (globs, in any case; may be repeated, and replace the usual ones): such a file is copied
    /// when it has been quiet for a while.
    #[arg(long, value_name = "GLOB", default_values_t = Uploads::default().names)]
    pub uploading: Vec<String>,
    /// For how long: 0s takes nothing for an upload, neither by its name nor because files in its folder were seen to
    /// change.
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "5m")]
    pub uploading_rest: u32,
}

impl From<UploadArgs> for Uploads {
    fn from(args: UploadArgs) -> Self {
        Self { names: args.uploading, rest_seconds: args.uploading_rest }
    }
}

/// How names and links are carried over.
#[derive(Debug, Args)]
pub struct CarryArgs {
    /// Symbolic links of the source: skip (left out and counted), follow (what they lead to is mirrored in their place,
    /// inside the source only), or recreate (the target gets links with the same bytes).
    #[arg(long, value_name = "HOW", default_value_t)]
    pub links: Links,
    /// Names that the target or its clients cannot hold: keep (as they are, what cannot be is reported) or portable (as
    /// Windows can hold them, escaped so that they can be told back; names that differ only in case get a suffix where
    /// the target takes them for one).
    #[arg(long, value_name = "HOW", default_value_t)]
    pub names: Naming,
}

/// What has to be proven of files.
#[derive(Debug, Args)]
pub struct ProofArgs {
    /// How content is proven: size (as many bytes as the source says; not called verified, so 'mirror' ends with 3),
    /// stream-hash (the digest of what arrived), second-read (the source is read twice, unchanged files too),
    /// server-hash (compared with the server's own hash where it tells one, of unchanged files too), or
    /// sampling=PERCENT (second-read for a fixed share of the files).
    #[arg(long, value_name = "HOW", default_value_t)]
    pub proof: Proving,
    /// How content is hashed: sha256, which every tool checks, or blake3, which costs less where the processor has no
    /// instructions for SHA-256.
    #[arg(long, value_name = "ALGORITHM", default_value_t)]
    pub digest: DigestAlgorithm,
    /// Write no signed manifest after runs that change something.
    #[arg(long)]
    pub no_manifest: bool,
}

/// How a source is spoken to.
#[derive(Debug, Args)]
pub struct Via {
    /// Most connections at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub connections: Option<u16>,
    /// Character set of the names, for example gbk or windows-1252, or auto to find it out for each folder.
    #[arg(long, value_name = "NAME")]
    pub charset: Option<String>,
    /// Read the source's password from this file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust beside the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Accept only the certificate with this SHA-256, in hexadecimal; of an SFTP server the host key, as SHA256:… too.
    #[arg(long, value_name = "SHA256", conflicts_with = "insecure")]
    pub pin: Option<String>,
    /// Accept any certificate or host key.
    #[arg(long)]
    pub insecure: bool,
    /// Log in to the source with this SSH private key; its passphrase comes from where a password would.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Reach an SFTP source through this host, as ssh -J does; it is logged in to with the same keys.
    #[arg(long, value_name = "USER@HOST:PORT")]
    pub jump: Option<String>,
    /// Accept only this host key of the host in between (SHA256:…).
    #[arg(long, value_name = "FINGERPRINT", requires = "jump")]
    pub jump_pin: Option<String>,
    /// May an FTP server open the data connections of small files (active mode), where it can?
    #[arg(long, value_enum, value_name = "WHETHER", default_value_t = Active::Auto)]
    pub active: Active,
    /// Seconds that each kind of wait may take, where the defaults do not suit the server: connect=10,
    /// banner=15, command=30, stall=60, closing=60, listing=600.
    #[arg(long, value_name = "CLASS=SECONDS,…")]
    pub deadlines: Option<Deadlines>,
}

/// Whether an FTP server may open data connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Active {
    /// Also when it runs on this very machine.
    On,
    /// Never.
    Off,
    /// When it runs on another machine: it saves round trips.
    Auto,
}

impl From<Active> for Option<bool> {
    fn from(active: Active) -> Self {
        match active {
            Active::On => Some(true),
            Active::Off => Some(false),
            Active::Auto => None,
        }
    }
}

/// How a target is spoken to.
#[derive(Debug, Args)]
pub struct Toward {
    /// Most connections at once to the target; one connection of SFTP or HTTP/2 carries many files.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub target_connections: Option<u16>,
    /// Read the target's password from this file.
    #[arg(long, value_name = "FILE")]
    pub target_password_file: Option<PathBuf>,
    /// Accept only the target's host key with this SHA-256, as 'ssh-keygen -l' shows it, or the certificate with this
    /// one in hexadecimal.
    #[arg(long, value_name = "SHA256", conflicts_with = "target_insecure")]
    pub target_pin: Option<String>,
    /// Certificates (PEM) of the target to trust beside the system's.
    #[arg(long, value_name = "FILE")]
    pub target_ca_file: Option<PathBuf>,
    /// Accept any host key or certificate of the target.
    #[arg(long)]
    pub target_insecure: bool,
    /// Log in to the target with this SSH private key; its passphrase comes from where a password would.
    #[arg(long, value_name = "FILE")]
    pub target_identity: Option<PathBuf>,
    /// As --jump, for an SFTP target.
    #[arg(long, value_name = "USER@HOST:PORT")]
    pub target_jump: Option<String>,
    /// As --jump-pin, for the target.
    #[arg(long, value_name = "FINGERPRINT", requires = "target_jump")]
    pub target_jump_pin: Option<String>,
    /// As --deadlines, for the target.
    #[arg(long, value_name = "CLASS=SECONDS,…")]
    pub target_deadlines: Option<Deadlines>,
}

impl From<&Toward> for Via {
    fn from(toward: &Toward) -> Self {
        Self {
            connections: toward.target_connections,
            charset: None,
            password_file: toward.target_password_file.clone(),
            ca_file: toward.target_ca_file.clone(),
            pin: toward.target_pin.clone(),
            insecure: toward.target_insecure,
            identity: toward.target_identity.clone(),
            jump: toward.target_jump.clone(),
            jump_pin: toward.target_jump_pin.clone(),
            // Nothing is written to FTP servers.
            active: Active::Auto,
            deadlines: toward.target_deadlines,
        }
    }
}

const MIRROR_HELP: &str = "\
Examples:
  causeway mirror ftp://anna@old.example/pub ./pub
  causeway mirror ftp://anna@old.example/pub sftp://ops@new.example//srv/pub --target-identity ~/.ssh/id_ed25519
  causeway mirror ftp://anna@old.example/pub davs://ops@new.example/remote.php/dav/files/ops/pub
  causeway mirror ftp+tls://anna@old.example//srv/data /srv/data --exclude '*.tmp' --exclude '/cache/'
  causeway mirror ftp://old.example/beijing ./beijing --charset gbk --dry-run

The password comes from --password-file, from CAUSEWAY_SOURCE_PASSWORD, from the URL, or is asked for; that of the
target from --target-password-file or CAUSEWAY_TARGET_PASSWORD. SFTP logs in by the key file, else by the keys of the
SSH agent (SSH_AUTH_SOCK), else by the password. A host key that is not pinned is shown and asked about once.
In a URL everybody on this machine can see it in the list of processes.
Run it again to go on after an interruption, or to copy only what changed.";

fn bytes(text: &str) -> Result<u64, String> {
    crate::model::size::parse(text).ok_or_else(|| "write for example 500KiB, 2MiB or 1000000".to_owned())
}

fn seconds(text: &str) -> Result<u32, String> {
    let span = crate::config::parse_span(text).and_then(|span| u32::try_from(span.as_secs()).ok());
    span.ok_or_else(|| "write for example 30s, 5m or 2h".to_owned())
}

/// When progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Bars on a terminal, lines otherwise.
    Auto,
    /// Plain lines.
    Lines,
    /// Nothing.
    Never,
}

impl When {
    /// Are lines shown beside an answer that is `json`, where there are no bars?
    #[must_use]
    pub const fn shows_lines(self, json: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Lines => true,
            Self::Auto => !json,
        }
    }
}

/// Commands of `job`.
#[derive(Debug, Subcommand)]
pub enum JobVerb {
    /// All jobs, what they did last and when they start next.
    List(Format),
    /// A new job.
    Add(Box<JobAdd>),
    /// One job with its settings and last runs.
    Show(JobNamed),
    /// Start no more runs until it is resumed.
    Pause(JobNamed),
    /// Let it start again.
    Resume(JobNamed),
    /// Start a run now, in the serving process (or with the next one).
    Run(JobNamed),
    /// Forget the job; what it copied stays.
    Remove(JobNamed),
}

/// Which job.
#[derive(Debug, Args)]
pub struct JobNamed {
    /// Its name or number.
    pub job: String,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

/// Options of `job add`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  causeway job add nightly ftp://anna@old.example/pub legacy --cron '0 2 * * *' --zone Europe/Berlin
  causeway job add once ftp://old.example/ legacy --now
The target is a folder of the served tree, an absolute path, or an sftp:// address. Without --cron, --at or --now the job
waits for 'causeway job run'.")]
pub struct JobAdd {
    /// A name for it.
    pub name: String,
    /// Where from.
    pub source: String,
    /// Where to: a folder of the served tree, an absolute path, or sftp://.
    pub target: String,
    /// Minute, hour, day, month, weekday.
    #[arg(long, value_name = "CRON", group = "when")]
    pub cron: Option<String>,
    /// The IANA time zone of --cron.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// The zone of the source's clock, which its listings show: minutes ahead of UTC, or a name such as Europe/Berlin
    /// [default: learned from files whose exact time the server tells].
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub server_zone: Option<ServerZone>,
    /// Once, at this instant, for example 2027-01-31T22:00:00Z.
    #[arg(long, value_name = "TIME", group = "when")]
    pub at: Option<String>,
    /// Once, at once.
    #[arg(long, group = "when")]
    pub now: bool,
    /// Only what matches this glob; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Not what matches this glob; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// What is waited for.
    #[command(flatten)]
    pub uploads: UploadArgs,
    /// Move what is gone from the source into the trash.
    #[arg(long)]
    pub delete: bool,
    /// How names and links are carried over.
    #[command(flatten)]
    pub carry: CarryArgs,
    /// What is proven.
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Most bytes a second, for example 2MiB.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub bandwidth: Option<u64>,
    /// Between its starts, look every so many minutes at the folders in which something changed lately.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub hot: Option<u32>,
    /// How the source is spoken to.
    #[command(flatten)]
    pub via: Via,
    /// How the target is spoken to.
    #[command(flatten)]
    pub toward: Toward,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

/// Commands of `run`.
#[derive(Debug, Subcommand)]
pub enum RunVerb {
    /// The last runs.
    List(RunList),
    /// One run: what it did, and what is missing and why.
    Show(RunShow),
    /// Ask a run to stop; it keeps what it has.
    Cancel(RunNamed),
}

impl RunVerb {
    /// The journal to look into, when it is not the one of the data folder.
    #[must_use]
    pub fn state(&self) -> Option<&Path> {
        match self {
            Self::List(args) => args.state.as_deref(),
            Self::Show(args) => args.state.as_deref(),
            Self::Cancel(_) => None,
        }
    }
}

/// Options of `run show`.
#[derive(Debug, Args)]
pub struct RunShow {
    /// Its number.
    pub run: i64,
    /// List every path that is missing and why, however many; with --json one object a line, the run last.
    #[arg(long)]
    pub missing: bool,
    /// List every path that the job's target holds under another name than the source has.
    #[arg(long, conflicts_with = "missing")]
    pub mapped: bool,
    /// The journal of 'causeway mirror', when it is not in the data folder.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

/// Options of `run list`.
#[derive(Debug, Args)]
pub struct RunList {
    /// Only those of this job (name or number).
    #[arg(long)]
    pub job: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub last: u32,
    /// The journal of 'causeway mirror', when it is not in the data folder.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

/// Which run.
#[derive(Debug, Args)]
pub struct RunNamed {
    /// Its number.
    pub run: i64,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

/// Commands of `account`.
#[derive(Debug, Subcommand)]
pub enum AccountVerb {
    /// All accounts.
    List(Format),
    /// A new account; the password is asked for, or read from CAUSEWAY_PASSWORD or --password-file.
    Add(AccountAdd),
    /// Other rights, another folder, on or off. Open connections of the account end.
    Change(AccountChange),
    /// A new password.
    Passwd(AccountPassword),
    /// Lift a lock-out, of an account or of an address from which too many failed.
    Unlock {
        /// Its name, or the address.
        name: String,
    },
    /// Forget the account; its files stay.
    Remove(AccountNamed),
    /// SSH keys.
    #[command(subcommand)]
    Key(KeyVerb),
    /// The second factor: a code from an authenticator app beside the password.
    #[command(subcommand)]
    Totp(TotpVerb),
    /// App passwords: one for each device or program that opens WebDAV or /files/, instead of the password and its code.
    #[command(subcommand)]
    App(AppVerb),
}

/// Which account.
#[derive(Debug, Args)]
pub struct AccountNamed {
    /// Its name.
    pub name: String,
}

/// Options of `account add`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  causeway account add anna --home partners/anna\n  \
                        causeway account add auditor --read-only --admin")]
pub struct AccountAdd {
    /// Its name.
    pub name: String,
    /// The folder of the served tree it is rooted in [default: the whole tree].
    #[arg(long, value_name = "FOLDER", default_value = "")]
    pub home: String,
    /// It may list and read only.
    #[arg(long)]
    pub read_only: bool,
    /// The most that its folder may hold, for example 10GiB [default: what the disk holds].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub quota: Option<u64>,
    /// The most files, folders and links in it.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub quota_files: Option<u64>,
    /// It may use the dashboard.
    #[arg(long)]
    pub admin: bool,
    /// No password: only SSH keys open the door.
    #[arg(long, conflicts_with = "password_file")]
    pub no_password: bool,
    /// Read the password from this file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Options of `account change`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  causeway account change anna --admin\n  \
                        causeway account change anna --require key+code\n  \
                        causeway account change anna --quota 20GiB --quota-files none\n  \
                        causeway account change anna --disable")]
pub struct AccountChange {
    /// Its name.
    pub name: String,
    /// The folder of the served tree it is rooted in; '' is the whole tree.
    #[arg(long, value_name = "FOLDER")]
    pub home: Option<String>,
    /// It may list and read only.
    #[arg(long, conflicts_with = "read_write")]
    pub read_only: bool,
    /// It may also write.
    #[arg(long)]
    pub read_write: bool,
    /// The most that its folder may hold, for example 10GiB; 'none' is what the disk holds.
    #[arg(long, value_name = "BYTES", value_parser = limit_of_bytes)]
    pub quota: Option<Limit>,
    /// The most files, folders and links in it; 'none' is any number.
    #[arg(long, value_name = "COUNT", value_parser = limit_of_files)]
    pub quota_files: Option<Limit>,
    /// It may use the whole dashboard.
    #[arg(long, conflicts_with = "no_admin")]
    pub admin: bool,
    /// It may no longer do so.
    #[arg(long)]
    pub no_admin: bool,
    /// Nobody comes in by it any more.
    #[arg(long, conflicts_with = "enable")]
    pub disable: bool,
    /// It may come in again.
    #[arg(long)]
    pub enable: bool,
    /// What every login must show: any (a key, or the password with its code), or several of key, password and code
    /// joined by '+', for example key+password. What requires a key comes in over SFTP only.
    #[arg(long, value_name = "FACTORS")]
    pub require: Option<Required>,
}

/// A limit that can be lifted: none = no limit.
#[derive(Debug, Clone, Copy)]
pub struct Limit(pub Option<u64>);

fn limit_of_bytes(text: &str) -> Result<Limit, String> {
    if text == "none" { Ok(Limit(None)) } else { bytes(text).map(|most| Limit(Some(most))) }
}

fn limit_of_files(text: &str) -> Result<Limit, String> {
    let count = || text.parse().ok().filter(|count| *count > 0).ok_or("write a number above 0, or none");
    if text == "none" { Ok(Limit(None)) } else { Ok(Limit(Some(count()?))) }
}

/// Options of `account passwd`.
#[derive(Debug, Args)]
pub struct AccountPassword {
    /// Its name.
    pub name: String,
    /// Read the password from this file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Commands of `account key`.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// The keys of an account.
    List {
        /// Its name.
        name: String,
        /// How the answer is written.
        #[command(flatten)]
        format: Format,
    },
    /// A new key.
    Add {
        /// Name of the account.
        name: String,
        /// A file with public keys as OpenSSH writes them (id_ed25519.pub, authorized_keys).
        file: PathBuf,
    },
    /// Forget a key.
    Remove {
        /// Name of the account.
        name: String,
        /// SHA256:… as `key list` shows it.
        fingerprint: String,
    },
}

/// Commands of `account totp`.
#[derive(Debug, Subcommand)]
pub enum TotpVerb {
    /// Show a new secret for an authenticator app, and ask for its first code. From then on the password needs a code.
    On {
        /// Name of the account.
        name: String,
    },
    /// The password is enough again.
    Off {
        /// Name of the account.
        name: String,
    },
}

/// Commands of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Was an entry changed, removed, reordered or cut off? Exit code 1 when so.
    Verify {
        /// A checkpoint kept outside: without one, entries cut off at the end cannot be noticed.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// How the answer is written.
        #[command(flatten)]
        format: Format,
    },
    /// The last entries.
    List {
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        last: u32,
        /// Only this kind, for example login-failed.
        #[arg(long)]
        action: Option<String>,
        /// How the answer is written.
        #[command(flatten)]
        format: Format,
    },
    /// Write the head of the log into a file, to be kept where nobody who can change the log can write.
    Checkpoint {
        /// The file.
        file: PathBuf,
    },
    /// Every entry, one JSON object a line, as it was hashed.
    Export,
}
