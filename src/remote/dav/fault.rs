//! From the status codes and errors of HTTP to faults: the one place. RFC 9110 section 15, RFC 4918 section 11,
//! RFC 6585.

use std::error::Error;
use std::time::Duration;

use crate::model::{Fault, FaultKind, Phase, Retry};

/// What an unwelcome status means in `phase`, while doing `what`. `said` is what the server adds in words.
#[must_use]
pub fn of_status(phase: Phase, what: &str, status: u16, said: &str) -> Fault {
    let kind = kind(status);
    let advice = match status {
        401 => ": check user and password",
        403 => ": give this user the right to it there",
        409 => ": the folder above it is not there",
        411 => ": it wants to know the length of a file beforehand",
        413 => ": it takes no file of this size",
        423 => ": somebody holds a lock on it",
        300..=399 => ": give the address that it leads to",
        507 => ": make room or raise the quota there",
        _ => "",
    };
    let words = if said.is_empty() { word(status) } else { said };
    let fault = Fault::new(phase, kind, format!("{what}: the server says {status} {words}{advice}"));
    let fault = match status {
        // A lock ends, a proxy comes back.
        423 | 425 | 502 | 504 | 408 => fault.retry(Retry::Later),
        // It was not understood, and will not be the next time.
        400 | 422 => fault.retry(Retry::Never),
        // Meant for another connection (RFC 9110, section 15.5.20).
        421 => fault.retry(Retry::Now),
        _ => fault,
    };
    fault.reply(u32::from(status), words)
}

const fn kind(status: u16) -> FaultKind {
    match status {
        401 | 407 => FaultKind::Auth,
        402 | 403 | 423 | 451 => FaultKind::Permission,
        404 | 409 | 410 => FaultKind::Missing,
        408 | 504 => FaultKind::Timeout,
        412 => FaultKind::Changed,
        414 | 431 => FaultKind::BadName,
        416 => FaultKind::Mismatch,
        421 | 502 => FaultKind::ClosedEarly,
        429 | 503 => FaultKind::Limit,
        405 | 406 | 411 | 413 | 415 | 417 | 426 | 428 | 501 | 505 | 300..=399 => FaultKind::Unsupported,
        507 => FaultKind::DiskFull,
        424 | 425 | 500 | 506 | 508..=599 => FaultKind::Io,
        _ => FaultKind::Protocol,
    }
}

fn word(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("without a word")
}

/// What an error below the answers means in `phase`, while doing `what`.
#[must_use]
pub fn of_hyper(phase: Phase, what: &str, error: &hyper::Error) -> Fault {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(fault) = one.downcast_ref::<Fault>() {
            return fault.clone();
        }
        if let Some(io) = one.downcast_ref::<std::io::Error>() {
            return match io.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
                Some(fault) => fault.clone(),
                None => Fault::io(phase, what, io),
            };
        }
        cause = one.source();
    }
    let kind = if error.is_timeout() {
        FaultKind::Timeout
    } else if error.is_parse() || error.is_parse_status() {
        FaultKind::Protocol
    } else {
        FaultKind::ClosedEarly
    };
    let why = match kind {
        FaultKind::ClosedEarly => "the server closed the connection".to_owned(),
        FaultKind::Protocol => "the server does not answer in HTTP".to_owned(),
        _ => error.to_string(),
    };
    tracing::debug!(http.error = ?error, "an HTTP exchange failed");
    Fault::new(phase, kind, format!("{what}: {why}"))
}

/// Nothing came for `within`.
#[must_use]
pub fn silent(phase: Phase, what: &str, within: Duration) -> Fault {
    let kind = if phase == Phase::Transfer { FaultKind::Stalled } else { FaultKind::Timeout };
    Fault::new(phase, kind, format!("{what}: the server is silent for {} s", within.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_meaning() {
        for status in 100..600 {
            let fault = of_status(Phase::Open, "opening a", status, "");
            assert!(fault.message.starts_with("opening a: ") && fault.evidence.code == Some(u32::from(status)));
        }
        let of = |status| of_status(Phase::Transfer, "x", status, "");
        for (status, kind, retry) in [
            (401, FaultKind::Auth, Retry::Never),
            (403, FaultKind::Permission, Retry::Never),
            (404, FaultKind::Missing, Retry::Never),
            (405, FaultKind::Unsupported, Retry::Never),
            (409, FaultKind::Missing, Retry::Never),
            (412, FaultKind::Changed, Retry::Later),
            (413, FaultKind::Unsupported, Retry::Never),
            (423, FaultKind::Permission, Retry::Later),
            (429, FaultKind::Limit, Retry::Later),
            (500, FaultKind::Io, Retry::Later),
            (502, FaultKind::ClosedEarly, Retry::Later),
            (503, FaultKind::Limit, Retry::Later),
            (507, FaultKind::DiskFull, Retry::Later),
            (599, FaultKind::Io, Retry::Later),
            (302, FaultKind::Unsupported, Retry::Never),
        ] {
            assert_eq!((of(status).kind, of(status).retry), (kind, retry), "{status}");
        }
        assert!(of_status(Phase::Open, "x", 403, "no such right").message.contains("403 no such right"));
    }
}
