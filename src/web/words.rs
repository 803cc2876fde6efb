//! What runs and faults are called on pages.

use std::time::Duration;

use jiff::Timestamp;

use super::page::overview::RunRow;
use super::page::run::FaultShown;
use super::problem::sentence;
use super::show;
use super::widget::{Chip, Moment, Tone};
use crate::job::{Cause, Run, RunState};
use crate::mirror::{Ended, ItemState, Summary};
use crate::model::{Fault, FaultKind};
use crate::remote::Doubt;

/// How a run stands.
pub(super) fn run_chip(run: &Run) -> Chip {
    let (tone, word) = match run.state {
        RunState::Queued => (Tone::Busy, "Starting"),
        RunState::Running => (Tone::Busy, "Running"),
        RunState::Pausing => (Tone::Idle, "Pausing"),
        RunState::Paused => (Tone::Idle, "Paused"),
        RunState::Cancelling => (Tone::Idle, "Cancelling"),
        RunState::Interrupted => (Tone::Warn, "Interrupted"),
        RunState::Done => (Tone::Ok, done_word(run.summary.as_ref())),
        RunState::Incomplete => (Tone::Warn, "Incomplete"),
        RunState::Failed => (Tone::Bad, "Failed"),
        RunState::Cancelled => (Tone::Idle, "Cancelled"),
        RunState::Skipped => (Tone::Idle, "Skipped"),
    };
    Chip::new(tone, word)
}

fn done_word(summary: Option<&Summary>) -> &'static str {
    match summary {
        Some(summary) if summary.dry_run => "Dry run",
        Some(summary) if !summary.verified => "Complete",
        _ => "Verified",
    }
}

/// Why it was started.
pub(super) const fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Manual => "by hand",
        Cause::Schedule => "by the schedule",
        Cause::Misfire => "to make up for a missed start",
        Cause::AdHoc => "from the command line",
    }
}

/// From the first claim to the end, or to now.
pub(super) fn took(run: &Run, now: Timestamp) -> String {
    run.started.map_or_else(String::new, |started| {
        let time = run.ended.unwrap_or(now).duration_since(started);
        show::span(Duration::try_from(time).unwrap_or_default())
    })
}

/// Paths that a run should have brought and did not.
pub(super) fn missing(summary: &Summary) -> u64 {
    summary.counts.files_failed + summary.counts.files_waiting
}

/// A run in a list.
pub(super) fn run_row(run: &Run, job: &str, now: Timestamp) -> RunRow {
    let summary = run.summary.as_ref();
    RunRow {
        href: format!("/runs/{}", run.id),
        id: run.id.0,
        job: job.to_owned(),
        started: Moment::around(run.started.unwrap_or(run.queued), now),
        took: took(run, now),
        copied: summary.map_or_else(String::new, |s| show::count(s.counts.files_published)),
        missing: summary.map_or_else(String::new, |s| show::count(missing(s))),
        chip: run_chip(run),
    }
}

/// How an item stands.
pub(super) fn item_chip(state: ItemState) -> Chip {
    let (tone, word) = match state {
        ItemState::Planned => (Tone::Idle, "Waiting"),
        ItemState::Transferring => (Tone::Busy, "Copying"),
        ItemState::Verified => (Tone::Busy, "Verified"),
        ItemState::Published => (Tone::Ok, "In place"),
        ItemState::Failed => (Tone::Bad, "Missing"),
        ItemState::Skipped => (Tone::Idle, "Left out"),
    };
    Chip::new(tone, word)
}

/// A fault in plain words, with what was seen.
pub(super) fn fault(fault: &Fault) -> FaultShown {
    let plain = format!("{} {}", sentence(&fault.message), advice(fault.kind));
    FaultShown { plain: plain.trim_end().to_owned(), evidence: evidence(fault) }
}

