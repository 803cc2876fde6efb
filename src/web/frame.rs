//! What stands around every page: title, navigation, who is signed in, colours, a note.

use super::page::{self, Audience};
use super::visitor::Visitor;
use super::widget::Tone;

/// Which colours a visitor wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every value, in the order of the switch.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Light, Self::Dark];

    /// The word in the cookie and the form.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The word on the switch.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Auto => "Auto",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// The value of `data-theme`; none leaves it to the system.
    #[must_use]
    pub fn attribute(self) -> Option<&'static str> {
        (self != Self::Auto).then(|| self.word())
    }

    /// The theme of that word; anything else is automatic.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        Self::ALL.iter().copied().find(|t| t.word() == word).unwrap_or_default()
    }
}

/// Something that was just done, said once at the top of the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Good or bad news.
    pub tone: Tone,
    /// One sentence.
    pub text: String,
}

/// One entry of the navigation.
#[derive(Debug, Clone)]
pub struct NavItem {
    /// Where it leads.
    pub href: &'static str,
    /// Its name.
    pub label: &'static str,
    /// Is this page in that part?
    pub current: bool,
}

/// The frame of a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// For `<title>` and often the heading.
    pub title: String,
    /// The visitor's colours.
    pub theme: Theme,
    /// Empty before signing in.
    pub nav: Vec<NavItem>,
    /// The account's name; empty before signing in.
    pub who: String,
    /// Proves that a form came from a page of ours.
    pub csrf: String,
    /// The path of this page, to come back to.
    pub here: String,
    /// Said once.
    pub note: Option<Note>,
}

impl Frame {
    /// The frame of the page called `title` for this visitor.
    #[must_use]
    pub fn new(visitor: &Visitor, title: impl Into<String>) -> Self {
        let nav = visitor.who().map(|who| {
            let visible = page::navigation().filter(|(page, _)| who.admin || page.audience == Audience::Account);
            visible
                .map(|(page, label)| NavItem { href: page.path, label, current: is_part(page.path, &visitor.path) })
                .collect()
        });
        Self {
            title: title.into(),
            theme: visitor.theme,
            nav: nav.unwrap_or_default(),
            who: visitor.who().map(|who| who.name.clone()).unwrap_or_default(),
            csrf: visitor.csrf.clone(),
            here: visitor.here.clone(),
            note: visitor.note.clone(),
        }
    }

    /// For the switch at the foot.
    #[must_use]
    pub fn themes(&self) -> &'static [Theme] {
        Theme::ALL
    }
}

/// Does `path` belong to the part of the site that begins at `root`?
fn is_part(root: &str, path: &str) -> bool {
    if root == "/" {
        return path == "/";
    }
    let belongs = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    belongs(root)
        || (root == "/jobs" && belongs("/runs"))
        || (root == "/browse" && (belongs("/shares") || belongs("/trash")))
        || (root == "/reliability" && (belongs("/observations") || belongs("/comparisons") || belongs("/alarms")))
        || (root == "/doctor" && belongs("/incidents"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_part() {
        assert!(is_part("/jobs", "/jobs/7/edit"));
        assert!(is_part("/jobs", "/runs/9"));
        assert!(!is_part("/", "/jobs"));
        assert!(!is_part("/jobs", "/jobsx"));
    }
}
