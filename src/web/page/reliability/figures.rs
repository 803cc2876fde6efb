//! Statistics as rows: figures with their intervals, what they rest on, and where that is told.

use super::wanted::part;
use crate::reliability::{Better, Cell, Estimate, Group, Role, Row, Statistic, Unit};
use crate::web::show as shown;
use crate::web::widget::IntervalBar;

/// An estimate.
#[derive(Debug, Clone)]
pub struct Shown {
    pub value: String,
    pub range: String,
    pub bar: IntervalBar,
    /// What stands at the two ends of the bar.
    pub ends: (String, String),
}

/// One protocol in one statistic.
#[derive(Debug, Clone)]
pub struct CellShown {
    pub name: String,
    pub class: &'static str,
    pub shown: Option<Shown>,
    /// Why no figure stands there.
    pub lack: &'static str,
    /// What the figure rests on, or how far it is from being shown.
    pub n: String,
    /// Leads to the observations behind it; empty where there are none.
    pub href: String,
}

/// One statistic.
#[derive(Debug, Clone)]
pub struct StatRow {
    pub key: &'static str,
    pub name: &'static str,
    /// The unit and which way is good.
    pub unit: String,
    pub cells: Vec<CellShown>,
    /// What the rows from here on are about, where that changes.
    pub group: Option<&'static str>,
}

/// The class of a family's colours.
pub(in crate::web::page) fn class(family: &str) -> &'static str {
    match family {
        "FTP" => "ftp",
        "SFTP" => "sftp",
        _ => "webdav",
    }
}

/// From which side a column was seen.
pub(in crate::web::page) fn side(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Client) => "our client",
        Some(Role::Door) => "our door",
        None => "both sides",
    }
}

/// How a column is called.
pub(in crate::web) fn called(family: &str, role: Option<Role>) -> String {
    match role {
        Some(_) => format!("{family}, {}", side(role)),
        None => family.to_owned(),
    }
}

/// The factor from the stored unit to the shown one, its name behind a figure, and in a sentence.
pub(in crate::web::page) fn scale(unit: Unit, largest: f64) -> (f64, &'static str, &'static str) {
    match unit {
        Unit::Share => (100.0, " %", "per cent, "),
        Unit::Seconds if largest > 0.0 && largest < 1.0 => (1000.0, " ms", "milliseconds, "),
        Unit::Seconds if largest < 600.0 => (1.0, " s", "seconds, "),
        Unit::Seconds => (1.0 / 60.0, " min", "minutes, "),
        // The title says it already.
        Unit::PerThousand | Unit::PerHour | Unit::PerGib | Unit::Count => (1.0, "", ""),
        Unit::BytesPerSecond => (1e-6, " MB/s", "megabytes per second, "),
    }
}

/// The scale of a row: where its tracks begin and end, in shown units.
struct Axis {
    factor: f64,
    unit: &'static str,
    base: f64,
    top: f64,
}

/// The rows that anybody has data for, under the names of their groups. The parts of a set-up, and sizes, that nobody
/// saw are not worth a line each. `link` is the rest of the address of the observations: window and endpoint.
pub(super) fn rows(all: &[Row], link: &str) -> Vec<StatRow> {
    let mut before = None;
    let shown = all.iter().filter(|row| {
        let seen = row.cells.iter().any(|cell| cell.estimate.n > 0);
        seen || !(row.statistic.group == Group::Setup || row.statistic.key.starts_with("throughput-"))
    });
    shown
        .map(|one| {
            let group = one.statistic.group;
            let begins = before.replace(group) != Some(group);
            StatRow { group: begins.then(|| group.title()), ..row(one, link) }
        })
        .collect()
}

fn row(row: &Row, link: &str) -> StatRow {
    let statistic = row.statistic;
    let axis = axis(row);
    let (_, _, spoken) = scale(statistic.unit, largest(row));
    let cells = row.cells.iter().map(|cell| {
        let shown = estimate(&cell.estimate, &axis);
        CellShown {
            name: called(cell.family, cell.role),
            class: class(cell.family),
            lack: lack(statistic, &cell.estimate),
            n: rests_on(statistic, &cell.estimate, shown.is_some()),
            href: href(statistic, cell, link),
            shown,
        }
    });
    StatRow {
        key: statistic.key,
        name: statistic.title,
        unit: match statistic.better {
            Better::Higher => format!("{spoken}higher is better"),
            Better::Lower => format!("{spoken}lower is better"),
        },
        cells: cells.collect(),
        group: None,
    }
}

fn href(statistic: &Statistic, cell: &Cell, link: &str) -> String {
    if cell.estimate.n == 0 {
        return String::new();
    }
    let role = cell.role.map_or("", Role::as_str);
    format!("/observations?statistic={}&family={}&role={role}{link}", statistic.key, part(cell.family))
}

fn largest(row: &Row) -> f64 {
    let estimates = row.cells.iter().map(|cell| cell.estimate).filter(|estimate| estimate.enough);
    estimates.filter_map(|estimate| estimate.value).fold(0.0, f64::max)
}

