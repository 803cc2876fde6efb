//! What goes wrong in the matrix.

use crate::support::scripted::{Act, Manner, pause, say};

/// Later than every deadline, milliseconds.
pub const LATE: u64 = 3000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// RST.
    Reset,
    /// FIN.
    Fin,
    /// It goes on when nobody waits any more.
    Late,
    /// It never goes on, and nobody is told.
    Silent,
    /// A no.
    Says(&'static str),
    /// A no, and the end of the session.
    Leaves(&'static str),
    /// Nothing wrong: in packets of one byte.
    Dripping,
    /// Nothing wrong: together with what follows.
    Held,
}

/// Why servers say that they end a session.
pub const FAREWELLS: [&str; 14] = [
    "421 There are too many connections from your internet address.",
    "421 There are too many connected users, please try later.",
    "421 Too many connections (8) from this IP",
    "421 50 users (the maximum) are already logged in, sorry",
    "421 Unable to accept any more connections, server is full",
    "421 Service not available, closing control connection.",
    "421 Service shutting down",
    "421 Terminating connection.",
    "421 Timeout.",
    "421 Timeout - try typing a little faster next time",
    "421 No transfer timeout (600 seconds): closing control connection",
    "421 Login timeout (60 seconds): closing control connection",
    "421 Data timeout. Reconnect. Sorry.",
    "421-Maintenance begins\r\n421 Come back tomorrow",
];

/// Why they refuse one thing for now.
pub const REFUSALS: [&str; 6] = [
    "425 Can't open data connection.",
    "426 Connection closed; transfer aborted.",
    "450 Requested file action not taken: file busy.",
    "451 Requested action aborted: local error in processing.",
    "452 Requested action not taken: insufficient storage space.",
    "452 Error writing file: no space left on device",
];

impl Harm {
    /// In the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reset => "RST",
            Self::Fin => "FIN",
            Self::Late => "late",
            Self::Silent => "silent",
            Self::Says(text) | Self::Leaves(text) => text,
            Self::Dripping => "byte by byte",
            Self::Held => "merged",
        }
    }

    /// What happens in place of a reply, or of what `usual` does.
    pub fn instead(self, usual: impl Into<Vec<Act>>) -> Vec<Act> {
        let (mut acts, line) = (Vec::new(), |text: &str| say(format!("{text}\r\n")));
        match self {
            Self::Reset => acts.push(Act::Reset),
            Self::Fin => acts.push(Act::Close),
            Self::Silent => acts.push(Act::Hang),
            Self::Says(text) => acts.push(line(text)),
            Self::Leaves(text) => acts.extend([line(text), Act::Close]),
            Self::Late => acts.push(pause(LATE)),
            Self::Dripping => acts.push(Act::Speak(Manner::Dripping)),
            Self::Held => acts.push(Act::Speak(Manner::Held)),
        }
        if matches!(self, Self::Late | Self::Dripping | Self::Held) {
            acts.extend(usual.into());
        }
        acts
    }
}
