//! A status in one word, told by text, symbol and colour together.

use askama::Template;
use askama::filters::HtmlSafe;

use super::Icon;

/// How something stands. Also the name of a CSS class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Done and proven.
    Ok,
    /// Under way.
    Busy,
    /// Somebody should look.
    Warn,
    /// It failed.
    Bad,
    /// Nothing to say.
    Idle,
}

impl Tone {
    /// The CSS class.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Busy => "busy",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Idle => "idle",
        }
    }

    /// The symbol that goes with it.
    #[must_use]
    pub const fn icon(self) -> Icon {
        Icon(self.class())
    }
}

/// A status chip.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(ext = "html", source = r#"<span class="chip {{ tone.class() }}">{{ tone.icon() }}{{ text }}</span>"#)]
pub struct Chip {
    tone: Tone,
    text: String,
}

impl Chip {
    /// A chip that says `text`.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

impl HtmlSafe for Chip {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_its_text() {
        assert!(Chip::new(Tone::Bad, "<b>").to_string().contains("&#60;b&#62;"));
    }
}
