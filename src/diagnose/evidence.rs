//! What was seen: typed, timed, and told in plain words. A rule reads nothing else.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::model::{Fault, FaultKind};

/// How one try went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Outcome {
    /// What went wrong; none: it went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FaultKind>,
    /// The system's error number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// The reply's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// What was said: the reply, or the failure in words. Never holds a secret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

impl Outcome {
    /// It went well.
    #[must_use]
    pub fn well(took: Duration) -> Self {
        Self { millis: millis(took), ..Self::default() }
    }

    /// It did not.
    #[must_use]
    pub fn of(fault: &Fault, took: Duration) -> Self {
        let words = fault.evidence.reply.clone().unwrap_or_else(|| fault.message.clone());
        let (errno, code) = (fault.evidence.errno, fault.evidence.code);
        Self { failed: Some(fault.kind), errno, code, words, millis: millis(took) }
    }

    /// What a system error means.
    #[must_use]
    pub fn of_io(error: &std::io::Error, took: Duration) -> Self {
        let failed = Some(FaultKind::of_io(error));
        Self { failed, errno: error.raw_os_error(), code: None, words: error.to_string(), millis: millis(took) }
    }

    /// With what was said.
    #[must_use]
    pub fn saying(mut self, code: u16, words: &str) -> Self {
        self.code = Some(u32::from(code));
        self.words = words.chars().take(500).collect();
        self
    }

    /// Did it go well?
    #[must_use]
    pub const fn is_well(&self) -> bool {
        self.failed.is_none()
    }

    /// Did it fail in this way?
    #[must_use]
    pub fn is(&self, kind: FaultKind) -> bool {
        self.failed == Some(kind)
    }

    /// Did the network or the other end break it without a word, rather than refuse it in words?
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.code.is_none()
            && matches!(
                self.failed,
                Some(
                    FaultKind::Reset
                        | FaultKind::ClosedEarly
                        | FaultKind::Timeout
                        | FaultKind::Stalled
                        | FaultKind::Refused
                        | FaultKind::Unreachable
                )
            )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failed, self.code) {
            (None, None) => write!(f, "well, {} ms", self.millis),
            (None, Some(code)) => write!(f, "{code} {} ({} ms)", shorten(&self.words), self.millis),
            (Some(_), Some(code)) => write!(f, "{code} {}", shorten(&self.words)),
            (Some(kind), None) if self.words.is_empty() => write!(f, "{kind} after {} ms", self.millis),
            (Some(kind), None) => write!(f, "{kind} after {} ms: {}", self.millis, shorten(&self.words)),
        }
    }
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(160).collect()
}

/// Whole milliseconds.
#[must_use]
pub fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// What opened the conversation on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Greeting {
    /// A reply as FTP has it.
    Ftp,
    /// `SSH-2.0-…` (RFC 4253, section 4.2).
    Ssh,
    /// Something else, an HTTP answer for example.
    Other,
    /// Nothing came.
    Silence,
    /// The connection ended before a word.
    Closed,
}

/// How a data connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// EPSV (RFC 2428).
    Epsv,
    /// PASV, at the address of the control connection's peer.
    Pasv,
    /// PASV, at the address that the reply announces.
    Announced,
    /// The server connects to us (EPRT).
    Active,
    /// Nobody wrote down how: of what was observed, not tried.
    Untold,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Epsv => "EPSV",
            Self::Pasv => "PASV at the control peer's address",
            Self::Announced => "PASV at the announced address",
            Self::Active => "active mode",
            Self::Untold => "a connection of its own",
        })
    }
}

/// What an idle connection was kept awake with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Nothing at all.
    Nothing,
    /// TCP keepalive every so many seconds (RFC 9293, section 3.8.4).
    Keepalive(u64),
    /// NOOP every so many seconds.
    Noop(u64),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("with nothing sent"),
            Self::Keepalive(every) => write!(f, "with TCP keepalive every {every} s"),
            Self::Noop(every) => write!(f, "with NOOP every {every} s"),
        }
    }
}

/// How bytes moved over one data connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moved {
    /// What was asked for.
    pub what: String,
    /// Over which kind of data connection.
    pub way: Way,
    /// So many bytes were to come, where that is known.
    pub wanted: Option<u64>,
    /// So many came.
    pub bytes: u64,
    /// The longest TCP segment that was agreed to, where it was chosen by us.
    pub segment: Option<u32>,
    /// Did the data connection take up the TLS session of the control connection? None in the clear.
    pub resumed: Option<bool>,
    /// Did it end with close_notify (RFC 8446, section 6.1)? None in the clear, or where it did not end.
    pub farewell: Option<bool>,
    /// How opening the data connection and the bytes went.
    pub outcome: Outcome,
    /// The closing reply, when it was waited for.
    pub closing: Option<Outcome>,
}

impl Moved {
    /// All bytes are here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.outcome.is_well() && self.wanted.is_none_or(|wanted| self.bytes >= wanted)
    }
}

