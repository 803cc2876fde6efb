//! A model of an SFTP session, and a player that asks at random: whatever is in flight, every answer must be the one that
//! a server would give which does one request after the other. Used by the tests, over SSH, and by the fuzz targets,
//! without it.

use std::collections::BTreeMap;

use super::packet::Field::{L, S, U};
use super::packet::{Field, request};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RMDIR: u8 = 15;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const EXTENDED: u8 = 200;

/// Answers that are waited for at a time.
const FLYING: usize = 60;

/// The way to the door.
pub trait Line {
    /// Sends the body of a packet.
    fn send(&mut self, body: &[u8]);
    /// The body of the next packet that comes.
    fn packet(&mut self) -> Vec<u8>;
}

/// Where decisions come from: a seed, or what a fuzzer has made up.
pub trait Chance {
    /// A number below `below`.
    fn below(&mut self, below: usize) -> usize;
    /// Is there more to decide by?
    fn has_more(&self) -> bool;
}

/// What the door must answer when requests are done one after the other, in the order in which they were sent.
#[derive(Default)]
struct Model {
    /// By name: version and content; a folder has none.
    tree: BTreeMap<&'static str, Option<(u64, Vec<u8>)>>,
    versions: u64,
    /// By handle: what is open.
    open: BTreeMap<Vec<u8>, Opened>,
}

enum Opened {
    Download(Vec<u8>),
    Upload { name: &'static str, base: Option<u64>, content: Vec<u8>, exclusive: bool, dirty: bool, unlinked: bool },
}

/// OK, no such file, failure.
const OK: u32 = 0;
const MISSING: u32 = 2;
const FAILURE: u32 = 4;

impl Model {
    fn file(&self, name: &str) -> Option<&(u64, Vec<u8>)> {
        self.tree.get(name)?.as_ref()
    }

    fn put(&mut self, name: &'static str, content: Vec<u8>) {
        self.versions += 1;
        self.tree.insert(name, Some((self.versions, content)));
    }

    fn arriving(&mut self, wanted: &str) -> Option<&mut Opened> {
        self.open
            .values_mut()
            .find(|open| matches!(open, Opened::Upload { name, unlinked: false, .. } if *name == wanted))
    }

    /// What OPEN does, or the code of its refusal.
    fn open(&mut self, name: &'static str, flags: u32) -> Result<Opened, u32> {
        if name.starts_with("g/") && !self.tree.contains_key("g") {
            return Err(MISSING);
        }
        let there = self.file(name).cloned();
        if flags & 2 == 0 {
            return there.map(|(_, content)| Opened::Download(content)).ok_or(MISSING);
        }
        let exclusive = flags & 0x20 != 0;
        if there.is_none() && flags & 8 == 0 {
            return Err(MISSING);
        }
        if exclusive && (there.is_some() || self.arriving(name).is_some()) {
            return Err(FAILURE);
        }
        let (base, content) = match there {
            Some((version, content)) if flags & 0x10 == 0 => (Some(version), content),
            _ => (None, Vec::new()),
        };
        Ok(Opened::Upload { name, dirty: base.is_none(), base, content, exclusive, unlinked: false })
    }

    fn write(&mut self, handle: &[u8], offset: usize, data: &[u8]) -> u32 {
        let Some(Opened::Upload { content, dirty, .. }) = self.open.get_mut(handle) else { return FAILURE };
        content.resize(content.len().max(offset + data.len()), 0);
        content[offset..offset + data.len()].copy_from_slice(data);
        *dirty = true;
        OK
    }

    fn close(&mut self, handle: &[u8]) -> u32 {
        let Some(Opened::Upload { name, base, content, exclusive, dirty, unlinked }) = self.open.remove(handle) else {
            return OK;
        };
        if unlinked || !dirty {
            return OK;
        }
        let there = self.file(name).map(|(version, _)| *version);
        if exclusive && there.is_some() || base.is_some() && there.is_some() && there != base {
            return FAILURE;
        }
        self.put(name, content);
        OK
    }

    /// The size, or the code of the refusal.
    fn stat(&mut self, name: &str) -> Result<usize, u32> {
        if let Some(Opened::Upload { content, .. }) = self.arriving(name) {
            return Ok(content.len());
        }
        self.file(name).map(|(_, content)| content.len()).ok_or(MISSING)
    }

