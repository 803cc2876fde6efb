//! What there is in the tree, counted entry by entry in bounded memory: sums, classes, and the few that stand out.

use encoding_rs::Encoding;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::bounded::{Frequent, Top};
use super::histogram::{Ages, Sizes};
use super::names::{Names, Neighbours};
use crate::model::charset::Evidence;
use crate::model::{Entry, EntryKind, RelPath};

/// So many of what stands out are told.
const SHOWN: usize = 10;
/// So many kinds of endings are kept apart.
const ENDINGS: usize = 2_000;
/// An ending is not longer than this.
const ENDING: usize = 12;

/// A path that stands out, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// For people.
    pub path: String,
    /// Bytes, entries, levels: see where it stands.
    pub value: u64,
}

/// A folder in which files changed lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hot {
    /// For people.
    pub path: String,
    /// Files changed within an hour,
    pub hour: u64,
    /// within a day,
    pub day: u64,
    /// and within a week.
    pub week: u64,
    /// When the newest was.
    pub newest: Timestamp,
}

/// Files with the same ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ending {
    /// In lower case, without its dot; empty for names without one.
    pub ending: String,
    /// How many.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Files that changed lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lately {
    /// Within an hour.
    pub hour: u64,
    /// Within a day.
    pub day: u64,
    /// Within a week.
    pub week: u64,
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Census {
    /// Files.
    pub files: u64,
    /// Folders that were read, the first one included.
    pub folders: u64,
    /// Bytes of all files whose size is told.
    pub bytes: u64,
    /// Files whose size is not told.
    pub sizeless: u64,
    /// Symbolic links.
    pub links: u64,
    /// The first few, with where they point as far as that is told.
    pub link_examples: Vec<String>,
    /// Links whose target leads out of the tree by its words.
    pub links_out: u64,
    /// Devices, pipes, sockets.
    pub specials: u64,
    /// The first few.
    pub special_examples: Vec<String>,
    /// Names of which the listing does not say what they are.
    pub unknown: u64,
    /// Files that nobody may read, by their permission bits.
    pub unreadable: u64,
    /// The first few.
    pub unreadable_examples: Vec<String>,
    /// Names with a dot in front.
    pub dotted: u64,
    /// Files by size.
    pub sizes: Sizes,
    /// Files by age.
    pub ages: Ages,
    /// The most frequent endings.
    pub endings: Vec<Ending>,
    /// The path with the most levels.
    pub deepest: Option<Mark>,
    /// The path with the most bytes.
    pub longest_path: Option<Mark>,
    /// The name with the most bytes.
    pub longest_name: Option<Mark>,
    /// The largest files, in bytes.
    pub largest_files: Vec<Mark>,
    /// The folders with the most entries.
    pub largest_folders: Vec<Mark>,
    /// Files that changed lately.
    pub lately: Lately,
    /// Where they are.
    pub hot: Vec<Hot>,
    /// The file that changed last.
    pub newest: Option<(String, Timestamp)>,
}

/// Counts. Whoever reads a folder counts it as a [`Folder`] and gives that back when it was read.
#[derive(Debug)]
pub(super) struct Counter {
    now: Timestamp,
    charset: Option<&'static Encoding>,
    census: Census,
    pub(super) names: Names,
    pub(super) evidence: Evidence,
    endings: Frequent<String, u64>,
    files: Top<u64, RelPath>,
    folders: Top<u64, RelPath>,
    hot: Top<(u64, u64, u64, Timestamp), RelPath>,
    deepest: Top<u64, RelPath>,
    longest_path: Top<u64, RelPath>,
    longest_name: Top<u64, RelPath>,
    newest: Top<Timestamp, RelPath>,
}

/// What was counted of one folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: RelPath,
    entries: u64,
    lately: Lately,
    newest: Option<Timestamp>,
    neighbours: Neighbours,
}

impl Folder {
    pub(super) fn path(&self) -> &RelPath {
        &self.path
    }

    pub(super) const fn entries(&self) -> u64 {
        self.entries
    }
}

