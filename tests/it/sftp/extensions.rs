//! Requests beyond version 3, asked with right and wrong input. The codes are those of OpenSSH's sftp-server.c.

use std::os::unix::fs::MetadataExt as _;

use super::door::{Fixture, noise};
use super::raw::Field::{L, S, U};
use super::raw::{Field, Raw};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const OPENDIR: u8 = 11;
const EXTENDED: u8 = 200;

const NAME: u8 = 104;
const REPLY: u8 = 201;

const READS: u32 = 0x01;
const PUT: u32 = 0x1a;
const TIMES: u32 = 8;

/// Codes of STATUS.
const OK: u32 = 0;
const EOF: u32 = 1;
const NO_SUCH_FILE: u32 = 2;
const PERMISSION_DENIED: u32 = 3;
const FAILURE: u32 = 4;
const BAD_MESSAGE: u32 = 5;

/// One that nobody gave out.
const WRONG: Field<'static> = S(b"\0\0\0\x63");

fn fields<'a>(name: &'a str, rest: &[Field<'a>]) -> Vec<Field<'a>> {
    let copy = |field: &Field<'a>| match field {
        S(bytes) => S(bytes),
        U(number) => U(*number),
        L(number) => L(*number),
    };
    std::iter::once(S(name.as_bytes())).chain(rest.iter().map(copy)).collect()
}

/// The code that a request is answered with.
#[track_caller]
fn code(raw: &mut Raw, name: &str, rest: &[Field<'_>]) -> u32 {
    raw.status(EXTENDED, 1, &fields(name, rest))
}

/// The numbers of an answer.
fn numbers(raw: &mut Raw, name: &str, rest: &[Field<'_>]) -> Vec<u64> {
    let (kind, body) = raw.ask(EXTENDED, 1, &fields(name, rest));
    assert_eq!(kind, REPLY, "{name}: {}", String::from_utf8_lossy(&body));
    body.chunks(8).map(|number| u64::from_be_bytes(number.try_into().unwrap())).collect()
}

/// The one name of an answer.
fn path(raw: &mut Raw, name: &str, asked: &[u8]) -> Vec<u8> {
    let (kind, body) = raw.ask(EXTENDED, 1, &fields(name, &[S(asked)]));
    assert_eq!((kind, &body[..4]), (NAME, &[0, 0, 0, 1][..]), "{name}: {}", String::from_utf8_lossy(&body));
    let length = u32::from_be_bytes(body[4..8].try_into().unwrap()) as usize;
    body[8..8 + length].to_vec()
}

#[test]
fn what_is_announced_is_what_is_there() {
    let f = Fixture::new();
    let mut raw = Raw::new(&f, "anna");
    let mut rest = &raw.greet(3)[..];
    let mut words = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (word, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        words.push(String::from_utf8(word.to_vec()).unwrap());
        rest = behind;
    }
    let announced: Vec<_> = words.chunks(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let openssh = ["posix-rename", "hardlink", "fsync", "lsetstat", "limits", "expand-path", "users-groups-by-id"];
    let expected = openssh.map(|name| (format!("{name}@openssh.com"), "1")).into_iter().chain([
        ("statvfs@openssh.com".to_owned(), "2"),
        ("fstatvfs@openssh.com".to_owned(), "2"),
        ("copy-data".to_owned(), "1"),
        ("home-directory".to_owned(), "1"),
        ("check-file".to_owned(), "1"),
    ]);
    let mut count = 0;
    for (name, version) in expected {
        assert!(announced.contains(&(name.as_str(), version)), "{name} {version}: {announced:?}");
        count += 1;
    }
    assert_eq!(announced.len(), count, "{announced:?}");
    assert_eq!(code(&mut raw, "text-seek", &[S(b"x")]), 8, "what is not announced is not there");
}

/// What is told is what is taken: the longest WRITE, and READ answers with as much.
#[test]
fn limits_hold() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "anna");
    let limits = numbers(&mut raw, "limits@openssh.com", &[]);
    assert_eq!(limits, [262_144, 261_120, 261_120, 1024]);
    let content = noise(261_120);
    let file = raw.handle(OPEN, 2, &[S(b"a"), U(0x1b), U(0)]);
    assert_eq!(raw.status(WRITE, 3, &[S(&file), L(0), S(&content)]), OK);
    assert_eq!(raw.status(WRITE, 4, &[S(&file), L(261_120), S(b"more")]), OK);
    let (_, body) = raw.ask(READ, 5, &[S(&file), L(0), U(300_000)]);
    assert!(body[4..] == content, "{} bytes", body.len() - 4);
    assert_eq!(raw.status(CLOSE, 6, &[S(&file)]), OK);
}

#[test]
fn paths_are_expanded_from_the_home() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "bert");
    for (asked, told) in [
        ("~", "/"),
        ("~/", "/"),
        ("~/a/./b/../c", "/a/c"),
        ("a", "/a"),
        ("", "/"),
        ("/x//y", "/x/y"),
        ("../../..", "/"),
        // Nobody's home is told: it is a name as any other.
        ("~anna/x", "/~anna/x"),
        ("x/~", "/x/~"),
    ] {
        assert_eq!(path(&mut raw, "expand-path@openssh.com", asked.as_bytes()), told.as_bytes(), "{asked}");
    }
    assert_eq!(path(&mut raw, "expand-path@openssh.com", b"\xd6\xd0"), b"/\xd6\xd0", "GBK");
    assert_eq!(code(&mut raw, "expand-path@openssh.com", &[S(b"a\0b")]), BAD_MESSAGE);
    for user in ["bert", "", "anna", "root", "nobody of that name"] {
        assert_eq!(path(&mut raw, "home-directory", user.as_bytes()), b"/", "{user}");
    }
    let mut cut = Raw::greeted(&f, "bert");
    cut.send(&super::raw::request(EXTENDED, 1, &[S(b"expand-path@openssh.com"), U(100)]));
    assert!(cut.ended().contains("ends in the middle of a field"));
}

