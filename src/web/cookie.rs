//! Cookies (RFC 6265): read, write, and the few that there are. All are `__Host-`: only over TLS, only
//! for this host, for the whole of it.

use axum::http::{HeaderMap, header};
use data_encoding::BASE64URL_NOPAD;

use super::frame::Note;
use super::widget::Tone;

/// The session's token.
pub const SESSION: &str = "__Host-causeway";
/// Ties forms to a browser that has not signed in.
pub const VISIT: &str = "__Host-causeway-visit";
/// What was just done, for the next page.
pub const NOTE: &str = "__Host-causeway-note";
/// Most bytes of a note's text.
const NOTE_BYTES: usize = 2_600;
/// Of a browser that has opened a shared link.
pub const SHARE: &str = "__Host-causeway-share";
/// The chosen colours.
pub const THEME: &str = "__Host-causeway-theme";

/// The cookies of a request.
pub struct Jar<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Jar<'a> {
    /// Reads them. HTTP/2 may split them over several header lines (RFC 9113, section 8.2.3).
    #[must_use]
    pub fn of(headers: &'a HeaderMap) -> Self {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        Self(lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).collect())
    }

    /// The value of that name; empty ones are none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| *value).filter(|value| !value.is_empty())
    }
}

/// `Set-Cookie` for a cookie that scripts cannot read. `seconds`: none = until the browser is closed.
#[must_use]
pub fn keep(name: &str, value: &str, seconds: Option<i64>) -> String {
    let age = seconds.map(|s| format!("; Max-Age={s}")).unwrap_or_default();
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
}

/// `Set-Cookie` that takes it away.
#[must_use]
pub fn forget(name: &str) -> String {
    keep(name, "", Some(0))
}

/// 256 random bits.
#[must_use]
pub fn random() -> Option<String> {
    let mut bytes = [0; 32];
    crate::random::fill(&mut bytes).ok()?;
    Some(BASE64URL_NOPAD.encode(&bytes))
}

/// A note as a cookie's value.
#[must_use]
pub fn write_note(note: &Note) -> String {
    // A cookie holds 4 kB at most, four thirds of what is written into it.
    let mut end = 0;
    let text: String = note.text.chars().take_while(|c| (end += c.len_utf8(), end <= NOTE_BYTES).1).collect();
    BASE64URL_NOPAD.encode(format!("{}:{text}", note.tone.class()).as_bytes())
}

/// Reads it back. Whoever made it, it is only ever shown as escaped text.
#[must_use]
pub fn read_note(value: &str) -> Option<Note> {
    let text = String::from_utf8(BASE64URL_NOPAD.decode(value.as_bytes()).ok()?).ok()?;
    let (tone, text) = text.split_once(':')?;
    let tone = if tone == Tone::Bad.class() { Tone::Bad } else { Tone::Ok };
    Some(Note { tone, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; __Host-causeway=tok".parse().unwrap());
        headers.append(header::COOKIE, "b=2".parse().unwrap());
        let jar = Jar::of(&headers);
        assert_eq!((jar.get(SESSION), jar.get("b"), jar.get("c")), (Some("tok"), Some("2"), None));
        let note = Note { tone: Tone::Bad, text: "nö: <b>".into() };
        assert_eq!(read_note(&write_note(&note)), Some(note));
        assert!(keep(SESSION, "x", None).contains("; Secure; HttpOnly; SameSite=Lax"));
    }
}