/// What one look showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Fact {
    /// A name was looked up.
    Named {
        /// Its addresses.
        addresses: Vec<IpAddr>,
        /// How it went.
        outcome: Outcome,
    },
    /// A connection whose packets may pass so many routers was tried, to the very port.
    Hop {
        /// Routers, the server itself counted.
        hops: u32,
        /// Connected, refused, an ICMP answer (unreachable), or silence (timeout).
        outcome: Outcome,
    },
    /// A TCP connection was tried.
    Connected {
        /// How it went.
        outcome: Outcome,
    },
    /// The first word on a connection.
    Greeted {
        /// What kind of word it was.
        greeting: Greeting,
        /// The time it took, its code and text.
        outcome: Outcome,
    },
    /// A hello of one TLS version was sent.
    Offered {
        /// As people know it.
        version: String,
        /// The version of the answer.
        chosen: Option<String>,
        /// The alert's number (RFC 8446, section 6).
        alert: Option<u8>,
        /// How it went.
        outcome: Outcome,
    },
    /// AUTH TLS was asked for.
    Auth {
        /// The reply.
        outcome: Outcome,
    },
    /// A TLS handshake with the certificate checked.
    Secured {
        /// Version and cipher suite.
        agreed: Option<String>,
        /// How it went.
        outcome: Outcome,
    },
    /// User and password were given.
    LoggedIn {
        /// Inside TLS.
        tls: bool,
        /// The reply.
        outcome: Outcome,
    },
    /// What the server says about itself (FEAT, SYST, STAT).
    Told {
        /// The command.
        command: String,
        /// The reply.
        outcome: Outcome,
    },
    /// A data connection was tried.
    DataPort {
        /// How.
        way: Way,
        /// Inside TLS on the control connection, so that nobody on the way could read the port.
        tls: bool,
        /// What the reply announced.
        announced: Option<SocketAddr>,
        /// How it went.
        outcome: Outcome,
    },
    /// Bytes were moved.
    Moved(Moved),
    /// A listing was read.
    Listed {
        /// Names in it.
        entries: u64,
        /// Lines that made no sense.
        unparsed: u64,
        /// Names that are not UTF-8.
        undecodable: u64,
        /// What the closing reply admits.
        admits: Option<String>,
    },
    /// The same file's time by LIST and by MDTM.
    Clock {
        /// By LIST minus by MDTM, in minutes.
        minutes: i64,
        /// Of so many files.
        files: u64,
    },
    /// One connection more was opened and logged in, while the others stayed.
    Opened {
        /// With it there were so many.
        number: u16,
        /// How it went.
        outcome: Outcome,
    },
    /// Data connections one after the other, as fast as they go.
    Burst {
        /// The so-manieth.
        number: u16,
        /// How it went.
        outcome: Outcome,
    },
    /// A logged-in connection was left idle.
    Held {
        /// With what it was kept awake.
        keep: Keep,
        /// Idle for so many seconds when it was asked, or when it ended by itself.
        seconds: f64,
        /// It ended when it was asked, not by itself.
        asked: bool,
        /// How it went.
        outcome: Outcome,
    },
    /// What an SSH server offers to agree on (RFC 4253, section 7.1), in its order.
    Algorithms {
        /// Ways to agree on keys.
        kex: Vec<String>,
        /// Kinds of host keys.
        host_keys: Vec<String>,
        /// Ciphers.
        ciphers: Vec<String>,
        /// How it calls itself.
        outcome: Outcome,
    },
    /// One connection more waited before its login, while the others stayed.
    Knocked {
        /// With it there were so many.
        number: u16,
        /// Was it greeted?
        outcome: Outcome,
    },
    /// A method of HTTP was tried.
    Asked {
        /// Which.
        method: String,
        /// The compliance classes that the answer names (RFC 4918, section 10.1).
        dav: Option<String>,
        /// The status and what goes with it.
        outcome: Outcome,
    },
    /// What the headers of all packets from and to the server told.
    Captured {
        /// So many.
        packets: u64,
        /// Resets in the name of the server,
        theirs: u64,
        /// and by us.
        ours: u64,
        /// The time to live of most packets of the server (IPv6: hop limit),
        life: Option<u8>,
        /// and of most of its resets: who sends in another's name stands elsewhere.
        reset_life: Option<u8>,
        /// The file that holds them.
        kept: Option<String>,
    },
    /// A step was left out.
    LeftOut {
        /// Why.
        why: String,
    },
}

impl Fact {
    /// How it went, where it is about one try.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Named { outcome, .. }
            | Self::Hop { outcome, .. }
            | Self::Connected { outcome }
            | Self::Greeted { outcome, .. }
            | Self::Offered { outcome, .. }
            | Self::Auth { outcome }
            | Self::Secured { outcome, .. }
            | Self::LoggedIn { outcome, .. }
            | Self::Told { outcome, .. }
            | Self::DataPort { outcome, .. }
            | Self::Moved(Moved { outcome, .. })
            | Self::Opened { outcome, .. }
            | Self::Burst { outcome, .. }
            | Self::Held { outcome, .. }
            | Self::Algorithms { outcome, .. }
            | Self::Knocked { outcome, .. }
            | Self::Asked { outcome, .. } => Some(outcome),
            Self::Listed { .. } | Self::Clock { .. } | Self::Captured { .. } | Self::LeftOut { .. } => None,
        }
    }
}

/// One look: when, in which step, against what, and what it showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seen {
    /// Its number, from 1 on; findings name it.
    pub id: usize,
    /// In which step.
    pub step: Step,
    /// Seconds since the beginning.
    pub at: f64,
    /// Host, address, port or path.
    pub against: String,
    /// What it showed.
    #[serde(flatten)]
    pub fact: Fact,
}
