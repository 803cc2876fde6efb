//! What a client says of its upload (tus 1.0.0, `Upload-Metadata`): pairs of a key and a value in Base64.

use data_encoding::BASE64;
use jiff::Timestamp;

use crate::model::{Algorithm, Checksum, ChecksumError, Name, RelPath};
use crate::tree::Replace;

/// Bytes of the header; more is refused.
const MOST: usize = 8 * 1024;

/// What is known of an upload before its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The name that it will get, in the sender's view.
    pub path: RelPath,
    /// The modification time that the file will have.
    pub mtime: Option<Timestamp>,
    /// Of the whole.
    pub checksum: Option<Checksum>,
    /// May it take the place of what is there?
    pub replace: Replace,
}

/// The metadata cannot be used; one sentence that says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MetadataError(String);

impl MetadataError {
    fn of(key: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("Upload-Metadata, {key}: {why}"))
    }
}

impl Metadata {
    /// Reads the header. `filename` (or `name`) is the name of the file and must be there; `folder` the path of its
    /// folder from the sender's home, with `/` between names; `mtime` seconds since 1970; `checksum` an algorithm and
    /// hexadecimal digits (`sha256 …`); `overwrite` is `true` when the file may replace another. Other keys are kept and
    /// not looked at.
    ///
    /// # Errors
    /// [`MetadataError`] for what cannot be read.
    pub fn of(header: &str) -> Result<Self, MetadataError> {
        if header.len() > MOST {
            return Err(MetadataError(format!("Upload-Metadata is longer than {MOST} bytes")));
        }
        let (mut name, mut folder, mut mtime, mut checksum, mut replace) =
            (None, RelPath::root(), None, None, Replace::No);
        for pair in header.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = BASE64
                .decode(value.trim().as_bytes())
                .map_err(|_| MetadataError::of(key, "the value is not in Base64"))?;
            let text = || {
                std::str::from_utf8(&value).map(str::trim).map_err(|_| MetadataError::of(key, "the value is not UTF-8"))
            };
            match key {
                "filename" => name = Some(Name::new(&value).map_err(|why| MetadataError::of(key, why))?),
                "name" if name.is_none() => {
                    name = Some(Name::new(&value).map_err(|why| MetadataError::of(key, why))?);
                }
                "folder" => {
                    let inner = value.strip_suffix(b"/").unwrap_or(&value);
                    folder = RelPath::new(inner).map_err(|why| MetadataError::of(key, why))?;
                }
                "mtime" => {
                    mtime = Some(seconds(text()?).ok_or_else(|| MetadataError::of(key, "no seconds since 1970"))?);
                }
                "checksum" => checksum = known(text()?).map_err(|why| MetadataError::of(key, why))?,
                "overwrite" => {
                    replace = match text()? {
                        "true" => Replace::Yes,
                        "false" => Replace::No,
                        _ => return Err(MetadataError::of(key, "true or false")),
                    }
                }
                _ => {}
            }
        }
        let name = name.ok_or_else(|| MetadataError::of("filename", "it is missing: the file needs a name"))?;
        Ok(Self { path: folder.join(&name), mtime, checksum, replace })
    }
}

/// Whole seconds; what is behind a point is left out.
fn seconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.split('.').next()?.parse().ok()?).ok()
}

/// A checksum; none by an algorithm that is not known here.
fn known(text: &str) -> Result<Option<Checksum>, ChecksumError> {
    let (name, digits) = text.split_once([' ', ':']).ok_or(ChecksumError)?;
    Algorithm::of(name).map(|algorithm| Checksum::from_hex(algorithm, digits.trim())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(pairs: &[(&str, &[u8])]) -> String {
        let pair = |(key, value): &(&str, &[u8])| format!("{key} {}", BASE64.encode(value));
        pairs.iter().map(pair).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn names_are_bytes_and_folders_are_made_of_them() {
        let text =
            header(&[("folder", b"a/\xd6\xd0"), ("filename", b"x y"), ("mtime", b"1000000000.5"), ("other", b"")]);
        let read = Metadata::of(&(text + ",is-flag")).unwrap();
        assert_eq!(read.path, RelPath::new(b"a/\xd6\xd0/x y").unwrap());
        assert_eq!((read.mtime.unwrap().as_second(), read.replace), (1_000_000_000, Replace::No));
        let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for word in ["sha256 ", "SHA-256:"] {
            let said = format!("{word}{digits}");
            let read = Metadata::of(&header(&[("name", b"x"), ("checksum", said.as_bytes()), ("overwrite", b"true")]));
            let read = read.unwrap();
            assert_eq!((read.checksum.unwrap().hex().as_str(), read.replace), (digits, Replace::Yes));
        }
        let unknown = Metadata::of(&header(&[("name", b"x"), ("checksum", b"adler32 024d0127")])).unwrap();
        assert_eq!(unknown.checksum, None);
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence() {
        let wrong: [&[(&str, &[u8])]; 7] = [
            &[],
            &[("filename", b"a/b")],
            &[("filename", b"..")],
            &[("filename", b"x"), ("folder", b"../up")],
            &[("filename", b"x"), ("mtime", b"yesterday")],
            &[("filename", b"x"), ("checksum", b"sha256 12")],
            &[("filename", b"x"), ("overwrite", b"perhaps")],
        ];
        for pairs in wrong {
            let said = Metadata::of(&header(pairs)).unwrap_err().to_string();
            assert!(said.starts_with("Upload-Metadata, "), "{pairs:?}: {said}");
        }
        assert!(Metadata::of("filename ???").is_err() && Metadata::of(&"x".repeat(MOST + 1)).is_err());
    }
}
