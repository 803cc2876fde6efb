//! What one line of a server's log says, whichever format it is written in.

use jiff::civil::DateTime;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Came in.
    Login,
    /// Was turned away.
    Refused,
    /// Asked for encryption.
    Encrypt,
    /// Fetched a file.
    Download,
    /// Brought a file.
    Upload,
    /// Removed something.
    Remove,
    /// Renamed something, made or removed a folder, changed attributes.
    Change,
    /// Anything else: listings, questions.
    Other,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// By the clock of the log.
    pub(super) at: Option<DateTime>,
    /// Who, where that is known.
    pub(super) user: Option<String>,
    /// From where: an address or a name.
    pub(super) address: Option<String>,
    pub(super) act: Act,
    /// What was fetched, brought or removed.
    pub(super) path: Option<String>,
    pub(super) bytes: Option<u64>,
    /// It came to a good end.
    pub(super) done: bool,
}

impl Record {
    pub(super) const fn new(act: Act) -> Self {
        Self { at: None, user: None, address: None, act, path: None, bytes: None, done: true }
    }
}

/// A name of somebody; `-`, `*` and the like say that there is none.
pub(super) fn named(word: &str) -> Option<String> {
    (!matches!(word, "" | "-" | "*" | "?" | "UNKNOWN" | "(none)" | "nobody@")).then(|| word.to_owned())
}

/// An address without what IPv6 puts before an address of IPv4.
pub(super) fn address(word: &str) -> Option<String> {
    named(word.strip_prefix("::ffff:").unwrap_or(word))
}

/// The number of a month by the three letters that C and every log use.
pub(super) fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = MONTHS.iter().position(|month| word.eq_ignore_ascii_case(month))?;
    i8::try_from(at + 1).ok()
}

/// `12:34:56` on a day.
pub(super) fn moment(year: i16, month: i8, day: i8, clock: &str) -> Option<DateTime> {
    let mut parts = clock.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()
}

/// `Thu Nov 26 12:34:56 2026`, as `ctime` writes it, at the start of a line; what follows it.
pub(super) fn ctime(line: &str) -> Option<(DateTime, &str)> {
    let mut rest = line;
    let mut word = || {
        let (word, behind) = rest.trim_start().split_once(' ')?;
        rest = behind;
        Some(word)
    };
    let (weekday, name, day, clock, year) = (word()?, word()?, word()?, word()?, word()?);
    if weekday.len() != 3 {
        return None;
    }
    Some((moment(year.parse().ok()?, month(name)?, day.parse().ok()?, clock)?, rest))
}

/// What an FTP command does.
pub(super) fn act_of(verb: &str) -> Act {
    match verb.to_ascii_uppercase().as_str() {
        "RETR" | "GET" => Act::Download,
        "STOR" | "STOU" | "APPE" | "PUT" => Act::Upload,
        "DELE" | "DELETE" => Act::Remove,
        "RNTO" | "RNFR" | "MKD" | "XMKD" | "RMD" | "XRMD" | "MFMT" | "SITE" => Act::Change,
        "PASS" => Act::Login,
        "AUTH" => Act::Encrypt,
        _ => Act::Other,
    }
}