/// What a person can do about a kind of fault.
const fn advice(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Reset | FaultKind::ClosedEarly => {
            "Something cut the connection: the server, or a firewall on the way. The next run tries again."
        }
        FaultKind::Timeout | FaultKind::Stalled => "The other side stopped answering. The next run tries again.",
        FaultKind::Refused => "Nothing listens at that address and port. Is the server running?",
        FaultKind::Unreachable => "Check the host name and the network.",
        FaultKind::Limit => "The server bears no more connections. Fewer are used from now on.",
        FaultKind::Auth => "Check user and password of the job.",
        FaultKind::Permission => "Ask the server's administrator for the right to read it.",
        FaultKind::Missing => "It vanished between listing and copying.",
        FaultKind::Exists => "Something else lies in its place.",
        FaultKind::Changed => "It was being written. The next run tries again.",
        FaultKind::Mismatch => "What arrived was not what the server announced. It was not kept.",
        FaultKind::Tls => "The server could not prove who it is. Check its certificate.",
        FaultKind::Protocol => "The server answered something that cannot be trusted.",
        FaultKind::Incomplete => "The listing may lack names, so nothing is deleted on its word.",
        FaultKind::BadName => "The name cannot be used here. Rename it at the source.",
        FaultKind::Unsupported | FaultKind::Cancelled => "",
        FaultKind::DiskFull => "Make room at the target.",
        FaultKind::Io => "The disk or file system of the target failed. Look at the server's log.",
    }
}

fn evidence(fault: &Fault) -> String {
    let seen = &fault.evidence;
    let mut parts = vec![format!("while: {}", fault.phase), format!("kind: {}", fault.kind)];
    if let Some(reply) = &seen.reply {
        parts.push(match seen.code {
            Some(code) if !reply.starts_with(&code.to_string()) => format!("reply: {code} {reply}"),
            _ => format!("reply: {reply}"),
        });
    }
    if let Some(bytes) = seen.bytes {
        parts.push(format!("after {}", show::bytes(bytes)));
    }
    if let Some(idle) = seen.idle {
        parts.push(format!("idle for {}", show::span(idle)));
    }
    if let Some(errno) = seen.errno {
        parts.push(format!("errno {errno}"));
    }
    parts.join(" · ")
}

/// Why a listing is not believed to be everything.
pub(super) fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Unparsed { count, first } => {
            format!("{} not understood, the first: {first}", show::plural(*count, "line was", "lines were"))
        }
        Doubt::ClosingReply { text } => format!("the server ended its listing with “{text}”"),
        Doubt::UnconfirmedEmpty => {
            "the server listed nothing, and nothing confirms that the folder is empty".to_owned()
        }
        Doubt::RoundCount { count } => {
            format!("exactly {} names came, a number at which servers cut", show::count(*count))
        }
        Doubt::BadNames { count, first } => {
            format!("{} cannot be used, the first: {first}", show::plural(*count, "name", "names"))
        }
        Doubt::Duplicates { count } => format!("{} came twice", show::plural(*count, "name", "names")),
        Doubt::Unsealed => "the encrypted listing ended without a farewell, as if it had been cut".to_owned(),
        Doubt::WeakCommand { command } => format!("it came from {command}, which cannot show everything"),
    }
}

/// What is to be said about a run that is over.
pub(super) fn ending(run: &Run) -> Option<(Tone, String)> {
    let Some(summary) = &run.summary else {
        return run
            .reason
            .as_ref()
            .map(|reason| (if run.state == RunState::Failed { Tone::Bad } else { Tone::Idle }, sentence(reason)));
    };
    let missing = missing(summary);
    Some(match &summary.ended {
        Ended::GaveUp { fault } => {
            (Tone::Bad, format!("The run gave up. {} {}", sentence(&fault.message), advice(fault.kind)))
        }
        Ended::Stopped => {
            (Tone::Idle, "The run was stopped. What was copied stays, and the next run goes on from there.".to_owned())
        }
        Ended::Finished if summary.dry_run => (Tone::Idle, "A dry run: nothing was changed.".to_owned()),
        Ended::Finished if missing > 0 => {
            let files = show::plural(missing, "file is", "files are");
            (Tone::Warn, format!("{files} missing. The next run tries again."))
        }
        Ended::Finished if !summary.complete => (
            Tone::Warn,
            "Every file that was listed is here, but not every folder could be listed to its end.".to_owned(),
        ),
        Ended::Finished if summary.verified => (Tone::Ok, "Everything is here, read back and verified.".to_owned()),
        Ended::Finished => (Tone::Ok, "Everything is here. Some files were believed by size and time.".to_owned()),
    })
}
