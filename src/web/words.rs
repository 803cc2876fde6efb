//! What runs and faults are called on pages.

use std::time::Duration;

use jiff::Timestamp;

use super::page::overview::RunRow;
use super::page::run::FaultShown;
use super::problem::sentence;
use super::show;
use super::widget::{Chip, Moment, Tone};
use crate::job::{Cause, Job, Run, RunState, Schedule};
use crate::mirror::{Counts, Ended, Extent, ItemState, Proving, Summary};
use crate::model::{Fault, FaultKind, Phase, Proof};
use crate::remote::Doubt;

/// How a run stands.
pub(super) fn run_chip(run: &Run) -> Chip {
    let (tone, word) = standing(run);
    Chip::new(tone, word)
}

/// The same as a word in a sentence.
pub(super) fn run_word(run: &Run) -> &'static str {
    standing(run).1
}

fn standing(run: &Run) -> (Tone, &'static str) {
    match run.state {
        RunState::Queued => (Tone::Idle, "Waiting"),
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
    }
}

fn done_word(summary: Option<&Summary>) -> &'static str {
    match summary {
        Some(summary) if summary.dry_run => "Dry run",
        Some(summary) if summary.counts.files_published == 0 && summary.counts.files_trashed == 0 => "No change",
        _ => "Complete",
    }
}

/// Why it was started.
pub(super) const fn cause(run: &Run, schedule: &Schedule) -> &'static str {
    match run.cause {
        _ if matches!(run.extent, Extent::Hot) => "to look at hot folders only",
        Cause::Manual => "by hand",
        Cause::Schedule if matches!(schedule, Schedule::Once { .. }) => "at its planned time",
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
        ItemState::Verified => (Tone::Busy, "Checked"),
        ItemState::Publishing => (Tone::Busy, "Being put in place"),
        ItemState::Published => (Tone::Ok, "In place"),
        ItemState::Failed => (Tone::Bad, "Missing"),
        ItemState::Skipped => (Tone::Idle, "Left out"),
    };
    Chip::new(tone, word)
}

/// Who tries again, as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// The schedule will.
    Planned,
    /// Nobody, unless a person starts the job.
    ByHand,
}

impl Again {
    /// Does the job start once more by itself?
    pub(super) const fn of(job: &Job) -> Self {
        if job.next_start.is_some() && !job.paused { Self::Planned } else { Self::ByHand }
    }

    /// The sentence.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Planned => "The next run tries again.",
            Self::ByHand => "Run the job again to try once more.",
        }
    }
}

/// A fault in plain words, with what was seen.
pub(super) fn fault(fault: &Fault, again: Again) -> FaultShown {
    FaultShown { plain: plain(fault, again), evidence: evidence(fault) }
}

/// What happened, what a person can do, and whether it is tried again.
pub(super) fn plain(fault: &Fault, again: Again) -> String {
    let advice = advice(fault.kind);
    let mut text = sentence(&fault.message);
    if !advice.is_empty() {
        text = format!("{text} {advice}");
    }
    if passes(fault.kind) { format!("{text} {}", again.sentence()) } else { text }
}

/// May it be different the next time, without anybody doing anything?
const fn passes(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Reset
            | FaultKind::ClosedEarly
            | FaultKind::Timeout
            | FaultKind::Stalled
            | FaultKind::Changed
            | FaultKind::Unsettled
    )
}

/// What a person can do about a kind of fault.
const fn advice(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Reset | FaultKind::ClosedEarly => {
            "Something cut the connection: the server, or a firewall on the way."
        }
        FaultKind::Timeout | FaultKind::Stalled => "The other side stopped answering.",
        FaultKind::Refused => "Nothing listens at that address and port. Is the server running?",
        FaultKind::Unreachable => "Check the host name and the network.",
        FaultKind::Limit => "The server bears no more connections. Fewer are used from now on.",
        FaultKind::Auth => "Check user and password of the job.",
        FaultKind::Permission => "Ask the server's administrator for the right to read it.",
        FaultKind::Missing => "It vanished between listing and copying.",
        FaultKind::Changed => "It was being written.",
        FaultKind::Unsettled => "",
        FaultKind::Mismatch => "What arrived was not what the server announced. It was not kept.",
        FaultKind::Tls => "The server could not prove who it is. Check its certificate.",
        FaultKind::Protocol => "The server answered something that cannot be trusted.",
        FaultKind::Incomplete => "The listing may lack names, so nothing is deleted on its word.",
        FaultKind::BadName => "The name cannot be used here. Rename it at the source.",
        // The message says what lies there and what to do about it.
        FaultKind::Exists | FaultKind::Unsupported | FaultKind::Cancelled => "",
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
        Doubt::Differs { first, second } => {
            format!("listed twice in a row it showed {first} and then {second} names, not the same ones")
        }
        Doubt::Linked => "a symbolic link leads to it, which may lead elsewhere now".to_owned(),
        Doubt::WeakCommand { command } => format!("it came from {command}, which cannot show everything"),
    }
}

