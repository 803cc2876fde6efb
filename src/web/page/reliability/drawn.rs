//! The figures as drawings: over time, by phase, how long connections hold, and when they are reset.

use jiff::{SignedDuration, Timestamp};

use super::figures::{alone, called, class, scale};
use super::wanted::{Wanted, instant};
use crate::diagnose::alarm::Alarm;
use crate::reliability::alarm::Sign;
use crate::reliability::estimate::Step;
use crate::reliability::stat::{Sample, curve};
use crate::reliability::{Basis, Better, Column, Group, Row, STATISTICS, Slice, Statistic, Timeline, Unit};
use crate::web::chart::{Axis, Bar, Curve, Part, Point, Survival, Trend, Waterfall};
use crate::web::show as shown;

/// What the page draws over time.
const DRAWN: [&str; 4] = ["connection-success", "setup-median", "resets", "throughput"];
/// Units of a chart's height and of a bar's length.
const HIGH: f64 = 96.0;
const WIDE: f64 = 480.0;
/// Rows of the table below a survival curve.
const TIMES: u32 = 12;

/// One statistic over time, a drawing for each column or endpoint.
#[derive(Debug, Clone)]
pub struct TrendGroup {
    pub key: &'static str,
    pub title: &'static str,
    pub trends: Vec<Trend>,
}

/// What one drawing is of.
pub(in crate::web::page) struct Drawn<'a> {
    pub name: String,
    pub class: &'static str,
    pub whole: &'a Sample,
    pub slices: &'a [Slice],
    /// Of what it is drawn of.
    pub alarms: Vec<&'a Alarm>,
}

/// The sign of early warning that watches what a statistic says.
const fn sign(statistic: &Statistic) -> Option<Sign> {
    match statistic.basis {
        Basis::Setup | Basis::Part(_) => Some(Sign::SetupTime),
        Basis::Becoming | Basis::Moved | Basis::MovedGib | Basis::Files => Some(Sign::Errors),
        Basis::Stood | Basis::HeldHours | Basis::Holding => Some(Sign::Resets),
        _ => None,
    }
}

/// The page's statistics over time, of columns that were seen.
pub(super) fn trends(columns: &[Column], timeline: &Timeline, alarms: &[Alarm], wanted: &Wanted) -> Vec<TrendGroup> {
    let all = columns.iter().zip(&timeline.samples).zip(&timeline.slices);
    let seen = all.filter(|((_, sample), _)| sample.connections_seen() > 0);
    let drawn: Vec<_> = seen
        .map(|((column, whole), slices)| Drawn {
            name: called(column.family, column.role),
            class: class(column.family),
            whole,
            slices,
            alarms: alarms
                .iter()
                .filter(|alarm| alarm.place.family == column.family)
                .filter(|alarm| column.role.is_none_or(|role| role == alarm.place.role))
                .collect(),
        })
        .collect();
    if drawn.is_empty() {
        return Vec::new();
    }
    let statistics = DRAWN.iter().filter_map(|key| STATISTICS.iter().find(|statistic| statistic.key == *key));
    statistics.map(|statistic| group(statistic, &drawn, timeline.width, wanted)).collect()
}

