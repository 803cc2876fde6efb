//! In which order a client sends the two paths of SYMLINK.
//!
//! The draft (section 6.10) has the link first and what it points to behind it. OpenSSH's server takes them the other
//! way round (its file `PROTOCOL`, section 4.1), and so most clients send them. Some go by what the server calls
//! itself: OpenSSH's order where that is OpenSSH, and the draft's with everybody else, so with us.

use crate::net::sftp::Request;

/// How clients begin to call themselves that send OpenSSH's order to OpenSSH only.
const BY_THE_SERVER: [&[u8]; 4] = [b"AsyncSSH_", b"libssh-", b"libssh_", b"WinSCP_"];

/// Which of the two comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkOrder {
    /// What the link points to, as OpenSSH has it.
    TargetFirst,
    /// The link, as the draft has it.
    LinkFirst,
}

impl LinkOrder {
    /// That of a client by its identification string (RFC 4253, section 4.2).
    pub(super) fn of(identification: &[u8]) -> Self {
        let software = identification.splitn(3, |byte| *byte == b'-').nth(2).unwrap_or_default();
        if BY_THE_SERVER.iter().any(|name| software.starts_with(name)) { Self::LinkFirst } else { Self::TargetFirst }
    }

    /// A request as it is meant.
    pub(super) fn right(self, request: Request) -> Request {
        match (self, request) {
            (Self::LinkFirst, Request::Symlink { target, path }) => Request::Symlink { target: path, path: target },
            (_, request) => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn clients_are_told_by_their_names() {
        for (identification, expected) in [
            ("SSH-2.0-AsyncSSH_2.24.1", LinkOrder::LinkFirst),
            ("SSH-2.0-libssh_0.10.6", LinkOrder::LinkFirst),
            ("SSH-2.0-WinSCP_release_6.3.5", LinkOrder::LinkFirst),
            ("SSH-2.0-libssh2_1.10.0", LinkOrder::TargetFirst),
            ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", LinkOrder::TargetFirst),
            ("SSH-2.0-paramiko_3.5.1", LinkOrder::TargetFirst),
            ("SSH-2.0-Go", LinkOrder::TargetFirst),
            ("SSH-2.0", LinkOrder::TargetFirst),
            ("", LinkOrder::TargetFirst),
        ] {
            assert_eq!(LinkOrder::of(identification.as_bytes()), expected, "{identification}");
        }
    }

    #[test]
    fn only_the_paths_of_a_link_change_places() {
        let (one, other) = (Bytes::from_static(b"one"), Bytes::from_static(b"other"));
        let link = || Request::Symlink { target: one.clone(), path: other.clone() };
        let turned = Request::Symlink { target: other.clone(), path: one.clone() };
        assert_eq!(format!("{:?}", LinkOrder::LinkFirst.right(link())), format!("{turned:?}"));
        assert_eq!(format!("{:?}", LinkOrder::TargetFirst.right(link())), format!("{:?}", link()));
        let rename = || Request::Rename { from: one.clone(), to: other.clone() };
        assert_eq!(format!("{:?}", LinkOrder::LinkFirst.right(rename())), format!("{:?}", rename()));
    }
}
