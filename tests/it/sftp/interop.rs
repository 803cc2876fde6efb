//! What suites of others found, once more with as little as it takes.

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use super::door::{Fixture, PASSWORD, good, noise, run};

/// Some clients send the two paths of SYMLINK in OpenSSH's order to OpenSSH only, and in the draft's to us.
#[test]
fn links_point_where_each_client_means() {
    let f = Fixture::new();
    let program = format!(
        "
from paramiko.sftp import CMD_SYMLINK
def come(name):
    other = paramiko.Transport(t.sock.getpeername())
    other.local_version = 'SSH-2.0-' + name
    other.connect(username='anna', password='{PASSWORD}')
    return paramiko.SFTPClient.from_transport(other)
s.open('target', 'w').close()
for number, name in enumerate(['libssh_0.10.6', 'AsyncSSH_2.24.1', 'WinSCP_release_6.3.5']):
    come(name)._request(CMD_SYMLINK, f'draft{{number}}', 'target')
for number, name in enumerate(['libssh2_1.11.1', 'OpenSSH_9.2', 'Go']):
    come(name)._request(CMD_SYMLINK, 'target', f'openssh{{number}}')
"
    );
    good(&f.paramiko(&program));
    for name in ["draft0", "draft1", "draft2", "openssh0", "openssh1", "openssh2"] {
        assert_eq!(std::fs::read_link(f.served(name)).unwrap().to_str(), Some("target"), "{name}");
    }
}

/// libssh2 sends what it announced and then no word, but the end of its channel.
#[test]
fn curl_copies_by_scp() {
    let f = Fixture::new();
    for (name, content) in [("big", noise(3 << 20)), ("empty", Vec::new())] {
        std::fs::write(f.local(name), &content).unwrap();
        let url = format!("scp://127.0.0.1:{}/{name}", f.address.port());
        let curl = |arguments: &[&OsStr]| {
            let mut command = Command::new("curl");
            command.args(["-sS", "--insecure", "-u", &format!("anna:{PASSWORD}")]).args(arguments).arg(&url);
            good(&run(command, None, Duration::from_secs(60)));
        };
        curl(&["-T".as_ref(), f.local(name).as_os_str()]);
        assert!(std::fs::read(f.served(name)).unwrap() == content, "{name}");
        let back = f.local("back");
        curl(&["-o".as_ref(), back.as_os_str()]);
        assert!(std::fs::read(&back).unwrap_or_default() == content, "{name}");
    }
}

/// Whose connection is lost has sent no end, even if it was lost behind the last byte.
#[test]
fn an_scp_whose_connection_is_lost_changes_nothing() {
    let f = Fixture::new();
    std::fs::write(f.served("old"), "old content").unwrap();
    let cut = "
c = t.open_session(); c.exec_command('scp -t old')
assert c.recv(1) == b'\\0'
c.sendall(b'C0644 4 old\\n'); assert c.recv(1) == b'\\0'
c.sendall(b'four'); t.sock.shutdown(socket.SHUT_RDWR)
";
    for _ in 0..5 {
        good(&f.paramiko(cut));
        f.eventually("the part is gone", || f.names("") == ["old"]);
        assert_eq!(std::fs::read(f.served("old")).unwrap(), b"old content");
    }
}

/// The length of a link cannot be set, and it is not the length of what it leads to.
#[test]
fn a_link_has_no_length_to_set() {
    let f = Fixture::new();
    std::fs::write(f.served("file"), "content").unwrap();
    std::os::unix::fs::symlink("file", f.served("link")).unwrap();
    let program = "
from paramiko.sftp import CMD_EXTENDED
a = paramiko.SFTPAttributes(); a.st_size = 0
try:
    s._request(CMD_EXTENDED, 'lsetstat@openssh.com', 'link', a); assert False
except IOError as error: print(error)
";
    let said = good(&f.paramiko(program));
    assert!(said.contains("no length that could be set"), "{said}");
    assert_eq!(std::fs::read(f.served("file")).unwrap(), b"content");
}
