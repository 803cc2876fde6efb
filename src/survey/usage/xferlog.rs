//! `xferlog`, as wu-ftpd wrote it first and vsftpd, proftpd and pure-ftpd write it still: one line per transfer.
//!
//! ```text
//! Thu Nov 26 12:34:56 2026 1 192.0.2.7 4096 /pub/a_file b _ o r anna ftp 0 * c
//! time, seconds, host, bytes, name, type, flag, direction, access, user, service, method, id, completion
//! ```

use super::record::{Act, Record, address, ctime, named};

/// Fields behind the name.
const BEHIND: usize = 9;

/// Reads one line.
pub(super) fn read(line: &str) -> Option<Record> {
    let (at, rest) = ctime(line)?;
    let mut front = rest.trim_start().splitn(4, ' ');
    let (seconds, host, bytes, rest) = (front.next()?, front.next()?, front.next()?, front.next()?);
    seconds.parse::<f64>().ok()?;
    // A name may hold blanks: the other fields are counted from the end.
    let mut back = rest.trim_end().rsplitn(BEHIND + 1, ' ');
    let (completion, _id, _method, _service, user) =
        (back.next()?, back.next()?, back.next()?, back.next()?, back.next()?);
    let (_access, direction, _flag, _type, path) =
        (back.next()?, back.next()?, back.next()?, back.next()?, back.next()?);
    let act = match direction {
        "o" => Act::Download,
        "i" => Act::Upload,
        "d" => Act::Remove,
        _ => return None,
    };
    Some(Record {
        at: Some(at),
        user: named(user),
        address: address(host),
        path: named(path),
        bytes: Some(bytes.parse().ok()?),
        done: completion == "c",
        ..Record::new(act)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_blanks() {
        let line = "Thu Nov 26 12:34:56 2026 1 ::ffff:192.0.2.7 4096 /pub/a file of blanks b _ o r anna ftp 0 * c";
        let record = read(line).unwrap();
        assert_eq!(record.at.unwrap().to_string(), "2026-11-26T12:34:56");
        assert_eq!((record.act, record.bytes, record.done), (Act::Download, Some(4096), true));
        assert_eq!(record.path.as_deref(), Some("/pub/a file of blanks"));
        assert_eq!((record.user.as_deref(), record.address.as_deref()), (Some("anna"), Some("192.0.2.7")));
    }

    #[test]
    fn directions_and_broken_transfers() {
        let line = |rest: &str| format!("Sun Nov  1 01:02:03 2026 0 host.example 7 /x {rest}");
        assert_eq!(
            read(&line("a _ i a ? ftp 0 * i")).map(|r| (r.act, r.done, r.user)),
            Some((Act::Upload, false, None))
        );
        assert_eq!(read(&line("b _ d r bob ftp 1 bob c")).map(|r| r.act), Some(Act::Remove));
        assert_eq!(read(&line("b _ z r bob ftp 1 bob c")), None);
        assert_eq!(read("Thu Nov 26 12:34:56 2026 [pid 2] CONNECT: Client \"192.0.2.7\""), None);
        assert_eq!(read("nothing of this kind"), None);
    }
}
