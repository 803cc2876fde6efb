//! One entry of the chain as text: canonical JSON, and its hash.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde_json::Value;

use super::{Actor, Event};
use crate::db::DbError;

/// The hash before the first entry.
pub(super) const GENESIS: [u8; 32] = [0; 32];

/// An entry ready to be stored.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) entry: String,
    pub(super) hash: [u8; 32],
}

/// SHA-256 of an entry's text.
pub(super) fn hash_bytes(entry: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, entry).as_ref());
    bytes
}

/// Time as the store keeps it: whole microseconds.
pub(super) fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// Writes the entry that follows `previous`.
pub(super) fn seal(
    seq: i64,
    at: Timestamp,
    actor: &Actor,
    event: &Event,
    previous: &[u8; 32],
) -> Result<Sealed, DbError> {
    let at = whole_micros(at);
    let actor = actor.to_string();
    let event = serde_json::to_value(event).map_err(|error| DbError::Value(error.to_string()))?;
    let action = event.get("action").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut entry = String::with_capacity(320);
    entry.push_str("{\"actor\":");
    write_string(&mut entry, &actor);
    entry.push_str(&format!(",\"at\":\"{at}\",\"event\":"));
    write_canonical(&mut entry, &event)?;
    entry.push_str(&format!(",\"previous\":\"{}\",\"seq\":{seq}}}", HEXLOWER.encode(previous)));
    let hash = hash_bytes(entry.as_bytes());
    Ok(Sealed { seq, at, actor, action, entry, hash })
}

/// JSON with sorted keys, without blanks and without fractions: the subset of RFC 8785 in which two
/// writers cannot disagree. (Keys are ASCII here, so that bytes sort as UTF-16 does.)
fn write_canonical(out: &mut String, value: &Value) -> Result<(), DbError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) if number.is_f64() => {
            return Err(DbError::Value("a fraction in an audit entry".to_owned()));
        }
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(out, item)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push('{');
            for (index, (key, item)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_canonical(out, item)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// RFC 8785, section 3.2.2.2: the short escapes, `\u00xx` for other controls, everything else as it is.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What stands in an entry's text.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opened {
    pub(super) actor: String,
    pub(super) at: Timestamp,
    pub(super) event: Value,
    pub(super) previous: String,
    pub(super) seq: i64,
}

/// Reads an entry's text; `None` when it is not one.
pub(super) fn open(entry: &str) -> Option<Opened> {
    serde_json::from_str(entry).ok()
}

impl Opened {
    pub(super) fn action(&self) -> &str {
        self.event.get("action").and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RelPath, RunId};

    #[test]
    fn the_text_is_fixed() {
        let event = Event::FileTrashed {
            run: RunId(7),
            path: RelPath::new(b"a/\xd6\xd0 \"q\"").unwrap(),
            batch: "b\n1".into(),
        };
        let sealed = seal(3, "2026-01-02T03:04:05.6789Z".parse().unwrap(), &Actor::System, &event, &GENESIS).unwrap();
        let expected = concat!(
            r#"{"actor":"system","at":"2026-01-02T03:04:05.6789Z","event":{"action":"file-trashed","batch":"b\n1","#,
            r#""path":"\u0000612fd6d020227122","run":7},"#,
            r#""previous":"0000000000000000000000000000000000000000000000000000000000000000","seq":3}"#
        );
        assert_eq!(sealed.entry, expected);
        let opened = open(&sealed.entry).unwrap();
        assert_eq!((opened.seq, opened.action()), (3, "file-trashed"));
        assert_eq!(serde_json::from_value::<Event>(opened.event).unwrap(), event);
    }

    #[test]
    fn fractions_are_refused() {
        assert!(write_canonical(&mut String::new(), &serde_json::json!({"x": 1.5})).is_err());
    }
}