#[test]
fn owners_are_named_as_many_as_are_asked_for() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "anna");
    let mut names = |users: &[u8], groups: &[u8]| {
        let (kind, body) = raw.ask(EXTENDED, 1, &fields("users-groups-by-id@openssh.com", &[S(users), S(groups)]));
        assert_eq!(kind, REPLY);
        body
    };
    assert_eq!(names(b"", b""), [0; 8]);
    // A list that is cut in the middle of a number ends before that.
    assert_eq!(names(&[1, 2, 3, 4, 5, 6], &[1]), [&[0, 0, 0, 4][..], &[0; 4], &[0; 4]].concat());
    let group = rustix::process::getegid().as_raw().to_be_bytes();
    assert_eq!(names(b"", &group), [&[0; 4][..], &[0, 0, 0, 12, 0, 0, 0, 8], b"causeway"].concat());
}

#[test]
fn room_is_told_by_path_and_by_handle() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "a").unwrap();
    std::os::unix::fs::symlink("nowhere", f.served("dangling")).unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    let real = rustix::fs::statvfs(f.served("")).unwrap();
    let file = raw.handle(OPEN, 1, &[S(b"a"), U(READS), U(0)]);
    let folder = raw.handle(OPENDIR, 1, &[S(b"/")]);
    for (name, of) in [("statvfs", &b"/"[..]), ("statvfs", b"a"), ("fstatvfs", &file), ("fstatvfs", &folder)] {
        let told = numbers(&mut raw, &format!("{name}@openssh.com"), &[S(of)]);
        let [block, fragment, total, free, available, files, files_free, _, _, flags, longest] = told[..] else {
            panic!("{name}: {told:?}")
        };
        assert_eq!((block, block * total), (fragment, real.f_frsize * real.f_blocks), "{name}");
        assert!(available <= free && free <= total && total > 0 && files_free <= files, "{name}: {told:?}");
        assert_eq!((longest, flags & 1), (real.f_namemax, 0), "{name}");
    }
    assert_eq!(code(&mut raw, "statvfs@openssh.com", &[S(b"none")]), NO_SUCH_FILE);
    assert_eq!(code(&mut raw, "statvfs@openssh.com", &[S(b"a/b")]), NO_SUCH_FILE);
    assert_eq!(code(&mut raw, "statvfs@openssh.com", &[S(b"dangling")]), NO_SUCH_FILE);
    assert_eq!(code(&mut raw, "statvfs@openssh.com", &[S(b"../.causeway-trash")]), PERMISSION_DENIED);
    assert_eq!(code(&mut raw, "fstatvfs@openssh.com", &[WRONG]), FAILURE);
    assert_eq!(code(&mut raw, "fstatvfs@openssh.com", &[S(b"a")]), FAILURE, "a path is no handle");
}

