//! Digests that a client asks for (draft-ietf-secsh-filexfer-extensions-00, section 3): what it would read once more to
//! be sure is read here.

use std::io;

use super::super::status;
use super::worker::Worker;
use crate::model::{Algorithm, Hasher};
use crate::net::sftp::{HASHES, MAX_DATA, Reply, Sums};

/// Bytes per step.
const STEP: usize = 256 << 10;

/// The draft allows no smaller blocks.
const SMALLEST: u32 = 256;

impl Worker {
    /// The digests of what `read` gives. Given up when the client has left.
    pub(super) fn sums(&self, wanted: &Sums, read: impl Fn(&mut [u8], u64) -> io::Result<usize>) -> io::Result<Reply> {
        let Some((algorithm, name)) = chosen(&wanted.algorithms) else {
            let known = HASHES.map(|(_, name)| name).join(", ");
            return Ok(status::failure(format!("none of these hashes is known here, but these are: {known}")));
        };
        if wanted.block != 0 && wanted.block < SMALLEST {
            return Ok(status::failure(format!("a block has {SMALLEST} bytes at least")));
        }
        let block = if wanted.block == 0 { u64::MAX } else { u64::from(wanted.block) };
        let (mut at, mut left) = (wanted.offset, if wanted.length == 0 { u64::MAX } else { wanted.length });
        let (mut hash, mut room) = (Hasher::new(algorithm), block);
        let (mut digests, mut buffer) = (Vec::new(), vec![0; STEP]);
        while left > 0 {
            if self.is_left() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let step = usize::try_from(left.min(room)).unwrap_or(STEP).min(STEP);
            let Some(buf) = buffer.get_mut(..step) else { break };
            let got = read(buf, at)?;
            hash.update(buf.get(..got).unwrap_or_default());
            let count = u64::try_from(got).unwrap_or(left);
            (at, left, room) = (at.saturating_add(count), left - count, room - count);
            if got == 0 {
                break;
            }
            if room == 0 {
                let done = std::mem::replace(&mut hash, Hasher::new(algorithm));
                digests.extend_from_slice(done.finish().map_err(io::Error::other)?.as_bytes());
                room = block;
                if digests.len() > MAX_DATA {
                    return Ok(status::failure("so many blocks do not fit into one answer: choose larger ones"));
                }
            }
        }
        // The last block may be short; a whole file has one digest, even an empty one.
        if room < block || wanted.block == 0 {
            digests.extend_from_slice(hash.finish().map_err(io::Error::other)?.as_bytes());
        }
        Ok(Reply::Sums { named: !self.dialect.bare_sums, algorithm: name, digests })
    }
}

/// The first of the client's that is known.
fn chosen(list: &[u8]) -> Option<(Algorithm, &'static str)> {
    list.split(|byte| *byte == b',').find_map(|wanted| {
        HASHES.into_iter().find(|(_, name)| wanted.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_first_known_choice_counts() {
        for (list, expected) in
            [(&b"md5,sha1"[..], Some("md5")), (b"sha3-256, SHA256", Some("sha256")), (b"whirlpool", None), (b"", None)]
        {
            assert_eq!(chosen(list).map(|(_, name)| name), expected, "{}", String::from_utf8_lossy(list));
        }
    }
}
