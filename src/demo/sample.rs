//! The tree that the demo's legacy server offers: some hundreds of files as an old file server has
//! them, among them every kind of name that breaks tools.
//!
//! The content is a function of the path, so that the tree can be made again and compared.

use std::io;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Name, RelPath};
use crate::tree::{Replace, SetAttributes, View};

/// The large file.
pub const LARGE: u64 = 64 << 20;

/// Folders and how many small files each holds.
const FOLDERS: &[(&str, usize)] = &[
    ("inbound/orders/2023", 40),
    ("inbound/orders/2024", 60),
    ("inbound/invoices", 50),
    ("outbound/price lists", 20),
    ("outbound/catalogue/images", 60),
    ("outbound/catalogue/sheets", 25),
    ("partners/Müller & Söhne", 12),
    ("partners/O'Neill \"Freight\"", 8),
    ("partners/株式会社サンプル", 10),
    ("archive/1998/a/very/deeply/nested/folder/that/nobody/has/opened/since", 3),
    ("archive/empty folder", 0),
];

/// Single files with names that break tools, as bytes.
const AWKWARD: &[&[u8]] = &[
    b"awkward/ leading and trailing ",
    b"awkward/-rf",
    b"awkward/--help",
    b"awkward/100% sure.txt",
    b"awkward/%2e%2e%2fescape.txt",
    b"awkward/#1 in sales.txt",
    b"awkward/what?.txt",
    b"awkward/semi;colon&ampersand.txt",
    b"awkward/\"quoted\".txt",
    b"awkward/it's.txt",
    b"awkward/back\\slash.txt",
    b"awkward/$HOME `id`.txt",
    b"awkward/star*[br]{ace}.txt",
    b"awkward/.hidden",
    b"awkward/two  spaces.txt",
    b"awkward/a -> b.txt",
    "awkward/Übergröße.txt".as_bytes(),
    // The same letters once composed and once with combining marks: two files.
    "awkward/caf\u{e9}.txt".as_bytes(),
    "awkward/cafe\u{301}.txt".as_bytes(),
    "awkward/報告書 最終版.txt".as_bytes(),
    "awkward/отчёт.txt".as_bytes(),
    "awkward/🚢.txt".as_bytes(),
    b"awkward/empty.txt",
    b"archive/empty.dat",
];

/// "报表 2024.txt" and "合同.txt" as a Chinese Windows wrote them: GBK, no UTF-8.
pub const GBK_FOLDER: &str = "beijing";
const GBK: &[&[u8]] = &[b"beijing/\xb1\xa8\xb1\xed 2024.txt", b"beijing/\xba\xcf\xcd\xac.txt"];

/// Makes what is missing of the tree. Returns the number of files it holds.
///
/// # Errors
/// Those of the file system.
pub fn generate(view: &View, now: Timestamp) -> io::Result<usize> {
    let mut files = 0;
    for (folder, count) in FOLDERS {
        let folder = path(folder.as_bytes())?;
        view.make_dirs(&folder)?;
        for (number, ending) in ENDINGS.iter().cycle().take(*count).enumerate() {
            let name = name(format!("{:04} {ending}", number + 1).as_bytes())?;
            file(view, &folder.join(&name), small_size(number), now)?;
            files += 1;
        }
    }
    for bytes in AWKWARD.iter().chain(GBK) {
        let path = path(bytes)?;
        view.make_dirs(&path.parent().unwrap_or_default())?;
        let size = if bytes.windows(5).any(|part| part == b"empty") { 0 } else { 700 };
        file(view, &path, size, now)?;
        files += 1;
    }
    view.make_dirs(&path(b"backup")?)?;
    file(view, &path(b"backup/warehouse-full.dump")?, LARGE, now)?;
    Ok(files + 1)
}

const ENDINGS: [&str; 5] = ["order.xml", "delivery note.pdf", "list.csv", "scan.tif", "readme.txt"];

fn path(bytes: &[u8]) -> io::Result<RelPath> {
    RelPath::new(bytes).map_err(io::Error::other)
}

fn name(bytes: &[u8]) -> io::Result<Name> {
    Name::new(bytes).map_err(io::Error::other)
}

fn small_size(number: usize) -> u64 {
    // From nothing to a third of a megabyte, unevenly.
    (number as u64 * 7919) % 331_000
}

fn file(view: &View, path: &RelPath, size: u64, now: Timestamp) -> io::Result<()> {
    if view.stat(path).is_ok_and(|stat| stat.size == size) {
        return Ok(());
    }
    let seed = path
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mut part = view.part(path, "sample")?;
    part.truncate(0)?;
    let mut written = 0;
    while written < size {
        let block = block(seed.wrapping_add(written), usize::try_from((size - written).min(1 << 20)).unwrap_or(0));
        part.write_at(&block, written)?;
        written += block.len() as u64;
    }
    // Old files, each with a time of its own to the second.
    let age = SignedDuration::from_secs(i64::try_from(3600 + seed % (86_400 * 2000)).unwrap_or(3600));
    let mtime = now.saturating_sub(age).unwrap_or(now);
    let mtime = Timestamp::from_second(mtime.as_second()).unwrap_or(mtime);
    part.set_attributes(SetAttributes { mode: Some(0o644), ..SetAttributes::mtime(mtime) })?;
    part.publish(Replace::Yes).map(|_| ())
}

/// Bytes that compress about as badly as real data (xorshift).
fn block(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// How many orders of today are kept: the oldest name is written anew after that.
const ARRIVALS: i64 = 200;

/// A new order, as a partner's program would upload it.
///
/// # Errors
/// Those of the file system.
pub fn arrival(view: &View, now: Timestamp) -> io::Result<()> {
    let folder = path(b"inbound/orders/today")?;
    view.make_dirs(&folder)?;
    let number = now.as_second().div_euclid(20);
    let name = name(format!("order {:04}.xml", number.rem_euclid(ARRIVALS)).as_bytes())?;
    let path = folder.join(&name);
    let mut part = view.part(&path, "arrival")?;
    part.truncate(0)?;
    let text = format!("<order number=\"{number}\" placed=\"{now:.0}\"/>\n");
    part.write_at(text.as_bytes(), 0)?;
    part.publish(Replace::Yes).map(|_| ())
}