#[test]
fn fsync_takes_files_only_and_publishes_nothing() {
    let f = Fixture::new();
    std::fs::write(f.served("old"), "old").unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    let new = raw.handle(OPEN, 1, &[S(b"new"), U(PUT), U(0)]);
    assert_eq!(raw.status(WRITE, 2, &[S(&new), L(0), S(b"content")]), OK);
    assert_eq!(code(&mut raw, "fsync@openssh.com", &[S(&new)]), OK);
    assert!(std::fs::metadata(f.served("new")).is_err());
    assert_eq!(raw.status(CLOSE, 3, &[S(&new)]), OK);
    assert_eq!(std::fs::read(f.served("new")).unwrap(), b"content");
    assert_eq!(code(&mut raw, "fsync@openssh.com", &[S(&new)]), FAILURE, "closed");
    let old = raw.handle(OPEN, 4, &[S(b"old"), U(READS), U(0)]);
    assert_eq!(code(&mut raw, "fsync@openssh.com", &[S(&old)]), OK);
    let folder = raw.handle(OPENDIR, 5, &[S(b"/")]);
    assert_eq!(code(&mut raw, "fsync@openssh.com", &[S(&folder)]), FAILURE);
    assert_eq!(code(&mut raw, "fsync@openssh.com", &[WRONG]), FAILURE);
}

#[test]
fn a_second_name_is_given_to_files_only_and_replaces_nothing() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "a").unwrap();
    std::fs::write(f.served("b"), "b").unwrap();
    std::fs::create_dir(f.served("folder")).unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    let mut link = |from: &[u8], to: &[u8]| code(&mut raw, "hardlink@openssh.com", &[S(from), S(to)]);
    assert_eq!(link(b"a", b"folder/second"), OK);
    assert_eq!(link(b"a", b"b"), FAILURE);
    assert_eq!(link(b"none", b"c"), NO_SUCH_FILE);
    assert_eq!(link(b"a", b"none/c"), NO_SUCH_FILE);
    assert_eq!(link(b"folder", b"c"), PERMISSION_DENIED);
    assert_eq!(link(b"a", b".causeway-trash/c"), PERMISSION_DENIED);
    let (first, second) = (std::fs::metadata(f.served("a")).unwrap(), std::fs::metadata(f.served("folder/second")));
    assert_eq!((first.ino(), first.nlink()), (second.unwrap().ino(), 2));
    assert_eq!(std::fs::read(f.served("b")).unwrap(), b"b");
    let mut reader = Raw::greeted(&f, "reader");
    assert_eq!(code(&mut reader, "hardlink@openssh.com", &[S(b"a"), S(b"c")]), PERMISSION_DENIED);
    assert_eq!(f.names(""), ["a", "b", "folder"]);
}

#[test]
fn a_link_has_attributes_of_its_own() {
    let f = Fixture::new();
    std::fs::write(f.served("target"), "target").unwrap();
    std::os::unix::fs::symlink("target", f.served("link")).unwrap();
    std::os::unix::fs::symlink("none", f.served("dangling")).unwrap();
    let before = std::fs::metadata(f.served("target")).unwrap().mtime();
    let mut raw = Raw::greeted(&f, "anna");
    let mut set =
        |path: &[u8], time: u32| code(&mut raw, "lsetstat@openssh.com", &[S(path), U(TIMES), U(time), U(time)]);
    assert_eq!(set(b"link", 77), OK);
    assert_eq!(set(b"dangling", 88), OK);
    assert_eq!(set(b"none", 99), NO_SUCH_FILE);
    let time = |name: &str| std::fs::symlink_metadata(f.served(name)).unwrap().mtime();
    assert_eq!((time("link"), time("dangling"), time("target")), (77, 88, before));
    assert_eq!(set(b"target", 99), OK);
    assert_eq!(time("target"), 99);
    assert_eq!(code(&mut raw, "lsetstat@openssh.com", &[S(b"link"), U(1), L(3)]), BAD_MESSAGE, "a length");
    assert_eq!(std::fs::read(f.served("target")).unwrap(), b"target");
    let mut reader = Raw::greeted(&f, "reader");
    let times = [S(b"link"), U(TIMES), U(1), U(1)];
    assert_eq!(code(&mut reader, "lsetstat@openssh.com", &times), PERMISSION_DENIED);
    assert_eq!(time("link"), 77);
}

