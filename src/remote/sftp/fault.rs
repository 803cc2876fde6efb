//! From the status codes of SFTP and the errors of SSH to faults: the one place.
//! draft-ietf-secsh-filexfer-02 section 7, the codes of its later versions, RFC 4253 section 11.1.

use russh::{ChannelOpenFailure, Disconnect, Error};

use crate::model::{Fault, FaultKind, Phase, Retry};

/// Of the draft: all went well.
pub const OK: u32 = 0;
/// Of the draft: nothing follows.
pub const EOF: u32 = 1;
/// Of the draft: some failure that has no code of its own.
pub const FAILURE: u32 = 4;
/// So many characters of what a server says are passed on.
const MOST_WORDS: usize = 200;

/// Words of a server for a sentence of ours: on one line, and not too many.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect()
}

/// What an unwelcome status means in `phase`, while doing `what`.
#[must_use]
pub fn of_status(phase: Phase, what: &str, code: u32, text: &[u8]) -> Fault {
    let text = plain(&String::from_utf8_lossy(text));
    let kind = kind(code, &text.to_lowercase());
    let said = if text.is_empty() { word(code).to_owned() } else { text };
    let advice = match kind {
        FaultKind::DiskFull => ": make room or raise the quota there",
        FaultKind::Permission => ": give this user the right to it there",
        _ => "",
    };
    let fault = Fault::new(phase, kind, format!("{what}: the server says “{said}”{advice}"));
    // A handle that is not known any more is a matter of the session, not of the file.
    let fault = if kind == FaultKind::Protocol { fault.retry(Retry::Now) } else { fault };
    fault.reply(code, &said)
}

fn kind(code: u32, text: &str) -> FaultKind {
    match code {
        2 | 10 => FaultKind::Missing,
        3 | 12 | 22 => FaultKind::Permission,
        FAILURE => kind_of_failure(text),
        5 | 20 => FaultKind::BadName,
        6 | 7 => FaultKind::ClosedEarly,
        8 | 16 | 19 | 21 | 23 | 24 => FaultKind::Unsupported,
        11 | 18 => FaultKind::Exists,
        14 | 15 => FaultKind::DiskFull,
        OK | EOF | 9 => FaultKind::Protocol,
        _ => FaultKind::Io,
    }
}

/// Version 3 has one code for all that is left; where the text does not tell, nothing more is claimed.
fn kind_of_failure(text: &str) -> FaultKind {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["no space", "disk is full", "disk full", "quota", "not enough space"]) {
        FaultKind::DiskFull
    } else if has(&["exists", "already", "not empty"]) {
        FaultKind::Exists
    } else if has(&["too large", "not supported", "is a directory"]) {
        FaultKind::Unsupported
    } else {
        FaultKind::Io
    }
}

const fn word(code: u32) -> &'static str {
    match code {
        OK => "ok",
        EOF => "end of file",
        2 => "no such file",
        3 => "permission denied",
        FAILURE => "failure",
        5 => "bad message",
        8 => "operation unsupported",
        9 => "invalid handle",
        11 => "file already exists",
        14 => "no space on file system",
        15 => "quota exceeded",
        _ => "a code that has no name here",
    }
}

/// What an error of the SSH layer means in `phase`, while doing `what`.
#[must_use]
pub fn of_ssh(phase: Phase, what: &str, error: &Error) -> Fault {
    if let Error::IO(error) = error {
        return Fault::io(phase, what, error);
    }
    let kind = match error {
        Error::Disconnect | Error::HUP | Error::SendError | Error::RecvError | Error::Join(_) => FaultKind::ClosedEarly,
        Error::ConnectionTimeout | Error::KeepaliveTimeout | Error::InactivityTimeout | Error::Elapsed(_) => {
            FaultKind::Timeout
        }
        Error::NoCommonAlgo { .. }
        | Error::KexInit
        | Error::Kex
        | Error::UnknownAlgo
        | Error::UnknownKey
        | Error::WrongServerSig
        | Error::KeyChanged { .. }
        | Error::Signature(_)
        | Error::StrictKeyExchangeViolation { .. } => FaultKind::Tls,
        Error::NotAuthenticated | Error::UnsupportedAuthMethod | Error::NoAuthMethod | Error::CouldNotReadKey => {
            FaultKind::Auth
        }
        Error::ChannelOpenFailure(why) => of_channel(why),
        Error::RequestDenied => FaultKind::Unsupported,
        // Damage on the way, or a server that breaks the rules.
        _ => FaultKind::Protocol,
    };
    let fault = Fault::new(phase, kind, format!("{what}: {}", shown(error)));
    // What a damaged packet breaks is one connection.
    if matches!(error, Error::PacketAuth | Error::DecryptionError | Error::PacketSize(_)) {
        fault.retry(Retry::Now)
    } else {
        fault
    }
}

