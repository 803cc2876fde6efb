//! One listing: is it whole, are its names readable, is its clock that of MDTM? It also tells which files later steps can
//! ask for.

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Moved, Outcome, Way};
use crate::diagnose::talk::{Load, Talk};
use crate::model::{EntryKind, Mtime, Phase, Precision, ServerZone, TimeSource};
use crate::net::Probe;
use crate::remote::ftp::listing::{Form, Parser, Zone, parse_time};

/// A listing is read so far.
const MOST: u64 = 1 << 20;
/// So many folders are looked into for files that are large enough.
const FOLDERS: usize = 4;
/// The times of so many files are compared.
const TIMES: usize = 5;

pub(super) async fn look(bench: &Bench) {
    let Some(way) = bench.known().ways.first().copied() else {
        return bench.leave_out("no data connection works");
    };
    let mut folders = vec![bench.endpoint.root.clone()];
    let mut at = 0;
    while let Some(folder) = folders.get(at).cloned().filter(|_| at <= FOLDERS) {
        let Some(below) = list(bench, way, &folder).await else { return };
        if folders.len() < 64 {
            folders.extend(below);
        }
        at += 1;
        if bench.known().files.iter().any(|(_, size)| *size >= 4 << 20) {
            return;
        }
    }
}

/// Lists one folder; the folders below it. None: it could not be listed at all.
async fn list(bench: &Bench, way: Way, folder: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut talk = match Talk::open(bench, Probe::default()).await {
        Ok(talk) => talk,
        Err(fault) => {
            bench.leave_out(fault.to_string());
            return None;
        }
    };
    let shown = String::from_utf8_lossy(folder).into_owned();
    if !folder.is_empty() {
        match talk.control.ask(Phase::List, "CWD", Some(folder)).await {
            Ok(reply) if reply.class() == 2 => {}
            Ok(_) => return Some(Vec::new()),
            Err(fault) => {
                bench.leave_out(fault.to_string());
                return None;
            }
        }
    }
    let mut kept = Vec::new();
    let load = Load::listing("LIST", MOST);
    let moved = talk.move_and_keep(bench, way, load, &mut |piece| kept.extend_from_slice(piece)).await;
    let well = moved.outcome.is_well();
    let admits = admitted(&moved);
    bench.see(format!("{} in /{shown}", bench.server()), Fact::Moved(moved));
    if !well {
        return None;
    }
    let zone = Zone::new(bench.clock.now(), &ServerZone::default());
    let mut parser = Parser::new(Form::Lines, zone);
    let mut entries = Vec::new();
    parser.push(&kept, &mut entries);
    parser.end(&mut entries);
    let undecodable = entries.iter().filter(|entry| std::str::from_utf8(entry.name.as_bytes()).is_err()).count();
    let unparsed = parser.tally().unparsed;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    bench.see(
        format!("{} in /{shown}", bench.server()),
        Fact::Listed { entries: count(entries.len()), unparsed, undecodable: count(undecodable), admits },
    );
    let path = |name: &[u8]| if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() };
    let mut below = Vec::new();
    let mut compared = Vec::new();
    for entry in &entries {
        match (&entry.kind, entry.size) {
            (EntryKind::File, Some(size)) => {
                let path = path(entry.name.as_bytes());
                if compared.len() < TIMES
                    && let Some(mtime) = entry.mtime
                {
                    compared.push((entry.name.as_bytes().to_vec(), mtime));
                }
                bench.learn(|known| keep(&mut known.files, path, size));
            }
            (EntryKind::Dir, _) => below.push(path(entry.name.as_bytes())),
            _ => {}
        }
    }
    clock(bench, &mut talk, compared).await;
    talk.control.quit().await;
    Some(below)
}

fn admitted(moved: &Moved) -> Option<String> {
    let closing: &Outcome = moved.closing.as_ref()?;
    crate::remote::ftp::fault::admits_gaps(&closing.words).then(|| closing.words.clone())
}

/// Keeps the few files that are of use: the largest, and some small ones.
fn keep(files: &mut Vec<(Vec<u8>, u64)>, path: Vec<u8>, size: u64) {
    files.push((path, size));
    if files.len() > 200 {
        files.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        files.truncate(100);
    }
}

/// LIST against MDTM (RFC 3659, section 3), where all files agree on a difference.
async fn clock(bench: &Bench, talk: &mut Talk, files: Vec<(Vec<u8>, Mtime)>) {
    let mut differences = Vec::new();
    for (name, listed) in files {
        if listed.precision > Precision::Minute {
            continue;
        }
        let Ok(reply) = talk.control.ask(Phase::Command, "MDTM", Some(&name)).await else { return };
        let exact = (reply.code == 213).then(|| parse_time(&reply.last_text(), TimeSource::Mdtm)).flatten();
        let Some(exact) = exact else { continue };
        // Only whole quarters of an hour can be a zone; the seconds that LIST does not show are none.
        let seconds = listed.at.as_second() - exact.at.as_second();
        differences.push((seconds + 450).div_euclid(900));
    }
    let Some(first) = differences.first().copied() else { return };
    // A year that LIST does not write would look like a zone of months.
    if differences.iter().all(|other| *other == first) && first.abs() <= 15 * 4 {
        let minutes = first * 15;
        let files = u64::try_from(differences.len()).unwrap_or(u64::MAX);
        bench.see(bench.server(), Fact::Clock { minutes, files });
    }
}
