//! Lines like those of web servers: pure-ftpd's CLF, and proftpd's ExtendedLog in its default format and the two that
//! its manual shows.
//!
//! ```text
//! 192.0.2.7 - anna [26/Nov/2026:12:34:56 -0000] "GET /pub/file" 200 4096
//! 192.0.2.7 UNKNOWN anna [26/Nov/2026:12:34:56 +0000] "RETR file" 226 4096
//! legacy [31] 192.0.2.7 [26/Nov/2026:12:34:56 +0000] "PASS (hidden)" 230
//! ```

use jiff::civil::DateTime;

use super::record::{Act, Record, act_of, address, moment, month, named};

/// Reads one line.
pub(super) fn read(line: &str) -> Option<Record> {
    let (front, at, rest) = stamped(line)?;
    let inside = rest.trim_start().strip_prefix('"')?;
    let (request, rest) = inside.rsplit_once("\" ")?;
    let mut numbers = rest.split_ascii_whitespace();
    let status = numbers.next()?;
    let bytes = numbers.next().and_then(|word| word.parse().ok());
    let status = status.parse::<u16>().ok();
    let done = status.is_none_or(|status| (200..400).contains(&status));
    let (user, host) = who(front)?;
    let (verb, path) = request.split_once(' ').unwrap_or((request, ""));
    let act = match (act_of(verb), status) {
        // 230 and 232 let in; a server may say 202 to a password that it did not need.
        (Act::Login, Some(202 | 230 | 232)) => Act::Login,
        (Act::Login, Some(_)) => Act::Refused,
        (Act::Encrypt, Some(234)) => Act::Encrypt,
        (Act::Encrypt | Act::Login, _) => Act::Other,
        (act, _) => act,
    };
    let is_file = matches!(act, Act::Download | Act::Upload | Act::Remove);
    let path = named(path).filter(|_| is_file);
    Some(Record { at: Some(at), user, address: host, path, bytes: bytes.filter(|_| is_file), done, ..Record::new(act) })
}

/// What stands before the time, the time, and what stands behind it.
fn stamped(line: &str) -> Option<(&str, DateTime, &str)> {
    let mut from = 0;
    loop {
        let open = from + line.get(from..)?.find('[')?;
        let inside = line.get(open + 1..)?;
        let (text, rest) = inside.split_once(']')?;
        if let Some(at) = face(text) {
            return Some((line.get(..open)?.trim_end(), at, rest));
        }
        from = open + 1;
    }
}

/// `26/Nov/2026:12:34:56 +0000`, as the clock there showed it.
fn face(text: &str) -> Option<DateTime> {
    let (date, clock) = text.split_once(':')?;
    let mut parts = date.split('/');
    let (day, name, year) = (parts.next()?.parse().ok()?, month(parts.next()?)?, parts.next()?.parse().ok()?);
    moment(year, name, day, clock.split(' ').next()?)
}

/// User and host: `host ident user`, or `server [pid] host`.
fn who(front: &str) -> Option<(Option<String>, Option<String>)> {
    let words: Vec<_> = front.split_ascii_whitespace().collect();
    match words.as_slice() {
        [.., pid, host] if pid.starts_with('[') => Some((None, address(host))),
        [host, _ident, user @ ..] if !user.is_empty() => Some((named(&user.join(" ")), address(host))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pure_ftpd_and_proftpd() {
        let record = read("192.0.2.7 - anna [26/Nov/2026:12:34:56 -0000] \"GET /pub/a%20file\" 200 4096").unwrap();
        assert_eq!((record.act, record.bytes, record.user.as_deref()), (Act::Download, Some(4096), Some("anna")));
        assert_eq!(record.at.unwrap().to_string(), "2026-11-26T12:34:56");
        let record =
            read("host.example UNKNOWN anna [26/Nov/2026:12:34:56 +0100] \"STOR a \"file\".txt\" 226 10").unwrap();
        assert_eq!((record.act, record.path.as_deref(), record.done), (Act::Upload, Some("a \"file\".txt"), true));
        let record = read("192.0.2.7 UNKNOWN anna [26/Nov/2026:12:34:56 +0100] \"RETR x\" 550 -").unwrap();
        assert_eq!((record.act, record.bytes, record.done), (Act::Download, None, false));
    }

    #[test]
    fn logins_and_encryption() {
        for (line, act, user) in [
            ("192.0.2.7 UNKNOWN nobody [26/Nov/2026:12:34:56 +0100] \"AUTH TLS\" 234 -", Act::Encrypt, Some("nobody")),
            ("192.0.2.7 UNKNOWN anna [26/Nov/2026:12:34:56 +0100] \"PASS (hidden)\" 230 -", Act::Login, Some("anna")),
            ("192.0.2.7 - - [26/Nov/2026:12:34:56 +0100] \"PASS (hidden)\" 530 -", Act::Refused, None),
            ("old server [31] 192.0.2.7 [26/Nov/2026:12:34:56 +0100] \"PASS (hidden)\" 230", Act::Login, None),
            ("192.0.2.7 UNKNOWN anna [26/Nov/2026:12:34:56 +0100] \"LIST\" 226 512", Act::Other, Some("anna")),
        ] {
            let record = read(line).unwrap();
            assert_eq!((record.act, record.user.as_deref()), (act, user), "{line}");
            assert_eq!((record.address.as_deref(), record.bytes), (Some("192.0.2.7"), None));
        }
    }

    #[test]
    fn what_is_none_of_these() {
        for line in [
            "",
            "[26/Nov/2026:12:34:56 +0100]",
            "a b c [no time] \"RETR x\" 226 1",
            "a b c [26/Nov/2026:12:34:56 +0100] RETR",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
