//! What is to be done about one path: pure decisions over what both sides show and what is remembered.

use jiff::{SignedDuration, Timestamp};

use super::words::Action;
use super::{Existing, Links, links, shift};
use crate::model::{Fault, FaultKind, Fingerprint, Phase, Precision, RelPath, RunId};

/// The kinds of things, as plan and store tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Dir,
    Link,
    Special,
    Unknown,
}

/// A path of the source in this run.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// In the target.
    pub target: RelPath,
    /// In the source.
    pub path: RelPath,
    pub kind: Kind,
    pub version: Fingerprint,
    pub mode: Option<u32>,
    /// Why it cannot be mirrored: its name, or where it leads as a link.
    pub refused: Option<Fault>,
    /// Where a link points.
    pub link: Option<Vec<u8>>,
}

/// What lies at the path in the target in this run.
#[derive(Debug, Clone)]
pub(super) struct There {
    pub kind: Kind,
    pub version: Fingerprint,
    pub mode: Option<u32>,
    /// Where a link points.
    pub link: Option<Vec<u8>>,
}

/// What this job published under the path before.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The source's version, as exact as it was told.
    pub version: Fingerprint,
    /// The source's version as its listing told it.
    pub listed: Fingerprint,
    /// Size and time that the target told after publishing; time in nanoseconds.
    pub target: (Option<u64>, Option<i64>),
    pub proven: bool,
    /// A later look disproved it: only reading the source again makes it good.
    pub doubted: bool,
    pub run: RunId,
    pub at: Timestamp,
    /// Where it points, when it is a link.
    pub link: Option<Vec<u8>>,
}

impl Known {
    /// Does the target still hold what was published? Where it tells no time nobody knows: an equal size proves nothing.
    pub(super) fn is_there(&self, there: &Fingerprint) -> bool {
        self.target.1.is_some() && self.target == (there.size, nanos(there))
    }

    /// Is an unchanged size and time not enough to believe it?
    pub(super) fn has_to_be_read(&self, existing: Existing) -> bool {
        self.doubted || (!self.proven && existing == Existing::Prove)
    }
}

/// A file time as the store keeps it.
pub(super) fn nanos(version: &Fingerprint) -> Option<i64> {
    version.mtime.and_then(|m| i64::try_from(m.at.as_nanosecond()).ok())
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Nothing: it is there as it was published.
    Unchanged,
    /// Nothing, and it was published by this very run before it was interrupted.
    DoneBefore,
    /// The directory is there.
    DirThere,
    /// Something, and why where that is not obvious.
    Do(Action, Option<Fault>),
}

/// What a run goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub existing: Existing,
    pub links: Links,
    /// The target can hold links.
    pub can_link: bool,
    /// The policy wants the source's permission bits, and the target can have them.
    pub keep_mode: bool,
    /// The policy does not believe an unchanged size and time of this file.
    pub recheck: bool,
    pub run: RunId,
    /// By how much the clock that the source's listings show was moved since the last run.
    pub shift: Option<SignedDuration>,
}

/// The owner can always read and write what was mirrored; set-user-id and the like are never carried over.
const OWNER: u32 = 0o600;
const MODE_MASK: u32 = 0o777;

/// The permission bits in the target of a file that has `mode` in the source.
pub(super) const fn file_mode(mode: u32) -> u32 {
    (mode & MODE_MASK) | OWNER
}

/// Decides about one path.
pub(super) fn decide(seen: &Seen, known: Option<&Known>, there: Option<&There>, rules: Rules) -> Step {
    if let Some(fault) = &seen.refused {
        // What a link leads to and is not there is missing in the source, too.
        let nothing = seen.kind == Kind::Link && fault.kind == FaultKind::Missing;
        return Step::Do(if nothing { Action::Skip } else { Action::Refuse }, Some(fault.clone()));
    }
    match seen.kind {
        Kind::Dir => match there.map(|t| t.kind) {
            None => Step::Do(Action::MakeDir, None),
            Some(Kind::Dir) => Step::DirThere,
            Some(_) => in_the_way("a file or link lies where a folder belongs"),
        },
        Kind::File => file(seen, known, there, rules),
        Kind::Link if rules.links == Links::Recreate => link(seen, there, rules),
        Kind::Link => left_out("a symbolic link is not followed"),
        Kind::Special => left_out("a device, pipe or socket is not copied"),
        Kind::Unknown => Step::Do(
            Action::Refuse,
            Some(Fault::new(
                Phase::List,
                FaultKind::Incomplete,
                "the listing does not say whether this is a file or a folder",
            )),
        ),
    }
}

