//! What the time of a set-up goes into, one phase behind the other.

use askama::Template;
use askama::filters::HtmlSafe;

/// One phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Number of its colour, from 1 on.
    pub tone: usize,
    pub name: &'static str,
    /// The median in words.
    pub said: String,
    /// Where it begins and how long it is, of 480.
    pub left: String,
    pub width: String,
}

/// One protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub name: String,
    pub class: &'static str,
    /// The medians of all phases together, in words.
    pub sum: String,
    pub parts: Vec<Part>,
}

/// The drawing.
#[derive(Debug, Clone, Template)]
#[template(path = "chart/waterfall.html")]
pub struct Waterfall {
    pub bars: Vec<Bar>,
    /// Numbers of colours and their phases.
    pub legend: Vec<(usize, &'static str)>,
    /// The end of the scale in words.
    pub top: String,
}

impl HtmlSafe for Waterfall {}
