//! One entry as a line: JSON for scripts, columns for people.

use data_encoding::HEXLOWER;
use encoding_rs::Encoding;
use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Entry, EntryKind, Mtime, Precision, ServerZone};

/// The columns of the table; times are shown by a clock of `zone`.
pub fn head(zone: &ServerZone) -> String {
    format!("TYPE              SIZE  {:<20}  FORMAT        NAME\n", format!("MODIFIED ({zone})"))
}

/// What is shown of an entry.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    name_hex: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    size: Option<u64>,
    mtime: Option<String>,
    mtime_precision: Option<&'static str>,
    target: Option<String>,
    format: &'a str,
    #[serde(skip)]
    at: Option<Mtime>,
}

/// A line that gave no entry.
#[derive(Debug, Serialize)]
struct Unparsed<'a> {
    unparsed_hex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// The entry, its texts in `charset`.
    pub fn new(entry: &Entry, format: &'a str, charset: Option<&'static Encoding>) -> Self {
        let (kind, target) = match &entry.kind {
            EntryKind::File => ("file", None),
            EntryKind::Dir => ("dir", None),
            EntryKind::Symlink(target) => ("symlink", target.as_deref()),
            EntryKind::Special => ("other", None),
            EntryKind::Unknown => ("unknown", None),
        };
        let name = entry.name.as_bytes();
        Self {
            name_hex: HEXLOWER.encode(name),
            name: decoded(name, charset),
            kind,
            size: entry.size.filter(|_| matches!(entry.kind, EntryKind::File | EntryKind::Unknown)),
            mtime: entry.mtime.map(|mtime| seconds(mtime.at).to_string()),
            mtime_precision: entry.mtime.map(|mtime| match mtime.precision {
                Precision::Nanosecond | Precision::Second => "s",
                Precision::Minute => "m",
                Precision::Day => "d",
            }),
            target: target.map(|target| decoded(target, charset)),
            format,
            at: entry.mtime,
        }
    }

    /// Adds the object and its line end.
    pub fn json(&self, text: &mut String) {
        push_json(self, text);
    }

    /// Adds the columns; the name comes last, because nobody knows how wide it is.
    pub fn table(&self, zone: &ServerZone, text: &mut String) {
        let size = self.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
        let time = self.at.map_or_else(
            || "-".to_owned(),
            |mtime| {
                let pattern = match mtime.precision {
                    Precision::Nanosecond | Precision::Second => "%Y-%m-%d %H:%M:%S",
                    Precision::Minute => "%Y-%m-%d %H:%M",
                    Precision::Day => "%Y-%m-%d",
                };
                zone.face(mtime.at).strftime(pattern).to_string()
            },
        );
        let Self { kind, format, .. } = self;
        let name = visible(&self.name);
        text.push_str(&format!("{kind:<8}{size:>14}  {time:<20}  {format:<12}  {name}"));
        if let Some(target) = &self.target {
            text.push_str(&format!(" -> {}", visible(target)));
        }
        text.push('\n');
    }
}

/// Adds a line that was not understood.
pub fn unparsed(line: &[u8], why: Option<&str>, json: bool, text: &mut String) {
    if json {
        push_json(&Unparsed { unparsed_hex: HEXLOWER.encode(line), why }, text);
        return;
    }
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    text.push_str(&format!("?? not understood{why}: {}\n", visible(&crate::model::display_bytes(line))));
}

/// Nothing in a name moves the cursor or turns the direction of the line.
fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().flat_map(|c| if is_hidden(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

fn push_json(value: &impl Serialize, text: &mut String) {
    // Nothing of it can fail: texts and numbers.
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
    text.push('\n');
}

fn seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Bytes as text: in the character set when they are text in it, as they are when they are UTF-8, else with `\xNN` for
/// what is none.
fn decoded(bytes: &[u8], charset: Option<&'static Encoding>) -> String {
    charset
        .filter(|_| !bytes.is_ascii())
        .and_then(|charset| charset.decode_without_bom_handling_and_without_replacement(bytes))
        .or_else(|| std::str::from_utf8(bytes).ok().map(std::borrow::Cow::Borrowed))
        .unwrap_or_else(|| crate::model::display_bytes(bytes))
        .into_owned()
}
