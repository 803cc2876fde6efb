//! A run's summary in plain words.

use crate::mirror::{Ended, Summary};
use crate::remote::Doubt;

use super::{Failure, Out, output};

/// How many missing paths are told one by one.
const SHOWN: usize = 20;

/// Prints it.
pub(super) fn print(out: &Out, summary: &Summary) -> Result<(), Failure> {
    let counts = &summary.counts;
    if summary.dry_run {
        out.line("dry run: nothing was changed")?;
    }
    let mut parts = vec![
        format!("{} copied ({})", files(counts.files_published), output::bytes(counts.bytes_published)),
        format!("{} unchanged", counts.files_unchanged),
    ];
    for (count, what) in [
        (counts.files_adopted, "believed by size and time"),
        (counts.files_trashed, "moved into the trash"),
        (counts.files_kept, "gone from the source but kept for now"),
        (counts.entries_skipped, "left out"),
        (counts.files_failed, "failed"),
        (counts.files_waiting, "still to do"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if counts.retries > 0 {
        parts.push(format!("{} tries repeated", counts.retries));
    }
    out.line(format!("{}: {}", files(counts.files_seen), parts.join(", ")))?;
    if let Ended::GaveUp { fault } = &summary.ended {
        out.line(format!("gave up: {fault}"))?;
    }
    for item in summary.missing.iter().take(SHOWN) {
        out.line(format!("missing: {}: {}", item.path.display(), item.fault))?;
    }
    let more = counts.files_failed.saturating_sub(SHOWN as u64);
    if more > 0 {
        out.line(format!("… and {more} more: 'causeway run show {}' has them", summary.run))?;
    }
    for folder in summary.unsure.iter().take(SHOWN) {
        let name = if folder.path.is_root() { "the top folder".into() } else { folder.path.display() };
        match &folder.fault {
            Some(fault) => out.line(format!("not listed: {name}: {fault}"))?,
            None => {
                let doubts: Vec<String> = folder.doubts.iter().map(doubt).collect();
                out.line(format!("maybe incomplete: {name}: {}", doubts.join("; ")))?;
            }
        }
    }
    for note in &summary.notes {
        out.line(format!("note: {note}"))?;
    }
    if summary.complete && !summary.dry_run {
        out.line(if summary.verified { "everything is there and verified" } else { "everything is there" })?;
    }
    Ok(())
}

fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Unparsed { count, first } => {
            format!("{count} lines of the listing were not understood, first '{first}'")
        }
        Doubt::ClosingReply { text } => format!("the server ended the listing with '{text}'"),
        Doubt::UnconfirmedEmpty => "it was listed as empty, and nothing confirms that".to_owned(),
        Doubt::RoundCount { count } => format!("exactly {count} entries: servers cut lists at such numbers"),
        Doubt::BadNames { count, first } => format!("{count} names cannot be used, first '{first}'"),
        Doubt::Duplicates { count } => format!("{count} names came twice"),
        Doubt::Unsealed => "the encrypted listing ended without a farewell".to_owned(),
        Doubt::WeakCommand { command } => format!("{command} cannot show everything"),
    }
}
