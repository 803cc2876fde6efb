//! Quotas: what is refused, what is not, and that the ledger says what a count finds.

use std::io::ErrorKind;

use proptest::prelude::*;

use super::super::{Replace, Tree, View};
use super::{Fixture, fixture, kind, path, put};
use crate::model::{Access, Quota, Scope, Used};

const HOME: &str = "home/anna";

fn quota(bytes: impl Into<Option<u64>>, files: impl Into<Option<u64>>) -> Quota {
    Quota { bytes: bytes.into(), files: files.into() }
}

fn limited(f: &Fixture, quota: Quota) -> View {
    f.tree.view(&Scope { home: path(HOME), access: Access::ReadWrite, quota }).unwrap()
}

fn used(view: &View) -> Used {
    view.usage().unwrap().unwrap().1
}

#[test]
fn what_would_be_too_much_is_refused_and_nothing_is_lost() {
    let f = fixture();
    let view = limited(&f, quota(100, None));
    put(&view, "a", &[b'a'; 60]);
    let mut part = view.part(&path("b"), "k").unwrap();
    part.ephemeral();
    part.write_at(&[b'b'; 40], 0).unwrap();
    assert_eq!(kind(part.write_at(b"b", 40)), ErrorKind::QuotaExceeded);
    assert_eq!(kind(part.truncate(41)), ErrorKind::QuotaExceeded);
    part.write_at(b"again", 0).unwrap();
    assert_eq!(used(&view), Used { bytes: 100, files: 2 });
    drop(part);
    assert_eq!(used(&view), Used { bytes: 60, files: 1 });
    assert_eq!(kind(view.copy(&path("a"), &path("b"), Replace::No)), ErrorKind::QuotaExceeded);
    assert_eq!(kind(view.hard_link(&path("a"), &path("b"))), ErrorKind::QuotaExceeded);
    assert_eq!(view.stat(&path("a")).unwrap().size, 60);
    assert_eq!(kind(view.stat(&path("b"))), ErrorKind::NotFound);
    assert!(f.view.usage().unwrap().is_none(), "who has no quota has no limit");
    put(&f.view, "home/anna/c", &[b'c'; 500]);
}

#[test]
fn a_part_of_a_home_is_held_to_the_quota_of_all_of_it() {
    let f = fixture();
    let view = limited(&f, quota(100, None));
    view.make_dir(&path("reports")).unwrap();
    put(&view, "a", &[b'a'; 60]);
    // Counted by the part first, too: it is the home that counts.
    let again = Tree::open(&f.root()).unwrap();
    let whole = again.view(&Scope { home: path(HOME), access: Access::ReadWrite, quota: quota(100, None) }).unwrap();
    let part = whole.narrowed(&path("reports"), Access::ReadWrite).unwrap();
    assert_eq!(used(&part), Used { bytes: 60, files: 2 });
    put(&part, "b", &[b'b'; 40]);
    let more = part.part(&path("c"), "k").unwrap();
    assert_eq!(kind(more.write_at(b"c", 0)), ErrorKind::QuotaExceeded);
    more.discard().unwrap();
    assert_eq!(used(&whole), Used { bytes: 100, files: 3 });
}

#[test]
fn to_replace_a_file_takes_room_only_for_what_is_more() {
    let f = fixture();
    let view = limited(&f, quota(100, 1));
    put(&view, "a", &[b'a'; 60]);
    put(&view, "a", &[b'b'; 100]);
    assert_eq!(used(&view), Used { bytes: 100, files: 1 });
    let part = view.part(&path("a"), "k").unwrap();
    assert_eq!(kind(part.write_at(&[b'c'; 101], 0)), ErrorKind::QuotaExceeded);
    part.discard().unwrap();
    assert_eq!(std::fs::read(f.root().join(HOME).join("a")).unwrap(), [b'b'; 100]);
    put(&view, "a", b"");
    assert_eq!(used(&view), Used { bytes: 0, files: 1 });
}

/// Two of them would otherwise each have the room of the file that only one can replace.
#[test]
fn the_room_of_a_file_is_taken_over_once() {
    let f = fixture();
    let view = limited(&f, quota(100, 10));
    put(&view, "a", &[b'a'; 90]);
    let mut first = view.part(&path("a"), "first").unwrap();
    first.write_at(&[b'b'; 95], 0).unwrap();
    let second = view.part(&path("a"), "second").unwrap();
    assert_eq!(kind(second.write_at(&[b'c'; 95], 0)), ErrorKind::QuotaExceeded);
    let other = view.part(&path("b"), "k").unwrap();
    other.write_at(&[b'd'; 5], 0).unwrap();
    assert_eq!(used(&view).bytes, 100);
    // What it was to replace has become smaller: now it has to fit as it is.
    f.view.set_attributes(&path("home/anna/a"), size(1)).unwrap();
    assert_eq!(kind(first.publish(Replace::Yes)), ErrorKind::QuotaExceeded);
    other.discard().unwrap();
    second.discard().unwrap();
    std::thread::sleep(super::super::quota::FRESH);
    first.publish(Replace::Yes).unwrap();
    assert_eq!(used(&view), Used { bytes: 95, files: 1 });
}

