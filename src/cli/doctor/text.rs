//! The report in plain words.

use std::fmt::Write as _;

use crate::cli::output;
use crate::diagnose::{Confidence, Finding, Report};

/// All of it. Writing to a string cannot fail.
pub(super) fn render(report: &Report, kept: &[String], letters: bool) -> String {
    let mut text = String::new();
    match write(&mut text, report, kept, letters) {
        Ok(()) => text,
        Err(error) => error.to_string(),
    }
}

fn write(text: &mut String, report: &Report, kept: &[String], letters: bool) -> std::fmt::Result {
    writeln!(
        text,
        "{}: {} looks in {:.0} s, {} connections, {}",
        report.endpoint,
        report.evidence.len(),
        report.seconds,
        report.spent.connections,
        output::bytes(report.spent.bytes)
    )?;
    if report.stopped {
        writeln!(text, "stopped before its end")?;
    }
    if report.findings.is_empty() {
        writeln!(text, "\nnothing out of order was seen: a trouble that comes and goes was not reproduced")?;
    }
    for found in &report.findings {
        finding(text, report, found)?;
        if letters {
            writeln!(text, "\n  to the owner of the other side:\n")?;
            for line in found.letter(report).lines() {
                writeln!(text, "  | {line}")?;
            }
        }
    }
    for trial in &report.trials {
        writeln!(text, "\ntried: {}: {}", trial.remedy, if trial.helps { "it helps" } else { "no difference shown" })?;
        for (when, all) in [("without", &trial.before), ("with", &trial.after)] {
            for seen in all {
                writeln!(text, "  {when:<8} {seen}")?;
            }
        }
    }
    for remedy in kept {
        writeln!(text, "\nkept for later runs: {remedy}")?;
    }
    let left_out: Vec<_> = report.left_out().collect();
    if !left_out.is_empty() {
        writeln!(text, "\nleft out:")?;
        for (step, why) in left_out {
            writeln!(text, "  {}: {why}", step.word())?;
        }
    }
    Ok(())
}

fn finding(text: &mut String, report: &Report, found: &Finding) -> std::fmt::Result {
    writeln!(text, "\n{} ({}; {})", found.sentence, found.cause, found.confidence.word())?;
    if found.confidence == Confidence::Open || !found.or.is_empty() {
        for other in &found.or {
            writeln!(text, "  or: {other}")?;
        }
    }
    for seen in report.lines(&found.evidence) {
        writeln!(text, "  seen   [{}] after {:.1} s, {seen}", seen.id, seen.at)?;
    }
    for seen in report.lines(&found.against) {
        writeln!(text, "  against [{}] after {:.1} s, {seen}", seen.id, seen.at)?;
    }
    writeln!(text, "  here:  {}", found.here)?;
    for seen in report.lines(&found.helped) {
        writeln!(text, "  tried  [{}] {seen}", seen.id)?;
    }
    for advice in &found.there {
        writeln!(text, "  {}: {}", advice.product, advice.setting)?;
    }
    Ok(())
}
