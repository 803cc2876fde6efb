//! A run's summary in plain words.

use std::path::Path;

use crate::mirror::{Ended, Summary};

use super::{Failure, Out, output};

/// How many missing paths are told one by one.
const SHOWN: usize = 20;

/// Prints it. `state` is the folder of its journal, when that is not the configured one.
pub(super) fn print(out: &Out, summary: &Summary, state: Option<&Path>) -> Result<(), Failure> {
    let counts = &summary.counts;
    head(out, summary)?;
    examples(out, summary, SHOWN)?;
    let told = u64::try_from(summary.missing.len().min(SHOWN)).unwrap_or(u64::MAX);
    let more = counts.files_failed.saturating_add(counts.files_waiting).saturating_sub(told);
    if more > 0 && !summary.dry_run {
        let state = state.map(|folder| format!(" --state {}", quoted(folder))).unwrap_or_default();
        out.line(format!("… and {more} more, listed by: causeway run show {} --missing{state}", summary.run))?;
    }
    folders(out, summary, SHOWN)?;
    notes(out, summary)?;
    if summary.complete && !summary.dry_run {
        out.line(if summary.verified { "everything is there and verified" } else { "everything is there" })?;
    }
    Ok(())
}

/// A folder as a shell takes it.
fn quoted(folder: &Path) -> String {
    let text = folder.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The numbers, and why it gave up when it did.
pub(super) fn head(out: &Out, summary: &Summary) -> Result<(), Failure> {
    let counts = &summary.counts;
    if summary.dry_run {
        out.line("dry run: nothing was changed")?;
    }
    let mut parts = vec![
        format!("{} copied ({})", files(counts.files_published), output::bytes(counts.bytes_published)),
        format!("{} unchanged", counts.files_unchanged),
    ];
    for (count, what) in [
        (counts.files_rechecked, "of the unchanged looked at again"),
        (counts.files_doubted, "not in the target any more as they were published"),
        (counts.modes_set, "given the source's mode"),
        (counts.links_made, "links made"),
        (counts.files_adopted, "believed by size and time"),
        (counts.files_trashed, "moved into the trash"),
        (counts.files_kept, "gone from the source but kept for now"),
        (counts.entries_skipped, "left out"),
        (counts.files_failed, "failed"),
        (counts.files_waiting, "still to do"),
        (counts.files_uploading, "of these may still be being uploaded"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if counts.retries > 0 {
        parts.push(format!("{} tries repeated", counts.retries));
    }
    out.line(format!("{}: {}", files(counts.files_seen), parts.join(", ")))?;
    if !summary.proofs.is_empty() {
        let parts: Vec<_> = summary.proofs.iter().map(|(how, count)| format!("{count} by {how}")).collect();
        out.line(format!("proven: {}", parts.join(", ")))?;
    }
    if let Some(lag) = &summary.lag {
        let (middle, last) = (lag.median_seconds, lag.longest_seconds);
        out.line(format!(
            "new since the last run: {}, half of them here within {middle} s, all within {last} s",
            files(lag.files)
        ))?;
    }
    if let Ended::GaveUp { fault } = &summary.ended {
        out.line(format!("gave up: {fault}"))?;
    }
    Ok(())
}

/// The first `most` missing paths that the summary itself holds.
pub(super) fn examples(out: &Out, summary: &Summary, most: usize) -> Result<(), Failure> {
    for item in summary.missing.iter().take(most) {
        out.line(format!("missing: {}: {}", item.path.display(), item.fault))?;
    }
    Ok(())
}

/// The first `most` folders that may be incomplete, and how many more there are.
pub(super) fn folders(out: &Out, summary: &Summary, most: usize) -> Result<(), Failure> {
    for folder in summary.unsure.iter().take(most) {
        let name = if folder.path.is_root() { "the top folder".into() } else { folder.path.display() };
        match &folder.fault {
            Some(fault) => out.line(format!("not listed: {name}: {fault}"))?,
            None => {
                let doubts: Vec<String> = folder.doubts.iter().map(ToString::to_string).collect();
                out.line(format!("maybe incomplete: {name}: {}", doubts.join("; ")))?;
            }
        }
    }
    let told = u64::try_from(summary.unsure.len().min(most)).unwrap_or(u64::MAX);
    match summary.counts.dirs_unsure.saturating_sub(told) {
        0 => Ok(()),
        more => out.line(format!("… and {more} more folders that were not listed, or may be incomplete")),
    }
}

/// What was decided and why.
pub(super) fn notes(out: &Out, summary: &Summary) -> Result<(), Failure> {
    summary.notes.iter().try_for_each(|note| out.line(format!("note: {note}")))
}

pub(super) fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
