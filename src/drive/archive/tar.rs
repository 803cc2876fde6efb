//! tar in the form of POSIX.1-2001 (pax) through zstd.

use std::io::{self, Write as _};

use zstd::stream::write::Encoder;

use super::Pack;
use crate::tree::Stat;

/// Bytes of a header, and what content is filled up to.
const RECORD: usize = 512;
/// Bytes that a name may have in a header of 1988.
const NAME: usize = 100;
/// The largest number in eleven octal digits.
const OCTAL: u64 = 0o777_7777_7777;
/// As fast as disks are read.
const LEVEL: i32 = 3;

const FILE: u8 = b'0';
const FOLDER: u8 = b'5';
const MORE: u8 = b'x';

/// The writer.
pub(super) struct TarZst {
    zstd: Encoder<'static, Vec<u8>>,
    /// Zeros that fill the last record of the file under way.
    fill: usize,
}

impl TarZst {
    /// Begins.
    ///
    /// # Errors
    /// When zstd gets no memory.
    pub(super) fn new() -> io::Result<Self> {
        let mut zstd = Encoder::new(Vec::new(), LEVEL)?;
        zstd.include_checksum(true)?;
        Ok(Self { zstd, fill: 0 })
    }

    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.zstd.write_all(bytes)?;
        out.append(self.zstd.get_mut());
        Ok(())
    }

    /// The header of an entry; before it a pax header with what does not fit there.
    fn head(&mut self, name: &[u8], stat: &Stat, size: u64, kind: u8, out: &mut Vec<u8>) -> io::Result<()> {
        let seconds = stat.mtime.as_second();
        let mut more = Vec::new();
        if name.len() > NAME {
            if std::str::from_utf8(name).is_err() {
                record(&mut more, "hdrcharset", b"BINARY");
            }
            record(&mut more, "path", name);
        }
        if size > OCTAL {
            record(&mut more, "size", size.to_string().as_bytes());
        }
        let time = u64::try_from(seconds).ok().filter(|seconds| *seconds <= OCTAL);
        if time.is_none() {
            record(&mut more, "mtime", seconds.to_string().as_bytes());
        }
        if !more.is_empty() {
            let len = u64::try_from(more.len()).unwrap_or(u64::MAX);
            let mut all = header(b"./PaxHeaders/more", 0o644, len, 0, MORE).to_vec();
            all.append(&mut more);
            all.resize(all.len().next_multiple_of(RECORD), 0);
            self.write(&all, out)?;
        }
        let short = name.get(..NAME).unwrap_or(name);
        let size = if size > OCTAL { 0 } else { size };
        self.write(&header(short, stat.mode & 0o777, size, time.unwrap_or(0), kind), out)
    }
}

impl Pack for TarZst {
    fn folder(&mut self, name: &[u8], stat: &Stat, out: &mut Vec<u8>) -> io::Result<()> {
        let name = [name, b"/"].concat();
        self.head(&name, stat, 0, FOLDER, out)
    }

    fn begin(&mut self, name: &[u8], stat: &Stat, out: &mut Vec<u8>) -> io::Result<()> {
        let record = u64::try_from(RECORD).unwrap_or(u64::MAX);
        self.fill = usize::try_from(stat.size.next_multiple_of(record) - stat.size).unwrap_or(0);
        self.head(name, stat, stat.size, FILE, out)
    }

    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.write(bytes, out)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let zeros = [0; RECORD];
        self.write(zeros.get(..self.fill).unwrap_or_default(), out)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.write(&[0; 2 * RECORD], out)?;
        self.zstd.do_finish()?;
        out.append(self.zstd.get_mut());
        Ok(())
    }
}

/// One `length key=value` of a pax header; the length counts itself.
fn record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest;
    while rest + len.to_string().len() != len {
        len = rest + len.to_string().len();
    }
    out.extend_from_slice(format!("{len} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A header of POSIX.1-1988 (ustar). Who owns a file here means nothing elsewhere: nobody is named.
fn header(name: &[u8], mode: u32, size: u64, mtime: u64, kind: u8) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    let mut put = |at: usize, field: &[u8]| {
        bytes.iter_mut().skip(at).zip(field).for_each(|(to, from)| *to = *from);
    };
    put(0, name);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000\x000000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, format!("{mtime:011o}").as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    bytes.iter_mut().skip(148).zip(sum.as_bytes()).for_each(|(to, from)| *to = *from);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for (value, len) in [("x".repeat(2), 11), ("x".repeat(89), 98), ("x".repeat(90), 99), ("x".repeat(91), 101)] {
            let mut out = Vec::new();
            record(&mut out, "path", value.as_bytes());
            assert_eq!(out.len(), len);
            assert!(out.starts_with(format!("{len} path=").as_bytes()));
        }
    }
}