#[test]
fn posix_rename_replaces_files_and_no_folders() {
    let f = Fixture::new();
    for name in ["a", "b"] {
        std::fs::write(f.served(name), name).unwrap();
    }
    std::fs::create_dir_all(f.served("full/x")).unwrap();
    std::fs::create_dir(f.served("empty")).unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    let mut rename = |from: &[u8], to: &[u8]| code(&mut raw, "posix-rename@openssh.com", &[S(from), S(to)]);
    assert_eq!(rename(b"a", b"b"), OK);
    assert_eq!(std::fs::read(f.served("b")).unwrap(), b"a");
    assert_eq!(rename(b"a", b"c"), NO_SUCH_FILE);
    assert_eq!(rename(b"b", b"none/c"), NO_SUCH_FILE);
    assert_eq!(rename(b"b", b"empty"), FAILURE, "a folder");
    assert_eq!(rename(b"empty", b"b"), NO_SUCH_FILE, "not a folder, as rename(2) says it");
    assert_eq!(rename(b"empty", b"full"), FAILURE, "not empty");
    assert_eq!(rename(b"full", b"full/x/y"), BAD_MESSAGE, "into itself");
    assert_eq!(rename(b"b", b"b"), OK);
    assert_eq!(rename(b"b", b"x\0y"), BAD_MESSAGE);
    let mut reader = Raw::greeted(&f, "reader");
    assert_eq!(code(&mut reader, "posix-rename@openssh.com", &[S(b"b"), S(b"c")]), PERMISSION_DENIED);
    assert_eq!(f.names(""), ["b", "empty", "full"]);
    assert_eq!(std::fs::read(f.served("b")).unwrap(), b"a");
}

#[test]
fn data_is_copied_between_handles() {
    let f = Fixture::new();
    let content = noise(700_000);
    std::fs::write(f.served("from"), &content).unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    let from = raw.handle(OPEN, 1, &[S(b"from"), U(READS), U(0)]);
    let folder = raw.handle(OPENDIR, 1, &[S(b"/")]);
    let mut copies = |name: &[u8], parts: &[(u64, u64, u64, u32)]| {
        let to = raw.handle(OPEN, 2, &[S(name), U(PUT), U(0)]);
        for (at, length, onto, expected) in parts {
            let fields = [S(&from), L(*at), L(*length), S(&to), L(*onto)];
            assert_eq!(code(&mut raw, "copy-data", &fields), *expected, "{at} {length} {onto}");
        }
        for wrong in [[S(&from), L(0), L(0), WRONG, L(0)], [WRONG, L(0), L(0), S(&to), L(0)]] {
            assert_eq!(code(&mut raw, "copy-data", &wrong), FAILURE, "a handle that is not open");
        }
        for wrong in [[S(&from), L(0), L(0), S(&from), L(0)], [S(&folder), L(0), L(0), S(&to), L(0)]] {
            assert_eq!(code(&mut raw, "copy-data", &wrong), FAILURE, "a target to read, a folder");
        }
        assert_eq!(code(&mut raw, "copy-data", &[S(&to), L(0), L(0), S(&to), L(9)]), FAILURE, "onto itself");
        assert_eq!(raw.status(CLOSE, 3, &[S(&to)]), OK);
        std::fs::read(f.served(std::str::from_utf8(name).unwrap())).unwrap()
    };
    assert!(copies(b"whole", &[(0, 0, 0, OK)]) == content);
    assert!(copies(b"rest", &[(300_000, 0, 0, OK)]) == content[300_000..]);
    let parts = copies(b"parts", &[(500_000, 100_000, 0, OK), (0, 300_001, 100_000, OK)]);
    assert!(parts == [&content[500_000..600_000], &content[..300_001]].concat());
    // What there is is copied, and that it was less is said.
    assert!(copies(b"less", &[(600_000, 100_001, 0, EOF)]) == content[600_000..]);
    assert!(copies(b"nothing", &[(700_000, 1, 0, EOF), (u64::MAX, 1, 0, EOF), (0, 1, 0, OK)]) == content[..1]);
    assert!(std::fs::read(f.served("from")).unwrap() == content);
}
