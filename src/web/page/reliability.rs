//! FTP, SFTP and WebDAV side by side, from what really happened.

use askama::Template;

use super::run::Tab;
use crate::web::frame::Frame;
use crate::web::widget::IntervalBar;

/// A column.
#[derive(Debug, Clone)]
pub struct Family {
    pub name: &'static str,
    pub class: &'static str,
    pub seen: String,
}

/// An estimate.
#[derive(Debug, Clone)]
pub struct Shown {
    pub value: String,
    pub range: String,
    pub bar: IntervalBar,
}

/// One protocol in one statistic.
#[derive(Debug, Clone)]
pub struct Cell {
    pub class: &'static str,
    pub shown: Option<Shown>,
    pub n: String,
    pub needed: String,
}

/// One statistic.
#[derive(Debug, Clone)]
pub struct StatRow {
    pub name: String,
    pub unit: String,
    pub definition: String,
    pub cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "reliability.html")]
pub(in crate::web) struct ReliabilityPage {
    pub frame: Frame,
    pub lead: String,
    pub tabs: Vec<Tab>,
    pub families: Vec<Family>,
    pub rows: Vec<StatRow>,
}