fn axis(row: &Row) -> Axis {
    let estimates = || row.cells.iter().map(|c| c.estimate).filter(|e| e.enough);
    let (factor, unit, _) = scale(row.statistic.unit, largest(row));
    // One scale for the whole row, a little wider than the widest interval.
    let top = estimates().filter_map(|e| e.high.or(e.value)).fold(0.0, f64::max) * factor * 1.05;
    if row.statistic.unit == Unit::Share && row.statistic.better == Better::Higher {
        // Shares near 100 look alike on a track that begins at zero.
        let lowest = estimates().filter_map(|e| e.low.or(e.value)).fold(1.0, f64::min) * factor;
        return Axis { factor, unit, base: (lowest - 0.5).floor().max(0.0), top: 100.0 };
    }
    Axis { factor, unit, base: 0.0, top: if row.statistic.unit == Unit::Share { top.min(100.0) } else { top } }
}

fn lack(statistic: &Statistic, estimate: &Estimate) -> &'static str {
    if statistic.counts_events && estimate.events >= statistic.minimum && estimate.value.is_none() {
        "more than half outlasted the watching"
    } else {
        "not enough data yet"
    }
}

/// The number below a figure: what was counted, and what is still needed.
fn rests_on(statistic: &Statistic, estimate: &Estimate, is_shown: bool) -> String {
    let (n, events, minimum) = [estimate.n, estimate.events, statistic.minimum].map(shown::count).into();
    match (statistic.counts_events, is_shown) {
        (true, true) => format!("n = {n}, {events} {}", statistic.counted),
        (true, false) => format!("n = {n}, with {events} of the {minimum} {} it needs", statistic.counted),
        (false, true) => format!("n = {n}"),
        (false, false) => format!("n = {n}, shown from {minimum} {}", statistic.counted),
    }
}

/// "12 to 14", without its unit.
fn range(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", shown::figure(low), shown::figure(high)),
        (Some(low), None) => format!("{} or more", shown::figure(low)),
        (None, Some(high)) => format!("up to {}", shown::figure(high)),
        (None, None) => "no interval".to_owned(),
    }
}

/// A figure by itself: "48 ms" and "44 to 52"; none when there are too few.
pub(in crate::web) fn alone(estimate: &Estimate, unit: Unit) -> Option<(String, String)> {
    let value = estimate.value.filter(|_| estimate.enough)?;
    let (factor, word, _) = scale(unit, value);
    let range = range(estimate.low.map(|x| x * factor), estimate.high.map(|x| x * factor));
    Some((format!("{}{word}", shown::figure(value * factor)), range))
}

fn estimate(estimate: &Estimate, axis: &Axis) -> Option<Shown> {
    let value = estimate.value.filter(|_| estimate.enough)? * axis.factor;
    let (low, high) = (estimate.low.map(|x| x * axis.factor), estimate.high.map(|x| x * axis.factor));
    let range = range(low, high);
    let unit = axis.unit;
    let label = format!("{}{unit}, 95 % interval {range}", shown::figure(value));
    let (low, high) = (low.unwrap_or(axis.base), high.unwrap_or(axis.top));
    let bar = IntervalBar::new(value, (low, high), (axis.base, axis.top), label);
    let ends = (shown::figure(axis.base), format!("{}{unit}", shown::figure(axis.top)));
    Some(Shown { value: format!("{}{unit}", shown::figure(value)), range, bar, ends })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::STATISTICS;

    fn stat(key: &str) -> &'static Statistic {
        STATISTICS.iter().find(|s| s.key == key).unwrap()
    }

    #[test]
    fn n_says_what_it_counts() {
        let held = Estimate { n: 136, events: 4, ..Estimate::default() };
        assert_eq!(rests_on(stat("hold-time"), &held, false), "n = 136, with 4 of the 30 lost connections it needs");
        assert_eq!(lack(stat("hold-time"), &held), "not enough data yet");
        let outlasted = Estimate { events: 31, ..held };
        assert_eq!(lack(stat("hold-time"), &outlasted), "more than half outlasted the watching");
        assert_eq!(rests_on(stat("recovery"), &outlasted, true), "n = 136, 31 recoveries");
        let few = Estimate { n: 3, ..Estimate::default() };
        assert_eq!(rests_on(stat("resets"), &few, false), "n = 3, shown from 100 connections");
    }

    #[test]
    fn a_figure_leads_to_what_it_rests_on() {
        let cell =
            |n| Cell { family: "FTP", role: Some(Role::Client), estimate: Estimate { n, ..Estimate::default() } };
        let link = |n| href(stat("resets"), &cell(n), "&from=a&to=b");
        assert_eq!(link(3), "/observations?statistic=resets&family=FTP&role=client&from=a&to=b");
        assert_eq!(link(0), "");
        let third = Estimate { value: Some(0.25), low: Some(0.2), enough: true, ..Estimate::default() };
        assert_eq!(alone(&third, Unit::Seconds).unwrap(), ("250 ms".to_owned(), "200 or more".to_owned()));
    }
}
