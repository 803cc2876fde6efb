//! What is wrong with a form, field by field: said above the form with links, at the field, and to screen
//! readers; the first wrong field has the focus.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::web::problem::sentence;

/// The problems of a form. The identity of a field's element is its name; an empty one stands for the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<(&'static str, String)>);

impl Problems {
    /// One problem, as a sentence.
    #[must_use]
    pub fn one(field: &'static str, why: &str) -> Self {
        let mut problems = Self::default();
        problems.add(field, why);
        problems
    }

    /// One more.
    pub fn add(&mut self, field: &'static str, why: &str) {
        self.0.push((field, sentence(why)));
    }

    /// Is everything right?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For templates: all of them, in the order of the fields.
    pub fn list(&self) -> impl Iterator<Item = &(&'static str, String)> {
        self.0.iter()
    }

    /// For templates: the attributes of a field, whose own hint has the identity `hint` (empty: none).
    #[must_use]
    pub fn about(&self, field: &'static str, hint: &str) -> Attributes {
        let wrong = self.0.iter().any(|(at, _)| *at == field);
        let first = self.0.iter().map(|(at, _)| *at).find(|at| !at.is_empty()) == Some(field);
        let described = match (wrong, hint.is_empty()) {
            (true, true) => format!("{field}-wrong"),
            (true, false) => format!("{field}-wrong {hint}"),
            (false, _) => hint.to_owned(),
        };
        Attributes { described, wrong, first }
    }

    /// For templates: what is wrong with a field.
    #[must_use]
    pub fn said(&self, field: &'static str) -> Said {
        let text = self.0.iter().filter(|(at, _)| *at == field).map(|(_, why)| why.as_str()).collect::<Vec<_>>();
        Said { field, text: text.join(" ") }
    }
}

/// Attributes of an input element.
#[derive(Debug, Template)]
#[template(
    ext = "html",
    source = r#"{% if !described.is_empty() %} aria-describedby="{{ described }}"{% endif %}{% if wrong %} aria-invalid="true"{% endif %}{% if first %} autofocus{% endif %}"#
)]
pub struct Attributes {
    described: String,
    wrong: bool,
    first: bool,
}

impl HtmlSafe for Attributes {}

/// A sentence below a field, or nothing.
#[derive(Debug)]
pub struct Said {
    field: &'static str,
    text: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return Ok(());
        }
        let text = askama::filters::escape(&self.text, askama::filters::Html).map_err(|_| fmt::Error)?;
        write!(f, r#"<span class="wrong" id="{}-wrong">{text}</span>"#, self.field)
    }
}

impl HtmlSafe for Said {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_field_has_the_focus() {
        let mut problems = Problems::one("", "the form is old");
        problems.add("cron", "no <minute>");
        problems.add("zone", "there is no such zone");
        assert_eq!(
            problems.about("cron", "cron-hint").to_string(),
            r#" aria-describedby="cron-wrong cron-hint" aria-invalid="true" autofocus"#
        );
        assert_eq!(problems.about("zone", "").to_string(), r#" aria-describedby="zone-wrong" aria-invalid="true""#);
        assert_eq!(problems.about("name", "").to_string(), "");
        assert_eq!(
            problems.said("cron").to_string(),
            r#"<span class="wrong" id="cron-wrong">No &#60;minute&#62;.</span>"#
        );
        assert_eq!(problems.said("name").to_string(), "");
    }
}
