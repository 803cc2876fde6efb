//! The dashboard: server-rendered pages that work without scripts and come alive with them.

mod assets;
mod frame;
mod live;
mod page;
mod problem;
mod show;
mod visitor;
mod widget;

#[cfg(test)]
mod gallery;

/// For templates.
use assets::url as asset;
/// For templates.
use widget::icon;

/// Shown at the foot of every page.
const VERSION: &str = env!("CARGO_PKG_VERSION");
