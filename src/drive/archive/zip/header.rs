//! What a ZIP says of an entry: in front of its bytes, behind them, and in the list at the end.

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::tree::Stat;

/// Stands in a field of 32 bits whose value is in the ZIP64 extra field.
pub(super) const IN_EXTRA: u32 = u32::MAX;

pub(super) const DESCRIPTOR: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
pub(super) const STORE: u16 = 0;
pub(super) const DEFLATE: u16 = 8;
/// Versions needed to extract: with folders and deflate, and with ZIP64.
const USUAL: u16 = 20;
pub(super) const ZIP64: u16 = 45;
/// Attributes are Unix' (upper byte).
pub(super) const MADE_ON_UNIX: u16 = 3 << 8 | ZIP64;

/// What the headers say of an entry.
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) mtime: Timestamp,
    pub(super) mode: u32,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    pub(super) offset: u64,
}

impl Header {
    pub(super) fn new(name: &[u8], stat: &Stat, size: u64, offset: u64) -> Self {
        let flags = if std::str::from_utf8(name).is_ok() { UTF8 } else { 0 };
        let (name, mode, mtime) = (unslashed(name), stat.mode, stat.mtime);
        Self { name, flags, method: STORE, mtime, mode, crc: 0, packed: size, size, offset }
    }

    fn is_large(&self) -> bool {
        self.size.max(self.packed) >= u64::from(IN_EXTRA)
    }

    fn has_descriptor(&self) -> bool {
        self.flags & DESCRIPTOR != 0
    }

    /// What both headers say alike, from the version to the sizes.
    fn common(&self, packed: u64, size: u64, large: bool, out: &mut Vec<u8>) {
        put16(out, if large { ZIP64 } else { USUAL });
        put16(out, self.flags);
        put16(out, self.method);
        put32(out, dos_time(self.mtime));
        put32(out, self.crc);
        put32(out, if self.is_large() { IN_EXTRA } else { low(packed) });
        put32(out, if self.is_large() { IN_EXTRA } else { low(size) });
    }

    /// Seconds since 1970 (Info-ZIP's extra field 0x5455), where 32 bits hold them: the other time has no zone.
    fn exact_time(&self, extra: &mut Vec<u8>) {
        if let Ok(seconds) = i32::try_from(self.mtime.as_second()) {
            put16(extra, 0x5455);
            put16(extra, 5);
            extra.push(1);
            extra.extend_from_slice(&seconds.to_le_bytes());
        }
    }

    /// The header in front of the bytes. Sizes that are not known yet are 0.
    pub(super) fn local(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let unknown = self.has_descriptor() && self.packed == 0;
        let size = if unknown { 0 } else { self.size };
        put32(out, 0x0403_4b50);
        self.common(self.packed, size, self.is_large(), out);
        let mut extra = Vec::new();
        if self.is_large() {
            put16(&mut extra, 1);
            put16(&mut extra, 16);
            put64(&mut extra, self.size);
            put64(&mut extra, self.packed);
        }
        self.exact_time(&mut extra);
        put16(out, length(&self.name)?);
        put16(out, length(&extra)?);
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&extra);
        Ok(())
    }

    /// What comes behind the bytes when their checksum was not known before.
    pub(super) fn descriptor(&self, out: &mut Vec<u8>) {
        put32(out, 0x0807_4b50);
        put32(out, self.crc);
        if self.is_large() {
            put64(out, self.packed);
            put64(out, self.size);
        } else {
            put32(out, low(self.packed));
            put32(out, low(self.size));
        }
    }

    /// The line in the list at the end.
    pub(super) fn central(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let far = self.offset >= u64::from(IN_EXTRA);
        let mut wide = Vec::new();
        if self.is_large() {
            put64(&mut wide, self.size);
            put64(&mut wide, self.packed);
        }
        if far {
            put64(&mut wide, self.offset);
        }
        let mut extra = Vec::new();
        if !wide.is_empty() {
            put16(&mut extra, 1);
            put16(&mut extra, length(&wide)?);
            extra.extend_from_slice(&wide);
        }
        self.exact_time(&mut extra);
        put32(out, 0x0201_4b50);
        put16(out, MADE_ON_UNIX);
        self.common(self.packed, self.size, self.is_large() || far, out);
        put16(out, length(&self.name)?);
        put16(out, length(&extra)?);
        // No comment, the first disk, nothing known about the content.
        out.extend_from_slice(&[0; 6]);
        let is_folder = self.name.last() == Some(&b'/');
        // The lower half is that of DOS: a folder has bit 4. Never set-uid or set-gid.
        put32(out, (self.mode & 0o170_777) << 16 | u32::from(is_folder) << 4);
        put32(out, if far { IN_EXTRA } else { low(self.offset) });
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&extra);
        Ok(())
    }
}

/// Windows takes a backslash for a slash: a name that holds one could lead out of the folder that is unpacked into. In
/// GBK and its like it is also the second byte of letters, after one above 0x80; that one is no danger and stays.
fn unslashed(name: &[u8]) -> Vec<u8> {
    let is_text = std::str::from_utf8(name).is_ok();
    let mut before = 0;
    let fixed = name.iter().map(|byte| {
        let letter = !is_text && before >= 0x80;
        before = *byte;
        if *byte == b'\\' && !letter { b'_' } else { *byte }
    });
    fixed.collect()
}

/// Date and time as DOS has them: two seconds, from 1980 to 2107, no zone (UTC here).
fn dos_time(time: Timestamp) -> u32 {
    let at = time.to_zoned(TimeZone::UTC);
    let part = |number: i8| u32::from(number.unsigned_abs());
    match u32::from(at.year().unsigned_abs()) {
        year @ 1980..=2107 => {
            let date = (year - 1980) << 9 | part(at.month()) << 5 | part(at.day());
            date << 16 | part(at.hour()) << 11 | part(at.minute()) << 5 | part(at.second()) >> 1
        }
        // The first day there is.
        _ => (1 << 5 | 1) << 16,
    }
}

pub(super) fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// In 32 bits, or the mark that it stands elsewhere.
pub(super) fn low(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(IN_EXTRA)
}

pub(super) fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn length(bytes: &[u8]) -> io::Result<u16> {
    u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidFilename.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_on_windows() {
        assert_eq!(unslashed(br"..\..\evil"), b".._.._evil");
        assert_eq!(unslashed("é\\..\\x".as_bytes()), "é_.._x".as_bytes());
        // 誠 in GBK: 0xD5 0x5C.
        assert_eq!(unslashed(b"\xd5\x5c..\\x"), b"\xd5\x5c.._x");
    }

    #[test]
    fn times_of_dos() {
        let dos = |text: &str| dos_time(text.parse().unwrap());
        assert_eq!(dos("2026-11-20T08:12:31Z"), (46 << 9 | 11 << 5 | 20) << 16 | 8 << 11 | 12 << 5 | 15);
        assert_eq!(dos("1970-01-01T00:00:00Z"), dos("1980-01-01T00:00:00Z"));
    }
}
