//! The report as one file of HTML that needs nothing else: no script, no font, no picture from elsewhere.

use askama::Template;

use super::process::Process;
use super::report::Report;

/// Size of the drawings, in units of the page.
const WIDE: f64 = 720.0;
const HIGH: f64 = 120.0;

#[derive(Template)]
#[template(path = "stress.html")]
struct Page<'a> {
    report: &'a Report,
    processes: Vec<(&'static str, &'a Process)>,
    /// Title, highest value, the points of a line.
    curves: Vec<(&'static str, String, String)>,
}

/// Writes it.
///
/// # Errors
/// None that a template of this program has: those of formatting.
pub fn render(report: &Report) -> Result<String, askama::Error> {
    let of = |value: &dyn Fn(usize) -> f64| curve(report.course.len(), value);
    let at = |place: usize| report.course.get(place);
    let open = of(&|place| at(place).map_or(0.0, |moment| f64::from(moment.open)));
    let answered = of(&|place| at(place).map_or(0.0, |moment| super::number(moment.answered)));
    let bytes = of(&|place| at(place).map_or(0.0, |moment| super::number(moment.bytes) / 1e6));
    let p95 = of(&|place| at(place).and_then(|moment| moment.p95).unwrap_or(0.0) * 1e3);
    let failed = of(&|place| at(place).map_or(0.0, |moment| super::number(moment.failed + moment.refused)));
    let titled = |title, unit: &str, (most, points): (f64, String)| (title, format!("{most:.1} {unit}"), points);
    let curves = vec![
        titled("Connections open", "connections", open),
        titled("Answers", "in a stretch", answered),
        titled("Latency, 95th percentile, from the intended arrival", "ms", p95),
        titled("Bytes of files", "MB in a stretch", bytes),
        titled("Failures and refused connections", "in a stretch", failed),
    ];
    let named = [("the server", &report.server), ("this program", &report.own)];
    let processes = named.into_iter().filter_map(|(name, process)| Some((name, process.as_ref()?))).collect();
    Page { report, processes, curves }.render()
}

/// The highest value, and a line through all of them.
fn curve(count: usize, value: &dyn Fn(usize) -> f64) -> (f64, String) {
    let most = (0..count).map(value).fold(0.0, f64::max);
    let last = u32::try_from(count.saturating_sub(1)).unwrap_or(1).max(1);
    let points = (0..count).zip(0_u32..).map(|(place, number)| {
        let (x, y) = (f64::from(number) / f64::from(last) * WIDE, value(place) / most.max(1e-9) * HIGH);
        format!("{x:.1},{:.1}", HIGH - y)
    });
    (most, points.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::report::tests::sample;

    #[test]
    fn the_page_has_the_numbers_and_runs_nothing() {
        let report = sample(0);
        let page = render(&report).unwrap();
        for row in &report.acts {
            assert!(page.contains(&format!("<td>{}</td>", row.arrived)) && page.contains(row.act.word()), "{page}");
        }
        assert!(page.contains("421 &#60;script&#62;enough"), "{page}");
        for never in ["<script", "http-equiv=\"refresh", " src=", " href=", "secret", "<b>"] {
            assert!(!page.contains(never), "{never}: {page}");
        }
        assert!(page.contains("default-src 'none'") && page.trim_end().ends_with("</html>"));
    }
}
