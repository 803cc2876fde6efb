//! A folder as rows, for pages and scripts.

use std::cmp::Ordering;
use std::io;

use serde::{Deserialize, Serialize};

use crate::model::{EntryKind, Name, RelPath};
use crate::serve::http::href;
use crate::tree::{Stat, View};

/// Sorting needs all names in memory; a folder with more is cut, and says so.
const MOST: usize = 100_000;

/// What to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// By name, folders first.
    #[default]
    Name,
    /// By size, folders first.
    Size,
    /// By time of change.
    Time,
}

/// Which rows to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What to sort by.
    pub order: Order,
    /// Largest, newest or last first.
    pub descending: bool,
    /// Rows to skip.
    pub offset: usize,
    /// Rows to return.
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { order: Order::Name, descending: false, offset: 0, limit: 1000 }
    }
}

impl Page {
    /// `?sort=name|size|time&desc&offset=…`; what is not understood is as usual.
    #[must_use]
    pub fn wanted(query: Option<&str>) -> Self {
        let mut page = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("sort", "size") => page.order = Order::Size,
                ("sort", "time") => page.order = Order::Time,
                ("desc", _) => page.descending = true,
                ("offset", number) => page.offset = number.parse().unwrap_or(0),
                _ => {}
            }
        }
        page
    }

    /// The same order from another row on, as a query.
    fn at(self, offset: usize) -> String {
        let sort = match self.order {
            Order::Name => "name",
            Order::Size => "size",
            Order::Time => "time",
        };
        let desc = if self.descending { "&desc" } else { "" };
        format!("?sort={sort}{desc}&offset={offset}")
    }
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its raw name.
    pub name: Name,
    /// Of the entry itself; for a link that can be followed, of what it leads to.
    pub stat: Stat,
    /// Is it a link?
    pub is_link: bool,
    /// Relative link to it, percent-encoded; ends in a slash for a folder.
    pub href: String,
}

/// A folder.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Which one.
    pub path: RelPath,
    /// What was asked for.
    pub page: Page,
    /// The rows of the page.
    pub rows: Vec<Row>,
    /// How many entries the folder has (that can be shown).
    pub total: usize,
    /// There are more than could be sorted.
    pub truncated: bool,
}

impl Listing {
    /// The query of the page before this one.
    #[must_use]
    pub fn earlier(&self) -> Option<String> {
        let limit = self.page.limit.max(1);
        let last = self.total.saturating_sub(1) / limit * limit;
        let before = self.page.offset.saturating_sub(self.page.limit).min(last);
        (self.page.offset > 0).then(|| self.page.at(before))
    }

    /// The query of the page after this one.
    #[must_use]
    pub fn later(&self) -> Option<String> {
        let next = self.page.offset.saturating_add(self.page.limit);
        (next < self.total).then(|| self.page.at(next))
    }
}

/// Reads the folder `path`. Links that lead nowhere or out of the view are not shown, nor is what `shows` leaves out.
/// Blocking.
///
/// # Errors
/// Those of [`View::read_dir`].
pub fn listing(view: &View, path: &RelPath, page: Page, shows: impl Fn(&RelPath) -> bool) -> io::Result<Listing> {
    let mut found: Vec<(Name, Stat, bool)> = Vec::new();
    let mut truncated = false;
    for entry in view.read_dir(path)? {
        let entry = entry?;
        if found.len() >= MOST {
            truncated = true;
            break;
        }
        if !shows(&path.join(&entry.name)) {
            continue;
        }
        match entry.stat.kind {
            EntryKind::Symlink(_) => {
                if let Ok(stat) = view.stat_follow(&path.join(&entry.name)) {
                    found.push((entry.name, stat, true));
                }
            }
            _ => found.push((entry.name, entry.stat, false)),
        }
    }
    let total = found.len();
    found.sort_by(|a, b| compare(page, (&a.0, &a.1), (&b.0, &b.1)));
    let rows = found
        .into_iter()
        .skip(page.offset)
        .take(page.limit)
        .map(|(name, stat, is_link)| {
            let mut href = format!("./{}", href::segment(&name));
            if stat.is_dir() {
                href.push('/');
            }
            Row { name, stat, is_link, href }
        })
        .collect();
    Ok(Listing { path: path.clone(), page, rows, total, truncated })
}

fn compare(page: Page, a: (&Name, &Stat), b: (&Name, &Stat)) -> Ordering {
    let folders_first = b.1.is_dir().cmp(&a.1.is_dir());
    let by_name = a.0.cmp(b.0);
    let turn = |order: Ordering| if page.descending { order.reverse() } else { order };
    match page.order {
        Order::Name => folders_first.then(turn(by_name)),
        Order::Size => folders_first.then(turn(a.1.size.cmp(&b.1.size))).then(by_name),
        Order::Time => turn(a.1.mtime.cmp(&b.1.mtime)).then(by_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;
    use crate::tree::Tree;

    #[test]
    fn folders_first_and_links_that_lead_out_unseen() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("z")).unwrap();
        std::fs::write(folder.path().join("a b"), "12345").unwrap();
        std::fs::write(folder.path().join("c"), "1").unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink("c", folder.path().join("in")).unwrap();
        let view = Tree::open(folder.path()).unwrap().view(&Scope::whole()).unwrap();
        let names = |page| {
            let listing = listing(&view, &RelPath::root(), page, |_| true).unwrap();
            assert_eq!(listing.total, 4);
            listing.rows.into_iter().map(|row| row.href).collect::<Vec<_>>()
        };
        assert_eq!(names(Page::default()), ["./z/", "./a%20b", "./c", "./in"]);
        let by_size = Page { order: Order::Size, descending: true, limit: 2, ..Page::default() };
        assert_eq!(names(by_size), ["./z/", "./a%20b"]);
    }
}