    fn make(&mut self) -> u32 {
        if self.tree.contains_key("g") { FAILURE } else { self.tree.insert("g", None).map_or(OK, |_| OK) }
    }

    fn unmake(&mut self) -> u32 {
        let inside = |open: &Opened| matches!(open, Opened::Upload { name: "g/x", .. });
        if !self.tree.contains_key("g") {
            MISSING
        } else if self.tree.contains_key("g/x") || self.open.values().any(inside) {
            FAILURE
        } else {
            self.tree.remove("g");
            OK
        }
    }

    fn remove(&mut self, name: &str) -> u32 {
        let mut own = false;
        if let Some(Opened::Upload { unlinked, .. }) = self.arriving(name) {
            (*unlinked, own) = (true, true);
        }
        if self.tree.remove(name).is_some() || own { OK } else { MISSING }
    }

    fn rename(&mut self, from: &'static str, to: &'static str, replace: bool) -> u32 {
        let arrives = self.arriving(from).is_some();
        if !arrives && !self.tree.contains_key(from) {
            return MISSING;
        }
        if !replace && self.tree.contains_key(to) {
            return FAILURE;
        }
        let moved = self.tree.remove(from);
        let there = moved.is_some();
        if let Some(moved) = moved {
            self.tree.insert(to, moved);
        }
        if let Some(Opened::Upload { name, exclusive, .. }) = self.arriving(from) {
            (*name, *exclusive) = (to, !there && !replace);
        }
        OK
    }
}

/// One answer that is waited for.
enum Expected {
    Status(u32),
    Size(usize),
    Data(Vec<u8>),
}

impl Expected {
    fn check(&self, packet: &[u8], about: &str) {
        let (kind, body) = (packet[0], &packet[5..]);
        match self {
            Self::Status(code) => {
                assert_eq!(kind, 101, "{about}: no STATUS");
                assert_eq!(body[..4], code.to_be_bytes(), "{about}: {}", String::from_utf8_lossy(&body[8..]));
            }
            Self::Size(size) => {
                assert_eq!(kind, 105, "{about}: no ATTRS: {}", String::from_utf8_lossy(body));
                assert_eq!(body[4..12], (*size as u64).to_be_bytes(), "{about}");
            }
            Self::Data(data) => {
                assert_eq!(kind, 103, "{about}: no DATA: {}", String::from_utf8_lossy(body));
                assert!(body[4..] == data[..], "{about}: other bytes");
            }
        }
    }
}

/// A session that asks at random, and what it waits for.
pub struct Player<L, C> {
    line: L,
    chance: C,
    model: Model,
    sent: u32,
    waiting: BTreeMap<u32, (Expected, String)>,
    together: usize,
}

/// What a session came to.
pub struct Played<L> {
    /// The line, on which nothing is to come.
    pub line: L,
    /// The files that must be there now.
    pub files: BTreeMap<&'static str, Vec<u8>>,
    /// How many answers were waited for at a time.
    pub together: usize,
}

impl<L: Line, C: Chance> Player<L, C> {
    /// In an empty folder.
    pub fn new(line: L, chance: C) -> Self {
        Self { line, chance, model: Model::default(), sent: 0, waiting: BTreeMap::new(), together: 0 }
    }

    /// Asks until there is nothing to decide by, and hears all answers.
    pub fn play(mut self) -> Played<L> {
        while self.chance.has_more() {
            self.step();
        }
        while !self.waiting.is_empty() {
            self.hear();
        }
        let files = self.model.tree.into_iter().filter_map(|(name, there)| Some((name, there?.1))).collect();
        Played { line: self.line, files, together: self.together }
    }

    fn random(&mut self, below: usize) -> usize {
        self.chance.below(below)
    }