fn size(size: u64) -> super::SetAttributes {
    super::SetAttributes { size: Some(size), ..super::SetAttributes::default() }
}

#[test]
fn every_name_counts() {
    let f = fixture();
    let view = limited(&f, quota(None, 3));
    view.make_dir(&path("d")).unwrap();
    view.symlink(b"d", &path("l")).unwrap();
    put(&view, "d/a", b"a");
    assert_eq!(kind(view.make_dir(&path("e"))), ErrorKind::QuotaExceeded);
    assert_eq!(kind(view.symlink(b"d", &path("m"))), ErrorKind::QuotaExceeded);
    assert_eq!(kind(view.hard_link(&path("d/a"), &path("m"))), ErrorKind::QuotaExceeded);
    assert_eq!(kind(view.part(&path("m"), "k")), ErrorKind::QuotaExceeded);
    assert_eq!(kind(view.stage(&path("m"))), ErrorKind::QuotaExceeded);
    assert_eq!(f.names(HOME), ["d", "l"], "nothing was made");
    let part = view.part(&path("d/a"), "k").unwrap();
    part.write_at(b"more content has no more names", 0).unwrap();
    part.discard().unwrap();
    view.remove_file(&path("l")).unwrap();
    view.make_dir(&path("e")).unwrap();
}

#[test]
fn nothing_is_refused_on_the_word_of_an_old_count() {
    let f = fixture();
    let view = limited(&f, quota(100, 10));
    put(&view, "a", &[b'a'; 90]);
    view.trash(&path("a"), &path("a"), "batch").unwrap();
    put(&view, "b", &[b'b'; 90]);
    assert_eq!(used(&view), Used { bytes: 90, files: 1 }, "the trash is the service's");
    let lies = path(".causeway-trash/batch/home/anna/a");
    assert_eq!(kind(view.restore(&lies, &path("a"))), ErrorKind::QuotaExceeded, "what comes back counts");
    assert_eq!(kind(view.restore(&lies, &path("b"))), ErrorKind::QuotaExceeded);
    // By somebody who keeps no books.
    std::fs::remove_file(f.root().join(HOME).join("b")).unwrap();
    std::thread::sleep(super::super::quota::FRESH);
    put(&view, "c", &[b'c'; 90]);
    put(&f.view, "home/anna/d", &[b'd'; 10]);
    assert_eq!(used(&view).bytes, 90, "it is not counted before it matters");
    let part = view.part(&path("e"), "k").unwrap();
    std::thread::sleep(super::super::quota::FRESH);
    assert_eq!(kind(part.write_at(&[b'e'; 11], 0)), ErrorKind::QuotaExceeded);
    assert_eq!(used(&view).bytes, 100);
}

#[test]
fn a_part_that_was_kept_counts_and_is_gone_on_with() {
    let f = fixture();
    let view = limited(&f, quota(100, 10));
    let part = view.part(&path("a"), "session").unwrap();
    part.write_at(&[b'a'; 80], 0).unwrap();
    part.keep(&view, &path("a"), "kept", 70).unwrap();
    assert_eq!(used(&view).bytes, 70);
    let other = view.part(&path("b"), "k").unwrap();
    assert_eq!(kind(other.write_at(&[b'b'; 31], 0)), ErrorKind::QuotaExceeded);
    other.discard().unwrap();
    let mut part = view.part(&path("a"), "next").unwrap();
    assert_eq!(part.adopt(&view, &path("a"), "kept").unwrap(), Some(70));
    part.write_at(&[b'a'; 30], 70).unwrap();
    part.publish(Replace::Yes).unwrap();
    let other = view.part(&path("b"), "k").unwrap();
    assert_eq!(kind(other.write_at(b"b", 0)), ErrorKind::QuotaExceeded);
    other.discard().unwrap();
    assert_eq!(used(&view), Used { bytes: 100, files: 1 });
}

#[test]
fn room_is_what_the_quota_leaves() {
    let f = fixture();
    let view = limited(&f, quota(1000, 50));
    put(&view, "a", &[b'a'; 400]);
    let space = view.space().unwrap();
    assert_eq!((space.total, space.free, space.available), (1000, 600, 600));
    assert_eq!((space.files, space.files_free), (50, 49));
    let view = limited(&f, quota(300, 1));
    let space = view.space().unwrap();
    assert_eq!((space.total, space.available, space.files_free), (400, 0, 0), "more than allowed is there already");
    let disk = f.view.space().unwrap();
    let space = limited(&f, quota(u64::MAX, None)).space().unwrap();
    assert!(space.available <= disk.total && space.files == disk.files, "a quota makes no disk larger");
}

