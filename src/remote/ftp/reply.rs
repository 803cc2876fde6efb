//! Replies: RFC 959 section 4.2, read as servers really write them.
//!
//! A reply that opens with `ddd-` ends on the first line that begins with the *same* code and a blank:
//! banners contain inner lines that look like replies. Lines may end with a bare LF, be unindented, and
//! arrive split at any byte.

use std::borrow::Cow;
use std::collections::VecDeque;

/// More than this in one reply is an attack or a file.
const MAX_REPLY: usize = 1 << 20;
/// A line longer than this is no reply line.
const MAX_LINE: usize = 64 << 10;

/// One complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The lines without their codes and line ends; raw bytes.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// The first digit: 1 wait, 2 done, 3 go on, 4 not now, 5 no.
    #[must_use]
    pub const fn class(&self) -> u16 {
        self.code / 100
    }

    /// The same with stars for lines that hold `secret`.
    #[must_use]
    pub fn without(self, secret: &[u8]) -> Self {
        let holds = |line: &[u8]| !secret.is_empty() && line.windows(secret.len()).any(|part| part == secret);
        let shown = |line: Vec<u8>| if holds(&line) { b"***".to_vec() } else { line };
        Self { code: self.code, lines: self.lines.into_iter().map(shown).collect() }
    }

    /// All lines, joined by blanks, for people and for searching.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = self.lines.iter().map(|l| String::from_utf8_lossy(l)).map(|l| l.trim().to_owned());
        parts.filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The last line, where most facts are.
    #[must_use]
    pub fn last(&self) -> &[u8] {
        self.lines.last().map(Vec::as_slice).unwrap_or_default()
    }

    /// The last line as text.
    #[must_use]
    pub fn last_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.last())
    }
}

/// What came is not FTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The first line has no code.
    #[error("the server does not speak FTP: it said '{0}'")]
    NoCode(String),
    /// Longer than any honest reply.
    #[error("the server's reply does not end")]
    TooLong,
}

/// Bytes in, replies out.
#[derive(Debug, Default)]
pub struct ReplyReader {
    line: Vec<u8>,
    open: Option<Open>,
    ready: VecDeque<Reply>,
    failed: Option<ReplyError>,
}

#[derive(Debug)]
struct Open {
    reply: Reply,
    size: usize,
    /// A line in it that could be the end under another code.
    other_end: Option<u16>,
}

