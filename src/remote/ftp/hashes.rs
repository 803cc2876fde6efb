//! Hashes that the server computes: HASH (draft-bryan-ftpext-hash), XSHA256 and its kin (no standard; as Serv-U, FileZilla
//! Server and proftpd have them), MD5 (draft-twine-ftpmd5), and the same behind SITE.
//!
//! What FEAT names is asked for. A server that names none is asked in each way once: FEAT lies both ways. What a server
//! does not understand is never asked again.

use std::sync::{Mutex, PoisonError};

use super::features::Features;
use super::pool::Lease;
use super::reply::Reply;
use crate::model::{Algorithm, Checksum, Fault, Phase};

/// How a hash is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// OPTS HASH, then HASH: the whole rest of the line is the name.
    Hash,
    /// MD5: the same.
    Md5,
    /// A command of its own: the name is in quotes when it has blanks, for two numbers may follow it.
    Own,
    /// The same behind SITE.
    Site,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Hash, Self::Md5, Self::Own, Self::Site];
}

/// The command of its own for an algorithm; none for one that no server has a command for.
pub(super) const fn own_command(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Sha256 => Some("XSHA256"),
        Algorithm::Sha512 => Some("XSHA512"),
        Algorithm::Blake3 => None,
        Algorithm::Sha1 => Some("XSHA1"),
        Algorithm::Md5 => Some("XMD5"),
        Algorithm::Crc32 => Some("XCRC"),
    }
}

/// What FEAT names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offered(u32);

impl Offered {
    fn bit(algorithm: Algorithm, way: Way) -> u32 {
        let place = |found: Option<usize>| found.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
        let row = place(Algorithm::ALL.iter().position(|a| *a == algorithm));
        1 << (row * 4 + place(Way::ALL.iter().position(|w| *w == way)))
    }

    /// One more.
    pub(super) fn add(&mut self, algorithm: Algorithm, way: Way) {
        self.0 |= Self::bit(algorithm, way);
    }

    fn all(self) -> Vec<(Algorithm, Way)> {
        pairs().filter(|(algorithm, way)| self.0 & Self::bit(*algorithm, *way) != 0).collect()
    }

    /// The features of one line of FEAT, in capitals.
    pub(super) fn read(&mut self, line: &str) {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        match words.next().unwrap_or_default() {
            "HASH" => {
                let names = words.flat_map(|word| word.split(';'));
                names.filter_map(|name| Algorithm::of(name.trim_end_matches('*'))).for_each(|a| self.add(a, Way::Hash));
            }
            "MD5" => self.add(Algorithm::Md5, Way::Md5),
            "SITE" => {
                let named: Vec<_> = words.flat_map(|word| word.split([';', ','])).collect();
                let has = |algorithm: &&Algorithm| own_command(**algorithm).is_some_and(|own| named.contains(&own));
                Algorithm::ALL.iter().filter(has).for_each(|algorithm| self.add(*algorithm, Way::Site));
            }
            word => {
                let own = Algorithm::ALL.iter().find(|algorithm| own_command(**algorithm) == Some(word));
                own.into_iter().for_each(|algorithm| self.add(*algorithm, Way::Own));
            }
        }
    }
}

/// The strongest first, and of each the way that takes every name.
fn pairs() -> impl Iterator<Item = (Algorithm, Way)> {
    let every = Algorithm::ALL.iter().flat_map(|algorithm| Way::ALL.iter().map(|way| (*algorithm, *way)));
    every.filter(|(algorithm, way)| matches!(way, Way::Hash | Way::Md5) || own_command(*algorithm).is_some())
}

/// The ways that may work here.
#[derive(Debug)]
pub struct Hashes(Mutex<Vec<(Algorithm, Way)>>);

