//! From a link to what it leads to, one step at a time: pure, as path_resolution(7) walks, and never out of the root.

use crate::model::{Entry, EntryKind, Fault, FaultKind, Name, Phase, RelPath, display_bytes};

/// As many links as a kernel follows in one path (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// One step of a link's target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// To the root of the source.
    Root,
    /// `..`
    Up,
    /// Into the folder, or to the file, of this name.
    Down(Name),
}

/// What a walk needs, or where it ended.
#[derive(Debug)]
pub(super) enum Next {
    /// A look at this name in this folder, in which no link is left.
    Look(RelPath, Name),
    Arrived(Arrival),
}

/// Where a link leads.
#[derive(Debug)]
pub(super) struct Arrival {
    /// No part of it is a link.
    pub at: RelPath,
    /// A file, a folder or something special.
    pub entry: Entry,
}

/// A link being followed.
#[derive(Debug)]
pub(super) struct Walk {
    root: Option<Vec<u8>>,
    /// How far it is.
    at: RelPath,
    /// What lies there, when the last step looked.
    here: Option<Entry>,
    /// What is to come, the next last.
    todo: Vec<Step>,
    /// What the last look showed.
    seen: Option<Option<Entry>>,
    links: usize,
}

impl Walk {
    /// Begins at a link in `folder` that points at `target`; `root` is the absolute path of the source's root.
    ///
    /// # Errors
    /// What leaves the root, and what is no target.
    pub(super) fn begin(folder: &RelPath, target: Option<&[u8]>, root: Option<Vec<u8>>) -> Result<Self, Fault> {
        let mut walk = Self { root, at: folder.clone(), here: None, todo: Vec::new(), seen: None, links: 0 };
        walk.enter(target)?;
        Ok(walk)
    }

    /// The answer to [`Next::Look`]; nothing when nothing is there.
    pub(super) fn seen(&mut self, entry: Option<Entry>) {
        self.seen = Some(entry);
    }

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// What leaves the root, circles, and what is not there.
    pub(super) fn next(&mut self) -> Result<Next, Fault> {
        loop {
            match self.todo.pop() {
                None => return self.arrive(),
                Some(Step::Root) => (self.at, self.here) = (RelPath::root(), None),
                Some(Step::Up) => (self.at, self.here) = (self.at.parent().ok_or_else(outside)?, None),
                Some(Step::Down(name)) => {
                    if name.is_reserved() {
                        return Err(refused(
                            "the link leads to names that begin with '.causeway-', which are reserved",
                        ));
                    }
                    let Some(seen) = self.seen.take() else {
                        self.todo.push(Step::Down(name.clone()));
                        return Ok(Next::Look(self.at.clone(), name));
                    };
                    self.step(&name, seen)?;
                }
            }
        }
    }

    fn step(&mut self, name: &Name, seen: Option<Entry>) -> Result<(), Fault> {
        let there = self.at.join(name);
        let Some(entry) = seen else { return Err(nowhere(&there)) };
        if let EntryKind::Symlink(target) = &entry.kind {
            return self.enter(target.as_deref());
        }
        if entry.kind != EntryKind::Dir && !self.todo.is_empty() {
            return Err(nowhere(&there));
        }
        (self.at, self.here) = (there, Some(entry));
        Ok(())
    }

    fn enter(&mut self, target: Option<&[u8]>) -> Result<(), Fault> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(refused("the link leads to itself, or more than 40 links follow one another"));
        }
        let steps = steps(target, self.root.as_deref())?;
        self.todo.extend(steps.into_iter().rev());
        Ok(())
    }

    fn arrive(&mut self) -> Result<Next, Fault> {
        if let Some(entry) = self.here.take() {
            return Ok(Next::Arrived(Arrival { at: self.at.clone(), entry }));
        }
        // It came by `..`: what lies there was not looked at.
        match (self.at.parent(), self.at.name()) {
            (Some(parent), Some(name)) => {
                self.at = parent;
                self.todo.push(Step::Down(name));
                self.next()
            }
            _ => Err(circle()),
        }
    }
}

/// The steps of a link's target.
pub(super) fn steps(target: Option<&[u8]>, root: Option<&[u8]>) -> Result<Vec<Step>, Fault> {
    let Some(target) = target.filter(|target| !target.is_empty()) else {
        return Err(refused("the server does not say where the link leads"));
    };
    let mut steps = Vec::new();
    let mut rest = target;
    if target.first() == Some(&b'/') {
        rest = below(target, root).ok_or_else(|| {
            let target = display_bytes(target);
            refused(&format!("the link leads to the absolute path {target}, which is not known to lie in the source"))
        })?;
        steps.push(Step::Root);
    }
    for part in rest.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        steps.push(match part {
            b".." => Step::Up,
            name => {
                Step::Down(Name::new(name).map_err(|error| refused(&format!("the link cannot be followed: {error}")))?)
            }
        });
    }
    Ok(steps)
}