impl ReplyReader {
    /// Takes what arrived.
    ///
    /// # Errors
    /// When it cannot be a reply; the connection is of no use then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ReplyError> {
        for byte in bytes {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    if let Err(error) = self.take_line(line) {
                        self.failed = Some(error);
                    }
                }
                _ if self.line.len() >= MAX_LINE => self.failed = Some(ReplyError::TooLong),
                _ => self.line.push(*byte),
            }
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// The next complete reply.
    pub fn pop(&mut self) -> Option<Reply> {
        self.ready.pop_front()
    }

    /// The reply that [`ReplyReader::pop`] would give.
    #[must_use]
    pub fn first(&self) -> Option<&Reply> {
        self.ready.front()
    }

    /// The lines inside a reply that has not ended, as far as they came: so that a listing of a million lines need not
    /// be kept. They are not in the reply that [`ReplyReader::pop`] gives at its end.
    pub fn take_lines(&mut self) -> Vec<Vec<u8>> {
        let Some(open) = &mut self.open else { return Vec::new() };
        open.size = 0;
        std::mem::take(&mut open.reply.lines)
    }

    /// Nothing half-read is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.line.is_empty() && self.open.is_none() && self.ready.is_empty() && self.failed.is_none()
    }

    /// The server fell silent inside a multi-line reply: if its last line looked like an end under
    /// another code (seen on old servers), take it as that.
    pub fn give_up_waiting(&mut self) -> Option<Reply> {
        let mut open = self.open.take_if(|open| open.other_end.is_some())?;
        if let Some(code) = open.other_end {
            open.reply.code = code;
        }
        Some(open.reply)
    }

    fn take_line(&mut self, mut line: Vec<u8>) -> Result<(), ReplyError> {
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        let line = strip_telnet(line);
        let head = code_of(&line);
        match &mut self.open {
            None => match head {
                Some((code, b'-')) => {
                    let reply = Reply { code, lines: vec![rest(&line)] };
                    self.open = Some(Open { size: line.len(), reply, other_end: None });
                }
                Some((code, _)) => self.ready.push_back(Reply { code, lines: vec![rest(&line)] }),
                None if line.iter().all(u8::is_ascii_whitespace) => {}
                None => {
                    return Err(ReplyError::NoCode(String::from_utf8_lossy(&line).chars().take(80).collect()));
                }
            },
            Some(open) => {
                open.size += line.len() + 1;
                if open.size > MAX_REPLY {
                    return Err(ReplyError::TooLong);
                }
                match head {
                    Some((code, mark)) if code == open.reply.code => {
                        open.reply.lines.push(rest(&line));
                        if mark == b' ' {
                            self.ready.extend(self.open.take().map(|open| open.reply));
                        }
                    }
                    _ => {
                        open.other_end = head.filter(|(_, mark)| *mark == b' ').map(|(code, _)| code);
                        open.reply.lines.push(line);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Code and the byte after it; a code alone counts as `ddd `.
fn code_of(line: &[u8]) -> Option<(u16, u8)> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    let mark = rest.first().copied().unwrap_or(b' ');
    ((100..=699).contains(&code) && matches!(mark, b' ' | b'-')).then_some((code, mark))
}

fn rest(line: &[u8]) -> Vec<u8> {
    line.get(4..).unwrap_or_default().to_vec()
}

/// RFC 854: IAC is doubled in data; negotiations of three bytes are dropped.
fn strip_telnet(line: Vec<u8>) -> Vec<u8> {
    if !line.contains(&255) {
        return line;
    }
    let mut kept = Vec::with_capacity(line.len());
    let mut bytes = line.into_iter();
    while let Some(byte) = bytes.next() {
        if byte != 255 {
            kept.push(byte);
            continue;
        }
        match bytes.next() {
            Some(255) => kept.push(255),
            Some(251..=254) => drop(bytes.next()),
            Some(240..=250) | None => {}
            // A server that does not double: a name byte.
            Some(other) => kept.extend([255, other]),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replies(bytes: &[u8]) -> Vec<(u16, String)> {
        let mut reader = ReplyReader::default();
        reader.push(bytes).unwrap();
        std::iter::from_fn(|| reader.pop()).map(|r| (r.code, r.text())).collect()
    }

    #[test]
    fn reads_what_servers_write() {
        assert_eq!(replies(b"220 hello\r\n"), [(220, "hello".into())]);
        assert_eq!(
            replies(b"220-a\n100 users\n220-b\n220 c\n331 x\n"),
            [(220, "a 100 users b c".into()), (331, "x".into())]
        );
        assert_eq!(
            replies(b"211-Features\r\nMDTM\r\n SIZE\r\n\r\n211-REST\r\n211 End\r\n"),
            [(211, "Features MDTM SIZE REST End".into())]
        );
        assert_eq!(replies(b"226\r\n\r\n226 twice\r\n"), [(226, String::new()), (226, "twice".into())]);
        assert!(ReplyReader::default().push(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(ReplyReader::default().push(&vec![b'2'; 100_000]).is_err());
    }

    #[test]
    fn a_long_reply_is_taken_in_pieces() {
        let mut reader = ReplyReader::default();
        reader.push(b"213-Status follows:\r\n-rw-r--r-- a\r\n").unwrap();
        assert_eq!(reader.take_lines(), [b"Status follows:".to_vec(), b"-rw-r--r-- a".to_vec()]);
        assert!(reader.pop().is_none() && !reader.is_clean());
        reader.push(b"-rw-r--r-- b\r\n213 End\r\n550 no\r\n").unwrap();
        let end = reader.pop().unwrap();
        assert_eq!((end.code, end.lines), (213, vec![b"-rw-r--r-- b".to_vec(), b"End".to_vec()]));
        assert_eq!(reader.pop().map(|reply| reply.code), Some(550));
        assert!(reader.is_clean());
    }

    #[test]
    fn an_end_under_another_code_counts_after_silence() {
        let mut reader = ReplyReader::default();
        reader.push(b"230-hello\r\n220 ready\r\n").unwrap();
        assert!(reader.pop().is_none());
        assert_eq!(reader.give_up_waiting().map(|r| r.code), Some(220));
    }

    #[test]
    fn splitting_changes_nothing() {
        let sessions: [(&[u8], &[u16]); 5] = [
            (b"220-hi\r\n 220 inner\r\n220 end\r\n331 pass\n230-x\n230 y\r\n", &[220, 331, 230]),
            (b"211-Features\r\nMDTM\r\n SIZE\r\n\r\n211-REST\r\n211 End\r\n257 \"/\"\r\n", &[211, 257]),
            (b"150 now\r\n226 done\r\n\r\n226 done\r\n", &[150, 226, 226]),
            (b"229 ok (|||6446|)\r\n\xff\xfb\x01213 12\n250-\xff\xff\n250\r\r\n", &[229, 213, 250]),
            (b"213-Status follows:\r\n-rw-r--r-- 1 0 0 12 a\r\n213 End\r\n421 Timeout.\r\n", &[213, 421]),
        ];
        for (all, codes) in sessions {
            let whole = read(&[all]);
            assert_eq!(whole.iter().map(|reply| reply.code).collect::<Vec<_>>(), codes);
            for cut in 0..=all.len() {
                assert_eq!(read(&[&all[..cut], &all[cut..]]), whole, "cut at {cut}");
            }
            assert_eq!(read(&all.chunks(1).collect::<Vec<_>>()), whole);
        }
    }

    /// What comes of these pieces; nothing may be left over.
    fn read(pieces: &[&[u8]]) -> Vec<Reply> {
        let (mut reader, mut replies) = (ReplyReader::default(), Vec::new());
        for piece in pieces {
            reader.push(piece).unwrap();
            replies.extend(std::iter::from_fn(|| reader.pop()));
        }
        assert!(reader.is_clean());
        replies
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut reader = ReplyReader::default();
            let _ = reader.push(&bytes);
            while reader.pop().is_some() {}
            let _ = reader.give_up_waiting();
        }
    }
}