impl Hashes {
    /// By what the server says of itself.
    #[must_use]
    pub fn of(features: Features) -> Self {
        let offered = features.hashes.all();
        let guessed = || pairs().filter(|pair| matches!(pair, (_, Way::Own | Way::Site) | (Algorithm::Md5, Way::Md5)));
        Self(Mutex::new(if offered.is_empty() { guessed().collect() } else { offered }))
    }

    /// Is there any way left, as far as is known?
    #[must_use]
    pub fn any(&self) -> bool {
        !self.ways().is_empty()
    }

    /// May it tell this one?
    #[must_use]
    pub fn tells(&self, algorithm: Algorithm) -> bool {
        self.ways().iter().any(|(other, _)| *other == algorithm)
    }

    fn ways(&self) -> std::sync::MutexGuard<'_, Vec<(Algorithm, Way)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The best way to learn one of `wanted` of the file at `path`.
    fn pick(&self, wanted: &[Algorithm], path: &[u8]) -> Option<(Algorithm, Way)> {
        let ways = self.ways();
        let of = |algorithm: &Algorithm| ways.iter().copied().find(|(a, w)| a == algorithm && bears(*w, path));
        wanted.iter().find_map(of)
    }

    fn forget(&self, pair: (Algorithm, Way)) {
        self.ways().retain(|other| *other != pair);
    }

    /// Asks for one of `wanted` of the file at `path`; `None` when the server tells none of them.
    ///
    /// # Errors
    /// When the connection fails, or the server wants to be asked later. The lease is settled in every case.
    pub async fn ask(&self, mut lease: Lease, wanted: &[Algorithm], path: &[u8]) -> Result<Option<Checksum>, Fault> {
        while let Some(pair) = self.pick(wanted, path) {
            let reply = match one(&mut lease, pair, path).await {
                Ok(reply) => reply,
                Err(fault) => {
                    lease.settle(&fault);
                    return Err(fault);
                }
            };
            match reply.code {
                // Not known here, or known and without use.
                202 | 500 | 502 | 504 => self.forget(pair),
                200..=299 => {
                    lease.give_back();
                    return Ok(read(&reply, pair).filter(|sum| wanted.contains(&sum.algorithm())));
                }
                400..=499 => {
                    let fault = super::fault::of_reply(Phase::Verify, "asking for a hash", &reply);
                    lease.settle(&fault);
                    return Err(fault);
                }
                // This file has none: it may not be read, or is too large for the server's taste.
                _ => break,
            }
        }
        lease.give_back();
        Ok(None)
    }
}

/// Can the name be sent this way without being taken for something else?
fn bears(way: Way, path: &[u8]) -> bool {
    matches!(way, Way::Hash | Way::Md5) || !path.contains(&b'"')
}

async fn one(lease: &mut Lease, (algorithm, way): (Algorithm, Way), path: &[u8]) -> Result<Reply, Fault> {
    let control = &mut lease.session()?.control;
    let quoted = if path.contains(&b' ') { [b"\"", path, b"\""].concat() } else { path.to_vec() };
    let own = own_command(algorithm).unwrap_or_default();
    match way {
        Way::Hash => {
            // Which algorithm is chosen belongs to the session, and somebody else had it before. The reply names it.
            let name = algorithm.as_str().to_ascii_uppercase();
            control.ask(Phase::Verify, "OPTS", Some(format!("HASH {name}").as_bytes())).await?;
            control.ask_long(Phase::Verify, "HASH", path).await
        }
        Way::Md5 => control.ask_long(Phase::Verify, "MD5", path).await,
        Way::Own => control.ask_long(Phase::Verify, own, &quoted).await,
        Way::Site => control.ask_long(Phase::Verify, "SITE", &[own.as_bytes(), b" ", &quoted].concat()).await,
    }
}

