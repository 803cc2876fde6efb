//! What suites of others found, once more with as little as it takes.

use super::door::{Fixture, PASSWORD, good};

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
