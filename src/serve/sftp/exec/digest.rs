//! `md5sum` and its kin: a line for each file, as GNU coreutils write it.

use std::io;

use super::super::work::Context;
use super::pipe::{Gone, Input, Output};
use super::{in_words, work};
use crate::model::{Algorithm, Hasher, RelPath};
use crate::task::DiskUse;
use crate::tree::FileReader;

/// Bytes per step, after each of which the work can be given up.
const STEP: usize = 1 << 20;
/// A file of so many bytes is hashed as fast as a thread is found for it.
const SMALL: u64 = 64 << 10;
/// Bytes of standard input per step.
const PIECE: usize = 64 << 10;

/// Digests of the files, or of what is sent where none is named. The exit status.
pub(super) async fn run(
    algorithm: Algorithm,
    paths: Vec<Vec<u8>>,
    context: &Context,
    mut input: Input,
    output: &Output,
) -> Result<u32, Gone> {
    if paths.is_empty() {
        let mut hash = Hasher::new(algorithm);
        while let Some(piece) = input.piece(PIECE).await {
            hash.update(&piece);
        }
        if let Ok(sum) = hash.finish() {
            output.say(format!("{}  -\n", sum.hex())).await?;
        }
        return Ok(0);
    }
    let mut status = 0;
    for path in paths {
        match file(algorithm, &path, context).await {
            Ok(hex) => output.say(line(&hex, &path)).await?,
            Err(error) => {
                status = 1;
                output.complain(&format!("{}: {error}", String::from_utf8_lossy(&path))).await?;
            }
        }
    }
    Ok(status)
}

/// A name with a line break or a backslash is written with escapes, and its line begins with a backslash.
fn line(hex: &str, path: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    let mark: &[u8] = if escaped.len() == path.len() { b"" } else { b"\\" };
    [mark, hex.as_bytes(), b"  ", &escaped, b"\n"].concat()
}

/// The digest of one file in hexadecimal digits.
async fn file(algorithm: Algorithm, path: &[u8], context: &Context) -> Result<String, String> {
    let path = RelPath::lenient(path).map_err(|error| error.to_string())?;
    let view = context.view.clone();
    // A small file is read where it is opened.
    let begin = move || {
        let file = view.open_read(&path)?;
        let (mut hash, mut at) = (Hasher::new(algorithm), 0);
        if file.len() <= SMALL {
            at = step(&file, &mut hash, at)?;
        }
        Ok((file, hash, at))
    };
    let (mut file, mut hash, mut at) = in_words(context.spot.run(DiskUse::Light, begin).await)?;
    while at < file.len() {
        let next = move || step(&file, &mut hash, at).map(|at| (file, hash, at));
        (file, hash, at) = work(next).await?;
    }
    hash.finish().map(|sum| sum.hex()).map_err(|error| error.to_string())
}

/// Hashes the next bytes from `at` on; returns where they end. A file that ends early is at its end.
fn step(file: &FileReader, hash: &mut Hasher, at: u64) -> io::Result<u64> {
    let left = file.len().saturating_sub(at);
    let mut buffer = vec![0; usize::try_from(left).unwrap_or(STEP).min(STEP)];
    let got = file.read_at(&mut buffer, at)?;
    hash.update(buffer.get(..got).unwrap_or_default());
    Ok(if got < buffer.len() { file.len() } else { at.saturating_add(u64::try_from(got).unwrap_or_default()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_coreutils() {
        assert_eq!(line("ab", b"a b"), b"ab  a b\n");
        assert_eq!(line("ab", b"a\\b\nc"), b"\\ab  a\\\\b\\nc\n");
    }
}
