//! vsftpd's own log (`vsftpd_log_file`), one line per event.
//!
//! ```text
//! Thu Nov 26 12:34:56 2026 [pid 3] [anna] OK DOWNLOAD: Client "192.0.2.7", "/pub/file", 4096 bytes, 12.34Kbyte/sec
//! ```

use super::record::{Act, Record, act_of, address, ctime, named};

/// Reads one line.
pub(super) fn read(line: &str) -> Option<Record> {
    let (at, rest) = ctime(line)?;
    let (_pid, rest) = rest.trim_start().strip_prefix("[pid ")?.split_once("] ")?;
    let (user, rest) = match rest.strip_prefix('[') {
        Some(inside) => {
            let (user, rest) = inside.split_once("] ")?;
            (named(user), rest)
        }
        None => (None, rest),
    };
    let (event, rest) = rest.split_once(": Client ")?;
    let mut quoted = Quoted(rest);
    let (client, first) = (quoted.next()?, quoted.next());
    let (done, verb) = match event.split_once(' ') {
        Some(("OK", verb)) => (true, verb),
        Some(("FAIL", verb)) => (false, verb),
        _ => (true, event),
    };
    let (act, path) = match verb {
        "LOGIN" if done => (Act::Login, None),
        "LOGIN" => (Act::Refused, None),
        "DOWNLOAD" => (Act::Download, first),
        "UPLOAD" => (Act::Upload, first),
        "DELETE" => (Act::Remove, first),
        "MKDIR" | "RMDIR" | "RENAME" | "CHMOD" => (Act::Change, first),
        // Only when the protocol itself is logged.
        "FTP command" => match first.as_deref().map(|said| act_of(said.split(' ').next().unwrap_or_default())) {
            Some(Act::Encrypt) => (Act::Encrypt, None),
            _ => (Act::Other, None),
        },
        "CONNECT" | "FTP response" | "DEBUG" => (Act::Other, None),
        _ => return None,
    };
    let bytes = quoted.0.split(", ").find_map(|part| part.trim().strip_suffix(" bytes")).and_then(|n| n.parse().ok());
    Some(Record { at: Some(at), user, address: address(&client), path, bytes, done, ..Record::new(act) })
}

/// Texts in quotes, separated by commas; quotes inside are not marked, so one ends before a comma or the line's end.
struct Quoted<'a>(&'a str);

impl Iterator for Quoted<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let inside = self.0.trim_start_matches([',', ' ']).strip_prefix('"')?;
        let (text, rest) = match inside.split_once("\", ") {
            Some(parts) => parts,
            None => (inside.strip_suffix('"')?, ""),
        };
        self.0 = rest;
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(rest: &str) -> Option<Record> {
        read(&format!("Thu Nov 26 12:34:56 2026 [pid 31] {rest}"))
    }

    #[test]
    fn transfers() {
        let record = line(
            "[anna] OK DOWNLOAD: Client \"::ffff:192.0.2.7\", \"/pub/a, b \"c\".txt\", 4096 bytes, 12.34Kbyte/sec",
        )
        .unwrap();
        assert_eq!((record.act, record.bytes, record.done), (Act::Download, Some(4096), true));
        assert_eq!(record.path.as_deref(), Some("/pub/a, b \"c\".txt"));
        assert_eq!((record.user.as_deref(), record.address.as_deref()), (Some("anna"), Some("192.0.2.7")));
        let record = line("[anna] FAIL UPLOAD: Client \"192.0.2.7\", \"/in/x\", 0.00Kbyte/sec").unwrap();
        assert_eq!((record.act, record.bytes, record.done), (Act::Upload, None, false));
    }

    #[test]
    fn everything_else() {
        for (rest, act) in [
            ("CONNECT: Client \"192.0.2.7\"", Act::Other),
            ("[anna] OK LOGIN: Client \"192.0.2.7\"", Act::Login),
            ("[anna] FAIL LOGIN: Client \"192.0.2.7\"", Act::Refused),
            ("[anna] OK DELETE: Client \"192.0.2.7\", \"/x\"", Act::Remove),
            ("[anna] OK RENAME: Client \"192.0.2.7\", \"/x /y\"", Act::Change),
            ("FTP command: Client \"192.0.2.7\", \"AUTH TLS\"", Act::Encrypt),
            ("[anna] FTP command: Client \"192.0.2.7\", \"PASS <password>\"", Act::Other),
            ("[anna] FTP response: Client \"192.0.2.7\", \"230 Login successful.\"", Act::Other),
        ] {
            assert_eq!(line(rest).map(|record| record.act), Some(act), "{rest}");
        }
        assert_eq!(line("[anna] OK DANCE: Client \"192.0.2.7\""), None);
        assert_eq!(read("Thu Nov 26 12:34:56 2026 1 192.0.2.7 4096 /x b _ o r anna ftp 0 * c"), None);
    }
}
