//! What a server is and can do, for a report. FEAT (RFC 2389) is only what it says: each skill is tried on the sessions
//! that there are, with commands that change nothing. A question that fails leaves its answer open.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::control::Control;
use super::features::Features;
use super::ladder::Rung;
use super::lister::{Style, shown_by};
use super::listing::{parse_facts, parse_time};
use super::pool::Pool;
use super::remote::{FtpRemote, ask};
use super::reply::Reply;
use super::session::{Learned, Shared};
use crate::manners;
use crate::model::{Algorithm, Fault, Hasher, Mtime, Phase, Protocol, RelPath, TimeSource};
use crate::net::{self, Stream, TlsClient, Trust};
use crate::remote::{DotFiles, Encryption, Remote as _, Sample, Samples, Skill, Traits, micros};

/// So many times a question without an effect is asked, to know how long a round trip takes.
const NOOPS: usize = 9;
/// A sample longer than this is not read to its end.
const MOST_READ: usize = 256 << 10;
/// So much of what a server says is told.
const SAID: usize = 200;

/// Asks everything.
pub(super) async fn traits(remote: &FtpRemote, samples: &Samples) -> Traits {
    let shared = &remote.pool.shared;
    let learned = shared.learned.get();
    let features = learned.map(|l| l.features).unwrap_or_default();
    let style = used_style(remote, features);
    let (verb, option) = style.command();
    let option = option.map(String::from_utf8_lossy).unwrap_or_default();
    Traits {
        greeting: learned.map(|Learned { greeting, .. }| greeting.clone()),
        system: said(&remote.pool, "SYST").await,
        announced: announced(&remote.pool).await,
        skills: skills(remote, features, style, samples).await,
        encryption: encryption(remote).await,
        listing: Some(format!("{verb} {option}").trim_end().to_owned()),
        dot_files: dot_files(remote, samples).await,
        manner: Some(manner(shared)),
        round_trips_small: Some(round_trips(remote, features, true)),
        round_trips_large: Some(round_trips(remote, features, false)),
        round_trips: noops(&remote.pool).await,
        setup: setup(&remote.pool).await.map(micros),
        connections: remote.pool.connections(),
    }
}

/// How commands are sent, and why not in a better way.
fn manner(shared: &Shared) -> String {
    let lost: Vec<_> = shared.experience.findings().into_iter().filter(|found| found.loss.is_some()).collect();
    let lost = manners::sentence(&lost, shared.ctx.clock.now(), |at| at.strftime("%F").to_string());
    let rung = shared.ladder.rung().word();
    lost.map_or_else(|| rung.to_owned(), |lost| format!("{rung}; {lost}"))
}

/// The listing command in use.
fn used_style(remote: &FtpRemote, features: Features) -> Style {
    let step = remote.pool.shared.style.load(Ordering::Relaxed);
    let least = if features.known && !features.mlst { Style::ListAll.step() } else { 0 };
    Style::from_step(step.max(least))
}

/// What one file costs when another came before it; see [`transfer`](super::transfer). In chains it may be one less.
fn round_trips(remote: &FtpRemote, features: Features, small: bool) -> f64 {
    match (remote.pool.shared.ladder.rung(), features.mlst) {
        (Rung::Active, _) if small => 2.0,
        (Rung::Active | Rung::Chains | Rung::Batches, _) => 3.0,
        // EPSV, connect, RETR, closing reply, and the look before and after.
        (Rung::OneByOne, true) => 6.0,
        (Rung::OneByOne, false) => 8.0,
    }
}

async fn said(pool: &Arc<Pool>, verb: &str) -> Option<String> {
    let reply = ask(pool, Phase::Command, verb, None).await.ok().filter(|reply| reply.class() == 2)?;
    Some(short(&reply))
}

fn short(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.text()).chars().take(SAID).collect()
}

