//! Names that make trouble: for targets that cannot hold them, for people who read them, and for each other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::model::{Name, RESERVED_PREFIX, RelPath, charset, display_bytes};

/// So many examples of each kind are told.
const EXAMPLES: usize = 5;
/// The first of two equals is told by its name among so many names of a folder; beyond, only that there are two.
const REMEMBERED: usize = 20_000;
/// In a folder with more names than this no further equals are looked for.
const COMPARED: usize = 2_000_000;
/// A whole path may have so many characters where programs of Windows are to read it (MAX_PATH, with its drive).
const WINDOWS_PATH: usize = 256;
/// Names of devices, which Windows takes for them in every folder and with every ending.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Begins with `.causeway-`, which Causeway keeps for itself: refused.
    Ours,
    /// Holds a line break: no FTP command can name it.
    LineBreak,
    /// Not UTF-8.
    NotUtf8,
    /// Holds another control character.
    Control,
    /// Differs from a neighbour in upper and lower case only.
    Case,
    /// Differs from a neighbour in the way that the same characters are composed (Unicode NFC and NFD).
    Composition,
    /// A device for Windows, such as `aux.txt`.
    WindowsDevice,
    /// Ends with a dot or a blank, which Windows cuts off.
    WindowsEnd,
    /// Holds one of `< > : " | ? * \`.
    WindowsCharacter,
    /// Its whole path is too long for many programs of Windows.
    WindowsPath,
}

impl Trouble {
    /// Every value, the gravest first.
    pub const ALL: [Self; 10] = [
        Self::Ours,
        Self::LineBreak,
        Self::NotUtf8,
        Self::Control,
        Self::Case,
        Self::Composition,
        Self::WindowsDevice,
        Self::WindowsEnd,
        Self::WindowsCharacter,
        Self::WindowsPath,
    ];

    /// As people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ours => "begin with '.causeway-', which is reserved",
            Self::LineBreak => "hold a line break",
            Self::NotUtf8 => "are not UTF-8",
            Self::Control => "hold control characters",
            Self::Case => "differ from a neighbour in upper and lower case only",
            Self::Composition => "look like a neighbour and are composed of other code points",
            Self::WindowsDevice => "are names of devices on Windows (con, aux, nul, …)",
            Self::WindowsEnd => "end with a dot or a blank, which Windows cuts off",
            Self::WindowsCharacter => "hold a character that Windows does not allow",
            Self::WindowsPath => "have a path of more than 256 characters, too long for many Windows programs",
        }
    }
}

/// One kind of trouble: how often, and the first examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Troubled {
    /// Which.
    pub trouble: Trouble,
    /// Names that have it.
    pub count: u64,
    /// Paths of the first few, for people.
    pub examples: Vec<String>,
}

/// All troubled names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Names {
    /// By kind, the gravest first; kinds without any are left out.
    pub troubled: Vec<Troubled>,
    /// Names in folders too large to compare all of them with each other.
    pub not_compared: u64,
}

impl Names {
    fn note(&mut self, trouble: Trouble, example: impl FnOnce() -> String) {
        let at = match self.troubled.binary_search_by_key(&trouble, |one| one.trouble) {
            Ok(at) => at,
            Err(at) => {
                self.troubled.insert(at, Troubled { trouble, count: 0, examples: Vec::new() });
                at
            }
        };
        if let Some(one) = self.troubled.get_mut(at) {
            one.count += 1;
            if one.examples.len() < EXAMPLES {
                one.examples.push(example());
            }
        }
    }

    /// Names that have this trouble.
    #[must_use]
    pub fn count(&self, trouble: Trouble) -> u64 {
        self.troubled.iter().find(|one| one.trouble == trouble).map_or(0, |one| one.count)
    }

    /// One more name in `folder`.
    pub(super) fn add(&mut self, folder: &RelPath, name: &Name) {
        for trouble in alone(name.as_bytes()) {
            self.note(trouble, || folder.join(name).display().into_owned());
        }
        let joined = folder.as_bytes().len() + 1 + name.as_bytes().len();
        if joined > WINDOWS_PATH && folder.join(name).display().chars().count() > WINDOWS_PATH {
            self.note(Trouble::WindowsPath, || folder.join(name).display().into_owned());
        }
    }
}

/// What is wrong with a name whatever lies beside it.
fn alone(name: &[u8]) -> impl Iterator<Item = Trouble> {
    let text = std::str::from_utf8(name).ok();
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    let odd = |wanted: &[u8]| name.iter().any(|byte| wanted.contains(byte));
    let broken = odd(b"\r\n");
    let control = name.iter().any(|byte| byte.is_ascii_control())
        || text.is_some_and(|text| text.chars().any(|c| c.is_control()));
    let found = [
        (name.starts_with(RESERVED_PREFIX), Trouble::Ours),
        (broken, Trouble::LineBreak),
        (text.is_none(), Trouble::NotUtf8),
        (control && !broken, Trouble::Control),
        (is_device(stem), Trouble::WindowsDevice),
        (name.ends_with(b".") || name.ends_with(b" "), Trouble::WindowsEnd),
        (odd(b"<>:\"|?*\\"), Trouble::WindowsCharacter),
    ];
    found.into_iter().filter_map(|(is, trouble)| is.then_some(trouble))
}

