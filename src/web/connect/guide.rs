//! What a page says of one way in.

use super::File;
use crate::web::widget::{Chip, Tone};

/// How it is known that the steps work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// Every version is tested with the program itself; says what is done.
    Tested(&'static str),
    /// The program does not run where Causeway is tested; says whose words the steps follow.
    Words(&'static str),
}

impl Trial {
    /// In two words.
    #[must_use]
    pub fn chip(self) -> Chip {
        match self {
            Self::Tested(_) => Chip::new(Tone::Ok, "Tested"),
            Self::Words(_) => Chip::new(Tone::Idle, "Not tested"),
        }
    }

    /// In full.
    #[must_use]
    pub const fn said(self) -> &'static str {
        match self {
            Self::Tested(what) => what,
            Self::Words(whose) => whose,
        }
    }
}

/// Something to do, and what to type or paste for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// One sentence or two.
    pub text: String,
    /// An address or a command.
    pub code: Option<String>,
}

impl Step {
    /// A step with nothing to type.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: None }
    }

    /// A step with an address or a command.
    #[must_use]
    pub fn with(text: impl Into<String>, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..Self::new(text) }
    }
}

/// One way in.
#[derive(Debug, Clone)]
pub struct Way {
    /// For links within the page.
    pub id: &'static str,
    /// The program.
    pub title: &'static str,
    /// What one has from it.
    pub about: &'static str,
    /// How it is known that it works.
    pub trial: Trial,
    /// In their order.
    pub steps: Vec<Step>,
    /// What the steps need.
    pub files: Vec<File>,
}
