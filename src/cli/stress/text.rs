//! The report in plain words.

use std::fmt::Write as _;

use crate::cli::output;
use crate::stress::Report;
pub(super) use crate::stress::report::span;

/// All of it. Writing to a string cannot fail.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    match write(&mut text, report) {
        Ok(()) => text,
        Err(error) => error.to_string(),
    }
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "{}: {}", report.endpoint, report.verdict)?;
    writeln!(
        text,
        "\n{:.1} s, {} of {} connections open at most, {:.1} answers a second, {}, {} connections broke",
        report.seconds,
        report.peak,
        report.asked.connections,
        report.rate,
        output::bytes(report.bytes),
        report.lost
    )?;
    writeln!(
        text,
        "\n{:<22}{:>9}{:>9}{:>8}{:>11}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "from intended arrival", "arrived", "answered", "failed", "unanswered", "p50", "p95", "p99", "p99.9", "longest"
    )?;
    for row in &report.acts {
        write!(
            text,
            "{:<22}{:>9}{:>9}{:>8}{:>11}",
            row.act.word(),
            row.arrived,
            row.answered,
            row.failed,
            row.unanswered
        )?;
        for span in row.spans() {
            write!(text, "{span:>10}")?;
        }
        writeln!(text)?;
    }
    for trouble in &report.troubles {
        writeln!(
            text,
            "\n{} × {} ({}, {}), first after {:.1} s with {} connections open: {}",
            trouble.count,
            trouble.act.word(),
            trouble.phase,
            trouble.kind,
            trouble.first,
            trouble.open,
            trouble.words
        )?;
    }
    if report.untold > 0 {
        writeln!(text, "\n{} failures of other kinds", report.untold)?;
    }
    for (name, process) in [("the server", &report.server), ("this program", &report.own)] {
        let Some(process) = process else { continue };
        let [first, most, last] = process.memory.map(output::bytes);
        let [mean, busiest] = process.processors;
        writeln!(text, "\n{name}: memory {first} at first, {most} at most, {last} in the end; {}", process.grows)?;
        write!(text, "  {mean:.2} processors busy with it on the average, {busiest:.2} at most")?;
        if let Some([first, most, last]) = process.descriptors {
            write!(text, "; descriptors {first}, {most}, {last}")?;
        }
        writeln!(text)?;
    }
    for advice in &report.advice {
        writeln!(text, "\nbuffers: {advice}")?;
    }
    Ok(())
}