async fn announced(pool: &Arc<Pool>) -> Vec<String> {
    let Ok(reply) = ask(pool, Phase::Command, "FEAT", None).await else { return Vec::new() };
    if reply.class() != 2 {
        return Vec::new();
    }
    // The first and the last line are about the list.
    let inner = reply.lines.len().saturating_sub(1);
    let lines = reply.lines.iter().take(inner).skip(1).map(|line| String::from_utf8_lossy(line).trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// NOOP changes nothing anywhere; some servers do not count it as a sign of life.
async fn noops(pool: &Arc<Pool>) -> Vec<u64> {
    let mut times = Vec::new();
    let Ok(mut lease) = pool.lease().await else { return times };
    for _ in 0..NOOPS {
        let Ok(session) = lease.session() else { return times };
        let started = Instant::now();
        match session.control.ask(Phase::Command, "NOOP", None).await {
            Ok(reply) if reply.code != 421 => times.push(micros(started.elapsed())),
            Ok(_) => return times,
            Err(fault) => {
                lease.settle(&fault);
                return times;
            }
        }
    }
    lease.give_back();
    times
}

async fn setup(pool: &Arc<Pool>) -> Option<Duration> {
    let mut lease = pool.lease().await.ok()?;
    let took = lease.session().ok().map(|session| session.phases.iter().map(|(_, took)| *took).sum());
    lease.give_back();
    took
}

async fn skills(remote: &FtpRemote, features: Features, style: Style, samples: &Samples) -> Vec<Skill> {
    let told = |yes: bool| features.known.then_some(yes);
    let mut skills = vec![mlsd(features, style), epsv(remote)];
    skills.push(utf8(remote, features).await);
    match &samples.file {
        Some(file) => {
            skills.extend(of_file(remote, features, file).await);
            skills.extend(by_reading(remote, &file.path, file.size).await);
        }
        None => {
            let why = "no small file was seen that could be tried";
            for (name, announced) in
                [("MLST", told(features.mlst)), ("SIZE", None), ("MDTM", None), ("REST", None), ("HASH", None)]
            {
                skills.push(Skill::untried(name, announced, why));
            }
        }
    }
    skills.push(Skill::untried("MFMT", told(features.mfmt), "it would change a file"));
    skills
}

fn mlsd(features: Features, style: Style) -> Skill {
    let announced = features.known.then_some(features.mlst);
    match (style, features.mlst || !features.known) {
        (Style::Mlsd, _) => Skill::works("MLSD", announced, "the folders of this survey were listed by it"),
        (_, true) => Skill::fails("MLSD", announced, "the server does not understand it"),
        (_, false) => Skill::untried("MLSD", announced, "the server does not announce it"),
    }
}

fn epsv(remote: &FtpRemote) -> Skill {
    match remote.pool.shared.epsv_misses.load(Ordering::Relaxed) {
        0 => Skill::works("EPSV", None, "the data connections of this survey were opened by it"),
        misses => Skill::fails("EPSV", None, format!("{misses} data connections could be opened by PASV only")),
    }
}

async fn utf8(remote: &FtpRemote, features: Features) -> Skill {
    let announced = features.known.then_some(features.utf8);
    match ask(&remote.pool, Phase::Command, "OPTS", Some(b"UTF8 ON")).await {
        Ok(reply) if reply.class() == 2 => Skill::works("UTF8", announced, short(&reply)),
        Ok(reply) => Skill::fails("UTF8", announced, short(&reply)),
        Err(fault) => Skill::untried("UTF8", announced, fault.message),
    }
}

/// Commands that tell of one file.
async fn of_file(remote: &FtpRemote, features: Features, file: &Sample) -> Vec<Skill> {
    let at = remote.absolute(&file.path);
    let mut skills = Vec::new();
    for (verb, announced) in [("MLST", features.known.then_some(features.mlst)), ("SIZE", None), ("MDTM", None)] {
        skills.push(match ask(&remote.pool, Phase::Command, verb, Some(&at)).await {
            Ok(reply) if reply.class() == 2 => match agrees(verb, &reply, file) {
                Ok(how) => Skill::works(verb, announced, how),
                Err(why) => Skill::fails(verb, announced, why),
            },
            Ok(reply) => Skill::fails(verb, announced, short(&reply)),
            Err(fault) => Skill::untried(verb, announced, fault.message),
        });
    }
    skills
}

/// Is the answer one, and that of the listing?
fn agrees(verb: &str, reply: &Reply, file: &Sample) -> Result<String, String> {
    let odd = || format!("its answer is not understood: {}", short(reply));
    let told = match verb {
        "SIZE" => reply.last_text().trim().parse::<u64>().map_err(|_| odd())?,
        "MDTM" => {
            let told = parse_time(&reply.last_text(), TimeSource::Mdtm).ok_or_else(odd)?;
            return Ok(beside(&told, file.mtime.as_ref()));
        }
        _ => {
            let facts = reply.lines.iter().filter(|line| line.contains(&b'='));
            let (raw, _) = facts.filter_map(|line| parse_facts(line.trim_ascii_start())).next().ok_or_else(odd)?;
            raw.size.ok_or_else(odd)?
        }
    };
    match told == file.size {
        true => Ok("it agrees with the listing".to_owned()),
        false => Err(format!("it tells {told} bytes where the listing tells {}", file.size)),
    }
}

/// An exact time beside that of the listing.
fn beside(told: &Mtime, listed: Option<&Mtime>) -> String {
    match listed {
        None => format!("a file is of {}, of which the listing tells no time", told.at),
        Some(listed) if told.agrees(listed) => "it agrees with the listing".to_owned(),
        Some(listed) => {
            let apart = listed.at.duration_since(told.at).as_mins();
            format!("the listing shows {apart} minutes more than it: the listing's clock is of another zone")
        }
    }
}

/// What shows when a file is read: is it the same from the middle on, and does the server know its hash?
async fn by_reading(remote: &FtpRemote, path: &RelPath, size: u64) -> Vec<Skill> {
    let whole = match read(remote, path, 0, size).await {
        Ok(whole) => whole,
        Err(fault) => {
            return ["REST", "HASH"].map(|name| Skill::untried(name, None, fault.message.clone())).into();
        }
    };
    vec![rest(remote, path, size, &whole).await, hash(remote, path, &whole).await]
}

async fn rest(remote: &FtpRemote, path: &RelPath, size: u64, whole: &[u8]) -> Skill {
    let half = size / 2;
    if half == 0 {
        return Skill::untried("REST", None, "the file that was read is too short");
    }
    let rest = usize::try_from(half).ok().and_then(|half| whole.get(half..)).unwrap_or_default();
    match read(remote, path, half, size).await {
        Ok(bytes) if bytes == rest => {
            Skill::works("REST", None, "the second half of a file is what it is in the whole")
        }
        Ok(_) => Skill::fails("REST", None, "what came from the middle of a file on is not what is there"),
        Err(fault) => Skill::fails("REST", None, fault.message),
    }
}

async fn hash(remote: &FtpRemote, path: &RelPath, whole: &[u8]) -> Skill {
    let announced = remote.pool.shared.learned.get().map(|l| l.features.hashes != super::hashes::Offered::default());
    match remote.checksum(path, Algorithm::ALL).await {
        Ok(Some(told)) => {
            let mut hasher = Hasher::new(told.algorithm());
            hasher.update(whole);
            let name = told.algorithm().as_str();
            if hasher.finish().is_ok_and(|ours| ours == told) {
                Skill::works("HASH", announced, format!("the {name} of a file is right"))
            } else {
                Skill::fails("HASH", announced, format!("the {name} of a file is not that of what was read"))
            }
        }
        Ok(None) => Skill::fails("HASH", announced, "no hash is told, whichever way it is asked for"),
        Err(fault) => Skill::untried("HASH", announced, fault.message),
    }
}

async fn read(remote: &FtpRemote, path: &RelPath, offset: u64, size: u64) -> Result<Vec<u8>, Fault> {
    let mut source = remote.read(path, offset, Some(size)).await?;
    let mut bytes = Vec::new();
    while let Some(more) = source.next().await? {
        bytes.extend_from_slice(&more);
        if bytes.len() > MOST_READ {
            source.stop().await;
            return Ok(bytes);
        }
    }
    source.finish().await?;
    Ok(bytes)
}

/// LIST as other programs say it, in a folder that is known to hold such names.
async fn dot_files(remote: &FtpRemote, samples: &Samples) -> DotFiles {
    let Some(folder) = &samples.dotted else { return DotFiles::Unknown };
    let shown = async {
        let mut lease = remote.pool.lease().await?;
        let there = lease.session()?.go(&remote.absolute(folder)).await;
        let shown = match there {
            Ok(()) => shown_by(&mut lease, &remote.pool, None).await,
            Err(fault) => Err(fault),
        };
        match shown {
            Ok(shown) => {
                lease.give_back();
                Ok(shown)
            }
            Err(fault) => {
                lease.settle(&fault);
                Err(fault)
            }
        }
    };
    match shown.await {
        Ok(shown) if shown.entries.iter().any(|entry| entry.name.as_bytes().starts_with(b".")) => DotFiles::Shown,
        Ok(shown) if !shown.cut => DotFiles::Hidden,
        Ok(_) | Err(_) => DotFiles::Unknown,
    }
}

/// Of a connection in the clear: would the server have encrypted? Asked on a connection of its own, which ends before
/// any name or password.
async fn encryption(remote: &FtpRemote) -> Encryption {
    let pool = &remote.pool;
    if pool.shared.endpoint.protocol != Protocol::Ftp {
        let Ok(mut lease) = pool.lease().await else { return Encryption::Unknown };
        let security = lease.session().ok().and_then(|session| session.control.security());
        lease.give_back();
        return security.map_or(Encryption::Unknown, |(version, cipher)| Encryption::Used { version, cipher });
    }
    offer(pool).await.unwrap_or(Encryption::Unknown)
}

async fn offer(pool: &Pool) -> Result<Encryption, Fault> {
    let (endpoint, deadlines) = (&pool.shared.endpoint, pool.shared.deadlines());
    let dialled = net::dial_by(&endpoint.host, endpoint.port, deadlines.connect, pool.shared.way()).await?;
    let mut control = Control::new(Stream::plain(dialled.stream), dialled.peer, deadlines);
    control.reply(Phase::Banner, deadlines.banner).await?;
    let reply = control.ask(Phase::Tls, "AUTH", Some(b"TLS")).await?;
    if reply.class() != 2 {
        control.quit().await;
        return Ok(Encryption::Refused { reply: short(&reply) });
    }
    // Nothing is told to whoever answers: any certificate will do, and the report says which it was.
    let tls = TlsClient::new(&endpoint.host, &Trust { insecure: true, ..Trust::default() })?;
    let control = match control.start_tls(&tls).await {
        Ok(control) => control,
        Err(fault) => return Ok(Encryption::Refused { reply: fault.message }),
    };
    let security = control.security();
    let certificate = tls.fingerprint();
    control.quit().await;
    Ok(security.map_or(Encryption::Unknown, |(version, cipher)| Encryption::Offered { version, cipher, certificate }))
}
