//! As a table (RFC 4180), a row for each figure and each answer.

use super::{AlarmLine, Answer, EndpointLine, EndpointValue, Figure, FigureRow, Report};
use crate::reliability::alarm::Sign;
use crate::web::page::reliability::called;

const HEAD: &str = "kind,key,title,of,value,low,high,n,events,unit,enough,from,to,machine,definition";

/// The report as lines of comma-separated values.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut lines = vec![HEAD.to_owned()];
    for compared in &report.compared {
        lines.extend(compared.answers.iter().map(|answer| of_answer(report, &compared.name, answer)));
    }
    for row in &report.rows {
        lines.extend(row.figures.iter().map(|figure| of_figure(report, row, figure)));
    }
    for endpoint in &report.endpoints {
        lines.extend(endpoint.figures.iter().map(|value| of_endpoint(report, endpoint, value)));
    }
    lines.extend(report.alarms.iter().map(|alarm| of_alarm(report, alarm)));
    lines.push(String::new());
    lines.join("\r\n")
}

fn of_answer(report: &Report, set: &str, answer: &Answer) -> String {
    let unit = if matches!(answer.question, "connecting" | "moving") { "a share" } else { "seconds" };
    let of = format!("{} against {}, {set}", answer.to, answer.from);
    let enough = answer.value.is_some();
    [
        text("pair"),
        text(answer.question),
        text(&answer.sentence),
        text(&of),
        number(answer.value),
        number(answer.low),
        number(answer.high),
        answer.n.to_string(),
        String::new(),
        text(unit),
        enough.to_string(),
        text(&report.from),
        text(&report.to),
        text(&report.machine),
        String::new(),
    ]
    .join(",")
}

fn of_figure(report: &Report, row: &FigureRow, figure: &Figure) -> String {
    [
        text("traffic"),
        text(row.key),
        text(row.title),
        text(&figure.whose),
        number(figure.value),
        number(figure.low),
        number(figure.high),
        figure.n.to_string(),
        figure.events.to_string(),
        text(row.unit),
        figure.enough.to_string(),
        text(&report.from),
        text(&report.to),
        text(&report.machine),
        text(row.definition),
    ]
    .join(",")
}

fn of_endpoint(report: &Report, endpoint: &EndpointLine, value: &EndpointValue) -> String {
    let told = match (value.key, endpoint.limit) {
        ("concurrency", Some(limit)) => format!("what kept it from more: {limit}"),
        ("concurrency", None) => String::new(),
        _ => format!("objective {}", endpoint.objective),
    };
    [
        text("endpoint"),
        text(value.key),
        text(value.title),
        text(&format!("{}, {}", endpoint.endpoint, called(endpoint.family, Some(endpoint.role)))),
        number(value.value),
        number(value.low),
        number(value.high),
        value.n.to_string(),
        value.events.to_string(),
        text(value.unit),
        value.enough.to_string(),
        text(&value.from),
        text(&value.to),
        text(&report.machine),
        text(&told),
    ]
    .join(",")
}

fn of_alarm(report: &Report, alarm: &AlarmLine) -> String {
    let unit = if alarm.sign == Sign::SetupTime { "seconds" } else { "a share" };
    [
        text("alarm"),
        text(alarm.sign.as_str()),
        text(&alarm.sentence),
        text(&alarm.endpoint),
        number(Some(alarm.seen)),
        number(None),
        number(None),
        alarm.n.to_string(),
        String::new(),
        text(unit),
        true.to_string(),
        text(&alarm.since),
        text(alarm.ended.as_deref().unwrap_or_default()),
        text(&report.machine),
        text(
            "Early warning: the value is what was seen from when it began until it was noticed; the times are its own.",
        ),
    ]
    .join(",")
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// In quotes; what a spreadsheet would take for a formula gets an apostrophe before it.
fn text(value: &str) -> String {
    let guard = if value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    format!("\"{guard}{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula() {
        for (given, written) in [
            ("plain", "\"plain\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@sum", "\"'@sum\""),
            ("\tx", "\"'\tx\""),
            ("a,b", "\"a,b\""),
        ] {
            assert_eq!(text(given), written);
        }
        assert_eq!((number(Some(-0.5)), number(None)), ("-0.5".to_owned(), String::new()));
    }
}
