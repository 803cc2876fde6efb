//! The report as one file of HTML that needs nothing else: no script, no font, no picture from elsewhere.

use askama::Template;

use super::Report;

#[derive(Template)]
#[template(path = "drill.html")]
struct Page<'a> {
    report: &'a Report,
}

/// Writes it.
///
/// # Errors
/// None that a template of this program has: those of formatting.
pub fn render(report: &Report) -> Result<String, askama::Error> {
    Page { report }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{Exercise, Rehearsed};

    #[test]
    fn it_says_what_was_lost_and_runs_nothing() {
        let lost = Rehearsed {
            lost: 2,
            lost_files: vec!["a/<b>".to_owned()],
            noticed: Some(0.25),
            ..Rehearsed::of(Exercise::Reset)
        };
        let mut report = Report {
            job: "Nightly <1>".to_owned(),
            source: "ftp://anna@old.example/pub".to_owned(),
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
            files: 10,
            bytes: 1 << 20,
            asked: 2,
            exercises: vec![lost, Rehearsed::of(Exercise::Killed)],
            version: "1.2.3",
        };
        let page = render(&report).unwrap();
        for part in ["Nightly &#60;1&#62;", "2 files were LOST", "a/&#60;b&#62;", "0.25 s", "nothing lost"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("<script") && !report.passed());
        report.exercises.remove(0);
        assert!(!report.passed(), "one was stopped");
        report.asked = 1;
        assert!(report.passed() && render(&report).unwrap().contains("Nothing lost in 1 of 1 exercises."));
        report.asked = 2;
        report.exercises.push(Rehearsed { skipped: Some("no reason".into()), ..Rehearsed::of(Exercise::Slow) });
        assert!(!report.passed() && report.verdict().contains("1 were not done"), "{}", report.verdict());
        report.asked = 3;
        report.exercises.push(Rehearsed { failure: Some("no reason".into()), ..Rehearsed::of(Exercise::Stall) });
        assert!(report.verdict().contains("1 of 3 exercises did not end well"), "{}", report.verdict());
    }
}
