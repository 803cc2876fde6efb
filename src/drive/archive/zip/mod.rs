//! ZIP, written from front to back (PKWARE's APPNOTE.TXT 6.3.10).
//!
//! Which form an entry takes is decided by what programs can read. A checksum that comes after the bytes (a data
//! descriptor) is understood by macOS' Archive Utility and Java's `ZipInputStream` with method deflate only, and
//! Archive Utility wants real sizes before the bytes of a file above 4 GiB. So:
//!
//! - what is small is held in memory until its checksum is known: deflated or stored, and no descriptor;
//! - what is larger and not compressed by its nature is deflated, with a descriptor;
//! - what is compressed already, or above 4 GiB, is sent as deflate's stored blocks (RFC 1951, 3.2.4), whose length is
//!   known before: real sizes in front, and only the checksum in the descriptor.

mod header;

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use self::header::{DEFLATE, DESCRIPTOR, Header, IN_EXTRA, MADE_ON_UNIX, STORE, ZIP64, low, put16, put32, put64, wide};
use super::Pack;
use crate::drive::media;
use crate::tree::Stat;

/// Held in memory to know its checksum before.
const SMALL: u64 = 256 * 1024;
/// Above it nothing is deflated: with a margin, since what cannot be made smaller grows a little.
const LARGE: u64 = 0xf000_0000;
/// Bytes of the largest stored block of deflate.
const STORED_BLOCK: u64 = 0xffff;
/// What the list at the end may take in memory: some millions of names.
const CENTRAL: usize = 256 << 20;
/// The writer.
#[derive(Default)]
pub(super) struct Zip {
    /// The list of all entries, which comes at the end.
    central: Vec<u8>,
    entries: u64,
    /// Bytes that were made.
    at: u64,
    current: Option<(Header, Content)>,
}

/// How the bytes of the file under way are written.
enum Content {
    Held(Vec<u8>),
    Deflated(DeflateEncoder<Vec<u8>>, crc32fast::Hasher),
    Stored { block: Vec<u8>, left: u64, crc: crc32fast::Hasher },
}

impl Zip {
    /// The entry is complete in `out`; goes on the list.
    fn listed(&mut self, header: &Header) -> io::Result<()> {
        header.central(&mut self.central)?;
        self.entries += 1;
        if self.central.len() > CENTRAL {
            let why = "too many names for a ZIP that is made while it is sent: tar.zst has no such bound";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        Ok(())
    }

    /// Counts what `work` appends.
    fn counted<T>(
        &mut self,
        out: &mut Vec<u8>,
        work: impl FnOnce(&mut Self, &mut Vec<u8>) -> io::Result<T>,
    ) -> io::Result<T> {
        let before = out.len();
        let done = work(self, out)?;
        self.at += wide(out.len() - before);
        Ok(done)
    }
}

impl Pack for Zip {
    fn folder(&mut self, name: &[u8], stat: &Stat, out: &mut Vec<u8>) -> io::Result<()> {
        self.counted(out, |zip, out| {
            let mut header = Header::new(name, stat, 0, zip.at);
            header.name.push(b'/');
            header.local(out)?;
            zip.listed(&header)
        })
    }

    fn begin(&mut self, name: &[u8], stat: &Stat, out: &mut Vec<u8>) -> io::Result<()> {
        self.counted(out, |zip, out| {
            let mut header = Header::new(name, stat, stat.size, zip.at);
            let packed_already = media::is_compressed(media::of(name));
            let content = if stat.size <= SMALL {
                if !packed_already {
                    header.method = DEFLATE;
                }
                Content::Held(Vec::new())
            } else {
                header.method = DEFLATE;
                header.flags |= DESCRIPTOR;
                if packed_already || stat.size >= LARGE {
                    header.packed = stat.size + 5 * stat.size.div_ceil(STORED_BLOCK);
                    header.local(out)?;
                    Content::Stored { block: Vec::new(), left: stat.size, crc: crc32fast::Hasher::new() }
                } else {
                    header.packed = 0;
                    header.local(out)?;
                    Content::Deflated(DeflateEncoder::new(Vec::new(), Compression::fast()), crc32fast::Hasher::new())
                }
            };
            zip.current = Some((header, content));
            Ok(())
        })
    }

    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.counted(out, |zip, out| {
            let Some((header, content)) = &mut zip.current else { return Ok(()) };
            match content {
                Content::Held(held) => held.extend_from_slice(bytes),
                Content::Deflated(encoder, crc) => {
                    crc.update(bytes);
                    encoder.write_all(bytes)?;
                    header.packed += wide(encoder.get_ref().len());
                    out.append(encoder.get_mut());
                }
                Content::Stored { block, left, crc } => {
                    crc.update(bytes);
                    let mut rest = bytes;
                    while !rest.is_empty() {
                        let full = usize::try_from(STORED_BLOCK.min(*left)).unwrap_or(usize::MAX);
                        let (taken, behind) = rest.split_at(rest.len().min(full - block.len()));
                        block.extend_from_slice(taken);
                        rest = behind;
                        if block.len() == full {
                            *left -= wide(full);
                            stored_block(block, *left == 0, out);
                            block.clear();
                        }
                    }
                }
            }
            Ok(())
        })
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.counted(out, |zip, out| {
            let Some((mut header, content)) = zip.current.take() else { return Ok(()) };
            match content {
                Content::Held(held) => {
                    header.crc = crc32fast::hash(&held);
                    let mut body = held;
                    if header.method == DEFLATE {
                        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                        encoder.write_all(&body)?;
                        let deflated = encoder.finish()?;
                        if deflated.len() < body.len() { body = deflated } else { header.method = STORE }
                    }
                    header.packed = wide(body.len());
                    header.local(out)?;
                    out.append(&mut body);
                }
                Content::Deflated(encoder, crc) => {
                    let mut rest = encoder.finish()?;
                    header.packed += wide(rest.len());
                    out.append(&mut rest);
                    header.crc = crc.finalize();
                    header.descriptor(out);
                }
                Content::Stored { crc, .. } => {
                    header.crc = crc.finalize();
                    header.descriptor(out);
                }
            }
            zip.listed(&header)
        })
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let (start, size, entries) = (self.at, wide(self.central.len()), self.entries);
        out.append(&mut self.central);
        let few = u16::try_from(entries).ok().filter(|few| *few < u16::MAX);
        if few.is_none() || start.max(size) >= u64::from(IN_EXTRA) {
            put32(out, 0x0606_4b50);
            put64(out, 44);
            put16(out, MADE_ON_UNIX);
            put16(out, ZIP64);
            put64(out, 0); // both disks are the first
            for number in [entries, entries, size, start] {
                put64(out, number);
            }
            put32(out, 0x0706_4b50);
            put32(out, 0);
            put64(out, start + size);
            put32(out, 1);
        }
        put32(out, 0x0605_4b50);
        put32(out, 0);
        put16(out, few.unwrap_or(u16::MAX));
        put16(out, few.unwrap_or(u16::MAX));
        put32(out, low(size));
        put32(out, low(start));
        put16(out, 0);
        Ok(())
    }
}

/// One block of deflate without compression: it begins and ends at a whole byte.
fn stored_block(bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.push(u8::from(last));
    put16(out, len);
    put16(out, !len);
    out.extend_from_slice(bytes);
}
