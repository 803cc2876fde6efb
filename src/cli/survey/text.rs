//! A report in plain words.

use std::fmt::Write as _;

use crate::cli::output::bytes;
use crate::remote::{DotFiles, Traits};
use crate::survey::Report;
use crate::survey::census::{Census, Mark};
use crate::survey::eta::{Estimate, Forecast, Model};
use crate::survey::findings::{Finding, Weight};
use crate::survey::histogram::Bin;
use crate::survey::usage::{Guest, Usage};

/// Signs of the longest bar.
const BAR: u64 = 30;
/// Examples of a finding that are told.
const EXAMPLES: usize = 5;
/// Lines of a table of what stands out.
const ROWS: usize = 5;

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let mut text = Text::default();
    head(report, &mut text);
    server(report, &mut text);
    census(&report.census, &mut text);
    findings(&report.findings, &mut text);
    estimate(&report.estimate, &mut text);
    if let Some(usage) = &report.usage {
        self::usage(usage, &mut text);
    }
    text.0
}

/// Lines, and headings with an empty line before them.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref().trim_end());
        self.0.push('\n');
    }

    fn head(&mut self, title: &str) {
        self.line(format!("\n{title}"));
    }

    /// `name: value`, the values below each other.
    fn fact(&mut self, name: &str, value: impl AsRef<str>) {
        self.line(format!("  {name:<16} {}", value.as_ref()));
    }

    fn bar(&mut self, name: &str, count: u64, most: u64, more: &str) {
        let length = if most == 0 { 0 } else { (u128::from(count) * u128::from(BAR)).div_ceil(u128::from(most)) };
        let bar = "#".repeat(usize::try_from(length).unwrap_or_default());
        self.line(format!("  {name:<16} {count:>9}  {bar:<30}  {more}"));
    }
}

fn head(report: &Report, text: &mut Text) {
    let Report { endpoint, started, seconds, connections, .. } = report;
    let at = started.strftime("%Y-%m-%d %H:%M UTC");
    text.line(format!("survey of {endpoint}, {at}, {} over {connections} connections", span(*seconds)));
    let Census { files, folders, bytes: size, .. } = &report.census;
    text.line(format!("{files} files in {folders} folders, {}", bytes(*size)));
    match &report.stopped {
        Some(stopped) => text.line(format!("this is a part only: {}", stopped.sentence())),
        None if report.whole => text.line("everything was read"),
        None => text.line("this is a part only: see below what could not be read"),
    }
}

fn server(report: &Report, text: &mut Text) {
    let server = &report.server;
    text.head("server");
    if let Some(greeting) = &server.greeting {
        text.fact("greeting", greeting);
    }
    if let Some(system) = &server.system {
        text.fact("system", system);
    }
    text.fact("encryption", server.encryption.sentence());
    for skill in &server.skills {
        text.fact(&skill.name, skill.sentence());
    }
    if !server.announced.is_empty() {
        text.fact("announces", server.announced.join(", "));
    }
    if let Some(listing) = &server.listing {
        text.fact("listed by", listing);
    }
    match server.dot_files {
        DotFiles::Shown => text.fact("dot files", "a plain listing shows them"),
        DotFiles::Hidden => text.fact("dot files", "a plain LIST hides them; Causeway sees them"),
        DotFiles::Unknown => {}
    }
    if let Some(sentence) = report.clock.sentence() {
        text.fact("clock", sentence);
    }
    text.fact("names", &report.charset);
    if let Some(manner) = &server.manner {
        text.fact("asked", manner);
    }
    limits(server, text);
}

fn limits(server: &Traits, text: &mut Text) {
    let connections = &server.connections;
    if connections.most > 0 {
        let limit = match connections.limit {
            Some(limit) => format!("no more than {limit} at once"),
            None => format!("{} at once were borne; no limit was met", connections.most),
        };
        text.fact("connections", limit);
    }
    for refusal in &connections.refusals {
        text.fact("it said", refusal);
    }
}

