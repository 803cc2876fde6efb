//! What a remote can do.

/// Each is "known to work here"; false also stands for "not known".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Reading may start at an offset.
    pub resume_read: bool,
    /// A source tells the version that it reads: see [`super::Source::opened`].
    pub read_tells: bool,
    /// One source asks for much ahead and keeps the road full by itself: a file read over several connections at once
    /// comes no faster.
    pub reads_ahead: bool,
    /// Writing may start at an offset.
    pub resume_write: bool,
    /// Files can be created and changed.
    pub write: bool,
    /// [`super::Remote::set_attributes`] keeps modification times.
    pub set_mtime: bool,
    /// [`super::Remote::set_attributes`] keeps permission bits.
    pub set_mode: bool,
    /// [`super::Remote::digest`] answers.
    pub digest: bool,
    /// [`super::Remote::checksum`] answers, by one algorithm at least.
    pub checksum: bool,
    /// [`super::Remote::exchange`] works.
    pub exchange: bool,
    /// [`super::Remote::make_link`] works.
    pub links: bool,
    /// How many operations may usefully run side by side.
    pub parallel: u16,
}
