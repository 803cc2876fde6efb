//! z/OS: jobs in the spool, by both levels of JES. The name by which the output is fetched is the job's number.

use super::super::Raw;
use super::super::words::{Word, words};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8]) -> Option<Raw> {
    let words = words(line);
    let [_job, id, rest @ ..] = words.as_slice() else { return None };
    // Level 2 has the owner before the state.
    let state =
        rest.iter().take(2).any(|word| matches!(word.text(), "OUTPUT" | "INPUT" | "ACTIVE" | "HELD" | "ARCHIVE"));
    (is_id(id) && state).then(|| Raw::bare(id.bytes, EntryKind::File))
}

/// `JOB01906`, `TSU01830`, `STC00007`, `J0001906`.
fn is_id(word: &Word<'_>) -> bool {
    let text = word.text();
    let digits = ["JOB", "TSU", "STC", "J", "T", "S"].iter().find_map(|kind| text.strip_prefix(kind));
    text.len() <= 8 && digits.is_some_and(|d| d.len() >= 4 && d.bytes().all(|b| b.is_ascii_digit()))
}