/// What of the absolute `target` lies below the absolute `root`.
fn below<'a>(target: &'a [u8], root: Option<&[u8]>) -> Option<&'a [u8]> {
    let mut root = root?;
    while let Some(shorter) = root.strip_suffix(b"/") {
        root = shorter;
    }
    target.strip_prefix(root).filter(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

/// A folder is never come to by way of itself, or of a folder in it: `on_the_way` are the folders to the link.
///
/// # Errors
/// When it would be.
pub(super) fn refuse_loop(arrival: &Arrival, on_the_way: &[RelPath]) -> Result<(), Fault> {
    let is_dir = arrival.entry.kind == EntryKind::Dir;
    if is_dir && on_the_way.iter().any(|folder| folder.starts_with(&arrival.at)) { Err(circle()) } else { Ok(()) }
}

fn refused(message: &str) -> Fault {
    Fault::new(Phase::List, FaultKind::Unsupported, message)
}

pub(super) fn outside() -> Fault {
    refused("the link leads out of the source's folder: only links inside it are followed")
}

fn circle() -> Fault {
    refused("the link leads to a folder that holds it: following it would never end")
}

fn nowhere(at: &RelPath) -> Fault {
    Fault::new(Phase::List, FaultKind::Missing, format!("the link leads to {}, which is not there", at.display()))
}

/// The folder on the way could not be looked at.
pub(super) fn unseen(folder: &RelPath, fault: &Fault) -> Fault {
    let folder = if folder.is_root() { "the top folder".into() } else { folder.display() };
    // Not even "it is not there" is believed of a folder that another listing named.
    let fault = Fault { kind: FaultKind::Incomplete, ..fault.clone() };
    Fault { message: format!("the link cannot be followed, {folder} cannot be looked at: {}", fault.message), ..fault }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    /// `text` lists what is there: `dir/`, `file`, `link -> target`.
    fn tree(text: &str) -> BTreeMap<RelPath, Entry> {
        let entry = |line: &str| {
            let (at, kind) = match (line.split_once(" -> "), line.strip_suffix('/')) {
                (Some((at, target)), _) => (at, EntryKind::Symlink(Some(target.as_bytes().to_vec()))),
                (None, Some(at)) => (at, EntryKind::Dir),
                (None, None) => (line, EntryKind::File),
            };
            let name = path(at).name().unwrap();
            (path(at), Entry { name, kind, size: None, mtime: None, mode: None, unique: None })
        };
        text.split(", ").map(entry).collect()
    }

    fn follow(text: &str, link: &str) -> Result<(RelPath, EntryKind), Fault> {
        let (tree, link) = (tree(text), path(link));
        let EntryKind::Symlink(target) = &tree[&link].kind else { panic!("{link:?} is no link") };
        let folder = link.parent().unwrap();
        let mut walk = Walk::begin(&folder, target.as_deref(), Some(b"/srv/ftp/".to_vec()))?;
        loop {
            match walk.next()? {
                Next::Look(folder, name) => walk.seen(tree.get(&folder.join(&name)).cloned()),
                Next::Arrived(arrival) => {
                    let way: Vec<_> = std::iter::successors(Some(folder), RelPath::parent).collect();
                    refuse_loop(&arrival, &way)?;
                    return Ok((arrival.at, arrival.entry.kind));
                }
            }
        }
    }

    #[test]
    fn links_lead_to_files_and_folders_by_way_of_others() {
        let text = "a/, a/b/, a/b/file, x/, l -> a/b/file, x/d -> ../a/./b/, y -> x/d, far -> y/file, up -> y/../b, \
                    abs -> /srv/ftp/a/b";
        for (link, at, kind) in [
            ("l", "a/b/file", EntryKind::File),
            ("x/d", "a/b", EntryKind::Dir),
            ("far", "a/b/file", EntryKind::File),
            // `..` goes up from where the link leads, not from where it lies.
            ("up", "a/b", EntryKind::Dir),
            ("abs", "a/b", EntryKind::Dir),
        ] {
            assert_eq!(follow(text, link).unwrap(), (path(at), kind), "{link}");
        }
    }

    #[test]
    fn what_leaves_the_root_goes_in_circles_or_leads_nowhere_is_refused() {
        let text = "a/, a/b/, a/f, out -> ../x, a/out -> b/../../../etc, by -> a/hop, a/hop -> ../../x, abs -> /etc/x, \
                    like -> /srv/ftpx, self -> self, p -> q, q -> p, a/b/up -> .., a/b/top -> ../.., root -> /srv/ftp, \
                    gone -> a/none, file -> a/f/x, own -> .causeway-trash/x";
        for (link, kind, words) in [
            ("out", FaultKind::Unsupported, "out of the source"),
            ("a/out", FaultKind::Unsupported, "out of the source"),
            ("by", FaultKind::Unsupported, "out of the source"),
            ("abs", FaultKind::Unsupported, "absolute path /etc/x"),
            ("like", FaultKind::Unsupported, "absolute path"),
            ("self", FaultKind::Unsupported, "itself"),
            ("p", FaultKind::Unsupported, "itself"),
            ("a/b/up", FaultKind::Unsupported, "holds it"),
            ("a/b/top", FaultKind::Unsupported, "holds it"),
            ("root", FaultKind::Unsupported, "holds it"),
            ("own", FaultKind::Unsupported, "reserved"),
            ("gone", FaultKind::Missing, "a/none"),
            ("file", FaultKind::Missing, "a/f"),
        ] {
            let fault = follow(text, link).unwrap_err();
            assert!(fault.kind == kind && fault.message.contains(words), "{link}: {fault:?}");
        }
        assert!(Walk::begin(&path("a"), None, None).is_err());
        assert!(Walk::begin(&path("a"), Some(b"/srv/ftp/a"), None).is_err(), "nobody knows where the root lies");
    }
}
