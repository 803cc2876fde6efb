//! From FTP replies to faults: the one place. RFC 959 section 4.2.1, RFC 2228, RFC 4217, and the texts
//! that servers really send.

use super::reply::Reply;
use crate::model::{Fault, FaultKind, Phase, Retry};

/// What an unwelcome reply means in `phase`, while doing `what`.
#[must_use]
pub fn of_reply(phase: Phase, what: &str, reply: &Reply) -> Fault {
    let text = reply.text();
    let lower = text.to_lowercase();
    let kind = kind_of(phase, reply.code, &lower);
    let advice = match kind {
        FaultKind::Limit => ": it bears no more connections for now",
        FaultKind::Auth => ": check user and password",
        FaultKind::DiskFull => ": make room or raise the quota there",
        FaultKind::Tls if lower.contains("reuse") || lower.contains("resum") => {
            ": it insists on TLS session reuse and did not recognise ours"
        }
        FaultKind::Tls => ": it may want another TLS mode, try ftp+tls:// or ftps://",
        _ => "",
    };
    let fault = Fault::new(phase, kind, format!("{what}: the server says {} {}{advice}", reply.code, shorten(&text)));
    let fault = match (kind, reply.class()) {
        // A 4yz invites another try, whatever it is about (RFC 959, section 4.2.1).
        (FaultKind::Permission | FaultKind::Unsupported | FaultKind::Exists, 4) => fault.retry(Retry::Later),
        (FaultKind::Refused, _) => fault.retry(Retry::Now),
        // It ran the command: what it does not know is what came behind. pure-ftpd looks for ABOR while it still sends, and
        // so swallows the beginning of whatever comes.
        (FaultKind::Protocol, 5) if phase == Phase::Finish => fault.retry(Retry::Now),
        // One data connection: a fresh session has fresh tickets.
        (FaultKind::Tls, _) if !is_entry(phase) => fault.retry(Retry::Now),
        _ => fault,
    };
    fault.reply(u32::from(reply.code), &text)
}

fn kind_of(phase: Phase, code: u16, text: &str) -> FaultKind {
    if is_limit(code, text) {
        return FaultKind::Limit;
    }
    match code {
        421 => match phase {
            Phase::Banner | Phase::Login | Phase::Tls => FaultKind::Limit,
            _ => FaultKind::ClosedEarly,
        },
        425 | 522 if text.contains("reuse") || text.contains("resum") || text.contains("session") => FaultKind::Tls,
        425 => FaultKind::Refused,
        426 => FaultKind::ClosedEarly,
        530 if !is_entry(phase) && text.contains("log") && text.contains("in") => FaultKind::ClosedEarly,
        // Logged in, and refused one thing: nobody's password is wrong.
        430 | 332 | 530..=532 | 331 if !is_entry(phase) => FaultKind::Permission,
        430 | 332 | 532 | 530 | 331 => FaultKind::Auth,
        431 | 533..=537 => FaultKind::Tls,
        522 if text.contains("tls") || text.contains("ssl") || text.contains("prot") => FaultKind::Tls,
        452 | 552 => FaultKind::DiskFull,
        450 | 550 | 553 => kind_of_file(code, text),
        521 => FaultKind::Exists,
        500..=504 if phase == Phase::Finish => FaultKind::Protocol,
        500 | 502 | 504 | 522 | 551 => FaultKind::Unsupported,
        501 if phase == Phase::Login => FaultKind::Auth,
        501 | 503 => FaultKind::Protocol,
        451 => FaultKind::Io,
        400..=499 => FaultKind::Io,
        500..=599 => FaultKind::Unsupported,
        _ => FaultKind::Protocol,
    }
}

/// Is somebody coming in, rather than doing something inside?
const fn is_entry(phase: Phase) -> bool {
    matches!(phase, Phase::Banner | Phase::Tls | Phase::Login)
}

/// 550 means missing, denied, there already, no space or "this is a directory"; only the text tells. Where
/// it does not, nothing is claimed to be missing.
fn kind_of_file(code: u16, text: &str) -> FaultKind {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if is_missing(text) {
        FaultKind::Missing
    } else if has(&["no space", "quota", "disk full", "insufficient", "not enough"]) {
        FaultKind::DiskFull
    } else if has(&["exists", "not empty"]) {
        FaultKind::Exists
    } else if has(&["directory", "not a regular file", "not a plain file"]) && !has(&["permission", "denied"]) {
        FaultKind::Unsupported
    } else if has(&["in use", "busy", "being used", "locked", "try again"]) || code == 450 && !has(&["denied"]) {
        FaultKind::Io
    } else {
        FaultKind::Permission
    }
}

