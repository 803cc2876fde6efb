//! Where clients differ about what a packet looks like, told by how they call themselves.
//!
//! SYMLINK: the draft (section 6.10) has the link first and what it points to behind it. OpenSSH's server takes them the
//! other way round (its file `PROTOCOL`, section 4.1), and so most clients send them. Some go by what the server calls
//! itself: OpenSSH's order where that is OpenSSH, and the draft's with everybody else, so with us.
//!
//! `check-file`: its answer begins with the algorithm (draft-ietf-secsh-filexfer-extensions-00, section 3), and so WinSCP
//! reads it. Paramiko and Apache MINA have the extension's name before that, as draft-ietf-secsh-filexfer-09, section
//! 9.1.2, had it.

use crate::net::sftp::Request;

/// How clients begin to call themselves that send OpenSSH's order to OpenSSH only.
const BY_THE_SERVER: [&[u8]; 4] = [b"AsyncSSH_", b"libssh-", b"libssh_", WINSCP];

const WINSCP: &[u8] = b"WinSCP_";

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// SYMLINK has the link first, as the draft has it.
    link_first: bool,
    /// An answer to `check-file` begins with the algorithm.
    pub bare_sums: bool,
}

impl Dialect {
    /// That of a client by its identification string (RFC 4253, section 4.2). The default is that of most.
    pub(super) fn of(identification: &[u8]) -> Self {
        let software = identification.splitn(3, |byte| *byte == b'-').nth(2).unwrap_or_default();
        Self {
            link_first: BY_THE_SERVER.iter().any(|name| software.starts_with(name)),
            bare_sums: software.starts_with(WINSCP),
        }
    }

    /// A request as it is meant.
    pub(super) fn right(self, request: Request) -> Request {
        match request {
            Request::Symlink { target, path } if self.link_first => Request::Symlink { target: path, path: target },
            request => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn clients_are_told_by_their_names() {
        for (identification, link_first, bare_sums) in [
            ("SSH-2.0-AsyncSSH_2.24.1", true, false),
            ("SSH-2.0-libssh_0.10.6", true, false),
            ("SSH-2.0-WinSCP_release_6.3.5", true, true),
            ("SSH-2.0-libssh2_1.10.0", false, false),
            ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", false, false),
            ("SSH-2.0-paramiko_3.5.1", false, false),
            ("SSH-2.0-Go", false, false),
            ("SSH-2.0", false, false),
            ("", false, false),
        ] {
            assert_eq!(Dialect::of(identification.as_bytes()), Dialect { link_first, bare_sums }, "{identification}");
        }
    }

    #[test]
    fn only_the_paths_of_a_link_change_places() {
        let (one, other) = (Bytes::from_static(b"one"), Bytes::from_static(b"other"));
        let link = || Request::Symlink { target: one.clone(), path: other.clone() };
        let turned = Request::Symlink { target: other.clone(), path: one.clone() };
        let link_first = Dialect { link_first: true, ..Dialect::default() };
        assert_eq!(format!("{:?}", link_first.right(link())), format!("{turned:?}"));
        assert_eq!(format!("{:?}", Dialect::default().right(link())), format!("{:?}", link()));
        let rename = || Request::Rename { from: one.clone(), to: other.clone() };
        assert_eq!(format!("{:?}", link_first.right(rename())), format!("{:?}", rename()));
    }
}
