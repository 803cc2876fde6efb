//! Does a local tree hold exactly what a manifest says?

use std::cmp::Ordering;
use std::io;
use std::iter::Peekable;
use std::path::Path;

use serde::Serialize;

use super::walk::{Met, Walk};
use super::{Entry, ManifestError, Sealed};
use crate::model::{Access, Digest, DigestAlgorithm, Hasher, RelPath, Scope};
use crate::tree::{Stat, Tree, View};

const BLOCK: usize = 256 * 1024;

/// Something that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "found", rename_all = "kebab-case")]
pub enum Finding {
    /// In the manifest, not in the tree.
    Missing {
        /// Which file.
        path: RelPath,
    },
    /// In the tree, not in the manifest.
    Extra {
        /// Which file.
        path: RelPath,
    },
    /// In both, and not the same.
    Different {
        /// Which file.
        path: RelPath,
        /// What differs, in plain words.
        what: String,
    },
    /// Nobody can say.
    Unreadable {
        /// Which file or folder.
        path: RelPath,
        /// Why.
        why: String,
    },
}

impl Finding {
    /// Which file or folder it is about.
    #[must_use]
    pub const fn path(&self) -> &RelPath {
        match self {
            Self::Missing { path }
            | Self::Extra { path }
            | Self::Different { path, .. }
            | Self::Unreadable { path, .. } => path,
        }
    }
}

/// The comparison in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// Files with the size and the SHA-256 of the manifest.
    pub equal: u64,
    /// Files with the size of the manifest, which knows no SHA-256 of them.
    pub only_size: u64,
    /// Files of the manifest that are not there.
    pub missing: u64,
    /// Files that are there and not in the manifest.
    pub extra: u64,
    /// Files with another size or content, or that are no files any more.
    pub different: u64,
    /// Files and folders that could not be read.
    pub unreadable: u64,
}

impl Check {
    /// Is everything as the manifest says?
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.different == 0 && self.unreadable == 0
    }

    fn count(&mut self, finding: &Finding) {
        let counter = match finding {
            Finding::Missing { .. } => &mut self.missing,
            Finding::Extra { .. } => &mut self.extra,
            Finding::Different { .. } => &mut self.different,
            Finding::Unreadable { .. } => &mut self.unreadable,
        };
        *counter = counter.saturating_add(1);
    }
}

/// Compares the folder `root` with `manifest`, telling each difference to `tell`. Causeway's own files (parts, trash) do
/// not count. Blocks.
///
/// # Errors
/// When the manifest or the folder itself cannot be read; an error of `tell`.
pub fn check<E: From<ManifestError>>(
    manifest: &Sealed,
    root: &Path,
    tell: impl FnMut(&Finding) -> Result<(), E>,
) -> Result<Check, E> {
    let mut reader = manifest.entries()?;
    let scope = Scope::of(RelPath::root(), Access::ReadOnly);
    let view = Tree::open(root).and_then(|tree| tree.view(&scope)).map_err(ManifestError::file(root))?;
    let (counts, closed, walk) = (Check::default(), Vec::new(), Walk::new(&view).peekable());
    let mut comparison = Comparison { view: &view, walk, closed, counts, tell };
    while let Some(entry) = reader.next_entry()? {
        comparison.entry(&entry)?;
    }
    while let Some(met) = comparison.walk.next() {
        comparison.beside(met)?;
    }
    Ok(comparison.counts)
}

struct Comparison<'a, F> {
    view: &'a View,
    walk: Peekable<Walk<'a>>,
    closed: Vec<RelPath>,
    counts: Check,
    tell: F,
}

impl<E, F: FnMut(&Finding) -> Result<(), E>> Comparison<'_, F> {
    fn found(&mut self, finding: &Finding) -> Result<(), E> {
        self.counts.count(finding);
        (self.tell)(finding)
    }

    /// Something of the tree that stands beside the manifest.
    fn beside(&mut self, met: Met) -> Result<(), E> {
        match met {
            Met::Thing(path, _) => self.found(&Finding::Extra { path }),
            Met::Closed(path, error) => {
                self.closed.push(path.clone());
                self.found(&Finding::Unreadable { path, why: error.to_string() })
            }
        }
    }

    /// Everything of the tree before a file of the manifest, and then that file.
    fn entry(&mut self, entry: &Entry) -> Result<(), E> {
        loop {
            let order = match self.walk.peek() {
                None => Ordering::Greater,
                Some(Met::Thing(path, _)) => path.as_bytes().cmp(entry.path.as_bytes()),
                Some(Met::Closed(..)) => Ordering::Less,
            };
            match (order, self.walk.next_if(|_| order != Ordering::Greater)) {
                (Ordering::Equal, Some(Met::Thing(_, stat))) => return self.same(entry, &stat),
                (_, Some(met)) => self.beside(met)?,
                (_, None) => break,
            }
        }
        let path = entry.path.clone();
        if self.closed.iter().any(|folder| path.starts_with(folder)) {
            let why = "its folder cannot be read".to_owned();
            return self.found(&Finding::Unreadable { path, why });
        }
        self.found(&Finding::Missing { path })
    }

    fn same(&mut self, entry: &Entry, stat: &Stat) -> Result<(), E> {
        let path = entry.path.clone();
        let what = if !stat.is_file() {
            "it is a link or something special, no file".to_owned()
        } else if let Some(size) = entry.size.filter(|size| *size != stat.size) {
            format!("it has {} bytes, {size} in the manifest", stat.size)
        } else if let Some(wanted) = entry.digest {
            let algorithm = wanted.algorithm();
            match digest(self.view, &path, algorithm) {
                Ok(found) if found == wanted => {
                    self.counts.equal = self.counts.equal.saturating_add(1);
                    return Ok(());
                }
                Ok(found) => {
                    format!("its {} is {}, {} in the manifest", algorithm.label(), found.hex(), wanted.hex())
                }
                Err(error) => return self.found(&Finding::Unreadable { path, why: error.to_string() }),
            }
        } else {
            self.counts.only_size = self.counts.only_size.saturating_add(1);
            return Ok(());
        };
        self.found(&Finding::Different { path, what })
    }
}

fn digest(view: &View, path: &RelPath, algorithm: DigestAlgorithm) -> io::Result<Digest> {
    let reader = view.open_read(path)?;
    let mut hash = Hasher::of_digest(algorithm);
    let mut buffer = vec![0; BLOCK];
    let mut at = 0_u64;
    loop {
        let got = reader.read_at(&mut buffer, at)?;
        if got == 0 {
            return Digest::try_from(hash).map_err(io::Error::other);
        }
        hash.update(buffer.get(..got).unwrap_or_default());
        at = at.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
    }
}