/// Does the text say that nothing is there?
#[must_use]
pub fn is_missing(text: &str) -> bool {
    let text = text.to_lowercase();
    ["no such file", "not found", "does not exist", "doesn't exist", "cannot find", "can't find", "nonexistent"]
        .iter()
        .any(|word| text.contains(word))
}

/// "Too many", "maximum number of", "no more … allowed": a limit whatever the code, never a bad password.
#[must_use]
pub fn is_limit(code: u16, text: &str) -> bool {
    let text = text.to_lowercase();
    let about = ["connection", "user", "client", "session", "login", "slot", "host", "server is full"];
    // A full disk and a locked account speak of limits, too.
    let other = ["quota", "storage", "space", "attempts", "failed", "locked"];
    let bound = ["too many", "maximum", "no more", "limit", "already logged in", "exceed", "is full", "overload"];
    (400..600).contains(&code)
        && bound.iter().any(|word| text.contains(word))
        && about.iter().any(|word| text.contains(word))
        && !other.iter().any(|word| text.contains(word))
        && !matches!(code, 452 | 552)
}

/// Does the closing text of a listing admit that something is missing?
#[must_use]
pub fn admits_gaps(text: &str) -> bool {
    let text = text.to_lowercase();
    ["truncated", "failed", "sorry", "unable", "incomplete", "permission", "denied", "error"]
        .iter()
        .any(|word| text.contains(word))
}

fn shorten(text: &str) -> String {
    text.chars().take(200).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(phase: Phase, code: u16, text: &str) -> FaultKind {
        of_reply(phase, "x", &Reply { code, lines: vec![text.as_bytes().to_vec()] }).kind
    }

    #[test]
    fn limits_are_never_bad_passwords() {
        for (code, text) in [
            (421, "There are too many connections from your internet address."),
            (421, "Too many connections (8) from this IP"),
            (421, "50 users (the maximum) are already logged in, sorry"),
            (530, "Sorry, the maximum number of clients (3) for this user are already connected."),
            (530, "No more sessions for you"),
            (426, "Too many connections"),
        ] {
            assert_eq!(kind(Phase::Login, code, text), FaultKind::Limit, "{text}");
        }
        assert_eq!(kind(Phase::Login, 530, "Login incorrect."), FaultKind::Auth);
        assert_eq!(kind(Phase::Login, 530, "Maximum login attempts (3) exceeded"), FaultKind::Auth);
        assert_eq!(kind(Phase::Command, 421, "Timeout."), FaultKind::ClosedEarly);
        assert_eq!(kind(Phase::Login, 530, "Too many failed logins, account locked"), FaultKind::Auth);
        assert_eq!(kind(Phase::Finish, 552, "Exceeded storage allocation for user anna"), FaultKind::DiskFull);
        assert_eq!(kind(Phase::Open, 530, "Access denied"), FaultKind::Permission);
        assert_eq!(kind(Phase::Open, 500, "Unknown command"), FaultKind::Unsupported);
        assert_eq!(kind(Phase::Finish, 500, "Unknown command"), FaultKind::Protocol);
        assert_eq!(kind(Phase::Open, 530, "Please login with USER and PASS"), FaultKind::ClosedEarly);
    }

    #[test]
    fn five_fifty_is_read_by_its_text() {
        for (text, expected) in [
            ("a: No such file or directory", FaultKind::Missing),
            ("Permission denied", FaultKind::Permission),
            ("Failed to open file.", FaultKind::Permission),
            ("a: Is a directory", FaultKind::Unsupported),
            ("Create directory operation failed: File exists", FaultKind::Exists),
            ("No space left on device", FaultKind::DiskFull),
        ] {
            assert_eq!(kind(Phase::Open, 550, text), expected, "{text}");
        }
    }

    #[test]
    fn every_code_has_a_meaning() {
        for code in 100..700 {
            for phase in Phase::ALL {
                let fault = of_reply(*phase, "x", &Reply { code, lines: vec![] });
                assert!(!fault.message.is_empty());
            }
        }
    }
}