fn census(census: &Census, text: &mut Text) {
    text.head("files by size");
    bins(census.sizes.bins(), size, text);
    text.head("files by age");
    bins(&census.ages.bins, Bin::age, text);
    if census.ages.unknown > 0 {
        text.fact("without a time", census.ages.unknown.to_string());
    }
    text.head("endings");
    for one in census.endings.iter().take(2 * ROWS) {
        let name = if one.ending.is_empty() { "(none)".to_owned() } else { format!(".{}", one.ending) };
        text.fact(&name, format!("{:>9} files, {}", one.files, bytes(one.bytes)));
    }
    text.head("what stands out");
    let mark =
        |mark: &Option<Mark>, unit: &str| mark.as_ref().map(|mark| format!("{} {unit}: {}", mark.value, mark.path));
    for (name, told) in [
        ("deepest", mark(&census.deepest, "levels")),
        ("longest path", mark(&census.longest_path, "bytes")),
        ("longest name", mark(&census.longest_name, "bytes")),
        (
            "newest",
            census.newest.as_ref().map(|(path, at)| format!("{}: {path}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))),
        ),
    ] {
        if let Some(told) = told {
            text.fact(name, told);
        }
    }
    for one in census.largest_files.iter().take(ROWS) {
        text.fact("large file", format!("{:>10}: {}", bytes(one.value), one.path));
    }
    for one in census.largest_folders.iter().take(ROWS) {
        text.fact("full folder", format!("{:>10} entries: {}", one.value, one.path));
    }
    for (name, count) in [("links", census.links), ("devices, pipes", census.specials), ("dot files", census.dotted)] {
        if count > 0 {
            text.fact(name, count.to_string());
        }
    }
    let lately = &census.lately;
    text.fact(
        "changed",
        format!("{} in the last hour, {} in the last day, {} in the last week", lately.hour, lately.day, lately.week),
    );
    for one in census.hot.iter().take(ROWS) {
        text.fact("busy folder", format!("{} in a day, {} in a week: {}", one.day, one.week, one.path));
    }
}

fn bins(bins: &[Bin], name: impl Fn(&Bin) -> String, text: &mut Text) {
    let most = bins.iter().map(|bin| bin.files).max().unwrap_or_default();
    let first = bins.iter().position(|bin| bin.files > 0).unwrap_or(bins.len());
    let last = bins.iter().rposition(|bin| bin.files > 0).unwrap_or_default();
    for bin in bins.iter().take(last + 1).skip(first) {
        text.bar(&name(bin), bin.files, most, &bytes(bin.bytes));
    }
}

fn size(bin: &Bin) -> String {
    match bin.below {
        Some(1) => "empty".to_owned(),
        Some(below) => format!("below {}", bytes(below).replace(".0 ", " ")),
        None => format!("from {}", bytes(bin.from).replace(".0 ", " ")),
    }
}

fn findings(findings: &[Finding], text: &mut Text) {
    for (weight, title) in [
        (Weight::Lost, "will not come along, as things are"),
        (Weight::Decide, "wants a decision"),
        (Weight::Know, "good to know"),
    ] {
        let these: Vec<_> = findings.iter().filter(|one| one.weight == weight).collect();
        if these.is_empty() {
            continue;
        }
        text.head(title);
        for one in these {
            text.line(format!("  - {}: {}", one.what, one.advice));
            for example in one.examples.iter().take(EXAMPLES) {
                text.line(format!("      {example}"));
            }
        }
    }
}

fn estimate(estimate: &Estimate, text: &mut Text) {
    let model = &estimate.model;
    text.head("how long a mirror would take");
    text.line("  start and end + set-ups (of the first connection, then of all others) + listing + the longest of:");
    text.line(
        "  connections (round trips, handling, sending, waiting for each other on the link), longest file, this side",
    );
    text.fact("round trip", format!("{} (median of questions)", span(model.round_trip)));
    let trips = format!("{:.1} per small file, {:.1} per larger one", model.round_trips_small, model.round_trips_large);
    text.fact("round trips", trips);
    let handling =
        format!("{} per file beyond its round trips (median of {} files)", span(model.handling), model.timed_files);
    text.fact("handling", handling);
    text.fact("goodput", goodput(model));
    text.fact("listing", format!("{} of a connection per folder (mean)", span(model.per_folder)));
    let here = (span(model.here_per_run), span(model.here_per_file), rate(model.here_rate));
    text.fact("this side", format!("assumed: {} for start and end, {} per file, {}/s", here.0, here.1, here.2));
    text.fact("set-up", span(model.setup));
    text.fact(
        "not known",
        "packets that a bad link will lose; a run of a second or two is as long as this machine is busy",
    );
    text.line(format!(
        "  {:>11}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  bound by",
        "connections", "listing", "trips", "handling", "sending", "waiting", "link", "this side", "total"
    ));
    for one in &estimate.forecasts {
        text.line(forecast(one));
    }
    if let Some(limit) = estimate.limit {
        text.line(format!("  the server bears no more than {limit} at once"));
    }
}

fn goodput(model: &Model) -> String {
    let Some(one) = model.goodput_one else { return "not measured: no file is large enough".to_owned() };
    let two = model.goodput_two.map(|two| format!(", {}/s over two", rate(two))).unwrap_or_default();
    let link = model.link().map(|link| format!("; the link ends at {}/s, as far as was seen", rate(link)));
    format!("{}/s over one connection{two}{}", rate(one), link.unwrap_or_default())
}

fn forecast(one: &Forecast) -> String {
    let mut line = format!("  {:>11}", one.connections);
    for seconds in [one.listing, one.round_trips, one.handling, one.sending, one.waiting, one.link, one.here, one.total]
    {
        let _always = write!(line, "  {:>9}", span(seconds));
    }
    format!("{line}  {}", one.bound.word())
}

fn usage(usage: &Usage, text: &mut Text) {
    text.head("who uses it, by its logs");
    let formats: Vec<_> = usage.formats.iter().map(|(name, count)| format!("{count} as {name}")).collect();
    text.fact("lines", format!("{}: {}", usage.lines, formats.join(", ")));
    if usage.odd > 0 {
        text.fact("not understood", format!("{} lines", usage.odd));
        for line in &usage.odd_examples {
            text.line(format!("      {line}"));
        }
    }
    if let (Some(from), Some(until)) = (usage.from, usage.until) {
        text.fact("time", format!("{from} to {until}, by the clock of the log"));
    }
    text.fact(
        "logins",
        format!("{}, {} refused, {} asked for encryption", usage.logins, usage.refused, usage.encrypted),
    );
    text.fact("fetched", format!("{} files, {}", usage.downloads, bytes(usage.bytes_down)));
    text.fact("brought", format!("{} files, {}", usage.uploads, bytes(usage.bytes_up)));
    text.fact("changed", format!("{} removed, {} renamed or otherwise", usage.removals, usage.changes));
    text.fact("broken off", usage.broken.to_string());
    let least = if usage.too_many { "at least " } else { "" };
    text.fact("users", format!("{least}{}", usage.users));
    usage.top_users.iter().take(2 * ROWS).for_each(|one| text.line(guest(one)));
    text.fact("addresses", format!("{least}{}", usage.addresses));
    usage.top_addresses.iter().take(2 * ROWS).for_each(|one| text.line(guest(one)));
    hours_of_day(&usage.hours, text);
    for one in usage.fetched.iter().take(ROWS) {
        let last = one.last.map(|at| format!(", last {at}")).unwrap_or_default();
        text.fact("still fetched", format!("{} times{last}: {}", one.times, one.path));
    }
}

fn guest(one: &Guest) -> String {
    let last = one.last.map(|at| format!(", last {at}")).unwrap_or_default();
    let with = if one.with.is_empty() { String::new() } else { format!(" ({})", one.with.join(", ")) };
    format!(
        "      {}{with}: {} fetched ({}), {} brought ({}){last}",
        one.name,
        one.downloads,
        bytes(one.bytes_down),
        one.uploads,
        bytes(one.bytes_up)
    )
}

/// One sign for each hour: how busy it is beside the busiest.
fn hours_of_day(hours: &[Vec<u64>], text: &mut Text) {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    const SIGNS: [char; 5] = ['·', '░', '▒', '▓', '█'];
    let most = hours.iter().flatten().copied().max().unwrap_or_default();
    if most == 0 {
        return;
    }
    text.fact("by hour", "0     6     12    18");
    for (day, counts) in DAYS.iter().zip(hours) {
        let sign = |count: &u64| {
            let step = (u128::from(*count) * 4).div_ceil(u128::from(most));
            SIGNS.get(usize::try_from(step).unwrap_or_default()).copied().unwrap_or('█')
        };
        text.fact(day, counts.iter().map(sign).collect::<String>());
    }
}

/// Seconds for people.
fn span(seconds: f64) -> String {
    match seconds {
        s if s <= 0.0 => "0".to_owned(),
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.1} s"),
        s if s < 6_000.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people; saturates")]
fn rate(bytes_per_second: f64) -> String {
    bytes(bytes_per_second.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_bars() {
        for (seconds, shown) in [
            (0.0, "0"),
            (0.000_05, "50 µs"),
            (0.02, "20.0 ms"),
            (12.34, "12.3 s"),
            (600.0, "10 min"),
            (7_200.0, "2.0 h"),
            (864_000.0, "10.0 d"),
        ] {
            assert_eq!(span(seconds), shown);
        }
        let mut text = Text::default();
        text.bar("below 4 KiB", 1, 1_000_000, "4 KiB");
        assert!(text.0.contains(" #  "), "what is there is seen: {}", text.0);
        let mut bar = Text::default();
        bar.bar("x", 1_000_000, 1_000_000, "");
        assert!(bar.0.contains(&"#".repeat(30)));
    }
}
