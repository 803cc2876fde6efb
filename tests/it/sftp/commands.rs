//! Commands by name: `scp` in its old protocol, and the digests that rclone asks for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::door::{Fixture, PASSWORD, bad, good, noise, run};

const MIB: usize = 1 << 20;

fn options(f: &Fixture) -> Vec<String> {
    let mut options: Vec<_> = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "PubkeyAuthentication=no"]
        .map(|option| format!("-o{option}"))
        .into();
    options.extend([format!("-oPort={}", f.address.port()), "-oLogLevel=ERROR".to_owned()]);
    options
}

/// Runs `scp` as it was before it spoke SFTP.
fn scp(f: &Fixture, arguments: &[&OsStr]) -> Output {
    let mut command = Command::new("sshpass");
    command.args(["-p", PASSWORD, "scp", "-O", "-q"]).args(options(f)).args(arguments);
    run(command, None, Duration::from_secs(60))
}

/// Runs a command at the door.
fn ssh(f: &Fixture, user: &str, line: &str, input: Option<&str>) -> Output {
    let mut command = Command::new("sshpass");
    command.args(["-p", PASSWORD, "ssh"]).args(options(f)).args([&format!("{user}@127.0.0.1"), line]);
    run(command, input, Duration::from_secs(60))
}

fn away(path: &str) -> OsString {
    format!("anna@127.0.0.1:{path}").into()
}

/// Everything below `root`: path, permission bits, modification time, content.
fn all(root: &Path) -> Vec<(OsString, u32, i64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.metadata().unwrap();
            let content = if meta.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
            let name = path.strip_prefix(root).unwrap().as_os_str().to_owned();
            found.push((name, meta.permissions().mode() & 0o777, meta.mtime(), content));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn old_scp_copies_trees_both_ways() {
    let f = Fixture::new();
    let tree = f.local("tree");
    std::fs::create_dir_all(tree.join("d/e")).unwrap();
    std::fs::create_dir(tree.join("hollow")).unwrap();
    std::fs::write(tree.join("empty"), "").unwrap();
    std::fs::write(tree.join("big"), noise(3 * MIB + 17)).unwrap();
    std::fs::write(tree.join("d/it's \"here\" \\ ok"), "quoted").unwrap();
    std::fs::write(tree.join(OsStr::from_bytes(b"d/e/\xd6\xd0\xce\xc4.txt")), "in GBK").unwrap();
    std::fs::write(tree.join("d/run"), "#!").unwrap();
    std::fs::set_permissions(tree.join("d/run"), std::fs::Permissions::from_mode(0o750)).unwrap();
    for (path, second) in [("big", 1_000_000_000), ("d/e", 1_100_000_000), ("d", 1_200_000_000)] {
        let file = std::fs::File::open(tree.join(path)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    }
    good(&scp(&f, &["-r".as_ref(), "-p".as_ref(), tree.as_os_str(), &away("up")]));
    assert!(all(&f.served("up")) == all(&tree), "what went up differs");
    let audited = |action: &'static str| {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM audit WHERE action = ?").bind(action);
        f.runtime().block_on(count.fetch_one(f.db.read())).unwrap()
    };
    assert_eq!((audited("door-uploaded"), audited("door-dir-made"), audited("door-attributes")), (5, 4, 4));
    let back = f.local("back");
    good(&scp(&f, &["-r".as_ref(), "-p".as_ref(), &away("/up"), back.as_os_str()]));
    assert!(all(&back) == all(&tree), "what came down differs");
    // Into a folder that is there, and over a file that is there.
    std::fs::write(f.served("up/big"), "old").unwrap();
    good(&scp(&f, &[tree.join("big").as_os_str(), tree.join("empty").as_os_str(), &away("up/")]));
    assert!(std::fs::read(f.served("up/big")).unwrap() == noise(3 * MIB + 17));
}

#[test]
fn old_scp_takes_wildcards_and_names_what_it_cannot_copy() {
    let f = Fixture::new();
    for name in ["a.txt", "b.txt", ".c.txt", "d.bin"] {
        std::fs::write(f.served(name), name).unwrap();
    }
    std::fs::create_dir(f.served("folder")).unwrap();
    let to = f.local("got");
    std::fs::create_dir(&to).unwrap();
    good(&scp(&f, &[&away("*.txt"), to.as_os_str()]));
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["a.txt", "b.txt"]);
    // As a shell would split it; the client is told not to mind that (-T).
    let said = bad(&scp(&f, &["-T".as_ref(), &away("none d.bin"), to.as_os_str()]));
    assert!(said.contains("none: No such file"), "{said}");
    let said = bad(&scp(&f, &[&away("folder"), to.as_os_str()]));
    assert!(said.contains("this is a folder: copy it with -r"), "{said}");
    assert_eq!(names(), ["a.txt", "b.txt", "d.bin"], "the others came all the same");
    let said = bad(&scp(&f, &[&away("*.none"), to.as_os_str()]));
    assert!(said.contains("o such file"), "{said}");
}

