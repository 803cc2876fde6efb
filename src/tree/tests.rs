//! The tree against hostile names, links, pipes, and interruptions.

mod quota;
mod sweep;

use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use proptest::prelude::*;

use super::{Replace, SetAttributes, Stat, Tree, View};
use crate::model::{Access, EntryKind, Name, RelPath, Scope};

struct Fixture {
    dir: tempfile::TempDir,
    tree: Arc<Tree>,
    view: View,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("root")).unwrap();
    std::fs::write(dir.path().join("secret"), b"outside").unwrap();
    let tree = Tree::open(&dir.path().join("root")).unwrap();
    let view = tree.view(&Scope::whole()).unwrap();
    Fixture { dir, tree, view }
}

impl Fixture {
    fn root(&self) -> std::path::PathBuf {
        self.dir.path().join("root")
    }

    fn names(&self, at: &str) -> Vec<String> {
        let mut names: Vec<_> =
            self.view.read_dir(&path(at)).unwrap().map(|e| e.unwrap().name.display().into_owned()).collect();
        names.sort();
        names
    }
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn put(view: &View, at: &str, content: &[u8]) {
    let mut part = view.part(&path(at), "k").unwrap();
    part.truncate(0).unwrap();
    part.write_at(content, 0).unwrap();
    part.publish(Replace::Yes).unwrap();
}

fn kind<T: std::fmt::Debug>(result: std::io::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let f = fixture();
    let mut part = f.view.part(&path("a"), "v1").unwrap();
    part.write_at(b"hello", 0).unwrap();
    assert!(f.names("").is_empty(), "nobody sees a part");
    assert_eq!(kind(f.view.stat(&path("a"))), ErrorKind::NotFound);
    part.set_attributes(SetAttributes {
        mode: Some(0o4640),
        ..SetAttributes::mtime("2020-02-02T02:02:02.5Z".parse().unwrap())
    })
    .unwrap();
    let stat = part.publish(Replace::No).unwrap();
    assert_eq!((stat.size, stat.mode & 0o7777), (5, 0o640), "set-user-id is never taken");
    assert_eq!(stat.mtime.to_string(), "2020-02-02T02:02:02.5Z");
    assert_eq!(f.names(""), ["a"]);
    assert_eq!(f.view.stat(&path("a")).unwrap(), stat);
}

#[test]
fn a_part_is_found_again_and_has_one_writer() {
    let f = fixture();
    let part = f.view.part(&path("a"), "v1").unwrap();
    part.write_at(b"12345", 0).unwrap();
    assert_eq!(kind(f.view.part(&path("a"), "v1")), ErrorKind::WouldBlock);
    assert!(f.view.part(&path("a"), "v2").unwrap().is_empty().unwrap(), "another version is another part");
    drop(part);
    let part = f.view.part(&path("a"), "v1").unwrap();
    assert_eq!(part.len().unwrap(), 5);
    part.discard().unwrap();
    assert_eq!(f.view.part(&path("a"), "v1").unwrap().len().unwrap(), 0);
}

#[test]
fn an_ephemeral_part_leaves_nothing() {
    let f = fixture();
    let mut part = f.view.part(&path("a"), "v").unwrap();
    part.ephemeral();
    part.write_at(b"x", 0).unwrap();
    drop(part);
    assert_eq!(std::fs::read_dir(f.root()).unwrap().count(), 0);
}

#[test]
fn publishing_obeys_replace_and_keeps_readers() {
    let f = fixture();
    put(&f.view, "a", b"old");
    std::fs::set_permissions(f.root().join("a"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let reader = f.view.open_read(&path("a")).unwrap();
    let mut part = f.view.part(&path("a"), "v").unwrap();
    part.write_at(b"newer", 0).unwrap();
    assert_eq!(kind(part.publish(Replace::No)), ErrorKind::AlreadyExists);
    assert_eq!(part.publish(Replace::Yes).unwrap().mode & 0o777, 0o600, "the mode of the replaced file stays");
    let mut buf = [0; 8];
    assert_eq!(reader.read_at(&mut buf, 0).unwrap(), 3);
    assert_eq!(&buf[..3], b"old", "a reader keeps the version it opened");
    assert_ne!(reader.opened().etag(), f.view.stat(&path("a")).unwrap().etag());
}

/// The file system gives an inode's number again; a tag must not come back with it.
#[test]
fn no_tag_comes_twice_although_size_and_time_do() {
    let f = fixture();
    let at = "2020-01-02T03:04:05Z".parse().unwrap();
    let mut tags = std::collections::BTreeSet::new();
    for n in 0..50_u8 {
        let mut part = f.view.part(&path("a"), &format!("{}", n % 2)).unwrap();
        part.write_at(&[n], 0).unwrap();
        part.set_attributes(SetAttributes::mtime(at)).unwrap();
        let born = part.publish(Replace::Yes).unwrap().born;
        if born.is_none() {
            return; // This file system does not tell: then the number is all there is.
        }
        // Births are told in ticks of the kernel's clock.
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(tags.insert(f.view.stat(&path("a")).unwrap().etag()), "{n}: {tags:?}");
    }
}

#[test]
fn the_home_folder_keeps_its_permission_bits() {
    let f = fixture();
    let change = |mode| SetAttributes { mode: Some(mode), ..SetAttributes::default() };
    assert_eq!(kind(f.view.set_attributes(&RelPath::root(), change(0))), ErrorKind::PermissionDenied);
    f.view.make_dir(&path("d")).unwrap();
    f.view.set_attributes(&path("d"), change(0o700)).unwrap();
}

#[test]
fn a_directory_in_the_way_is_said() {
    let f = fixture();
    f.view.make_dir(&path("d")).unwrap();
    assert_eq!(kind(f.view.part(&path("d"), "v")), ErrorKind::IsADirectory);
    assert_eq!(kind(f.view.part(&path("missing/x"), "v")), ErrorKind::NotFound);
    assert_eq!(kind(f.view.open_read(&path("d"))), ErrorKind::IsADirectory);
    assert_eq!(kind(f.view.make_dir(&path("d"))), ErrorKind::AlreadyExists);
}

#[test]
fn links_work_inside_and_are_refused_outside() {
    let f = fixture();
    f.view.make_dir(&path("d")).unwrap();
    put(&f.view, "d/file", b"inside");
    f.view.symlink(b"d/file", &path("good")).unwrap();
    f.view.symlink(b"../d/../d/file", &path("d/also")).unwrap();
    assert_eq!(f.view.open_read(&path("good")).unwrap().len(), 6);
    assert_eq!(f.view.open_read(&path("d/also")).unwrap().len(), 6);
    assert_eq!(f.view.read_link(&path("good")).unwrap(), b"d/file");
    for (name, target) in [("abs", f.dir.path().join("secret")), ("rel", "../secret".into()), ("dir", "..".into())] {
        symlink(target, f.root().join(name)).unwrap();
        assert_eq!(kind(f.view.symlink(b"/etc/passwd", &path("x"))), ErrorKind::PermissionDenied);
    }
    assert_eq!(kind(f.view.open_read(&path("abs"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.open_read(&path("rel"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.open_read(&path("dir/secret"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.read_dir(&path("dir"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.stat_follow(&path("abs"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.part(&path("abs"), "v")), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.part(&path("dir/new"), "v")), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.make_dir(&path("dir/new"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.remove_file(&path("dir/secret"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.rename(&path("dir/secret"), &path("got"), Replace::No)), ErrorKind::PermissionDenied);
    let mode = SetAttributes { mode: Some(0), ..SetAttributes::default() };
    assert_eq!(kind(f.view.set_attributes(&path("abs"), mode)), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.symlink(b"../x", &path("up"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.symlink(b".causeway-trash", &path("up"))), ErrorKind::PermissionDenied);
    assert_eq!(std::fs::read(f.dir.path().join("secret")).unwrap(), b"outside");
    // Moving and removing act on the link, wherever it leads.
    f.view.rename(&path("abs"), &path("moved"), Replace::No).unwrap();
    f.view.remove_file(&path("moved")).unwrap();
}

#[test]
fn writing_through_a_link_reaches_the_file_behind_it() {
    let f = fixture();
    f.view.make_dir(&path("d")).unwrap();
    put(&f.view, "d/file", b"old");
    f.view.symlink(b"d/file", &path("link")).unwrap();
    put(&f.view, "link", b"new!");
    assert!(matches!(f.view.stat(&path("link")).unwrap().kind, EntryKind::Symlink(_)));
    assert_eq!(f.view.open_read(&path("d/file")).unwrap().len(), 4);
    assert_eq!(f.view.real_path(&path("link")).unwrap(), path("d/file"));
    f.view.symlink(b"loop", &path("loop")).unwrap();
    assert!(f.view.part(&path("loop"), "v").is_err());
}

#[test]
fn a_link_below_a_linked_folder_counts_from_the_real_one() {
    let f = fixture();
    f.view.make_dirs(&path("real/deep")).unwrap();
    put(&f.view, "x", b"the wrong one");
    put(&f.view, "real/x", b"old");
    f.view.symlink(b"real/deep", &path("short")).unwrap();
    // Made through the linked folder, where `..` is `real` and not the top.
    f.view.symlink(b"../x", &path("short/up")).unwrap();
    f.view.symlink(b"short/up", &path("twice")).unwrap();
    for (through, content) in [("short/up", &b"new"[..]), ("twice", b"newer")] {
        assert_eq!(f.view.real_path(&path(through)).unwrap(), path("real/x"), "{through}");
        put(&f.view, through, content);
        assert_eq!(std::fs::read(f.root().join("real/x")).unwrap(), content, "{through}");
    }
    assert_eq!(std::fs::read(f.root().join("x")).unwrap(), b"the wrong one");
    assert!(std::fs::symlink_metadata(f.root().join("real/deep/up")).unwrap().is_symlink());
    assert_eq!(kind(f.view.symlink(b"../../../x", &path("short/out"))), ErrorKind::PermissionDenied);
    put(&f.view, "short/new", b"1");
    assert_eq!(std::fs::read(f.root().join("real/deep/new")).unwrap(), b"1");
}

#[test]
fn a_home_holds_its_owner() {
    let f = fixture();
    put(&f.view, "outside", b"x");
    let home = Scope::of(path("home/anna"), Access::ReadWrite);
    let view = f.tree.view(&home).unwrap();
    put(&view, "mine", b"y");
    assert_eq!(f.view.open_read(&path("home/anna/mine")).unwrap().len(), 1);
    symlink("../../outside", f.root().join("home/anna/out")).unwrap();
    assert_eq!(kind(view.open_read(&path("out"))), ErrorKind::PermissionDenied);
    assert_eq!(f.view.open_read(&path("home/anna/out")).unwrap().len(), 1, "the wider view may follow it");
    symlink("/etc", f.root().join("etc")).unwrap();
    let away = Scope::of(path("etc"), Access::ReadWrite);
    assert_eq!(kind(f.tree.view(&away)), ErrorKind::PermissionDenied);
}

/// Who may write above another's home must not lead its owner elsewhere.
#[test]
fn a_home_is_never_behind_a_link() {
    let f = fixture();
    f.view.make_dirs(&path("secret")).unwrap();
    let scope = |home: &str| Scope::of(path(home), Access::ReadWrite);
    f.tree.view(&scope("partners/anna")).unwrap();
    let agency = f.tree.view(&scope("partners")).unwrap();
    agency.make_dirs(&path("d/secret")).unwrap();
    // Inside its own view the link leads nowhere it may not; carried up, it points at another's folder.
    agency.symlink(b"../secret", &path("d/anna")).unwrap();
    agency.rename(&path("anna"), &path("old"), Replace::No).unwrap();
    agency.rename(&path("d/anna"), &path("anna"), Replace::No).unwrap();
    assert!(f.view.stat_follow(&path("partners/anna")).unwrap().is_dir(), "it leads to /secret");
    assert_eq!(kind(f.tree.view(&scope("partners/anna"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.tree.view(&scope("partners/anna/deeper"))), ErrorKind::PermissionDenied);
    assert!(std::fs::read_dir(f.root().join("secret")).unwrap().next().is_none());
}

#[test]
fn a_part_of_a_view_is_never_more_than_the_view() {
    let f = fixture();
    f.view.make_dirs(&path("home/anna/reports")).unwrap();
    f.view.make_dirs(&path("home/bert")).unwrap();
    put(&f.view, "home/anna/reports/a", b"x");
    let anna = f.view.narrowed(&path("home/anna"), Access::ReadWrite).unwrap();
    let part = anna.narrowed(&path("reports"), Access::ReadOnly).unwrap();
    assert_eq!((part.prefix(), part.access()), (&path("home/anna/reports"), Access::ReadOnly));
    assert_eq!(part.open_read(&path("a")).unwrap().len(), 1);
    assert_eq!(kind(part.make_dir(&path("new"))), ErrorKind::PermissionDenied);
    assert_eq!(part.narrowed(&RelPath::root(), Access::ReadWrite).unwrap().access(), Access::ReadOnly);
    put(&anna.narrowed(&path("reports"), Access::ReadWrite).unwrap(), "new", b"z");
    assert_eq!(std::fs::read(f.root().join("home/anna/reports/new")).unwrap(), b"z");
    // Inside the tree, and outside of the view: the wider view may follow it.
    symlink("../../bert", f.root().join("home/anna/reports/out")).unwrap();
    assert!(f.view.stat_follow(&path("home/anna/reports/out")).unwrap().is_dir());
    symlink("reports", f.root().join("home/anna/inside")).unwrap();
    for (folder, why) in [
        ("reports/out", ErrorKind::PermissionDenied),
        ("inside", ErrorKind::PermissionDenied),
        ("missing", ErrorKind::NotFound),
        ("reports/a", ErrorKind::NotADirectory),
        (".causeway-trash", ErrorKind::PermissionDenied),
    ] {
        assert_eq!(kind(anna.narrowed(&path(folder), Access::ReadOnly)), why, "{folder}");
    }
}

#[test]
fn a_reader_changes_nothing() {
    let f = fixture();
    put(&f.view, "a", b"x");
    let view = f.view.read_only();
    let a = path("a");
    let denied = ErrorKind::PermissionDenied;
    assert_eq!(kind(view.part(&a, "v")), denied);
    assert_eq!(kind(view.make_dir(&path("d"))), denied);
    assert_eq!(kind(view.remove_file(&a)), denied);
    assert_eq!(kind(view.remove_dir(&a)), denied);
    assert_eq!(kind(view.rename(&a, &path("b"), Replace::Yes)), denied);
    assert_eq!(kind(view.symlink(b"a", &path("b"))), denied);
    assert_eq!(kind(view.hard_link(&a, &path("b"))), denied);
    assert_eq!(kind(view.set_attributes(&a, SetAttributes::default())), denied);
    assert_eq!(kind(view.copy(&a, &path("b"), Replace::Yes)), denied);
    assert_eq!(kind(view.trash(&a, &a, "run")), denied);
    assert_eq!(kind(view.restore(&path(".causeway-trash/run/a"), &path("b"))), denied);
    assert_eq!(view.open_read(&a).unwrap().len(), 1);
}

#[test]
fn reserved_names_are_hidden_and_refused() {
    let f = fixture();
    std::fs::create_dir(f.root().join(".causeway-trash")).unwrap();
    std::fs::write(f.root().join(".causeway-trash/x"), b"").unwrap();
    assert!(f.names("").is_empty());
    assert_eq!(kind(f.view.stat(&path(".causeway-trash"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.open_read(&path(".causeway-trash/x"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.make_dir(&path("d/.causeway-x"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.part(&path(".causeway-x"), "v")), ErrorKind::PermissionDenied);
}

#[test]
fn a_pipe_never_blocks() {
    let f = fixture();
    rustix::fs::mkfifoat(rustix::fs::CWD, f.root().join("pipe"), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .unwrap();
    assert_eq!(f.view.stat(&path("pipe")).unwrap().kind, EntryKind::Special);
    assert_eq!(kind(f.view.open_read(&path("pipe"))), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.part(&path("pipe"), "v")), ErrorKind::PermissionDenied);
}

#[test]
fn attributes_reach_files_links_and_sizes() {
    let f = fixture();
    put(&f.view, "a", b"12345");
    f.view.symlink(b"a", &path("l")).unwrap();
    let before = "1969-12-31T23:59:58.25Z".parse().unwrap();
    f.view.set_link_attributes(&path("l"), SetAttributes::mtime(before)).unwrap();
    assert_eq!(f.view.stat(&path("l")).unwrap().mtime, before);
    let change = SetAttributes { mode: Some(0), size: Some(2), ..SetAttributes::mtime(before) };
    f.view.set_attributes(&path("l"), change).unwrap();
    let stat = f.view.stat(&path("a")).unwrap();
    assert_eq!((stat.size, stat.mode & 0o777, stat.mtime), (2, 0, before));
    f.view.set_attributes(&path("a"), SetAttributes { mode: Some(0o644), ..SetAttributes::default() }).unwrap();
    f.view.set_attributes(&path(""), SetAttributes::mtime(before)).unwrap();
    assert_eq!(f.view.stat(&path("")).unwrap().mtime, before);
}

#[test]
fn renames_and_second_names() {
    let f = fixture();
    put(&f.view, "a", b"a");
    put(&f.view, "b", b"bb");
    assert_eq!(kind(f.view.rename(&path("a"), &path("b"), Replace::No)), ErrorKind::AlreadyExists);
    f.view.rename(&path("a"), &path("b"), Replace::Yes).unwrap();
    assert_eq!(f.names(""), ["b"]);
    f.view.hard_link(&path("b"), &path("c")).unwrap();
    assert_eq!(f.view.stat(&path("c")).unwrap().nlink, 2);
    assert_eq!(kind(f.view.rename(&path(""), &path("x"), Replace::No)), ErrorKind::PermissionDenied);
    assert_eq!(kind(f.view.remove_dir(&path(""))), ErrorKind::PermissionDenied);
}

#[test]
fn copies_keep_content_mode_and_time() {
    let f = fixture();
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    put(&f.view, "a", &content);
    f.view.set_attributes(&path("a"), SetAttributes { mode: Some(0o600), ..SetAttributes::default() }).unwrap();
    f.view.copy(&path("a"), &path("b"), Replace::No).unwrap();
    assert_eq!(std::fs::read(f.root().join("b")).unwrap(), content);
    let (a, b) = (f.view.stat(&path("a")).unwrap(), f.view.stat(&path("b")).unwrap());
    assert_eq!((a.mode, a.mtime, a.size), (b.mode, b.mtime, b.size));
}

#[test]
fn removing_a_folder_takes_leftovers_but_not_work() {
    let f = fixture();
    f.view.make_dir(&path("d")).unwrap();
    drop(f.view.part(&path("d/x"), "old").unwrap());
    let busy = f.view.part(&path("d/y"), "now").unwrap();
    assert_eq!(kind(f.view.remove_dir(&path("d"))), ErrorKind::DirectoryNotEmpty);
    drop(busy);
    f.view.remove_dir(&path("d")).unwrap();
    f.view.make_dirs(&path("d/e/f")).unwrap();
    assert_eq!(kind(f.view.remove_dir(&path("d"))), ErrorKind::DirectoryNotEmpty);
}

#[test]
fn the_trash_keeps_the_path_and_never_overwrites() {
    let f = fixture();
    f.view.make_dirs(&path("d/e")).unwrap();
    for expected in ["d/e/f", "d/e/f~1"] {
        put(&f.view, "d/e/f", expected.as_bytes());
        let at = f.view.trash(&path("d/e/f"), &path("d/e/f"), "run-1").unwrap();
        assert_eq!(at.as_bytes(), format!(".causeway-trash/run-1/{expected}").as_bytes());
        let kept = f.root().join(at.as_path());
        assert_eq!(std::fs::read(kept).unwrap(), expected.as_bytes());
    }
    assert!(f.names("d/e").is_empty());
    assert_eq!(kind(f.view.trash(&path("d"), &path("d"), "../x")), ErrorKind::InvalidInput);
}

#[test]
fn what_comes_back_replaces_nothing_and_is_whole() {
    let f = fixture();
    f.view.make_dirs(&path("d/e")).unwrap();
    put(&f.view, "d/e/f", b"old");
    let lies = f.view.trash(&path("d"), &path("d"), "run-1").unwrap();
    f.view.make_dir(&path("d")).unwrap();
    assert_eq!(kind(f.view.restore(&lies, &path("d"))), ErrorKind::AlreadyExists);
    assert_eq!(kind(f.view.restore(&lies, &path("gone/d"))), ErrorKind::NotFound);
    assert_eq!(kind(f.view.restore(&lies, &path(".causeway-trash/d"))), ErrorKind::PermissionDenied);
    assert_eq!(f.view.trashed_weight(&lies).unwrap(), crate::model::Used { bytes: 3, files: 3 });
    f.view.restore(&lies, &path("d/back")).unwrap();
    assert_eq!(std::fs::read(f.root().join("d/back/e/f")).unwrap(), b"old");
    assert_eq!(kind(f.view.restore(&lies, &path("again"))), ErrorKind::NotFound);
}

#[test]
fn a_change_is_made_only_if_what_is_there_is_agreed_to() {
    let f = fixture();
    put(&f.view, "a", b"long");
    let short = |now: &Stat| if now.size < 4 { Ok(()) } else { Err(std::io::Error::from(ErrorKind::ResourceBusy)) };
    assert_eq!(kind(f.view.remove_if(&path("a"), short)), ErrorKind::ResourceBusy);
    assert_eq!(kind(f.view.trash_if(&path("a"), &path("a"), "run", short)), ErrorKind::ResourceBusy);
    let never = || Err::<(), _>(std::io::Error::from(ErrorKind::ResourceBusy));
    assert_eq!(kind(f.view.rename_if(&path("a"), &path("b"), Replace::No, never)), ErrorKind::ResourceBusy);
    assert_eq!(f.names(""), ["a"]);
    put(&f.view, "a", b"yes");
    f.view.remove_if(&path("a"), short).unwrap();
    assert!(f.names("").is_empty());
}

#[test]
fn the_trash_knows_another_place() {
    let f = fixture();
    put(&f.view, "out", b"came out");
    let at = f.view.trash(&path("out"), &path("d/e/its"), "run-1").unwrap();
    assert_eq!(at, path(".causeway-trash/run-1/d/e/its"));
    assert_eq!(std::fs::read(f.root().join(at.as_path())).unwrap(), b"came out");
}

/// What file systems get that know no rename to a free name.
#[test]
fn a_move_by_a_second_name_replaces_nothing() {
    let f = fixture();
    put(&f.view, "a", b"a");
    put(&f.view, "b", b"b");
    let dir = std::fs::File::open(f.root()).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| Name::new(name).unwrap());
    let taken = super::change::move_by_link((&dir, &a), (&dir, &b));
    assert_eq!(taken, Err(rustix::io::Errno::EXIST));
    assert_eq!(std::fs::read(f.root().join("b")).unwrap(), b"b");
    super::change::move_by_link((&dir, &a), (&dir, &c)).unwrap();
    assert_eq!(std::fs::read(f.root().join("c")).unwrap(), b"a");
    assert!(!f.root().join("a").exists());
}

#[test]
fn a_full_disk_has_its_own_kind() {
    let error = std::io::Error::from(rustix::io::Errno::NOSPC);
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let error = std::io::Error::from(rustix::io::Errno::DQUOT);
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    let f = fixture();
    let part = f.view.part(&path("a"), "v").unwrap();
    assert_eq!(kind(part.write_at(b"x", u64::MAX - 1)), ErrorKind::FileTooLarge);
    assert!(f.view.space().unwrap().total > 0);
}

#[test]
fn reading_beyond_the_end_is_nothing() {
    let f = fixture();
    put(&f.view, "a", b"12345");
    let reader = f.view.open_read(&path("a")).unwrap();
    let mut buf = [0; 4];
    assert_eq!(reader.read_at(&mut buf, 3).unwrap(), 2);
    assert_eq!(reader.read_at(&mut buf, 5).unwrap(), 0);
    assert_eq!(reader.read_at(&mut buf, 1 << 63).unwrap(), 0);
    assert_eq!(reader.read_at_cached(&mut buf, u64::MAX).unwrap(), Some(0));
    if let Some(got) = reader.read_at_cached(&mut buf, 3).unwrap() {
        assert_eq!(got, 2);
    }
}

#[test]
fn private_files_are_private_and_written_in_one_step() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    super::file::ensure_dir(&deep, true).unwrap();
    super::file::ensure_dir(&deep, true).unwrap();
    assert_eq!(std::fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o700);
    let key = deep.join("key");
    super::file::write_new_private(&key, b"one").unwrap();
    assert_eq!(kind(super::file::write_new_private(&key, b"two")), ErrorKind::AlreadyExists);
    assert_eq!(super::file::read_small(&key, 3).unwrap(), b"one");
    super::file::write_private(&key, b"three").unwrap();
    assert_eq!(kind(super::file::read_small(&key, 4)), ErrorKind::FileTooLarge);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 1, "no temporary file stays");
    assert_eq!(kind(super::file::ensure_dir(&key, true)), ErrorKind::NotADirectory);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a client names, nothing outside the root changes, and a look-up says what is there.
    #[test]
    fn no_name_reaches_outside(bytes in proptest::collection::vec(prop_oneof![Just(b'/'), Just(b'.'), Just(0), any::<u8>()], 0..24)) {
        let f = fixture();
        symlink("..", f.root().join("up")).unwrap();
        symlink("/", f.root().join("x")).unwrap();
        if let Ok(path) = RelPath::lenient(&bytes) {
            for path in [path.clone(), self::path("up").concat(&path), self::path("x").concat(&path)] {
                if let Ok(mut part) = f.view.part(&path, "v") {
                    part.write_at(b"x", 0).unwrap();
                    if part.publish(Replace::Yes).is_ok() {
                        prop_assert_eq!(f.view.stat(&path).unwrap().size, 1);
                    }
                }
            }
        }
        prop_assert_eq!(std::fs::read(f.dir.path().join("secret")).unwrap(), b"outside");
        prop_assert_eq!(std::fs::read_dir(f.dir.path()).unwrap().count(), 2);
    }

    /// Any sequence of writes, read back while it is written, equals a vector; only publishing shows it.
    #[test]
    fn a_part_is_a_file(writes in proptest::collection::vec((0_u64..5000, proptest::collection::vec(any::<u8>(), 1..200)), 1..20)) {
        let f = fixture();
        let mut part = f.view.part(&path("p"), "v").unwrap();
        let mut model: Vec<u8> = Vec::new();
        for (at, data) in &writes {
            part.write_at(data, *at).unwrap();
            let (at, end) = (*at as usize, *at as usize + data.len());
            model.resize(model.len().max(end), 0);
            model[at..end].copy_from_slice(data);
            prop_assert!(f.names("").is_empty());
        }
        let mut seen = vec![0; model.len() + 1];
        let got = part.read_at(&mut seen, 0).unwrap();
        prop_assert_eq!(&seen[..got], &model[..]);
        part.publish(Replace::No).unwrap();
        prop_assert_eq!(std::fs::read(f.root().join("p")).unwrap(), model);
    }
}
