//! How something failed. One vocabulary: remotes return it, retry decides on it, statistics count it,
//! pages show it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word for stores, JSON and pages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(()) }
            }
        }
    };
}

words! {
    /// Where in a conversation it happened.
    Phase {
        /// Name look-up.
        Resolve = "resolve",
        /// TCP connect of the (control) connection.
        Connect = "connect",
        /// Waiting for the server's greeting.
        Banner = "banner",
        /// TLS handshake or SSH key exchange.
        Tls = "tls",
        /// User, password, key.
        Login = "login",
        /// Any simple command.
        Command = "command",
        /// Reading a directory.
        List = "list",
        /// Asking for a file.
        Open = "open",
        /// Setting up an FTP data connection.
        DataConnect = "data-connect",
        /// Bytes are moving.
        Transfer = "transfer",
        /// All bytes moved, the closing word is awaited.
        Finish = "finish",
        /// Comparing what arrived with what should have.
        Verify = "verify",
        /// Putting the verified file under its name.
        Publish = "publish",
        /// Leaving.
        Close = "close",
    }
}

words! {
    /// What happened.
    FaultKind {
        /// TCP reset.
        Reset = "reset",
        /// The other side closed before it was done.
        ClosedEarly = "closed-early",
        /// A deadline passed while waiting for a reply.
        Timeout = "timeout",
        /// Bytes stopped moving.
        Stalled = "stalled",
        /// Connection refused.
        Refused = "refused",
        /// No route, no such host.
        Unreachable = "unreachable",
        /// Too many connections, users or clients; try with fewer.
        Limit = "limit",
        /// Wrong user, password or key.
        Auth = "auth",
        /// Logged in, but not allowed to do this.
        Permission = "permission",
        /// It is not there.
        Missing = "missing",
        /// Something is there already.
        Exists = "exists",
        /// The source changed while it was read.
        Changed = "changed",
        /// The source may still be being written: left for a later look.
        Unsettled = "unsettled",
        /// What arrived is not what should have.
        Mismatch = "mismatch",
        /// TLS or host key: certificate, version, name, pin.
        Tls = "tls",
        /// The other side said something that cannot be understood or trusted.
        Protocol = "protocol",
        /// A listing that is not proven complete.
        Incomplete = "incomplete",
        /// A name that cannot be used here.
        BadName = "bad-name",
        /// The other side cannot do this.
        Unsupported = "unsupported",
        /// No space or quota left.
        DiskFull = "disk-full",
        /// Local input or output failed.
        Io = "io",
        /// The work was told to stop.
        Cancelled = "cancelled",
    }
}

/// When another try makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// At once, on a fresh connection.
    Now,
    /// After a pause (a server's limit, a server that is down).
    Later,
    /// Not without a change by a person.
    Never,
}

/// What was seen, for statistics and diagnosis. All optional: absent means not known, not zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Bytes moved in this attempt before it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How long the connection had been idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// The operating system's error number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// The protocol's own code (FTP reply, HTTP status, SFTP status).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The text of the reply, shortened, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

/// A failure: phase, kind, retry, evidence, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{phase}: {message}")]
pub struct Fault {
    /// Where it happened.
    pub phase: Phase,
    /// What happened.
    pub kind: FaultKind,
    /// When to try again.
    pub retry: Retry,
    /// In plain words: lower case, no full stop, what was being done to what, and what to do next
    /// where that is known. Never holds a secret.
    pub message: String,
    /// What was seen.
    pub evidence: Evidence,
}

impl Fault {
    /// A fault with the usual retry of its kind.
    #[must_use]
    pub fn new(phase: Phase, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { phase, kind, retry: kind.usual_retry(), message: message.into(), evidence: Evidence::default() }
    }

    /// Overrides when to try again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds the protocol's code and reply text (shortened to 500 characters).
    #[must_use]
    pub fn reply(mut self, code: u32, text: &str) -> Self {
        self.evidence.code = Some(code);
        self.evidence.reply = Some(text.chars().take(500).collect());
        self
    }

    /// Adds how many bytes had moved.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.evidence.bytes = Some(bytes);
        self
    }

    /// Adds how long the connection had been idle.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.evidence.idle = Some(idle);
        self
    }

    /// Translates an operating system error met in `phase` while doing `what`.
    #[must_use]
    pub fn io(phase: Phase, what: &str, error: &std::io::Error) -> Self {
        let mut fault = Self::new(phase, FaultKind::of_io(error), format!("{what}: {error}"));
        fault.evidence.errno = error.raw_os_error();
        fault
    }
}

impl FaultKind {
    /// What usually helps against this kind.
    #[must_use]
    pub const fn usual_retry(self) -> Retry {
        match self {
            Self::Reset | Self::ClosedEarly | Self::Timeout | Self::Stalled | Self::Mismatch => Retry::Now,
            Self::Refused
            | Self::Unreachable
            | Self::Limit
            | Self::Changed
            | Self::Unsettled
            | Self::Protocol
            | Self::DiskFull
            | Self::Io => Retry::Later,
            Self::Auth
            | Self::Permission
            | Self::Missing
            | Self::Exists
            | Self::Tls
            | Self::Incomplete
            | Self::BadName
            | Self::Unsupported
            | Self::Cancelled => Retry::Never,
        }
    }

    /// The kind of an operating system error.
    #[must_use]
    pub fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        match error.kind() {
            E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe => Self::Reset,
            E::UnexpectedEof => Self::ClosedEarly,
            E::TimedOut => Self::Timeout,
            E::ConnectionRefused => Self::Refused,
            E::HostUnreachable | E::NetworkUnreachable | E::AddrNotAvailable | E::NetworkDown => Self::Unreachable,
            E::PermissionDenied | E::ReadOnlyFilesystem => Self::Permission,
            E::NotFound => Self::Missing,
            E::AlreadyExists | E::DirectoryNotEmpty => Self::Exists,
            E::StorageFull | E::QuotaExceeded => Self::DiskFull,
            // One file that does not fit (4 GiB on FAT) says nothing about the others.
            E::FileTooLarge | E::Unsupported => Self::Unsupported,
            E::InvalidFilename => Self::BadName,
            _ => Self::Io,
        }
    }

    /// Does it count as a connection reset in the statistics?
    #[must_use]
    pub const fn is_reset(self) -> bool {
        matches!(self, Self::Reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        assert!(Phase::ALL.iter().all(|p| p.as_str().parse() == Ok(*p)));
        assert!(FaultKind::ALL.iter().all(|k| k.as_str().parse() == Ok(*k)));
    }

    /// A full disk concerns every file and may pass; a file that is too big for the file system concerns one, for good.
    #[test]
    fn a_file_that_is_too_big_is_no_full_disk() {
        let kind = |kind: std::io::ErrorKind| FaultKind::of_io(&kind.into());
        assert_eq!(kind(std::io::ErrorKind::StorageFull), FaultKind::DiskFull);
        assert_eq!(kind(std::io::ErrorKind::QuotaExceeded), FaultKind::DiskFull);
        let too_big = kind(std::io::ErrorKind::FileTooLarge);
        assert_eq!((too_big, too_big.usual_retry()), (FaultKind::Unsupported, Retry::Never));
    }
}