impl Counter {
    /// At `now`; names that are not UTF-8 are of `charset`, where that is known.
    pub(super) fn new(now: Timestamp, charset: Option<&'static Encoding>) -> Self {
        Self {
            now,
            charset,
            census: Census::default(),
            names: Names::default(),
            evidence: Evidence::default(),
            endings: Frequent::new(ENDINGS),
            files: Top::new(SHOWN),
            folders: Top::new(SHOWN),
            hot: Top::new(SHOWN),
            deepest: Top::new(1),
            longest_path: Top::new(1),
            longest_name: Top::new(1),
            newest: Top::new(1),
        }
    }

    /// Entries so far, folders included.
    pub(super) const fn entries(&self) -> u64 {
        let Census { files, folders, links, specials, unknown, .. } = &self.census;
        *files + *folders + *links + *specials + *unknown
    }

    /// What was counted so far: folders, files, bytes.
    pub(super) const fn sums(&self) -> (u64, u64, u64) {
        (self.census.folders, self.census.files, self.census.bytes)
    }

    /// Begins a folder.
    pub(super) fn folder(&self, path: RelPath) -> Folder {
        let (entries, lately, newest) = (0, Lately::default(), None);
        Folder { path, entries, lately, newest, neighbours: Neighbours::new(self.charset) }
    }

    /// One more entry of `folder`.
    pub(super) fn add(&mut self, folder: &mut Folder, entry: &Entry) {
        folder.entries += 1;
        let name = entry.name.as_bytes();
        self.evidence.add(name);
        self.names.add(&folder.path, &entry.name);
        folder.neighbours.add(&folder.path, &entry.name, &mut self.names);
        self.census.dotted += u64::from(name.starts_with(b"."));
        let at = || folder.path.join(&entry.name);
        let levels = depth(&folder.path) + 1;
        self.deepest.add(levels, at);
        let joined = folder.path.as_bytes().len() + usize::from(!folder.path.is_root()) + name.len();
        self.longest_path.add(joined as u64, at);
        self.longest_name.add(name.len() as u64, at);
        match &entry.kind {
            EntryKind::File => self.file(folder, entry),
            EntryKind::Dir => {}
            EntryKind::Symlink(target) => {
                self.census.links += 1;
                self.census.links_out += u64::from(target.as_deref().is_some_and(|to| leads_out(levels - 1, to)));
                if self.census.link_examples.len() < SHOWN {
                    let to = target.as_deref().map(|to| format!(" → {}", crate::model::display_bytes(to)));
                    self.census.link_examples.push(format!("{}{}", at().display(), to.unwrap_or_default()));
                }
            }
            EntryKind::Special => {
                self.census.specials += 1;
                note(&mut self.census.special_examples, at);
            }
            EntryKind::Unknown => self.census.unknown += 1,
        }
    }

    fn file(&mut self, folder: &mut Folder, entry: &Entry) {
        let at = folder.path.join(&entry.name);
        let size = entry.size.unwrap_or_default();
        self.census.files += 1;
        self.census.bytes = self.census.bytes.saturating_add(size);
        match entry.size {
            Some(size) => {
                self.census.sizes.add(size);
                self.files.add(size, || at.clone());
            }
            None => self.census.sizeless += 1,
        }
        if entry.mode.is_some_and(|mode| mode & 0o444 == 0) {
            self.census.unreadable += 1;
            note(&mut self.census.unreadable_examples, || at.clone());
        }
        *self.endings.seen(ending(entry.name.as_bytes())) += size;
        let changed = entry.mtime.map(|mtime| mtime.at);
        self.census.ages.add(changed, self.now, size);
        let Some(changed) = changed else { return };
        let age = self.now.duration_since(changed);
        // What is far ahead tells of a wrong clock, not of a change.
        if age < SignedDuration::from_hours(-24) {
            return;
        }
        folder.newest = folder.newest.max(Some(changed));
        self.newest.add(changed, || at);
        for lately in [&mut self.census.lately, &mut folder.lately] {
            lately.hour += u64::from(age <= SignedDuration::from_hours(1));
            lately.day += u64::from(age <= SignedDuration::from_hours(24));
            lately.week += u64::from(age <= SignedDuration::from_hours(7 * 24));
        }
    }

