//! What a crash leaves, state by state, and what the sweep makes of it.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::tree::Fate;

fn now() -> Timestamp {
    Timestamp::try_from(std::time::SystemTime::now()).unwrap()
}

fn later() -> Timestamp {
    now() + SignedDuration::from_hours(1)
}

/// Everything that was told, with paths; an error is told by its kind.
fn swept(view: &View, limit: Timestamp) -> Vec<(String, Result<Fate, ErrorKind>)> {
    let mut told = Vec::new();
    let tell = |path: &RelPath, fate: std::io::Result<Fate>| {
        told.push((path.display().into_owned(), fate.map_err(|error| error.kind())));
    };
    view.sweep(limit, || false, tell).unwrap();
    told
}

/// The only thing that was told.
fn fate(view: &View) -> Result<Fate, ErrorKind> {
    let mut told = swept(view, later());
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0).1
}

/// Folder `a` with a new file, folder `b` with an old one.
fn before_a_move() -> Fixture {
    let f = fixture();
    for (folder, text) in [("a", "new"), ("b", "old")] {
        f.view.make_dir(&path(folder)).unwrap();
        put(&f.view, &format!("{folder}/{text}"), text.as_bytes());
    }
    f
}

/// The files in the tree, hidden folders included.
fn files(f: &Fixture) -> Vec<String> {
    let found = std::process::Command::new("find").args([".", "-type", "f"]).current_dir(f.root()).output().unwrap();
    let mut files: Vec<String> = String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn a_move_that_was_cut_before_the_swap_never_was() {
    let f = before_a_move();
    drop(f.view.stage(&path("b")).unwrap());
    assert_eq!(fate(&f.view), Ok(Fate::Removed));
    // The note is there, but nothing has moved.
    let staged = f.view.stage(&path("b")).unwrap();
    staged.take(&path("a"), &path("b")).unwrap();
    f.view.with_own_files().rename(&staged.thing(), &path("a"), Replace::No).unwrap();
    drop(staged);
    assert_eq!(fate(&f.view), Ok(Fate::Removed));
    assert_eq!(files(&f), ["./a/new", "./b/old"]);
    let staged = f.view.stage(&path("b")).unwrap();
    staged.take(&path("a"), &path("b")).unwrap();
    drop(staged);
    assert_eq!(f.names(""), ["b"], "the crash");
    assert_eq!(fate(&f.view), Ok(Fate::PutBack(path("a"))));
    assert_eq!(files(&f), ["./a/new", "./b/old"]);
    assert_eq!(swept(&f.view, later()), []);
}

#[test]
fn a_move_that_was_cut_after_the_swap_is_complete() {
    let f = before_a_move();
    put(&f.view, "b/older", b"older");
    let staged = f.view.stage(&path("b")).unwrap();
    staged.take(&path("a"), &path("b")).unwrap();
    staged.swap(&path("b")).unwrap();
    // Half removed, too.
    f.view.with_own_files().remove_file(&staged.thing().concat(&path("older"))).unwrap();
    drop(staged);
    assert_eq!(fate(&f.view), Ok(Fate::Removed));
    assert_eq!(files(&f), ["./b/new"]);
    assert_eq!(swept(&f.view, later()), []);
}

#[test]
fn a_swap_that_fails_puts_everything_back() {
    let f = before_a_move();
    let staged = f.view.stage(&path("b")).unwrap();
    staged.take(&path("a"), &path("b")).unwrap();
    f.view.remove_tree(&path("b")).unwrap();
    assert_eq!(kind(staged.swap(&path("b"))), ErrorKind::NotFound);
    assert_eq!(staged.end().unwrap(), Fate::PutBack(path("a")));
    assert_eq!(files(&f), ["./a/new"]);
}

#[test]
fn what_has_no_place_or_no_name_stays() {
    let f = before_a_move();
    let staged = f.view.stage(&path("b")).unwrap();
    staged.take(&path("a"), &path("b")).unwrap();
    put(&f.view, "a", b"somebody else's");
    let thing = staged.thing();
    let hidden = format!("./{}/new", thing.display());
    let busy = Fate::Kept("somebody works with it");
    assert_eq!(fate(&f.view), Ok(busy), "as long as its maker lives");
    drop(staged);
    assert!(matches!(fate(&f.view), Ok(Fate::Kept(why)) if why.contains("taken")));
    assert_eq!(files(&f).iter().filter(|name| **name == hidden).count(), 1);
    // Another file system, another number: it may be the new one or the old one.
    let own = f.view.with_own_files();
    own.remove_file(&path("a")).unwrap();
    own.rename(&thing, &path("aside"), Replace::No).unwrap();
    own.make_dir(&thing).unwrap();
    put(&f.view, "x", b"only copy");
    own.rename(&path("x"), &thing.concat(&path("x")), Replace::No).unwrap();
    assert!(matches!(fate(&f.view), Ok(Fate::Kept(why)) if why.contains("nobody can say")));
    assert!(files(&f).iter().any(|name| name.ends_with("/x")));
}

#[test]
fn a_copy_that_was_cut_leaves_the_old_or_the_new_whole() {
    for swap in [false, true] {
        let f = before_a_move();
        let staged = f.view.stage(&path("b")).unwrap();
        let own = f.view.with_own_files();
        own.make_dir(&staged.thing()).unwrap();
        own.copy(&path("a/new"), &staged.thing().concat(&path("new")), Replace::No).unwrap();
        // A part of the next file, with nobody who writes it.
        drop(own.part(&staged.thing().concat(&path("next")), "copy").unwrap());
        if swap {
            staged.swap(&path("b")).unwrap();
        }
        drop(staged);
        let told = swept(&f.view, later());
        assert!(told.iter().all(|(_, fate)| *fate == Ok(Fate::Removed)), "{told:?}");
        assert_eq!(files(&f), ["./a/new", if swap { "./b/new" } else { "./b/old" }]);
    }
}

#[test]
fn a_moved_thing_goes_back_into_its_home() {
    let f = fixture();
    std::fs::create_dir_all(f.root().join("home/bob/deep/a")).unwrap();
    std::fs::create_dir_all(f.root().join("home/bob/b")).unwrap();
    let bob = f.tree.view(&Scope::of(path("home/bob"), Access::ReadWrite)).unwrap();
    let staged = bob.stage(&path("b")).unwrap();
    staged.take(&path("deep/a"), &path("b")).unwrap();
    drop(staged);
    assert_eq!(fate(&f.view), Ok(Fate::PutBack(path("home/bob/deep/a"))));
    assert!(f.root().join("home/bob/deep/a").is_dir());
}

#[test]
fn leftovers_of_the_first_releases_go() {
    let f = fixture();
    std::fs::create_dir_all(f.root().join("d/.causeway-staged-0123456789abcdef/deep")).unwrap();
    std::fs::write(f.root().join("d/.causeway-staged-fedcba9876543210"), "x").unwrap();
    assert!(swept(&f.view, later()).iter().all(|(_, fate)| *fate == Ok(Fate::Removed)));
    assert_eq!(std::fs::read_dir(f.root().join("d")).unwrap().count(), 0);
}

#[test]
fn old_parts_of_doors_go_and_everybody_elses_stay() {
    let f = fixture();
    f.view.make_dirs(&path("d/e")).unwrap();
    // A process that is killed leaves what it did not publish.
    drop(f.view.part(&path("d/e/killed"), "k").unwrap());
    let written = f.view.part(&path("d/written"), "k").unwrap();
    std::fs::write(f.root().join("d/.causeway-part-0123456789abcdef"), "a mirror's").unwrap();
    std::fs::create_dir_all(f.root().join(".causeway-trash/run-1")).unwrap();
    std::fs::write(f.root().join(".causeway-trash/run-1/.causeway-upload-1"), "trash").unwrap();
    let count = |at: &str| std::fs::read_dir(f.root().join(at)).unwrap().count();
    assert_eq!(swept(&f.view, now() - SignedDuration::from_hours(1)), [], "they are younger");
    assert_eq!((count("d"), count("d/e")), (3, 1));
    let told: Vec<_> = swept(&f.view, later()).into_iter().map(|(_, fate)| fate.unwrap()).collect();
    assert_eq!(told.iter().filter(|fate| **fate == Fate::Removed).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|fate| **fate == Fate::Kept("somebody writes it")).count(), 1, "{told:?}");
    assert_eq!((count("d"), count("d/e"), count(".causeway-trash/run-1")), (3, 0, 1));
    drop(written);
    assert_eq!(swept(&f.view, later()).len(), 1);
    assert_eq!(files(&f), ["./.causeway-trash/run-1/.causeway-upload-1", "./d/.causeway-part-0123456789abcdef"]);
}