fn is_device(stem: &[u8]) -> bool {
    let Ok(stem) = std::str::from_utf8(stem) else { return false };
    let stem = stem.trim_end_matches(' ');
    let numbered = |port: &str| {
        let number = stem.get(..3).filter(|start| start.eq_ignore_ascii_case(port)).and_then(|_| stem.get(3..));
        number.is_some_and(|n| matches!(n, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
    };
    DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) || numbered("COM") || numbered("LPT")
}

/// The names of one folder, to see which become one where case or composition do not count.
#[derive(Debug)]
pub(super) struct Neighbours {
    charset: Option<&'static Encoding>,
    /// By the hash of the folded name: the first that had it, as long as there is room.
    seen: HashMap<u64, Option<Box<[u8]>>>,
}

impl Neighbours {
    pub(super) fn new(charset: Option<&'static Encoding>) -> Self {
        Self { charset, seen: HashMap::new() }
    }

    /// One more name of `folder`.
    pub(super) fn add(&mut self, folder: &RelPath, name: &Name, into: &mut Names) {
        let bytes = name.as_bytes();
        let text = text(bytes, self.charset);
        let mut hasher = DefaultHasher::new();
        folded(&text).hash(&mut hasher);
        let (room, known) = (self.seen.len() < COMPARED, self.seen.len() < REMEMBERED);
        match self.seen.entry(hasher.finish()) {
            Slot::Vacant(free) if room => {
                free.insert(known.then(|| bytes.into()));
            }
            Slot::Vacant(_) => into.not_compared += 1,
            Slot::Occupied(first) => {
                let first = first.get().as_deref();
                let trouble = kind(first.map(|first| self::text(first, self.charset)).as_deref(), &text);
                into.note(trouble, || {
                    let here = folder.join(name);
                    match first {
                        Some(first) => format!("{} and {}", here.display(), display_bytes(first)),
                        None => here.display().into_owned(),
                    }
                });
            }
        }
    }
}

/// What a name says; bytes that are no text stand for themselves.
fn text<'a>(name: &'a [u8], legacy: Option<&'static Encoding>) -> Cow<'a, str> {
    match std::str::from_utf8(name) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => legacy.and_then(|set| charset::decode(name, set)).unwrap_or_else(|| display_bytes(name)),
    }
}

/// The same for names that are one where neither case nor composition counts.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// Which of the two made them one. Composition alone is the graver: nobody sees it.
fn kind(first: Option<&str>, second: &str) -> Trouble {
    match first {
        Some(first) if first.nfc().eq(second.nfc()) => Trouble::Composition,
        _ => Trouble::Case,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&[u8]]) -> Names {
        let (mut found, mut neighbours) = (Names::default(), Neighbours::new(None));
        let folder = RelPath::new("in").unwrap();
        for name in names {
            let name = Name::new(name).unwrap();
            found.add(&folder, &name);
            neighbours.add(&folder, &name, &mut found);
        }
        found
    }

    fn kinds(name: &[u8]) -> Vec<Trouble> {
        names(&[name]).troubled.into_iter().map(|one| one.trouble).collect()
    }

    #[test]
    fn what_windows_does_not_bear() {
        for name in ["aux", "AUX.txt", "com1", "Lpt9.log", "nul .x", "prn", "com³"] {
            assert_eq!(kinds(name.as_bytes()), [Trouble::WindowsDevice], "{name}");
        }
        for name in ["auxiliary", "com", "com10", "lpt0", "console.log", "report.aux", "plain", "日本語", ".bashrc"]
        {
            assert_eq!(kinds(name.as_bytes()), [], "{name}");
        }
        assert_eq!(kinds(b"end."), [Trouble::WindowsEnd]);
        assert_eq!(kinds(b"end "), [Trouble::WindowsEnd]);
        assert_eq!(kinds(b"a:b"), [Trouble::WindowsCharacter]);
        assert_eq!(kinds(b"back\\slash"), [Trouble::WindowsCharacter]);
        let long = [b'x'; 255];
        assert_eq!(kinds(&long), [Trouble::WindowsPath]);
        assert_eq!(kinds("界".repeat(85).as_bytes()), [], "85 characters in 255 bytes");
    }

    #[test]
    fn what_no_target_bears() {
        assert_eq!(kinds(b".causeway-part"), [Trouble::Ours]);
        assert_eq!(kinds(b"two\nlines"), [Trouble::LineBreak]);
        assert_eq!(kinds(b"bell\x07"), [Trouble::Control]);
        assert_eq!(kinds(b"\xd6\xd0"), [Trouble::NotUtf8]);
        assert_eq!(kinds("c1\u{85}".as_bytes()), [Trouble::Control]);
    }

    #[test]
    fn neighbours_that_become_one() {
        let found = names(&[b"Report", b"report", b"REPORT", "\u{e9}t".as_bytes(), "e\u{301}t".as_bytes(), b"x"]);
        assert_eq!((found.count(Trouble::Case), found.count(Trouble::Composition)), (2, 1));
        let examples: Vec<_> = found.troubled.iter().flat_map(|one| one.examples.clone()).collect();
        assert_eq!(examples, ["in/report and Report", "in/REPORT and Report", "in/e\u{301}t and \u{e9}t"]);
        // Both at once are told as what people see.
        assert_eq!(names(&["\u{c9}T".as_bytes(), "e\u{301}t".as_bytes()]).count(Trouble::Case), 1);
        assert_eq!(names(&["straße".as_bytes(), "STRASSE".as_bytes()]).troubled, []);
        // Without a character set only ASCII letters of such names have two cases.
        assert_eq!(names(&[b"\xc4a", b"\xc4A", b"\xe4a"]).count(Trouble::Case), 1);
    }

    #[test]
    fn a_character_set_tells_the_cases_of_legacy_names() {
        let (mut found, mut neighbours) = (Names::default(), Neighbours::new(Some(encoding_rs::WINDOWS_1252)));
        for name in [&b"\xc4rger"[..], b"\xe4rger"] {
            neighbours.add(&RelPath::root(), &Name::new(name).unwrap(), &mut found);
        }
        assert_eq!(found.count(Trouble::Case), 1);
    }
}