    /// A folder was read, as far as it could be.
    pub(super) fn end(&mut self, folder: Folder) {
        let Folder { path, entries, lately, newest, .. } = folder;
        self.census.folders += 1;
        self.folders.add(entries, || path.clone());
        if let Some(newest) = newest.filter(|_| lately.week > 0) {
            self.hot.add((lately.week, lately.day, lately.hour, newest), || path);
        }
    }

    /// The largest files, for samples.
    pub(super) fn largest(&self) -> impl Iterator<Item = (&RelPath, u64)> {
        self.files.iter().map(|(size, path)| (path, *size))
    }

    /// Everything.
    pub(super) fn finish(self) -> (Census, Names, Evidence) {
        let marks =
            |top: Top<u64, RelPath>| top.into_iter().map(|(value, path)| mark(&path, value)).collect::<Vec<_>>();
        let one = |top: Top<u64, RelPath>| top.into_iter().next().map(|(value, path)| mark(&path, value));
        let endings = self.endings.into_top(SHOWN + 5).into_iter();
        let hot = self.hot.into_iter().map(|((week, day, hour, newest), path)| Hot {
            path: shown(&path),
            hour,
            day,
            week,
            newest,
        });
        let census = Census {
            endings: endings.map(|(ending, files, bytes)| Ending { ending, files, bytes }).collect(),
            deepest: one(self.deepest),
            longest_path: one(self.longest_path),
            longest_name: one(self.longest_name),
            largest_files: marks(self.files),
            largest_folders: marks(self.folders),
            hot: hot.collect(),
            newest: self.newest.into_iter().next().map(|(at, path)| (shown(&path), at)),
            ..self.census
        };
        (census, self.names, self.evidence)
    }
}

/// Levels of a path; none for the root.
pub(super) fn depth(path: &RelPath) -> u64 {
    if path.is_root() { 0 } else { path.as_bytes().iter().filter(|byte| **byte == b'/').count() as u64 + 1 }
}

/// A folder as people see it.
pub(super) fn shown(path: &RelPath) -> String {
    if path.is_root() { "the top folder".to_owned() } else { path.display().into_owned() }
}

fn mark(path: &RelPath, value: u64) -> Mark {
    Mark { path: shown(path), value }
}

fn note(examples: &mut Vec<String>, at: impl FnOnce() -> RelPath) {
    if examples.len() < SHOWN {
        examples.push(at().display().into_owned());
    }
}

/// Does the target of a link in a folder with so many levels above it climb out of the tree, or begin elsewhere?
fn leads_out(levels: u64, target: &[u8]) -> bool {
    let mut level = i64::try_from(levels).unwrap_or(i64::MAX);
    target.starts_with(b"/")
        || target.split(|byte| *byte == b'/').any(|step| {
            level += match step {
                b"" | b"." => 0,
                b".." => -1,
                _ => 1,
            };
            level < 0
        })
}