/// The hash in a reply. HASH says `SHA-256 0-49 <digits> <name>`, the others have it as their last word; a name that
/// looks like a hash must not be taken for one.
fn read(reply: &Reply, (algorithm, way): (Algorithm, Way)) -> Option<Checksum> {
    let text = reply.last_text();
    let mut words = text.split_ascii_whitespace();
    if way != Way::Hash {
        return Checksum::from_hex(algorithm, words.next_back()?.trim_matches('"')).ok();
    }
    let algorithm = Algorithm::of(words.next()?)?;
    let second = words.next()?;
    // A part of the file proves nothing about all of it.
    let digits = match second.split_once('-') {
        Some(("0", _)) => words.next()?,
        Some(_) => return None,
        None => second,
    };
    Checksum::from_hex(algorithm, digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(lines: &[&str]) -> Vec<(Algorithm, Way)> {
        let mut offered = Offered::default();
        lines.iter().for_each(|line| offered.read(line));
        offered.all()
    }

    fn said(text: &str, pair: (Algorithm, Way)) -> Option<String> {
        let reply = Reply { code: 213, lines: vec![b"Computing".to_vec(), text.as_bytes().to_vec()] };
        read(&reply, pair).map(|sum| sum.to_string())
    }

    #[test]
    fn what_servers_name_in_feat() {
        use Algorithm::{Crc32, Md5, Sha1, Sha256, Sha512};
        assert_eq!(
            offered(&["HASH CRC32;MD5;SHA-1*;SHA-256;SHA-512;", "XCRC", "MD5", "XSHA256", "MDTM"]),
            [
                (Sha256, Way::Hash),
                (Sha256, Way::Own),
                (Sha512, Way::Hash),
                (Sha1, Way::Hash),
                (Md5, Way::Hash),
                (Md5, Way::Md5),
                (Crc32, Way::Hash),
                (Crc32, Way::Own)
            ]
        );
        assert_eq!(
            offered(&["SITE XMD5;XCRC", "XCRC FILENAME;START;END"]),
            [(Md5, Way::Site), (Crc32, Way::Own), (Crc32, Way::Site)]
        );
        assert_eq!(offered(&["HASH MD6;", "UTF8"]), []);
    }

    #[test]
    fn a_name_that_looks_like_a_hash_is_none() {
        let md5 = "b1946ac92492d2347c6235b4d2611184";
        let other = "0123456789abcdef0123456789abcdef";
        let told = Some(format!("md5:{md5}"));
        assert_eq!(said(&format!("MD5 0-6 {md5} {other}"), (Algorithm::Md5, Way::Hash)), told);
        // The server tells another algorithm than was asked for, and says so.
        assert_eq!(said(&format!("MD5 0-6 {md5} a"), (Algorithm::Sha256, Way::Hash)), told);
        assert_eq!(said(&format!("MD5 5-6 {md5} a"), (Algorithm::Md5, Way::Hash)), None);
        assert_eq!(said(&format!("{other} {}", md5.to_uppercase()), (Algorithm::Md5, Way::Md5)), told);
        assert_eq!(said(&md5.to_uppercase(), (Algorithm::Md5, Way::Own)), told);
        assert_eq!(said("363A3020", (Algorithm::Crc32, Way::Site)), Some("crc32:363a3020".to_owned()));
        assert_eq!(said("done", (Algorithm::Md5, Way::Own)), None);
    }

    #[test]
    fn names_with_quotes_go_only_where_the_whole_line_is_the_name() {
        let mut features = Features::default();
        features.hashes.add(Algorithm::Sha256, Way::Own);
        features.hashes.add(Algorithm::Md5, Way::Hash);
        let hashes = Hashes::of(features);
        assert_eq!(hashes.pick(Algorithm::ALL, b"/a b"), Some((Algorithm::Sha256, Way::Own)));
        assert_eq!(hashes.pick(Algorithm::ALL, b"/a\"b"), Some((Algorithm::Md5, Way::Hash)));
        assert_eq!(hashes.pick(&[Algorithm::Sha1], b"/a"), None);
        hashes.forget((Algorithm::Sha256, Way::Own));
        hashes.forget((Algorithm::Md5, Way::Hash));
        assert!(!hashes.any());
    }
}
