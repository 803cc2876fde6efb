//! Ordinary clients.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::Duration;

use causeway::serve::sftp::Settings;

use super::door::{Fixture, bad, good, noise, run};
use crate::support::skip::not_run;

const MIB: usize = 1 << 20;

#[test]
fn openssh_does_everything() {
    let f = Fixture::new();
    std::fs::write(f.local("a b"), "hello").unwrap();
    std::fs::write(f.local("empty"), "").unwrap();
    let local = f.local("");
    let batch = format!(
        "lcd {}\nmkdir d\ncd d\nput \"a b\"\nput -p empty\nrename \"a b\" c\nchmod 600 c\nln c hard\nln -s c soft\n\
         ls -la\nget c got\npwd\ndf\nrm hard\ncd ..\nmkdir e\nrmdir e\nls -l d\n",
        local.display()
    );
    let said = good(&f.sftp("anna", &[], &batch));
    assert!(said.contains("Remote working directory: /d"), "{said}");
    assert!(said.contains("-rw-------"), "{said}");
    assert_eq!(std::fs::read(f.local("got")).unwrap(), b"hello");
    assert_eq!(std::fs::metadata(f.served("d/c")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(f.names("d"), ["c", "empty", "soft"]);
    let wanted = std::fs::metadata(f.local("empty")).unwrap().modified().unwrap();
    let got = std::fs::metadata(f.served("d/empty")).unwrap().modified().unwrap();
    let second = |t: std::time::SystemTime| t.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(second(got), second(wanted), "put -p keeps the time");
    let events = f.runtime().block_on(async {
        let log = causeway::audit::AuditLog::new(f.db.clone(), std::sync::Arc::new(causeway::model::SystemClock));
        let mut lines = String::new();
        log.export(|line| {
            lines.push_str(&String::from_utf8_lossy(line));
            lines.push('\n');
            Ok::<_, causeway::db::DbError>(())
        })
        .await
        .map(|_| lines)
    });
    let events = events.unwrap_or_else(|_| panic!("the log cannot be read"));
    for word in ["login-succeeded", "door-uploaded", "door-renamed", "door-removed", "door-dir-made", "door-linked"] {
        assert!(events.contains(word), "{word} is missing in {events}");
    }
}

#[test]
fn openssh_moves_64_mib_whatever_is_in_flight() {
    let f = Fixture::new();
    let content = noise(64 * MIB);
    std::fs::write(f.local("big"), &content).unwrap();
    let (from, to) = (f.local("big"), f.local("back"));
    for flags in [&[][..], &["-R", "200"], &["-R", "1024", "-B", "261120"], &["-R", "3", "-B", "200000"]] {
        let batch = format!("put {} big\nget big {}\nrm big\n", from.display(), to.display());
        good(&f.sftp("anna", flags, &batch));
        assert!(std::fs::read(&to).unwrap() == content, "{flags:?}");
    }
    assert!(f.names("").is_empty());
}

#[test]
fn rekeying_never_stalls_a_transfer() {
    let f = Fixture::with(&Settings { rekey_bytes: MIB, ..Settings::default() });
    let content = noise(24 * MIB);
    std::fs::write(f.local("big"), &content).unwrap();
    let (from, to) = (f.local("big"), f.local("back"));
    let batch = format!("put {} big\nget big {}\n", from.display(), to.display());
    good(&f.sftp("anna", &[], &batch));
    assert!(std::fs::read(&to).unwrap() == content);
    good(&f.sftp("anna", &["-R", "200", "-oRekeyLimit=1M"], &batch));
    assert!(std::fs::read(&to).unwrap() == content);
}

#[test]
fn openssh_resumes_both_ways() {
    let f = Fixture::new();
    let content = noise(3 * MIB);
    std::fs::write(f.local("up"), &content).unwrap();
    std::fs::write(f.served("up"), &content[..MIB]).unwrap();
    std::fs::write(f.served("down"), &content).unwrap();
    std::fs::write(f.local("down"), &content[..MIB + 7]).unwrap();
    let batch = format!("reput {} up\nreget down {}\n", f.local("up").display(), f.local("down").display());
    good(&f.sftp("anna", &[], &batch));
    assert!(std::fs::read(f.served("up")).unwrap() == content);
    assert!(std::fs::read(f.local("down")).unwrap() == content);
}

#[test]
fn trees_go_up_and_down() {
    let f = Fixture::new();
    let tree = f.local("t");
    for folder in 0..20 {
        std::fs::create_dir_all(tree.join(format!("d{folder}"))).unwrap();
        for file in 0..30 {
            std::fs::write(tree.join(format!("d{folder}/f {file}")), noise(folder * 97 + file)).unwrap();
        }
    }
    let back = f.local("back");
    good(&f.sftp("anna", &[], &format!("put -pr {} t\nget -r t {}\n", tree.display(), back.display())));
    same(&tree, &back);
    same(&tree, &f.served("t"));
}

fn same(a: &std::path::Path, b: &std::path::Path) {
    let mut command = Command::new("diff");
    command.arg("-r").arg(a).arg(b);
    good(&run(command, None, Duration::from_secs(30)));
}

#[test]
fn names_in_gbk_are_listed_and_fetched() {
    let f = Fixture::new();
    let name = b"\xd6\xd0\xce\xc4.txt";
    std::fs::write(f.served(std::ffi::OsStr::from_bytes(name)), "gbk").unwrap();
    let got = f.local("got");
    good(&f.sftp("anna", &[], &format!("get *.txt {}\n", got.display())));
    assert_eq!(std::fs::read(&got).unwrap(), b"gbk");
    // Python shows the very bytes.
    let program = "s.sock and None\nfrom paramiko.sftp import CMD_OPENDIR, CMD_READDIR\n\
        _, m = s._request(CMD_OPENDIR, b'/')\nh = m.get_binary()\n_, m = s._request(CMD_READDIR, h)\n\
        n = m.get_int()\nnames = []\n\
        for _ in range(n):\n  names.append(m.get_binary()); m.get_binary(); paramiko.SFTPAttributes._from_msg(m)\n\
        print(sorted(names))";
    let said = good(&f.paramiko(program));
    assert!(said.contains(r"b'\xd6\xd0\xce\xc4.txt'"), "{said}");
}

#[test]
fn many_names_are_all_listed() {
    let f = Fixture::new();
    std::fs::create_dir(f.served("many")).unwrap();
    for number in 0..2500 {
        std::fs::write(f.served(format!("many/{number}-{}", "n".repeat(number % 200))), "").unwrap();
    }
    let said = good(&f.sftp("anna", &[], "ls -1 many\n"));
    assert_eq!(said.lines().filter(|line| line.starts_with("many/")).count(), 2500);
}

#[test]
fn lftp_reads_and_writes() {
    let f = Fixture::new();
    let tree = f.local("t");
    std::fs::create_dir_all(tree.join("sub/ümlaut")).unwrap();
    for file in 0..40 {
        std::fs::write(tree.join(format!("sub/ümlaut/f{file}")), noise(file * 1000)).unwrap();
    }
    std::fs::write(tree.join("big"), noise(8 * MIB)).unwrap();
    let back = f.local("back");
    good(&f.lftp(&format!("mirror -R -P4 {} t; mirror -P4 t {}", tree.display(), back.display())));
    same(&tree, &back);
    good(&f.lftp(&format!(
        "put {} -o x; mv x y; chmod 640 y; cat y > {}; rm y; rm -r t",
        tree.join("big").display(),
        f.local("cat").display()
    )));
    assert!(std::fs::read(f.local("cat")).unwrap() == noise(8 * MIB));
    assert!(f.names("").is_empty());
}

#[test]
fn rclone_copies_checks_and_syncs() {
    let f = Fixture::new();
    let tree = f.local("t");
    std::fs::create_dir_all(tree.join("sub")).unwrap();
    for file in 0..60 {
        std::fs::write(tree.join(format!("sub/f{file}")), noise(file * 517)).unwrap();
    }
    std::fs::write(tree.join("big"), noise(40 * MIB)).unwrap();
    let (source, back) = (tree.to_str().unwrap().to_owned(), f.local("back"));
    good(&f.rclone(&["sync", &source, "door:t"]));
    good(&f.rclone(&["check", "--download", &source, "door:t"]));
    let second = f.rclone(&["sync", "-v", "--stats-one-line", &source, "door:t"]);
    good(&second);
    assert!(String::from_utf8_lossy(&second.stderr).contains("There was nothing to transfer"), "times are kept");
    std::fs::remove_file(tree.join("sub/f3")).unwrap();
    std::fs::write(tree.join("sub/f4"), "changed").unwrap();
    good(&f.rclone(&["sync", &source, "door:t"]));
    good(&f.rclone(&["copy", "--multi-thread-streams", "4", "door:t", back.to_str().unwrap()]));
    same(&tree, &back);
    same(&tree, &f.served("t"));
}

#[test]
fn paramiko_prefetches_a_whole_file() {
    let f = Fixture::new();
    let content = noise(200 * MIB);
    std::fs::write(f.served("big"), &content).unwrap();
    let back = f.local("back");
    good(&f.paramiko(&format!("s.get('big', '{}')", back.display())));
    assert!(std::fs::read(&back).unwrap() == content);
}

#[test]
fn paramiko_writes_reads_and_appends() {
    let f = Fixture::new();
    let program = "
h = s.open('x', 'w+'); h.write(b'hello'); h.flush(); h.seek(0); assert h.read() == b'hello'; assert h.stat().st_size == 5
assert s.stat('x').st_size == 5
s.utime('x', (1000000000, 1000000000)); h.close()
assert s.stat('x').st_mtime == 1000000000, s.stat('x')
h = s.open('x', 'a'); h.write(b' world'); h.close()
h = s.open('x', 'r+'); h.seek(6); h.write(b'W'); h.close()
assert s.open('x').read() == b'hello World'
try:
    s.open('x', 'wx'); assert False
except IOError as e: print(e)
s.truncate('x', 5); assert s.open('x').read() == b'hello'
s.symlink('/d/../x', 'l'); assert s.readlink('l') == 'x', s.readlink('l'); assert s.open('l').read() == b'hello'
assert s.normalize('a/../b') == '/b'
h = s.open('tmp~', 'w'); h.write(b'1'); s.rename('tmp~', 'final'); h.close(); assert s.open('final').read() == b'1'
s.open('y', 'w').close(); s.posix_rename('y', 'x'); assert s.stat('x').st_size == 0
for bad in [lambda: s.rename('x', 'final'), lambda: s.mkdir('final'), lambda: s.rmdir('final'), lambda: s.listdir('x'), lambda: s.stat('none'), lambda: s.remove('none')]:
    try: bad(); assert False
    except IOError as e: print(e)
";
    let said = good(&f.paramiko(program));
    assert!(said.contains("there is something of that name already"), "{said}");
    assert_eq!(f.names(""), ["final", "l", "x"]);
}

#[test]
fn paramiko_asks_for_digests_instead_of_reading_again() {
    let f = Fixture::new();
    let program = "
import hashlib, zlib
content = bytes(n * 7 % 251 for n in range(300_000))
h = s.open('x', 'w'); h.write(content); h.flush(); assert h.check('sha1') == hashlib.sha1(content).digest(); h.close()
h = s.open('x')
for name in ['md5', 'sha1', 'sha256', 'sha512']:
    assert h.check(name) == hashlib.new(name, content).digest(), name
assert h.check('crc32') == zlib.crc32(content).to_bytes(4, 'big')
# The first that is known; a part; blocks, of which the last is short; and more than there is.
assert h.check('whirlpool,md5', 1000, 5000) == hashlib.md5(content[1000:6000]).digest()
blocks = b''.join(hashlib.md5(content[at:at + 65536]).digest() for at in range(0, 300_000, 65536))
assert h.check('md5', 0, 0, 65536) == blocks
assert h.check('md5', 290_000, 1_000_000) == hashlib.md5(content[290_000:]).digest()
s.open('empty', 'w').close(); e = s.open('empty')
assert e.check('sha256') == hashlib.sha256().digest() and e.check('md5', 0, 0, 256) == b''
for bad in [lambda: h.check('whirlpool'), lambda: h.check('md5', 0, 0, 255), lambda: e.check('md5', 0, 0, 1)]:
    try: bad(); assert False
    except IOError as error: print(error)
";
    let said = good(&f.paramiko(program));
    assert!(said.contains("none of these hashes is known here, but these are: sha256, sha512"), "{said}");
    assert!(said.contains("a block has 256 bytes at least"), "{said}");
}

#[test]
fn two_who_append_do_not_lose_each_others_lines() {
    let f = Fixture::new();
    let program = "
from paramiko.sftp import CMD_CLOSE
h = s.open('log', 'w'); h.write(b'0\\n'); h.close()
a = s.open('log', 'a'); b = s.open('log', 'a')
a.write(b'a\\n'); b.write(b'b\\n')
s._request(CMD_CLOSE, a.handle)
try:
    s._request(CMD_CLOSE, b.handle); assert False
except IOError as e: print(e)
assert s.open('log').read() == b'0\\na\\n', s.open('log').read()
b = s.open('log', 'a'); b.write(b'b\\n'); s._request(CMD_CLOSE, b.handle)
assert s.open('log').read() == b'0\\na\\nb\\n'
";
    let said = good(&f.paramiko(program));
    assert!(said.contains("somebody else changed the file"), "{said}");
}

/// As editors over sshfs do it: the file is open, is renamed, and is closed later.
#[test]
fn a_file_that_is_open_is_renamed_like_any_other() {
    let f = Fixture::new();
    let program = "
from paramiko.sftp import CMD_CLOSE
def put(name, text):
    h = s.open(name, 'w'); h.write(text); h.close()
def names(): return sorted(s.listdir('.'))
put('a', b'old a'); put('b', b'old b')
h = s.open('a', 'r+'); h.write(b'NEW')
s.rename('a', 'c')
assert names() == ['b', 'c'], names()
assert s.open('c').read() == b'old a'
s._request(CMD_CLOSE, h.handle)
assert s.open('c').read() == b'NEW a' and names() == ['b', 'c']
h = s.open('c', 'r+'); h.write(b'two')
s.posix_rename('c', 'b')
s._request(CMD_CLOSE, h.handle)
assert s.open('b').read() == b'two a' and names() == ['b'], names()
h = s.open('b', 'w'); h.write(b'three')
put('d', b'in the way')
try:
    s.rename('b', 'd'); assert False
except IOError: pass
s.posix_rename('b', 'd')
assert s.open('d').read() == b'two a' and names() == ['d']
s._request(CMD_CLOSE, h.handle)
assert s.open('d').read() == b'three' and names() == ['d']
h = s.open('fresh', 'wx'); h.write(b'1')
s.rename('fresh', 'named')
assert names() == ['d'], 'it is not complete yet'
s._request(CMD_CLOSE, h.handle)
assert names() == ['d', 'named'] and s.open('named').read() == b'1'
print('renamed')
";
    assert!(good(&f.paramiko(program)).contains("renamed"));
    let count = "SELECT count(*) FROM audit WHERE action = 'door-renamed'";
    let moved: i64 = f.runtime().block_on(sqlx::query_scalar(count).fetch_one(f.db.read())).unwrap();
    assert_eq!(moved, 3, "what was there and went is in the log");
}

/// Old clients know RSA alone; and what `put -f` asks for is done.
#[test]
fn an_old_client_comes_in_by_rsa_and_files_are_synced() {
    let f = Fixture::new();
    let key = f.local("id_rsa");
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f"]).arg(&key);
    good(&run(command, None, Duration::from_secs(30)));
    let line = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    f.runtime().block_on(async {
        f.accounts.add_key(&causeway::audit::Actor::System, "anna", &line).await.unwrap();
    });
    std::fs::write(f.local("up"), "synced").unwrap();
    for host_key in ["rsa-sha2-512", "rsa-sha2-256"] {
        let mut command = Command::new("sftp");
        command.args(["-vv", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oIdentitiesOnly=yes"]);
        command.args([&format!("-oHostKeyAlgorithms={host_key}"), &format!("-oPubkeyAcceptedAlgorithms={host_key}")]);
        command.arg("-i").arg(&key).args([&format!("-oPort={}", f.address.port()), "-b", "-", "anna@127.0.0.1"]);
        let put = format!("put -f {} {host_key}\n", f.local("up").display());
        let output = run(command, Some(&put), Duration::from_secs(30));
        good(&output);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("host key algorithm: {host_key}")), "{said}");
        assert!(said.contains("Sending SSH2_FXP_EXTENDED(fsync)") || said.contains("fsync@openssh.com"), "{said}");
        assert_eq!(std::fs::read(f.served(host_key)).unwrap(), b"synced");
    }
}

#[test]
fn curl_reads_and_writes() {
    let protocols = Command::new("curl").arg("-V").output().unwrap();
    if !String::from_utf8_lossy(&protocols.stdout).contains(" sftp") {
        not_run("curl over SFTP", "this curl has no SFTP");
        return;
    }
    let f = Fixture::new();
    let content = noise(2 * MIB);
    std::fs::write(f.local("up"), &content).unwrap();
    let url = format!("sftp://127.0.0.1:{}/up", f.address.port());
    let user = format!("anna:{}", super::door::PASSWORD);
    for arguments in [&["-T", f.local("up").to_str().unwrap()][..], &["-o", f.local("down").to_str().unwrap()]] {
        let mut command = Command::new("curl");
        command.args(["-sS", "-k", "-u", &user]).args(arguments).arg(&url);
        good(&run(command, None, Duration::from_secs(60)));
    }
    assert!(std::fs::read(f.local("down")).unwrap() == content);
}

#[test]
fn a_key_opens_the_door() {
    let f = Fixture::new();
    let key = f.local("id");
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    good(&run(command, None, Duration::from_secs(10)));
    let line = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    f.runtime().block_on(async {
        f.accounts.add_key(&causeway::audit::Actor::System, "bert", &line).await.unwrap();
    });
    let mut command = Command::new("sftp");
    command.args(["-q", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR", "-i"]);
    command.arg(&key).args([
        "-oIdentitiesOnly=yes",
        "-b",
        "-",
        &format!("-oPort={}", f.address.port()),
        "bert@127.0.0.1",
    ]);
    good(&run(command, Some("mkdir mine\npwd\n"), Duration::from_secs(30)));
    assert!(f.served("home/bert/mine").is_dir());
}

#[test]
fn nobody_leaves_the_tree_or_their_home() {
    let f = Fixture::new();
    std::fs::write(f.local("secret"), "secret").unwrap();
    std::fs::write(f.served("outside"), "x").unwrap();
    std::fs::create_dir_all(f.served("home/bert")).unwrap();
    symlink(f.local("secret"), f.served("home/bert/abs")).unwrap();
    symlink("../../outside", f.served("home/bert/up")).unwrap();
    let to = f.local("stolen");
    for command in
        ["get abs", "get up", "get ../../outside", "put /etc/hostname abs", "ln -s ../../outside z", "cd abs"]
    {
        let batch =
            if command.starts_with("get") { format!("{command} {}\n", to.display()) } else { format!("{command}\n") };
        bad(&f.sftp("bert", &[], &batch));
    }
    assert!(!to.exists());
    assert_eq!(std::fs::read(f.local("secret")).unwrap(), b"secret");
}

#[test]
fn a_reader_may_not_write() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "x").unwrap();
    for command in ["put /etc/hostname b", "rm a", "mkdir d", "rename a b", "chmod 600 a", "ln -s a b"] {
        let said = bad(&f.sftp("reader", &[], &format!("{command}\n"))).to_lowercase();
        assert!(said.contains("permission denied") || said.contains("may read"), "{command}: {said}");
    }
    good(&f.sftp("reader", &[], &format!("get a {}\n", f.local("a").display())));
    assert_eq!(f.names(""), ["a"]);
}

#[test]
fn a_wrong_password_and_other_services_are_refused() {
    let f = Fixture::new();
    let port = format!("-oPort={}", f.address.port());
    let options = [
        "-oStrictHostKeyChecking=no",
        "-oUserKnownHostsFile=/dev/null",
        "-oPubkeyAuthentication=no",
        "-oNumberOfPasswordPrompts=1",
    ];
    let mut command = Command::new("sshpass");
    command.args(["-p", "wrong", "sftp", "-q"]).args(options).args([
        "-oPreferredAuthentications=password",
        "-oBatchMode=no",
        "-b",
        "-",
        &port,
        "anna@127.0.0.1",
    ]);
    let said = bad(&run(command, Some("ls\n"), Duration::from_secs(30)));
    assert!(said.contains("Permission denied") || said.contains("Connection closed"), "{said}");
    let mut command = Command::new("sshpass");
    command.args(["-p", super::door::PASSWORD, "ssh"]).args(options).args([&port, "anna@127.0.0.1", "rm -rf /"]);
    let said = bad(&run(command, None, Duration::from_secs(30)));
    assert!(said.contains("no commands are run here"), "{said}");
}

#[test]
fn scp_speaks_sftp() {
    let f = Fixture::new();
    let content = noise(MIB);
    std::fs::write(f.local("up"), &content).unwrap();
    let away = "anna@127.0.0.1:";
    for (from, to) in [
        (f.local("up").display().to_string(), format!("{away}x")),
        (format!("{away}x"), f.local("down").display().to_string()),
    ] {
        let mut command = Command::new("sshpass");
        command.args(["-p", super::door::PASSWORD, "scp", "-s", "-q", "-oStrictHostKeyChecking=no"]);
        command.args(["-oUserKnownHostsFile=/dev/null", "-oPubkeyAuthentication=no", "-oLogLevel=ERROR"]);
        command.args([&format!("-oPort={}", f.address.port()), &from, &to]);
        good(&run(command, None, Duration::from_secs(30)));
    }
    assert!(std::fs::read(f.local("down")).unwrap() == content);
}