/// What is to be said about a run that is over.
pub(super) fn ending(run: &Run, again: Again) -> Option<(Tone, String)> {
    let Some(summary) = &run.summary else {
        return run.reason.as_ref().map(|reason| match run.state {
            RunState::Failed => (Tone::Bad, format!("{} {}", failure(reason), again.sentence())),
            _ => (Tone::Idle, sentence(without_errno(reason))),
        });
    };
    let missing = missing(summary);
    Some(match &summary.ended {
        Ended::GaveUp { fault } => (Tone::Bad, format!("The run gave up. {}", plain(fault, again))),
        Ended::Stopped => {
            (Tone::Idle, "The run was stopped. What was copied stays, and the next run goes on from there.".to_owned())
        }
        Ended::Finished if summary.dry_run => (Tone::Idle, "A dry run: nothing was changed.".to_owned()),
        Ended::Finished if missing > 0 && missing == summary.counts.files_uploading => {
            let files = show::plural(missing, "file waits: it", "files wait: they");
            (Tone::Warn, format!("{files} may still be being uploaded. {}", again.sentence()))
        }
        Ended::Finished if missing > 0 => {
            let files = show::plural(missing, "file is", "files are");
            (Tone::Warn, format!("{files} missing. {}", again.sentence()))
        }
        Ended::Finished if !summary.complete => (
            Tone::Warn,
            "Every file that was listed is here, but not every folder could be listed to its end.".to_owned(),
        ),
        Ended::Finished => (Tone::Ok, whole(&summary.counts)),
    })
}

/// What a run with everything in place did for it; nothing that it did not do.
fn whole(counts: &Counts) -> String {
    let (copied, unchanged, adopted) = (counts.files_published, counts.files_unchanged, counts.files_adopted);
    let mut said = Vec::new();
    if copied > 0 {
        let files = show::plural(copied, "file was", "files were");
        said.push(format!(
            "Everything is here. {files} read from the source and hashed while the bytes came; size and \
             time at the source, as far as it tells them, were the same before and after, and the content was synced to the disk before it \
             took its name."
        ));
    } else if unchanged + adopted > 0 {
        said.push("Everything is here already: this run copied nothing.".to_owned());
    } else {
        said.push("Everything is here: the source holds no file to copy.".to_owned());
    }
    if unchanged > 0 {
        let files = show::plural(unchanged, "file is", "files are");
        said.push(format!("{files} unchanged in size and time since an earlier run copied and hashed what is here."));
    }
    if adopted > 0 {
        let files = show::plural(adopted, "file was", "files were");
        said.push(format!("{files} here before Causeway and believed by size and time."));
    }
    said.join(" ")
}

/// Why a run could do nothing, from the words of the log: "the source cannot be opened: login: refused". What could
/// not be done and why are two sentences; the phase between them is for the log.
fn failure(reason: &str) -> String {
    let text = without_errno(reason);
    let parts = text.split_once(": ").and_then(|(what, rest)| {
        let (phase, why) = rest.split_once(": ")?;
        phase.parse::<Phase>().ok().map(|_| (what, why))
    });
    parts.map_or_else(|| sentence(text), |(what, why)| format!("{} {}", sentence(what), sentence(why)))
}

/// Numbers of the operating system help nobody who reads a page; the log has them.
fn without_errno(text: &str) -> &str {
    text.trim_end_matches('.').split(" (os error ").next().unwrap_or(text)
}

/// How a job wants content to be proven.
pub(super) fn proving(proving: Proving) -> String {
    match proving {
        Proving::Size => "by size only: nothing is called verified".to_owned(),
        Proving::StreamHash => "by the digest of what arrives; unchanged size and time are believed".to_owned(),
        Proving::SecondRead => "every file is read twice, unchanged ones in every run".to_owned(),
        Proving::ServerHash => "by the server's own hash where it tells one, of unchanged files too".to_owned(),
        Proving::Sampling(percent) => format!("{percent} % of the files are read twice, unchanged ones in every run"),
    }
}

/// How a file was proven.
pub(super) fn proof(proof: &Proof) -> String {
    match proof {
        Proof::Believed => "believed by size and time".to_owned(),
        Proof::Size => "proven by its size".to_owned(),
        Proof::StreamHash => "proven by the digest of what arrived".to_owned(),
        Proof::SecondRead => "proven by a second read".to_owned(),
        Proof::ServerHash(sum) => format!("proven by the server's own {}", sum.algorithm()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_claims_only_what_it_did() {
        let nothing = whole(&Counts { files_unchanged: 2, ..Counts::default() });
        assert!(nothing.starts_with("Everything is here already: this run copied nothing. 2 files are unchanged"));
        let some = whole(&Counts { files_published: 1, files_adopted: 3, ..Counts::default() });
        assert!(some.starts_with("Everything is here. 1 file was read from the source and hashed"), "{some}");
        assert!(some.ends_with("3 files were here before Causeway and believed by size and time."), "{some}");
        for said in [nothing, some, whole(&Counts::default())] {
            assert!(!said.contains("read back") && !said.contains("verified"), "{said}");
        }
    }

    #[test]
    fn nobody_waits_for_a_run_that_is_not_planned() {
        let fault = Fault::new(crate::model::Phase::Transfer, FaultKind::Reset, "the connection was reset");
        assert!(plain(&fault, Again::Planned).ends_with("The next run tries again."));
        assert!(plain(&fault, Again::ByHand).ends_with("Run the job again to try once more."));
        let here = Fault::new(crate::model::Phase::Publish, FaultKind::Exists, "a folder lies there, move it away");
        assert_eq!(plain(&here, Again::Planned), "A folder lies there, move it away.");
        let refused = "the source cannot be opened: connect: host:21 refused the connection (os error 111)";
        assert_eq!(failure(refused), "The source cannot be opened. Host:21 refused the connection.");
        assert_eq!(failure("the job store is full: try: later"), "The job store is full: try: later.");
        assert_eq!(
            without_errno("cannot connect: Connection refused (os error 111)"),
            "cannot connect: Connection refused"
        );
    }
}