fn link(seen: &Seen, there: Option<&There>, rules: Rules) -> Step {
    let fault = |kind, message| Some(Fault::new(Phase::Publish, kind, message));
    match there {
        Some(there) if there.kind != Kind::Link => Step::Do(Action::Refuse, Some(links::in_the_way())),
        Some(there) if there.link == seen.link => Step::Unchanged,
        _ if !rules.can_link => {
            Step::Do(Action::Refuse, fault(FaultKind::Unsupported, "no symbolic link can be made in the target"))
        }
        Some(_) => Step::Do(Action::Link, fault(FaultKind::Changed, "the link leads elsewhere in the target")),
        None => Step::Do(Action::Link, None),
    }
}

fn file(seen: &Seen, known: Option<&Known>, there: Option<&There>, rules: Rules) -> Step {
    let Rules { existing, keep_mode, recheck, run, shift, .. } = rules;
    let Some(there) = there else { return Step::Do(Action::Copy, None) };
    if there.kind != Kind::File {
        return in_the_way("something that is not a file lies where the file belongs");
    }
    match known {
        Some(known) if !known.is_there(&there.version) => Step::Do(Action::Replace, changed_there()),
        Some(known) if !unchanged(seen, known, shift) || known.has_to_be_read(existing) => {
            Step::Do(Action::Replace, None)
        }
        Some(known) if known.run == run => Step::DoneBefore,
        Some(_) if recheck => Step::Do(Action::Recheck, None),
        // A mode that one side does not tell is no difference.
        Some(_) => match (seen.mode.filter(|_| keep_mode).map(file_mode), there.mode) {
            (Some(wanted), Some(mode)) if wanted != mode & MODE_MASK => Step::Do(Action::SetMode, None),
            _ => Step::Unchanged,
        },
        None if existing == Existing::Adopt
            && seen.version.same_version(&there.version)
            && seen.version.mtime.is_some()
            && there.version.mtime.is_some() =>
        {
            Step::Do(Action::Adopt, None)
        }
        None => Step::Do(Action::Replace, None),
    }
}

/// Does the listing show the version that was published? Like is compared with like (listing with
/// listing): the zone of a listing that is off does not make every file look changed, nor does its clock that moved.
fn unchanged(seen: &Seen, known: &Known, shift: Option<SignedDuration>) -> bool {
    let moved = shift.and_then(|by| shift::back(&seen.version, by, known.at));
    surely_same(moved.as_ref().unwrap_or(&seen.version), &known.listed, known.at)
}

/// Do both name one version, so surely that nothing needs to be read? A time must say so: where none is told,
/// an equal size proves nothing. A file that may have been written again within one tick of a coarse time
/// after it was published (`at`) is not surely the same either: the copy then asks the source for the exact
/// time, and reads the file when there is none.
pub(super) fn surely_same(now: &Fingerprint, then: &Fingerprint, at: Timestamp) -> bool {
    let (Some(mtime), Some(before)) = (now.mtime, then.mtime) else {
        // The server's own name of the version is as good as a time.
        return now.same_version(then) && now.unique.is_some() && then.unique.is_some();
    };
    let tick = match mtime.precision.max(before.precision) {
        Precision::Nanosecond | Precision::Second => return now.same_version(then),
        Precision::Minute => SignedDuration::from_mins(2),
        Precision::Day => SignedDuration::from_hours(48),
    };
    now.same_version(then) && at.duration_since(mtime.at) > tick
}

fn in_the_way(message: &str) -> Step {
    let message = format!("{message} in the target: move it away");
    Step::Do(Action::Refuse, Some(Fault::new(Phase::Publish, FaultKind::Exists, message)))
}