/// One statistic over time, all drawings on one scale.
pub(in crate::web::page) fn group(
    statistic: &'static Statistic,
    drawn: &[Drawn<'_>],
    width: SignedDuration,
    wanted: &Wanted,
) -> TrendGroup {
    let estimates: Vec<Vec<_>> =
        drawn.iter().map(|one| one.slices.iter().map(|slice| (statistic.compute)(&slice.sample)).collect()).collect();
    let enough = || estimates.iter().flatten().filter(|estimate| estimate.enough);
    let largest = enough().filter_map(|estimate| estimate.value).fold(0.0, f64::max);
    let (factor, unit, _) = scale(statistic.unit, largest);
    // An interval that is wide because a slice is small must not press all others to the foot.
    let high = enough().filter_map(|estimate| estimate.high.or(estimate.value)).map(|high| high.min(2.0 * largest));
    let axis = if statistic.unit == Unit::Share && statistic.better == Better::Higher {
        let lowest = enough().filter_map(|estimate| estimate.low.or(estimate.value)).fold(1.0, f64::min);
        Axis::between((lowest * 100.0 - 0.5).floor().max(0.0), 100.0, HIGH)
    } else {
        Axis::over(high.map(|high| high * factor), HIGH)
    };
    let trends = drawn.iter().zip(&estimates).enumerate().map(|(at, (one, estimates))| {
        let points = one.slices.iter().zip(estimates).map(|(slice, estimate)| {
            let end = slice.at.saturating_add(width).unwrap_or(Timestamp::MAX);
            let to = Wanted { from: instant(slice.at), to: instant(end), ..wanted.clone() };
            let told = alone(estimate, statistic.unit);
            let n = shown::count(estimate.n);
            let alarmed = one.alarms.iter().any(|alarm| {
                let over = alarm.ended.map_or(Timestamp::MAX, |(at, _)| at);
                sign(statistic) == Some(alarm.sign) && alarm.since < end && over > slice.at
            });
            let warned = if alarmed { ", an alarm" } else { "" };
            Point {
                when: moment(slice.at, width),
                figure: estimate.value.filter(|_| estimate.enough).map(|value| {
                    (value * factor, estimate.low.map(|low| low * factor), estimate.high.map(|high| high * factor))
                }),
                said: match told {
                    Some((value, range)) => format!("{value}, 95 % interval {range}, n = {n}{warned}"),
                    None => format!("not enough data yet, n = {n}{warned}"),
                },
                href: to.query(),
                alarmed,
            }
        });
        Trend {
            id: format!("{}-{at}", statistic.key),
            class: one.class,
            name: one.name.clone(),
            whole: alone(&(statistic.compute)(one.whole), statistic.unit)
                .map_or_else(|| "not enough data yet".to_owned(), |(value, _)| value),
            points: points.collect(),
            ends: (format!("{}{unit}", shown::figure(axis.top())), shown::figure(axis.base())),
            times: times(one.slices, width),
            axis,
        }
    });
    TrendGroup { key: statistic.key, title: statistic.title, trends: trends.collect() }
}

fn moment(at: Timestamp, width: SignedDuration) -> String {
    let format = if width < SignedDuration::from_hours(24) { "%m-%d %H:%M" } else { "%Y-%m-%d" };
    at.strftime(format).to_string()
}

fn times(slices: &[Slice], width: SignedDuration) -> (String, String) {
    let begin = slices.first().map(|slice| moment(slice.at, width)).unwrap_or_default();
    let end = slices.last().and_then(|slice| slice.at.saturating_add(width).ok());
    (begin, end.map(|end| moment(end, width)).unwrap_or_default())
}

/// What the set-up goes into, from the medians of its phases.
pub(super) fn waterfall(rows: &[Row]) -> Option<Waterfall> {
    let phases: Vec<_> = rows
        .iter()
        .filter(|row| row.statistic.group == Group::Setup && row.statistic.key.ends_with("-median"))
        .collect();
    let columns = phases.first()?.cells.len();
    let median =
        |row: &Row, at: usize| row.cells.get(at).and_then(|cell| cell.estimate.value.filter(|_| cell.estimate.enough));
    let sum = |at: usize| phases.iter().filter_map(|row| median(row, at)).sum::<f64>();
    let axis = Axis::over((0..columns).map(sum), WIDE);
    let bars = (0..columns).filter(|at| sum(*at) > 0.0).filter_map(|at| {
        let cell = phases.first()?.cells.get(at)?;
        let mut left = 0.0;
        let parts = phases.iter().enumerate().filter_map(|(tone, row)| {
            let value = median(row, at)?;
            let (from, to) = (axis.place(left), axis.place(left + value));
            left += value;
            let said = seconds(value);
            let (left, width) = (format!("{from:.1}"), format!("{:.1}", (to - from).max(0.8)));
            Some(Part { tone: tone + 1, name: phase(row.statistic), said, left, width })
        });
        let parts: Vec<_> = parts.collect();
        Some(Bar { name: called(cell.family, cell.role), class: class(cell.family), sum: seconds(sum(at)), parts })
    });
    let bars: Vec<_> = bars.collect();
    let used = |tone: usize| bars.iter().flat_map(|bar| &bar.parts).any(|part| part.tone == tone);
    let legend =
        phases.iter().enumerate().map(|(tone, row)| (tone + 1, phase(row.statistic))).filter(|(tone, _)| used(*tone));
    let legend = legend.collect();
    (!bars.is_empty()).then(|| Waterfall { legend, top: seconds(axis.top()), bars })
}

fn phase(statistic: &'static Statistic) -> &'static str {
    statistic.title.trim_end_matches(", median")
}

fn seconds(value: f64) -> String {
    let (factor, unit, _) = scale(Unit::Seconds, value);
    format!("{}{unit}", shown::figure(value * factor))
}

/// How long connections hold; none when no connection was lost, for then there is no curve.
pub(super) fn survival(columns: &[Column], samples: &[Sample]) -> Option<Survival> {
    let hold = STATISTICS.iter().find(|statistic| statistic.key == "hold-time")?;
    let curves = columns.iter().zip(samples).map(|(column, sample)| {
        let watched = (hold.compute)(sample);
        Curve {
            name: called(column.family, column.role),
            class: class(column.family),
            steps: curve(sample),
            watched: format!(
                "{}, {} lost",
                shown::plural(watched.n, "connection", "connections"),
                shown::count(watched.events)
            ),
        }
    });
    let curves: Vec<_> = curves.filter(|curve| !curve.steps.is_empty()).collect();
    let longest = curves.iter().filter_map(|curve| curve.steps.last()).map(|step| step.time).fold(0.0, f64::max) * 1.1;
    if longest <= 0.0 {
        return None;
    }
    let table = (1..=TIMES).map(|at| {
        let time = longest * f64::from(at) / f64::from(TIMES);
        (seconds(time), curves.iter().map(|curve| left(&curve.steps, time)).collect())
    });
    Some(Survival { table: table.collect(), longest, longest_said: seconds(longest), curves })
}

/// The share that is left after a time, with its interval.
fn left(steps: &[Step], time: f64) -> String {
    let percent = |share: f64| shown::figure(share * 100.0);
    match steps.iter().take_while(|step| step.time <= time).last() {
        None => "100 %".to_owned(),
        Some(step) => format!("{} % [{}, {}]", percent(step.share), percent(step.low), percent(step.high)),
    }
}