    fn ask(&mut self, kind: u8, fields: &[Field<'_>], expected: Expected, about: String) {
        self.sent += 1;
        self.line.send(&request(kind, self.sent, fields));
        self.waiting.insert(self.sent, (expected, about));
        self.together = self.together.max(self.waiting.len());
        if self.waiting.len() > FLYING {
            self.hear();
        }
    }

    /// One answer.
    fn hear(&mut self) {
        let packet = self.line.packet();
        let id = u32::from_be_bytes(packet[1..5].try_into().unwrap());
        let (expected, about) = self.waiting.remove(&id).expect("asked for");
        expected.check(&packet, &about);
    }

    fn open(&mut self, name: &'static str) {
        let flags = [0x01, 0x1a, 0x1b, 0x0a, 0x02, 0x2a][self.random(6)];
        if flags & 2 != 0 && self.model.arriving(name).is_some() {
            return;
        }
        self.sent += 1;
        let id = self.sent;
        self.line.send(&request(OPEN, id, &[S(name.as_bytes()), U(flags), U(0)]));
        let packet = loop {
            let packet = self.line.packet();
            let heard = u32::from_be_bytes(packet[1..5].try_into().unwrap());
            if heard == id {
                break packet;
            }
            let (expected, about) = self.waiting.remove(&heard).expect("asked for");
            expected.check(&packet, &about);
        };
        match self.model.open(name, flags) {
            Ok(opened) => {
                assert_eq!(packet[0], 102, "OPEN {name} {flags:x}: {}", String::from_utf8_lossy(&packet[5..]));
                self.model.open.insert(packet[9..].to_vec(), opened);
            }
            Err(code) => Expected::Status(code).check(&packet, &format!("OPEN {name} {flags:x}")),
        }
    }

    fn with_handle(&mut self) {
        let handles: Vec<_> = self.model.open.keys().cloned().collect();
        if handles.is_empty() {
            return;
        }
        let handle = handles[self.random(handles.len())].clone();
        let offset = self.random(100_000);
        match self.random(8) {
            0..4 => {
                let data = vec![self.random(256) as u8; 1 + self.random(30_000)];
                let code = self.model.write(&handle, offset, &data);
                let fields = [S(&handle), L(offset as u64), S(&data)];
                self.ask(WRITE, &fields, Expected::Status(code), format!("WRITE {handle:?} {offset}"));
            }
            4..7 => {
                let (Opened::Download(content) | Opened::Upload { content, .. }) = &self.model.open[&handle];
                let data = content.get(offset..content.len().min(offset + 20_000)).unwrap_or_default().to_vec();
                let expected = if data.is_empty() { Expected::Status(1) } else { Expected::Data(data) };
                let fields = [S(&handle), L(offset as u64), U(20_000)];
                self.ask(READ, &fields, expected, format!("READ {handle:?} {offset}"));
            }
            _ => {
                let code = self.model.close(&handle);
                self.ask(CLOSE, &[S(&handle)], Expected::Status(code), format!("CLOSE {handle:?}"));
            }
        }
    }

    fn with_name(&mut self, name: &'static str) {
        match self.random(6) {
            0..3 => {
                let expected = self.model.stat(name).map_or_else(Expected::Status, Expected::Size);
                self.ask(STAT, &[S(name.as_bytes())], expected, format!("STAT {name}"));
            }
            3 => {
                let code = self.model.remove(name);
                self.ask(REMOVE, &[S(name.as_bytes())], Expected::Status(code), format!("REMOVE {name}"));
            }
            4 => {
                let to = ["a", "b", "c"][self.random(3)];
                let both = self.model.arriving(name).is_some() && self.model.arriving(to).is_some();
                if name == to || name == "g/x" || both {
                    return;
                }
                let replace = self.random(2) == 0;
                let code = self.model.rename(name, to, replace);
                let fields = [S(b"posix-rename@openssh.com"), S(name.as_bytes()), S(to.as_bytes())];
                let about = format!("RENAME {name} {to} {replace}");
                let (kind, fields) = if replace { (EXTENDED, &fields[..]) } else { (RENAME, &fields[1..]) };
                self.ask(kind, fields, Expected::Status(code), about);
            }
            _ if self.random(2) == 0 => {
                let code = self.model.make();
                self.ask(MKDIR, &[S(b"g"), U(0)], Expected::Status(code), "MKDIR".to_owned());
            }
            _ => {
                let code = self.model.unmake();
                self.ask(RMDIR, &[S(b"g")], Expected::Status(code), "RMDIR".to_owned());
            }
        }
    }

    /// Asks something.
    fn step(&mut self) {
        let name = ["a", "b", "c", "g/x"][self.random(4)];
        match self.random(10) {
            0 => self.open(name),
            1..8 => self.with_handle(),
            _ => self.with_name(name),
        }
    }
}