fn left_out(message: &str) -> Step {
    Step::Do(Action::Skip, Some(Fault::new(Phase::List, FaultKind::Unsupported, message)))
}

fn changed_there() -> Option<Fault> {
    Some(Fault::new(Phase::List, FaultKind::Changed, "the file was changed in the target since it was published"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mtime, TimeSource};

    fn version(size: u64, second: i64, precision: Precision) -> Fingerprint {
        let at = Timestamp::from_second(second).unwrap();
        Fingerprint { size: Some(size), mtime: Some(Mtime { at, precision, source: TimeSource::List }), unique: None }
    }

    fn seen(version: &Fingerprint) -> Seen {
        let path = RelPath::new("a").unwrap();
        Seen {
            target: path.clone(),
            path,
            kind: Kind::File,
            version: version.clone(),
            mode: None,
            refused: None,
            link: None,
        }
    }

    fn known(version: &Fingerprint, at: i64) -> Known {
        Known {
            version: version.clone(),
            listed: version.clone(),
            target: (version.size, nanos(version)),
            proven: true,
            doubted: false,
            run: RunId(1),
            at: Timestamp::from_second(at).unwrap(),
            link: None,
        }
    }

    fn there(version: &Fingerprint) -> There {
        There { kind: Kind::File, version: version.clone(), mode: Some(0o644), link: None }
    }

    fn step(seen: &Seen, known: Option<&Known>, there: Option<&There>) -> Step {
        decide(seen, known, there, rules(Existing::Prove, 2))
    }

    fn rules(existing: Existing, run: i64) -> Rules {
        let (links, can_link) = (Links::Skip, true);
        Rules { existing, links, can_link, keep_mode: true, recheck: false, run: RunId(run), shift: None }
    }

    #[test]
    fn a_mode_is_set_where_both_sides_tell_it_and_the_content_is_there() {
        let (old, new) = (version(5, 1_000_000, Precision::Second), version(5, 1_000_009, Precision::Second));
        let (known, with) = (known(&old, 2_000_000), |mode| Seen { mode, ..seen(&old) });
        let set = Step::Do(Action::SetMode, None);
        assert_eq!(step(&with(Some(0o100_640)), Some(&known), Some(&there(&old))), set);
        // The owner's own bits are always there, those of set-user-id never.
        assert_eq!(step(&with(Some(0o4444)), Some(&known), Some(&there(&old))), Step::Unchanged);
        assert_eq!(step(&with(None), Some(&known), Some(&there(&old))), Step::Unchanged);
        let untold = There { mode: None, ..there(&old) };
        assert_eq!(step(&with(Some(0o640)), Some(&known), Some(&untold)), Step::Unchanged);
        let off = Rules { keep_mode: false, ..rules(Existing::Prove, 2) };
        assert_eq!(decide(&with(Some(0o640)), Some(&known), Some(&there(&old)), off), Step::Unchanged);
        let doubting = Rules { recheck: true, ..rules(Existing::Prove, 2) };
        assert_eq!(
            decide(&with(Some(0o640)), Some(&known), Some(&there(&old)), doubting),
            Step::Do(Action::Recheck, None)
        );
        let changed = Seen { mode: Some(0o640), ..seen(&new) };
        assert_eq!(step(&changed, Some(&known), Some(&there(&old))), Step::Do(Action::Replace, None));
    }

    #[test]
    fn unchanged_needs_all_three_to_agree() {
        let old = version(5, 1_000_000, Precision::Second);
        let new = version(5, 1_000_009, Precision::Second);
        assert_eq!(step(&seen(&old), Some(&known(&old, 2_000_000)), Some(&there(&old))), Step::Unchanged);
        assert_eq!(step(&seen(&old), Some(&known(&old, 2_000_000)), None), Step::Do(Action::Copy, None));
        assert_eq!(
            step(&seen(&new), Some(&known(&old, 2_000_000)), Some(&there(&old))),
            Step::Do(Action::Replace, None)
        );
        assert!(matches!(
            step(&seen(&old), Some(&known(&old, 2_000_000)), Some(&there(&new))),
            Step::Do(Action::Replace, Some(_))
        ));
        assert_eq!(step(&seen(&old), None, Some(&there(&old))), Step::Do(Action::Replace, None));
        assert_eq!(
            decide(&seen(&old), None, Some(&there(&old)), rules(Existing::Adopt, 2)),
            Step::Do(Action::Adopt, None)
        );
        assert_eq!(
            decide(&seen(&new), None, Some(&there(&old)), rules(Existing::Adopt, 2)),
            Step::Do(Action::Replace, None)
        );
        assert_eq!(
            decide(&seen(&old), Some(&known(&old, 2_000_000)), Some(&there(&old)), rules(Existing::Prove, 1)),
            Step::DoneBefore
        );
    }

    #[test]
    fn what_was_disproved_is_read_again_whatever_size_and_time_say() {
        let old = version(5, 1_000_000, Precision::Second);
        for existing in [Existing::Prove, Existing::Adopt] {
            let doubted = Known { doubted: true, ..known(&old, 2_000_000) };
            let step = decide(&seen(&old), Some(&doubted), Some(&there(&old)), rules(existing, 2));
            assert_eq!(step, Step::Do(Action::Replace, None));
        }
    }

    #[test]
    fn a_coarse_time_near_the_copy_is_looked_at_again() {
        let minute = version(5, 1_000_000, Precision::Minute);
        assert_eq!(
            step(&seen(&minute), Some(&known(&minute, 1_000_060)), Some(&there(&minute))),
            Step::Do(Action::Replace, None)
        );
        assert_eq!(step(&seen(&minute), Some(&known(&minute, 1_000_300)), Some(&there(&minute))), Step::Unchanged);
    }

    #[test]
    fn unknown_sizes_are_never_called_equal() {
        let unknown = Fingerprint { size: None, ..version(0, 1_000_000, Precision::Second) };
        assert_eq!(
            step(&seen(&unknown), Some(&known(&unknown, 2_000_000)), Some(&there(&unknown))),
            Step::Do(Action::Replace, None)
        );
    }

    #[test]
    fn other_kinds_in_the_way_are_refused() {
        let v = version(5, 1_000_000, Precision::Second);
        let dir = There { kind: Kind::Dir, ..there(&v) };
        assert!(
            matches!(step(&seen(&v), None, Some(&dir)), Step::Do(Action::Refuse, Some(f)) if f.kind == FaultKind::Exists)
        );
        let link = Seen { kind: Kind::Link, ..seen(&v) };
        assert!(matches!(step(&link, None, None), Step::Do(Action::Skip, Some(_))));
    }

    #[test]
    fn a_link_is_made_where_nothing_or_another_link_lies() {
        let v = version(5, 1_000_000, Precision::Second);
        let to = |target: &str| Some(target.as_bytes().to_vec());
        let link = Seen { kind: Kind::Link, link: to("a"), ..seen(&v) };
        let rules = Rules { links: Links::Recreate, ..rules(Existing::Prove, 2) };
        let there = |kind, link| There { kind, link, ..there(&v) };
        let decided = |there: Option<There>, rules| decide(&link, None, there.as_ref(), rules);
        assert_eq!(decided(None, rules), Step::Do(Action::Link, None));
        assert_eq!(decided(Some(there(Kind::Link, to("a"))), rules), Step::Unchanged);
        assert!(matches!(decided(Some(there(Kind::Link, to("b"))), rules), Step::Do(Action::Link, Some(_))));
        for kind in [Kind::File, Kind::Dir] {
            let step = decided(Some(there(kind, None)), rules);
            assert!(matches!(step, Step::Do(Action::Refuse, Some(f)) if f.kind == FaultKind::Exists));
        }
        let unable = Rules { can_link: false, ..rules };
        assert!(matches!(decided(None, unable), Step::Do(Action::Refuse, Some(_))));
        assert_eq!(decided(Some(there(Kind::Link, to("a"))), unable), Step::Unchanged);
    }
}
