//! What a rule concludes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::manners::Remedy;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Seen, but another cause would look alike from here: a capture of packets would tell.
    Open,
    /// It explains what was seen, and nothing speaks against it.
    Likely,
    /// The opposite was tried as well and made the difference, or the other side said it in words.
    Shown,
}

impl Confidence {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "cannot be told apart without a capture",
            Self::Likely => "likely",
            Self::Shown => "shown",
        }
    }
}

/// What the owner of the other side can set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The product.
    pub product: Cow<'static, str>,
    /// The setting, as its configuration has it.
    pub setting: String,
}

/// One cause, with what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The rule's name, stable.
    pub cause: Cow<'static, str>,
    /// The cause, in one sentence.
    pub sentence: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// What would look alike from here; said with [`Confidence::Open`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<String>,
    /// Numbers of the lines of evidence for it. Never empty.
    pub evidence: Vec<usize>,
    /// Numbers of the lines that do not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<usize>,
    /// What helps here.
    pub here: String,
    /// The same, where it can be done by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
    /// It was tried, and these lines of evidence show that it helps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helped: Vec<usize>,
    /// What helps on the other side.
    pub there: Vec<Advice>,
}

impl Finding {
    /// A cause and the evidence for it.
    #[must_use]
    pub fn new(cause: &'static str, confidence: Confidence, sentence: impl Into<String>, evidence: Vec<usize>) -> Self {
        Self {
            cause: Cow::Borrowed(cause),
            sentence: sentence.into(),
            confidence,
            or: Vec::new(),
            evidence,
            against: Vec::new(),
            here: String::new(),
            remedies: Vec::new(),
            helped: Vec::new(),
            there: Vec::new(),
        }
    }

    /// What else it could be.
    #[must_use]
    pub fn or(mut self, other: impl Into<String>) -> Self {
        self.or.push(other.into());
        self
    }

    /// What does not fit.
    #[must_use]
    pub fn against(mut self, ids: Vec<usize>) -> Self {
        self.against = ids;
        self
    }

    /// What helps here.
    #[must_use]
    pub fn here(mut self, text: impl Into<String>) -> Self {
        self.here = text.into();
        self
    }

    /// That can be done by itself.
    #[must_use]
    pub fn remedy(mut self, remedy: Remedy, helped: Vec<usize>) -> Self {
        self.remedies.push(remedy);
        self.helped.extend(helped);
        self
    }

    /// What its owner can set in `product`.
    #[must_use]
    pub fn there(mut self, product: &'static str, setting: impl Into<String>) -> Self {
        self.there.push(Advice { product: Cow::Borrowed(product), setting: setting.into() });
        self
    }

    /// A text for the owner of the other side.
    #[must_use]
    pub fn letter(&self, report: &super::Report) -> String {
        let mut text = format!(
            "Transfers from {} break off. Measured on {} (UTC) from our side:\n\n{}.\n\nWhat was seen:\n",
            report.endpoint,
            report.started.strftime("%Y-%m-%d %H:%M"),
            self.sentence
        );
        for seen in report.lines(&self.evidence) {
            text.push_str(&format!("- after {:.1} s, {seen}\n", seen.at));
        }
        if !self.or.is_empty() {
            text.push_str(&format!("\nFrom here it cannot be told from: {}.\n", self.or.join("; ")));
        }
        if !self.there.is_empty() {
            text.push_str("\nWhat would help on your side, depending on what is in use:\n");
            for advice in &self.there {
                text.push_str(&format!("- {}: {}\n", advice.product, advice.setting));
            }
        }
        text
    }
}