#[test]
fn old_scp_stays_within_the_rights_and_the_tree() {
    let f = Fixture::new();
    std::fs::write(f.local("secret"), "secret").unwrap();
    std::fs::write(f.served("outside"), "secret, too").unwrap();
    std::fs::create_dir_all(f.served("home/bert")).unwrap();
    symlink(f.local("secret"), f.served("home/bert/link")).unwrap();
    let refused = ssh(&f, "reader", "scp -t .", Some("C0644 1 new\nx\0"));
    assert!(bad(&refused).contains("may read"), "{refused:?}");
    for path in ["link", "../../outside", "/../../outside"] {
        let said = ssh(&f, "bert", &format!("scp -f {path}"), Some("\0\0\0"));
        assert!(!said.stdout.windows(6).any(|bytes| bytes == b"secret"), "{path}: {said:?}");
        bad(&said);
    }
    for record in ["C0644 1 ../x\nx\0", "C0644 1 a/b\nx\0", "D0755 0 ..\nC0644 1 x\nx\0E\n", "X\n"] {
        let said = ssh(&f, "bert", "scp -r -t .", Some(record));
        assert_eq!(said.status.code(), Some(1), "{record:?}: {said:?}");
        assert!(said.stdout.windows(5).any(|bytes| bytes == b"scp: "), "{record:?}: {said:?}");
    }
    assert_eq!(f.names(""), ["home", "outside"]);
    assert_eq!(f.names("home/bert"), ["link"]);
    assert_eq!(std::fs::read(f.local("secret")).unwrap(), b"secret");
}

#[test]
fn an_old_scp_that_is_cut_leaves_nothing_and_keeps_the_old_file() {
    let f = Fixture::new();
    std::fs::write(f.served("old"), "old content").unwrap();
    for cut in ["C0644 100 old\n", "C0644 100 old\nhalf of it", "C0644 4 old\nfour\x01it changed\n"] {
        let said = ssh(&f, "anna", "scp -t old", Some(cut));
        assert_eq!(said.status.code(), Some(1), "{cut:?}: {said:?}");
        assert_eq!(std::fs::read(f.served("old")).unwrap(), b"old content", "{cut:?}");
        assert_eq!(f.names(""), ["old"], "{cut:?}");
        // Whoever says that a file is not what it meant tells the reason itself.
        let told = said.stdout.windows(5).any(|bytes| bytes == b"scp: ");
        assert_eq!(told, !cut.contains("changed"), "{cut:?}: {said:?}");
    }
    good(&ssh(&f, "anna", "scp -t old", Some("C0644 4 old\nfour\0")));
    assert_eq!(std::fs::read(f.served("old")).unwrap(), b"four");
}

#[test]
fn who_neither_reads_nor_stops_sending_is_shown_out() {
    let f = Fixture::new();
    std::fs::write(f.served("big"), noise(8 * MIB)).unwrap();
    let program = "
c = t.open_session(); c.settimeout(20); c.exec_command('scp -f big')
try:
    for n in range(2000): c.sendall(b'\\0' * 32768)
    print('it took all of it')
except socket.timeout: print('it stood still')
except Exception as error: print('shown out')
";
    let said = good(&f.paramiko(program));
    assert!(said.contains("shown out"), "{said}");
    assert_eq!(good(&ssh(&f, "anna", "md5sum big", None)).len(), 32 + 2 + 4);
}

#[test]
fn rclone_compares_by_the_servers_digests() {
    let f = Fixture::new();
    std::fs::create_dir(f.served("d")).unwrap();
    std::fs::write(f.served("d/it's here"), "content").unwrap();
    let said = good(&f.rclone(&["hashsum", "md5", "door:d"]));
    assert!(said.contains("9a0364b9e99bb480dd25e1f0284c8555  it's here"), "{said}");
    let said = good(&f.rclone(&["hashsum", "sha1", "door:d"]));
    assert!(said.contains("040f06fd774092478d450774f5ba30c5da78acc8  it's here"), "{said}");
    std::fs::create_dir(f.local("d")).unwrap();
    std::fs::write(f.local("d/it's here"), "CONTENT").unwrap();
    let said = bad(&f.rclone(&["check", f.local("d").to_str().unwrap(), "door:d"]));
    assert!(said.contains("md5 differ") || said.contains("sha1 differ"), "{said}");
}

#[test]
fn digests_are_lines_as_coreutils_write_them() {
    let f = Fixture::new();
    std::fs::write(f.served("a b"), "content").unwrap();
    let said = ssh(&f, "anna", "sha256sum 'a b' none", None);
    assert_eq!(said.status.code(), Some(1));
    let line = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73  a b\n";
    assert_eq!(String::from_utf8_lossy(&said.stdout), line);
    assert_eq!(String::from_utf8_lossy(&said.stderr), "none: No such file\n");
    let said = good(&ssh(&f, "anna", "md5sum", Some("content")));
    assert!(said.contains("9a0364b9e99bb480dd25e1f0284c8555  -"), "{said}");
    let said = bad(&ssh(&f, "anna", "rsync --server . /", None));
    assert!(said.contains("rsync is not offered here"), "{said}");
}
