//! A finding as pages show it: the cause, how sure it is, what speaks for it and against it, and what helps.

use crate::diagnose::{Confidence, Finding, Report, Seen, Trial};
use crate::manners::Remedy;
use crate::web::problem::sentence;
use crate::web::widget::{Chip, Tone};

/// One line of evidence.
#[derive(Debug, Clone)]
pub struct LineShown {
    /// When, since the first look.
    pub at: String,
    pub text: String,
    /// To what it was read from, where it is observed traffic.
    pub href: Option<String>,
}

impl LineShown {
    pub(super) fn of(seen: &Seen) -> Self {
        Self { at: format!("{:.1} s", seen.at), text: seen.to_string(), href: None }
    }
}

/// What came of trying a remedy.
#[derive(Debug, Clone)]
pub struct TrialShown {
    pub chip: Chip,
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl TrialShown {
    fn of(trial: &Trial) -> Self {
        let chip =
            if trial.helps { Chip::new(Tone::Ok, "It helps") } else { Chip::new(Tone::Warn, "No difference shown") };
        let words = |all: &[Seen]| all.iter().map(ToString::to_string).collect();
        Self { chip, before: words(&trial.before), after: words(&trial.after) }
    }
}

/// Something that can be done here by itself.
#[derive(Debug, Clone)]
pub struct RemedyShown {
    /// Counted over all findings of the report.
    pub number: usize,
    pub text: String,
    pub used: bool,
    pub trial: Option<TrialShown>,
}

/// One finding.
#[derive(Debug, Clone)]
pub struct FindingShown {
    pub cause: String,
    pub sentence: String,
    pub chip: Chip,
    pub or: Vec<String>,
    pub evidence: Vec<LineShown>,
    pub against: Vec<LineShown>,
    pub here: String,
    pub helped: Vec<LineShown>,
    pub remedies: Vec<RemedyShown>,
    /// Product and setting.
    pub there: Vec<(String, String)>,
    pub letter: Option<String>,
}

impl FindingShown {
    /// Without remedies; `line` finds the lines of evidence.
    pub(super) fn of(found: &Finding, line: impl Fn(&[usize]) -> Vec<LineShown>) -> Self {
        let tone = match found.confidence {
            Confidence::Shown => Tone::Bad,
            Confidence::Likely => Tone::Warn,
            Confidence::Open => Tone::Idle,
        };
        let word = sentence(found.confidence.word());
        Self {
            cause: found.cause.to_string(),
            sentence: sentence(&found.sentence),
            chip: Chip::new(tone, word.trim_end_matches('.')),
            or: found.or.clone(),
            evidence: line(&found.evidence),
            against: line(&found.against),
            here: if found.here.is_empty() { String::new() } else { sentence(&found.here) },
            helped: line(&found.helped),
            remedies: Vec::new(),
            there: found.there.iter().map(|advice| (advice.product.to_string(), advice.setting.clone())).collect(),
            letter: None,
        }
    }

    /// All findings of a report, with the remedies that can be tried.
    pub(super) fn all(report: &Report) -> Vec<Self> {
        let used: Vec<Remedy> = report.shown().map(|(remedy, _)| remedy).collect();
        let mut number = 0;
        let shown = report.findings.iter().map(|found| {
            let mut shown = Self::of(found, |ids| report.lines(ids).map(LineShown::of).collect());
            shown.letter = (!found.there.is_empty()).then(|| found.letter(report));
            for remedy in &found.remedies {
                let trial = report.trials.iter().rev().find(|trial| trial.remedy == *remedy).map(TrialShown::of);
                let text = sentence(&remedy.to_string()).trim_end_matches('.').to_owned();
                shown.remedies.push(RemedyShown { number, text, used: used.contains(remedy), trial });
                number += 1;
            }
            shown
        });
        shown.collect()
    }
}
