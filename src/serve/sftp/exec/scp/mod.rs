//! The old copy protocol of `scp`, which is written down nowhere but in its programs. One side sends records, the other
//! answers each with a byte: 0 for yes; 1 and a line for a complaint; 2 and a line for the end.
//!
//! | record | means |
//! | --- | --- |
//! | `T<mtime> 0 <atime> 0` | times of the file or folder that comes next |
//! | `C<mode> <size> <name>` | a file: behind the yes come its bytes, then the sender's own 0 |
//! | `D<mode> 0 <name>` | a folder: what follows lies in it |
//! | `E` | the end of that folder |

pub(super) mod sink;
pub(super) mod source;
mod wildcard;

use super::Command;

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Options {
    /// Folders with all that is in them (`-r`).
    recursive: bool,
    /// Times and exact permission bits are kept (`-p`).
    preserve: bool,
    /// The target must be a folder (`-d`).
    folder: bool,
    /// What to send, or where to.
    paths: Vec<Vec<u8>>,
    /// The end of the channel behind the last byte of a file stands for the sender's 0.
    ends_quietly: bool,
}

impl Options {
    /// Of a client by its identification string (RFC 4253, section 4.2): libssh2 says no word behind a file and ends its
    /// channel. Everybody else who does that was ended himself.
    pub(super) fn of(self, identification: &[u8]) -> Self {
        let software = identification.splitn(3, |byte| *byte == b'-').nth(2).unwrap_or_default();
        Self { ends_quietly: software.starts_with(b"libssh2_"), ..self }
    }

    /// Reads the words behind `scp`.
    pub(super) fn read(words: &[Vec<u8>]) -> Result<Command, String> {
        let (mut options, mut from, mut to, mut names_only) = (Self::default(), false, false, false);
        for word in words {
            match word.strip_prefix(b"-") {
                Some(b"-") if !names_only => names_only = true,
                Some(letters) if !letters.is_empty() && !names_only => {
                    for letter in letters {
                        match letter {
                            b'f' => from = true,
                            b't' => to = true,
                            b'r' => options.recursive = true,
                            b'p' => options.preserve = true,
                            b'd' => options.folder = true,
                            // How much is said; nothing that concerns us.
                            b'v' | b'q' => {}
                            other => return Err(format!("scp -{} is not known here", char::from(*other))),
                        }
                    }
                }
                _ => options.paths.push(word.clone()),
            }
        }
        match (from, to, options.paths.len()) {
            (_, _, 0) if from || to => Err("this scp names no path".into()),
            (true, false, _) => Ok(Command::ScpFrom(options)),
            (false, true, 1) => Ok(Command::ScpTo(options)),
            (false, true, _) => Err("this scp names several targets".into()),
            _ => Err("scp is answered here, not run: this one has neither -t nor -f".into()),
        }
    }
}

/// A complaint, on the wire.
fn complaint(text: impl std::fmt::Display) -> Vec<u8> {
    // One line only: the other side takes the next for a record.
    let text: String = text.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    [&[1][..], b"scp: ", text.as_bytes(), b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_alone_and_together() {
        let read =
            |line: &str| Options::read(&line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        let paths = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        let all = Options { recursive: true, preserve: true, paths: paths(&["a"]), ..Options::default() };
        assert_eq!(read("-rpf a"), Ok(Command::ScpFrom(all.clone())));
        assert_eq!(read("-r -p -v -t -- a"), Ok(Command::ScpTo(all)));
        assert_eq!(
            read("-f -- -a -"),
            Ok(Command::ScpFrom(Options { paths: paths(&["-a", "-"]), ..Options::default() }))
        );
        assert!(read("-t a b").unwrap_err().contains("several"));
        assert!(read("-x a").unwrap_err().contains("-x"));
    }

    #[test]
    fn a_complaint_is_one_line() {
        assert_eq!(complaint("a\nb"), b"\x01scp: a b\n");
    }
}
