//! Which system a browser runs on.

use axum::http::{HeaderMap, header};

/// A system with ways in of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Windows.
    Windows,
    /// macOS.
    Mac,
    /// Linux and the BSDs.
    Linux,
    /// iOS and iPadOS.
    Iphone,
    /// Android.
    Android,
    /// Whatever else, and programs.
    Other,
}

impl System {
    /// Every one, in the order of the page.
    pub const ALL: &'static [Self] = &[Self::Windows, Self::Mac, Self::Linux, Self::Iphone, Self::Android, Self::Other];

    /// The word in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Mac => "macos",
            Self::Linux => "linux",
            Self::Iphone => "ios",
            Self::Android => "android",
            Self::Other => "other",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Windows => "Windows",
            Self::Mac => "macOS",
            Self::Linux => "Linux",
            Self::Iphone => "iPhone and iPad",
            Self::Android => "Android",
            Self::Other => "Other programs",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|system| system.word() == word)
    }

    /// The system that a request comes from: Chromium's browsers say it by a client hint, the others in `User-Agent`
    /// only. An iPad asks as a Mac unless it is told not to.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let hint = said("sec-ch-ua-platform").map(|hint| hint.trim_matches('"'));
        // "Android" and "CrOS" before what is in their names, too.
        let known = [
            ("Windows", Self::Windows),
            ("Android", Self::Android),
            ("iPhone", Self::Iphone),
            ("iPad", Self::Iphone),
            ("iOS", Self::Iphone),
            ("CrOS", Self::Other),
            ("Chrom", Self::Other),
            ("mac", Self::Mac),
            ("Mac", Self::Mac),
            ("Linux", Self::Linux),
            ("BSD", Self::Linux),
        ];
        let within = |text: &str, known: &[(&str, Self)]| {
            known.iter().find(|(word, _)| text.contains(word)).map(|(_, system)| *system)
        };
        // A browser's agent names the system in its first brackets (RFC 9110, 10.1.5).
        let agent = said(header::USER_AGENT.as_str()).and_then(|agent| agent.split(['(', ')']).nth(1));
        let hinted = hint.and_then(|hint| within(hint, &known));
        hinted.or_else(|| within(agent.unwrap_or_default(), &known)).unwrap_or(Self::Other)
    }
}
