//! Line icons, drawn once in `static/icons.svg` and referred to by name.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::web::assets;

/// The symbol of that id in `static/icons.svg`; hidden from screen readers, so the text beside it says
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icon(pub &'static str);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sheet = assets::url("icons.svg");
        write!(f, r#"<svg class="icon" aria-hidden="true"><use href="{sheet}#{}"/></svg>"#, self.0)
    }
}

impl HtmlSafe for Icon {}

/// For templates: `{{ crate::web::icon("files") }}`.
pub(in crate::web) const fn icon(id: &'static str) -> Icon {
    Icon(id)
}