/// The ending of a name, for counting.
fn ending(name: &[u8]) -> String {
    let at = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    let ending = at.and_then(|at| name.get(at + 1..)).filter(|ending| ending.len() <= ENDING).unwrap_or_default();
    if ending.iter().all(u8::is_ascii_alphanumeric) {
        String::from_utf8_lossy(ending).to_ascii_lowercase()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mtime, Name, Precision, TimeSource};

    fn now() -> Timestamp {
        "2026-11-27T00:00:00Z".parse().unwrap()
    }

    fn entry(name: &str, kind: EntryKind, size: u64, hours: i64) -> Entry {
        let at = now().checked_sub(SignedDuration::from_hours(hours)).unwrap();
        let mtime = Some(Mtime { at, precision: Precision::Second, source: TimeSource::Mlsd });
        Entry { name: Name::new(name).unwrap(), kind, size: Some(size), mtime, mode: None, unique: None }
    }

    fn file(name: &str, size: u64, hours: i64) -> Entry {
        entry(name, EntryKind::File, size, hours)
    }

    fn count(folders: &[(&str, Vec<Entry>)]) -> (Census, Names) {
        let mut counter = Counter::new(now(), None);
        for (path, entries) in folders {
            let mut folder = counter.folder(RelPath::new(path).unwrap());
            entries.iter().for_each(|entry| counter.add(&mut folder, entry));
            counter.end(folder);
        }
        let (census, names, _) = counter.finish();
        (census, names)
    }

    #[test]
    fn sums_and_what_stands_out() {
        let (census, _) = count(&[
            (
                "",
                vec![
                    file("a.CSV", 10, 0),
                    file("b.csv", 20, 30),
                    file(".profile", 5, 10_000),
                    entry("sub", EntryKind::Dir, 0, 0),
                ],
            ),
            ("sub", vec![file("big.tar.gz", 1 << 30, 100), file("README", 1, 5_000)]),
            ("sub/deeper", vec![]),
        ]);
        assert_eq!((census.files, census.folders, census.bytes, census.dotted), (5, 3, (1 << 30) + 36, 1));
        assert!(census.endings.contains(&Ending { ending: "csv".into(), files: 2, bytes: 30 }), "{:?}", census.endings);
        assert!(census.endings.iter().any(|one| one.ending.is_empty() && one.files == 2), "{:?}", census.endings);
        assert_eq!(census.largest_files[0], Mark { path: "sub/big.tar.gz".into(), value: 1 << 30 });
        assert_eq!(census.largest_folders[0], Mark { path: "the top folder".into(), value: 4 });
        assert_eq!(census.deepest, Some(Mark { path: "sub/big.tar.gz".into(), value: 2 }));
        assert_eq!(census.longest_name, Some(Mark { path: "sub/big.tar.gz".into(), value: 10 }));
        assert_eq!(census.newest, Some(("a.CSV".into(), now())));
    }

    #[test]
    fn hot_folders_are_those_that_changed_lately() {
        let (census, _) = count(&[
            ("old", (0..50).map(|n| file(&format!("{n}"), 1, 10_000)).collect()),
            ("inbox", vec![file("new", 1, 0), file("today", 1, 20), file("week", 1, 150)]),
            ("archive", vec![file("week", 1, 160)]),
            ("wrong clock", vec![file("ahead", 1, -48)]),
        ]);
        assert_eq!(census.lately, Lately { hour: 1, day: 2, week: 4 });
        let hot: Vec<_> = census.hot.iter().map(|hot| (hot.path.as_str(), hot.hour, hot.day, hot.week)).collect();
        assert_eq!(hot, [("inbox", 1, 2, 3), ("archive", 0, 0, 1)]);
        assert_eq!(census.ages.ahead, 1);
    }

    #[test]
    fn links_and_what_cannot_be_read() {
        let link = |name: &str, to: &str| entry(name, EntryKind::Symlink(Some(to.into())), 0, 0);
        let closed = Entry { mode: Some(0o200), ..file("closed", 1, 1) };
        let (census, _) = count(&[
            (
                "a/b",
                vec![
                    link("in", "../c"),
                    link("out", "../../../etc"),
                    link("far", "/etc/passwd"),
                    link("up", "x/../../.."),
                ],
            ),
            ("", vec![closed, entry("pipe", EntryKind::Special, 0, 0), entry("?", EntryKind::Unknown, 0, 0)]),
        ]);
        assert_eq!((census.links, census.links_out, census.specials, census.unknown), (4, 2, 1, 1));
        assert_eq!(census.link_examples[1], "a/b/out → ../../../etc");
        assert_eq!((census.unreadable, census.unreadable_examples.as_slice()), (1, &["closed".to_owned()][..]));
    }

    #[test]
    fn a_million_entries_cost_bounded_memory() {
        let mut counter = Counter::new(now(), None);
        for folder in 0..100 {
            let mut folder = counter.folder(RelPath::new(format!("{folder}")).unwrap());
            for n in 0..1_000 {
                counter.add(&mut folder, &file(&format!("{n}.x{n}y{}", counter.entries()), n, 1));
            }
            counter.end(folder);
        }
        assert!(counter.endings.len() <= 2 * ENDINGS);
        let (census, ..) = counter.finish();
        assert_eq!((census.files, census.largest_files.len(), census.hot.len()), (100_000, SHOWN, SHOWN));
    }
}
