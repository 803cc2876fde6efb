//! Where in a conversation something goes wrong.

use std::collections::BTreeMap;

use super::harm::{Harm, LATE};
use super::{BIG, Cell, HALF, OVERLAP, Tree, crowd, modern, over, plain, simple, tree};
use crate::support::scripted::{Act, Script, data, pause, say};

/// A place.
pub struct Place {
    name: &'static str,
    /// The server with the fault; `None` where there is no such fault there.
    script: fn(Harm) -> Option<Script>,
    /// What is on its way then, by the beginning of its path, and how much of it may have to be sent again.
    again: Option<(&'static str, u64)>,
    tree: Tree,
}

impl Place {
    /// A mirror with this fault here.
    pub fn with(&self, harm: Harm) -> Option<Cell> {
        let again = match harm {
            // A server that goes on late sends all to a client that has left long since.
            Harm::Late => (self.tree)().into_iter().map(|(file, all)| (file, all.len() as u64 + OVERLAP)).collect(),
            _ => {
                let mut again = BTreeMap::new();
                if let Some((prefix, bytes)) = self.again {
                    again.extend(
                        (self.tree)().into_keys().filter(|file| file.starts_with(prefix)).map(|file| (file, bytes)),
                    );
                }
                again
            }
        };
        let (place, tree) = (self.name, self.tree);
        (self.script)(harm).map(|script| Cell { place, harm: harm.word(), script, again, tree })
    }
}

const fn place(name: &'static str, script: fn(Harm) -> Option<Script>) -> Place {
    Place { name, script, again: None, tree }
}

/// In place of the answer to the `skip`th command that begins like this.
fn answer(server: Script, skip: usize, cue: &str, harm: Harm) -> Option<Script> {
    let server = if skip > 0 { server.times(skip, cue, [Act::Usual]) } else { server };
    Some(server.once(cue, harm.instead([Act::Usual])))
}

pub const OPEN: &str = "150 here it comes\r\n";
pub const DONE: &str = "226 done\r\n";

/// When `sent` of a transfer are on their way, of which `rest` is missing; the client had time to read them.
fn midway(server: Script, cue: &str, sent: &[u8], rest: &[u8], harm: Harm) -> Option<Script> {
    let acts = match harm {
        Harm::Reset => vec![Act::ResetData],
        // As vsftpd does it: it takes what its kernel took for sent.
        Harm::Fin if cue.starts_with("RETR") => vec![Act::EndData, say(DONE)],
        // A listing that ends with a clean word is one: only the other way of breaking shows.
        Harm::Fin => vec![Act::EndData, Act::Close],
        Harm::Late => vec![pause(LATE), data(rest), Act::EndData, say(DONE)],
        Harm::Silent => vec![Act::Hang],
        Harm::Says(_) | Harm::Leaves(_) => [vec![Act::EndData], harm.instead([])].concat(),
        Harm::Dripping | Harm::Held => return None,
    };
    let begin = vec![say(OPEN), data(sent), pause(100)];
    Some(server.once(cue, [begin, acts].concat()))
}

/// In place of the closing reply.
fn closing(server: Script, cue: &str, all: &[u8], harm: Harm) -> Option<Script> {
    let begin = vec![say(OPEN), data(all), Act::EndData];
    Some(server.once(cue, [begin, harm.instead([say(DONE)])].concat()))
}

/// Only the control connection breaks while data moves.
fn beside(harm: Harm) -> Option<Script> {
    let all = &tree()["/big"];
    let acts = match harm {
        Harm::Reset | Harm::Fin | Harm::Leaves(_) => harm.instead([]),
        _ => return None,
    };
    let begin = vec![say(OPEN), data(&all[..HALF]), pause(100)];
    Some(modern().once("RETR /big", [begin, acts].concat()))
}

/// The root as MLSD shows it.
pub fn root() -> (Vec<u8>, Vec<u8>) {
    let file = |name: &str, size: usize| format!("type=file;size={size};modify=20240506070809; {name}\r\n");
    let dir = |name: &str| format!("type=dir;modify=20240506070809; {name}\r\n");
    let first = file("a.txt", 12) + &file("big", BIG) + &dir("d");
    let rest = file("empty", 0) + &dir("f") + &dir("hollow");
    (first.into_bytes(), rest.into_bytes())
}

/// A transfer broke before, and is gone on with.
fn resuming(server: Script) -> Script {
    let acts = [say(OPEN), data(&tree()["/big"][..HALF]), pause(100), Act::EndData, say("426 Connection closed\r\n")];
    server.once("RETR /big", acts)
}

/// The first session was lost: the next logs in with all words at once.
fn returning() -> Script {
    modern().once("CWD /d", [Act::Reset])
}

fn by_pasv() -> Script {
    modern().on("EPSV", [say("500 EPSV not understood\r\n")])
}

/// A server that bears no two commands at once: an answer to the first that came together is none. From then on every
/// command waits for the answer to the one before.
pub fn slow() -> Script {
    modern().on("NOOP", [say("331 Say that again\r\n")])
}

/// In place of the `skip`th folder over the control connection.
fn answered_stat(skip: usize, harm: Harm) -> Option<Script> {
    let server = if skip > 0 { simple().times(skip, "STAT", [Act::Status]) } else { simple() };
    Some(server.once("STAT", harm.instead([Act::Status])).on("STAT", [Act::Status]))
}

const fn on_its_way(name: &'static str, file: &'static str, again: u64, script: fn(Harm) -> Option<Script>) -> Place {
    Place { name, script, again: Some((file, again)), tree }
}

pub fn big() -> Vec<u8> {
    tree().remove("/big").unwrap()
}

pub fn small() -> Vec<u8> {
    tree().remove("/d/b.bin").unwrap()
}

/// In the order of a conversation.
pub static PLACES: [Place; 34] = [
    place("greeting", |harm| answer(modern(), 0, "", harm)),
    place("USER", |harm| answer(modern(), 0, "USER", harm)),
    place("PASS", |harm| answer(modern(), 0, "PASS", harm)),
    place("FEAT", |harm| answer(modern(), 0, "FEAT", harm)),
    place("PWD", |harm| answer(modern(), 0, "PWD", harm)),
    place("OPTS", |harm| answer(modern(), 0, "OPTS", harm)),
    place("TYPE", |harm| answer(modern(), 0, "TYPE", harm)),
    place("greeting of a second session", |harm| answer(returning(), 1, "", harm)),
    place("USER in one flight", |harm| answer(returning(), 1, "USER", harm)),
    place("PASS in one flight", |harm| answer(returning(), 1, "PASS", harm)),
    place("TYPE in one flight", |harm| answer(returning(), 1, "TYPE", harm)),
    place("CWD", |harm| answer(modern(), 0, "CWD /d", harm)),
    place("EPSV", |harm| answer(modern(), 0, "EPSV", harm)),
    place("EPSV asked ahead", |harm| answer(modern(), 8, "EPSV", harm)),
    place("PASV", |harm| answer(by_pasv(), 0, "PASV", harm)),
    place("PASV asked ahead", |harm| answer(by_pasv(), 8, "PASV", harm)),
    place("MLSD", |harm| answer(modern(), 0, "MLSD", harm)),
    place("in a listing", |harm| midway(modern(), "MLSD", &root().0, &root().1, harm)),
    place("closing word of a listing", |harm| closing(modern(), "MLSD", &[root().0, root().1].concat(), harm)),
    place("LIST of an empty folder", |harm| answer(modern(), 0, "LIST", harm)),
    place("LIST", |harm| answer(plain(), 0, "LIST", harm)),
    place("STAT, the probe", |harm| answered_stat(0, harm)),
    place("STAT", |harm| answered_stat(2, harm)),
    place("MLST", |harm| answer(modern(), 0, "MLST /big", harm)),
    // The transfer is on its way by then, and broken off for the sake of another look.
    on_its_way("SIZE", "/big", BIG as u64, |harm| answer(plain(), 0, "SIZE /big", harm)),
    on_its_way("MDTM", "/big", BIG as u64, |harm| answer(plain(), 0, "MDTM /big", harm)),
    place("RETR", |harm| answer(modern(), 0, "RETR /big", harm)),
    place("RETR of a small file", |harm| answer(modern(), 0, "RETR /d/b.bin", harm)),
    on_its_way("REST", "/big", OVERLAP, |harm| answer(resuming(modern()), 0, "REST", harm)),
    on_its_way("in a file", "/big", OVERLAP, |harm| {
        midway(modern(), "RETR /big", &big()[..HALF], &big()[HALF..], harm)
    }),
    on_its_way("in a small file", "/d/b.bin", 2_000, |harm| {
        midway(modern(), "RETR /d/b.bin", &small()[..2_000], &small()[2_000..], harm)
    }),
    on_its_way("beside a file", "/big", OVERLAP, beside),
    on_its_way("closing word of a file", "/big", OVERLAP, |harm| closing(modern(), "RETR /big", &big(), harm)),
    on_its_way("closing word of a small file", "/d/b.bin", 3_000, |harm| {
        closing(modern(), "RETR /d/b.bin", &small(), harm)
    }),
];

/// The same conversation with one command at a time. The first session ends with the discovery that it has to be so.
pub static SLOW_PLACES: [Place; 15] = [
    place("greeting", |harm| answer(slow(), 1, "", harm)),
    place("USER", |harm| answer(slow(), 1, "USER", harm)),
    place("PASS", |harm| answer(slow(), 1, "PASS", harm)),
    place("FEAT", |harm| answer(slow(), 1, "FEAT", harm)),
    place("OPTS", |harm| answer(slow(), 0, "OPTS", harm)),
    place("TYPE", |harm| answer(slow(), 0, "TYPE", harm)),
    place("CWD", |harm| answer(slow(), 0, "CWD /d", harm)),
    place("EPSV", |harm| answer(slow(), 0, "EPSV", harm)),
    place("in a listing", |harm| midway(slow(), "MLSD", &root().0, &root().1, harm)),
    // The look after the file, which is gone on with.
    on_its_way("MLST", "/big", OVERLAP, |harm| answer(slow(), 0, "MLST /big", harm)),
    place("RETR of a small file", |harm| answer(slow(), 0, "RETR /d/b.bin", harm)),
    on_its_way("REST", "/big", OVERLAP, |harm| answer(resuming(slow()), 0, "REST", harm)),
    on_its_way("in a file", "/big", OVERLAP, |harm| midway(slow(), "RETR /big", &big()[..HALF], &big()[HALF..], harm)),
    on_its_way("closing word of a file", "/big", OVERLAP, |harm| closing(slow(), "RETR /big", &big(), harm)),
    on_its_way("closing word of a small file", "/d/b.bin", 3_000, |harm| {
        closing(slow(), "RETR /d/b.bin", &small(), harm)
    }),
];

/// All small files of a [`crowd`] are like this one.
pub fn one_of_many() -> Vec<u8> {
    super::bytes(2_000, 3)
}

fn crowded() -> Script {
    over(crowd)
}

const fn in_a_crowd(name: &'static str, again: u64, script: fn(Harm) -> Option<Script>) -> Place {
    Place { name, script, again: Some(("/", again)), tree: crowd }
}

/// Small files over connections that the server opens. The sixteen before them came by chains.
pub static ACTIVE_PLACES: [Place; 7] = [
    // A server that refuses only this may give out what was asked for behind it, to nobody.
    in_a_crowd("EPRT, the probe", 2_000, |harm| answer(crowded(), 0, "EPRT", harm)),
    in_a_crowd("RETR of the probe", 0, |harm| answer(crowded(), 16, "RETR /s/", harm)),
    in_a_crowd("EPRT", 2_000, |harm| answer(crowded(), 3, "EPRT", harm)),
    in_a_crowd("RETR", 0, |harm| answer(crowded(), 20, "RETR /s/", harm)),
    in_a_crowd("in a file", 1_000, |harm| {
        let server = crowded().times(20, "RETR /s/", [Act::Usual]);
        midway(server, "RETR /s/", &one_of_many()[..1_000], &one_of_many()[1_000..], harm)
    }),
    in_a_crowd("closing word of a file", 2_000, |harm| {
        closing(crowded().times(20, "RETR /s/", [Act::Usual]), "RETR /s/", &one_of_many(), harm)
    }),
    in_a_crowd("closing word of the probe", 2_000, |harm| {
        closing(crowded().times(16, "RETR /s/", [Act::Usual]), "RETR /s/", &one_of_many(), harm)
    }),
];
