//! What can be typed behind `manifest`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Format;

/// Commands of `manifest`.
#[derive(Debug, Subcommand)]
pub enum ManifestVerb {
    /// What needs the store.
    #[command(flatten)]
    Kept(KeptVerb),
    /// Is a manifest what was signed, and does a tree hold exactly what it says? Needs no store.
    Verify(ManifestVerify),
    /// What changed between two manifests? Needs no store.
    Diff(ManifestDiff),
}

/// Commands of `manifest` that need the store.
#[derive(Debug, Subcommand)]
pub enum KeptVerb {
    /// The public key by which others know this installation's manifests.
    Key(ManifestStore),
    /// The manifests that are kept.
    List {
        /// Only those of this job (name or number).
        #[arg(long)]
        job: Option<String>,
        /// Where they are.
        #[command(flatten)]
        store: ManifestStore,
    },
    /// Write the manifest of the last run that changed anything, or of one that changed nothing since.
    Write {
        /// The run's number.
        run: i64,
        /// Where they are.
        #[command(flatten)]
        store: ManifestStore,
    },
}

/// Where manifests are kept.
#[derive(Debug, Args)]
pub struct ManifestStore {
    /// The journal of 'causeway mirror', when it is not in the data folder.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

impl KeptVerb {
    /// Which store.
    #[must_use]
    pub const fn store(&self) -> &ManifestStore {
        match self {
            Self::Key(store) | Self::List { store, .. } | Self::Write { store, .. } => store,
        }
    }
}

/// Options of `manifest verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 the signature is right and, with --tree, the tree holds exactly what the manifest says;
1 the tree does not (each missing, extra and different file is named); 2 the manifest cannot be believed
(damaged, cut off, signed by another key) or could not be read.
Examples:
  causeway manifest verify job-1-run-7.jsonl --key ed25519:5f2b…
  causeway manifest verify job-1-run-7.jsonl --tree /srv/new
Without --key the signature only shows that nothing was changed since somebody signed it.")]
pub struct ManifestVerify {
    /// The manifest.
    pub file: PathBuf,
    /// Compare this folder with it: every file's size and SHA-256.
    #[arg(long, value_name = "DIR")]
    pub tree: Option<PathBuf>,
    /// The public key that must have signed it, or a file with it; see 'causeway manifest key'.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

/// Options of `manifest diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 both say the same, 1 they do not, 2 one of them cannot be believed or read.
Lines begin with + (added), - (removed), ~ (another content) or t (only another time).")]
pub struct ManifestDiff {
    /// The earlier one.
    pub before: PathBuf,
    /// The later one.
    pub after: PathBuf,
    /// The public key that must have signed both, or a file with it.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}
