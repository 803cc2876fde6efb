//! What a page says when it cannot do as asked.

use askama::Template;

use super::frame::Frame;
use super::widget::Tone;

#[derive(Template)]
#[template(path = "problem.html")]
pub(in crate::web) struct ProblemPage {
    pub frame: Frame,
    pub tone: Tone,
    pub text: String,
}
