//! The head of the log as a small text, to be kept outside.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::Timestamp;

use crate::db::DbError;
use crate::tree::file;

const MAGIC: &str = "causeway audit checkpoint";

/// Number, hash and time of the last entry at some moment. Kept on another machine, on paper or with
/// another department, it shows that everything up to it is still there and unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The entry's number; 0 = the log was empty.
    pub seq: i64,
    /// SHA-256 of that entry.
    pub hash: [u8; 32],
    /// When the checkpoint was taken.
    pub at: Timestamp,
}

impl Checkpoint {
    /// The hash in hexadecimal.
    #[must_use]
    pub fn hash_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.hash)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}")?;
        writeln!(f, "entries {}", self.seq)?;
        writeln!(f, "sha256 {}", self.hash_hex())?;
        writeln!(f, "taken {}", self.at)
    }
}

/// The text is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint of the audit log ({0}): it has four lines, as 'causeway audit checkpoint' writes them")]
pub struct CheckpointParseError(&'static str);

impl FromStr for Checkpoint {
    type Err = CheckpointParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut lines = text.lines().map(str::trim_end);
        if lines.next() != Some(MAGIC) {
            return Err(CheckpointParseError("the first line is another"));
        }
        let mut field = |name: &'static str| {
            lines.next().and_then(|line| line.strip_prefix(name)).map(str::trim).ok_or(CheckpointParseError(name))
        };
        let seq = field("entries ")?.parse().map_err(|_| CheckpointParseError("entries"))?;
        let hash = HEXLOWER_PERMISSIVE
            .decode(field("sha256 ")?.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(CheckpointParseError("sha256"))?;
        let at = field("taken ")?.parse().map_err(|_| CheckpointParseError("taken"))?;
        Ok(Self { seq, hash, at })
    }
}

/// Why a checkpoint was not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file.
    #[error("the checkpoint file cannot be used")]
    File(#[source] io::Error),
    /// What stands in it.
    #[error(transparent)]
    Parse(#[from] CheckpointParseError),
    /// The checkpoint that is there speaks against the log. It stays, as evidence.
    #[error(
        "the log does not agree with the checkpoint of entry {0} that is there: it was cut off or written anew \
         (run 'causeway audit verify', and keep that checkpoint)"
    )]
    Disagrees(i64),
    /// The store.
    #[error(transparent)]
    Store(#[from] DbError),
}

/// Reads a checkpoint file; `None` when there is none. Blocks.
pub(super) fn read(path: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
    let bytes = match file::read_small(path, 4096) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(CheckpointError::File)?,
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| CheckpointParseError("it is not a text"))?;
    Ok(Some(text.parse()?))
}

/// Writes a checkpoint file in one step. Blocks.
pub(super) fn write(path: &Path, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    file::write_public(path, checkpoint.to_string().as_bytes()).map_err(CheckpointError::File)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_from_its_text() {
        let checkpoint =
            Checkpoint { seq: 42, hash: [0xab; 32], at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap() };
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint.clone()));
        assert_eq!(checkpoint.to_string().replace('\n', "\r\n").parse(), Ok(checkpoint));
        assert!("entries 3".parse::<Checkpoint>().is_err());
        assert!(format!("{MAGIC}\nentries x\n").parse::<Checkpoint>().is_err());
    }
}