/// Eight write, replace and remove at once, while the home is counted again and again: at the end there is not more than
/// the quota, and the ledger never says less than there is.
#[test]
fn many_at_once_hold_to_it_while_it_is_counted() {
    const MOST: u64 = 20_000;
    let f = fixture();
    let view = limited(&f, quota(MOST, 40));
    let refused = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (view, refused) = (&view, &refused);
            scope.spawn(move || {
                let mut state = thread + 1;
                let mut random = |below: u64| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) % below
                };
                for _ in 0..150 {
                    // Two threads each have the same names.
                    let name = path(&format!("{}-{}", thread / 2, random(4)));
                    let done = match random(4) {
                        0 => view.remove_file(&name),
                        _ => view.part(&name, &format!("k{thread}")).and_then(|mut part| {
                            part.ephemeral();
                            part.write_at(&vec![b'x'; 1 + random(3000) as usize], 0)?;
                            part.publish(Replace::Yes).map(drop)
                        }),
                    };
                    if done.is_err_and(|error| error.kind() == ErrorKind::QuotaExceeded) {
                        refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        // The next refusal rests on a new count.
                        view.recount();
                    }
                }
            });
        }
    });
    assert!(refused.into_inner() > 0, "it was never full");
    let counted = used(&limited(&Fixture { tree: Tree::open(&f.root()).unwrap(), ..f }, quota(MOST, 40)));
    assert!(counted.bytes <= MOST, "{counted:?}");
    assert!(used(&view).bytes >= counted.bytes, "{:?} of {counted:?}", used(&view));
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u16),
    Grow(u8, u16),
    Abandon(u8, u16),
    Resize(u8, u16),
    Remove(u8),
    Rename(u8, u8, bool),
    Link(u8, u8),
    Copy(u8, u8),
    Folder(u8),
    RemoveFolder(u8),
    RemoveTree(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || 0_u8..6;
    let size = || 0_u16..400;
    let step = prop_oneof![
        (name(), size()).prop_map(|(at, size)| Step::Put(at, size)),
        (name(), size()).prop_map(|(at, size)| Step::Grow(at, size)),
        (name(), size()).prop_map(|(at, size)| Step::Abandon(at, size)),
        (name(), size()).prop_map(|(at, size)| Step::Resize(at, size)),
        name().prop_map(Step::Remove),
        (name(), name(), any::<bool>()).prop_map(|(from, to, replace)| Step::Rename(from, to, replace)),
        (name(), name()).prop_map(|(from, to)| Step::Link(from, to)),
        (name(), name()).prop_map(|(from, to)| Step::Copy(from, to)),
        name().prop_map(Step::Folder),
        name().prop_map(Step::RemoveFolder),
        name().prop_map(Step::RemoveTree),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Files at the top and in one folder, which may be a file itself.
fn at(name: u8) -> crate::model::RelPath {
    path(if name < 3 { ["f", "g", "d"][usize::from(name)] } else { ["d/f", "d/g", "d/h"][usize::from(name - 3)] })
}

fn write(view: &View, name: u8, size: u16, keep: u64) -> std::io::Result<super::super::PartFile> {
    let mut part = view.part(&at(name), "k")?;
    part.ephemeral();
    part.truncate(keep)?;
    part.write_at(&vec![b'x'; usize::from(size)], keep)?;
    Ok(part)
}

/// What cannot be done is refused, and that is part of the trial.
fn take(view: &View, step: &Step) -> std::io::Result<()> {
    let replace = |yes: bool| if yes { Replace::Yes } else { Replace::No };
    match *step {
        Step::Put(name, size) => write(view, name, size, 0)?.publish(Replace::Yes).map(drop),
        Step::Grow(name, size) => write(view, name, size, 100)?.publish(Replace::Yes).map(drop),
        Step::Abandon(name, size) => write(view, name, size, 0).map(drop),
        Step::Resize(name, size) => view.set_attributes(&at(name), self::size(size.into())),
        Step::Remove(name) => view.remove_file(&at(name)),
        Step::Rename(from, to, yes) => view.rename(&at(from), &at(to), replace(yes)),
        Step::Link(from, to) => view.hard_link(&at(from), &at(to)),
        Step::Copy(from, to) => view.copy(&at(from), &at(to), Replace::Yes).map(drop),
        Step::Folder(name) => view.make_dir(&at(name)),
        Step::RemoveFolder(name) => view.remove_dir(&at(name)),
        Step::RemoveTree(name) => view.remove_tree(&at(name)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done and whatever is refused: the ledger is what a count finds, and the limit holds.
    #[test]
    fn the_ledger_says_what_a_count_finds(steps in steps(), bytes in 200_u64..2000, files in 2_u64..8) {
        let f = fixture();
        let view = limited(&f, quota(bytes, files));
        for step in &steps {
            let _ = take(&view, step);
            let anew = Tree::open(&f.root()).unwrap();
            let scope = Scope { home: path(HOME), access: Access::ReadWrite, quota: quota(bytes, files) };
            let counted = used(&anew.view(&scope).unwrap());
            prop_assert_eq!(used(&view), counted, "after {:?} of {:?}", step, &steps);
            prop_assert!(counted.bytes <= bytes && counted.files <= files);
        }
    }
}