fn shown(error: &Error) -> String {
    match error {
        Error::Disconnect | Error::HUP | Error::SendError | Error::RecvError => {
            "the server closed the connection".to_owned()
        }
        Error::KeepaliveTimeout => "the server does not answer any more".to_owned(),
        Error::NoCommonAlgo { kind, theirs, .. } => {
            format!("no {kind:?} algorithm that both sides accept; the server offers {}", plain(&theirs.join(", ")))
        }
        other => other.to_string(),
    }
}

fn of_channel(why: &ChannelOpenFailure) -> FaultKind {
    match why {
        ChannelOpenFailure::AdministrativelyProhibited => FaultKind::Permission,
        ChannelOpenFailure::ResourceShortage => FaultKind::Limit,
        ChannelOpenFailure::ConnectFailed | ChannelOpenFailure::Other { .. } => FaultKind::Io,
        ChannelOpenFailure::UnknownChannelType => FaultKind::Unsupported,
    }
}

/// What a server's goodbye means (RFC 4253, section 11.1).
#[must_use]
pub fn of_goodbye(phase: Phase, reason: Disconnect, text: &str) -> Fault {
    let text = plain(text);
    let lower = text.to_lowercase();
    let kind = match reason {
        Disconnect::TooManyConnections => FaultKind::Limit,
        _ if lower.contains("too many authentication") => FaultKind::Auth,
        _ if lower.contains("too many") || lower.contains("maxstartups") => FaultKind::Limit,
        Disconnect::HostNotAllowedToConnect => FaultKind::Permission,
        Disconnect::AuthCancelledByUser | Disconnect::NoMoreAuthMethodsAvailable | Disconnect::IllegalUserName => {
            FaultKind::Auth
        }
        Disconnect::KeyExchangeFailed | Disconnect::HostKeyNotVerifiable => FaultKind::Tls,
        Disconnect::ProtocolError
        | Disconnect::MACError
        | Disconnect::CompressionError
        | Disconnect::ProtocolVersionNotSupported
        | Disconnect::Reserved => FaultKind::Protocol,
        Disconnect::ServiceNotAvailable | Disconnect::ConnectionLost | Disconnect::ByApplication => {
            FaultKind::ClosedEarly
        }
    };
    let code = u32::try_from(reason as usize).unwrap_or_default();
    Fault::new(phase, kind, format!("the server ends the connection: {text}")).reply(code, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_meaning() {
        for code in 0..40 {
            for text in ["", "Failure"] {
                let fault = of_status(Phase::Open, "opening a", code, text.as_bytes());
                assert!(fault.message.starts_with("opening a: ") && fault.evidence.code == Some(code));
            }
        }
        let kind = |code, text: &str| of_status(Phase::Transfer, "x", code, text.as_bytes()).kind;
        assert_eq!(kind(2, "No such file"), FaultKind::Missing);
        assert_eq!(kind(4, "Failure"), FaultKind::Io);
        assert_eq!(kind(4, "the disk is full: nothing was changed"), FaultKind::DiskFull);
        assert_eq!(kind(4, "there is something of that name already"), FaultKind::Exists);
        assert_eq!(kind(11, ""), FaultKind::Exists);
        assert_eq!(
            (kind(14, ""), kind(8, ""), kind(99, "")),
            (FaultKind::DiskFull, FaultKind::Unsupported, FaultKind::Io)
        );
    }

    #[test]
    fn a_limit_is_no_bad_password() {
        let kind = |reason, text| of_goodbye(Phase::Login, reason, text).kind;
        assert_eq!(kind(Disconnect::TooManyConnections, ""), FaultKind::Limit);
        assert_eq!(kind(Disconnect::ProtocolError, "Too many authentication failures"), FaultKind::Auth);
        assert_eq!(kind(Disconnect::ByApplication, "Too many users"), FaultKind::Limit);
        assert_eq!(kind(Disconnect::ByApplication, "bye"), FaultKind::ClosedEarly);
    }

    #[test]
    fn a_lost_connection_is_tried_again_and_a_wrong_key_is_not() {
        let of = |error| of_ssh(Phase::Transfer, "reading", &error);
        assert_eq!((of(Error::HUP).kind, of(Error::HUP).retry), (FaultKind::ClosedEarly, Retry::Now));
        let reset = of(Error::IO(std::io::ErrorKind::ConnectionReset.into()));
        assert_eq!((reset.kind, reset.retry), (FaultKind::Reset, Retry::Now));
        assert_eq!(of(Error::UnknownKey).retry, Retry::Never);
        assert_eq!(of(Error::PacketAuth).retry, Retry::Now);
        assert_eq!(of(Error::KeepaliveTimeout).kind, FaultKind::Timeout);
    }
}
