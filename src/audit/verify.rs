//! Walking the chain. Pure: rows in, a verdict out, constant memory.

use std::fmt;

use data_encoding::HEXLOWER;
use jiff::Timestamp;

use super::Checkpoint;
use super::entry::{self, GENESIS, Opened};
use super::store::RawRow;

/// Damages that are listed one by one; more are only counted.
const LISTED: usize = 100;

/// What a walk through the log found.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Entries seen.
    pub entries: u64,
    /// The last entry; what to keep as the next checkpoint when the log is sound.
    pub head: Checkpoint,
    /// What is wrong, in order of the entries; at most 100.
    pub damages: Vec<Damage>,
    /// How many damages there are in all.
    pub damaged: u64,
    /// The checkpoint was given and agrees.
    pub anchored: bool,
}

impl Verification {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged == 0
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The number of the entry.
    pub seq: i64,
    /// What is wrong with it.
    pub kind: DamageKind,
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamageKind {
    /// The text is not what was hashed.
    Changed,
    /// The text is no entry at all.
    Unreadable,
    /// The searchable column of that name says something else than the text.
    Column(&'static str),
    /// The text carries another number: it was moved here.
    Moved {
        /// The number in the text.
        from: i64,
    },
    /// It does not follow the entry before: one of the two was replaced, inserted or moved.
    Unlinked,
    /// Entries up to and with `last` are gone.
    Removed {
        /// The last missing number.
        last: i64,
    },
    /// The log ends before the checkpoint's entry: the end was cut off.
    Truncated {
        /// The number in the checkpoint.
        checkpoint: i64,
    },
    /// It has another hash than the checkpoint says: the chain was written anew.
    Rewritten,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq;
        match &self.kind {
            DamageKind::Changed => write!(f, "entry {seq} was changed: its text does not match its hash"),
            DamageKind::Unreadable => write!(f, "entry {seq} was changed: its text is no audit entry"),
            DamageKind::Column(column) => {
                write!(f, "entry {seq} was changed: its column '{column}' does not match its text")
            }
            DamageKind::Moved { from } => write!(f, "entry {seq} was moved: its text belongs to entry {from}"),
            DamageKind::Unlinked => {
                write!(f, "entry {seq} does not follow the one before it: one of them was replaced, inserted or moved")
            }
            DamageKind::Removed { last } if *last == seq => write!(f, "entry {seq} was removed"),
            DamageKind::Removed { last } => write!(f, "entries {seq} to {last} were removed"),
            DamageKind::Truncated { checkpoint } => write!(
                f,
                "the end was cut off: the log stops before entry {seq}, the checkpoint was taken at entry {checkpoint}"
            ),
            DamageKind::Rewritten => {
                write!(f, "entry {seq} is not the one of the checkpoint: the log was written anew up to there")
            }
        }
    }
}

/// The walk.
#[derive(Debug)]
pub(super) struct Verifier<'a> {
    checkpoint: Option<&'a Checkpoint>,
    entries: u64,
    last: i64,
    /// What the next entry may name as its previous: the stored hash, and the hash of the text where it
    /// differs (one damage is then not reported twice). Empty after a gap: anything may follow.
    links: Vec<[u8; 32]>,
    damages: Vec<Damage>,
    damaged: u64,
    anchored: bool,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(checkpoint: Option<&'a Checkpoint>) -> Self {
        let anchored = checkpoint.is_some_and(|c| c.seq == 0 && c.hash == GENESIS);
        Self { checkpoint, entries: 0, last: 0, links: vec![GENESIS], damages: Vec::new(), damaged: 0, anchored }
    }

    fn damage(&mut self, seq: i64, kind: DamageKind) {
        self.damaged += 1;
        if self.damages.len() < LISTED {
            self.damages.push(Damage { seq, kind });
        }
    }

    /// Takes the next row, in order of the numbers.
    pub(super) fn take(&mut self, row: &RawRow) {
        self.entries += 1;
        let seq = row.seq;
        if seq > self.last + 1 {
            self.damage(self.last + 1, DamageKind::Removed { last: seq - 1 });
            self.links.clear();
        } else if seq < 1 {
            self.damage(seq, DamageKind::Unlinked);
        }
        let text = std::str::from_utf8(&row.entry).ok();
        let computed = entry::hash_bytes(&row.entry);
        let stored: Option<[u8; 32]> = row.hash.as_slice().try_into().ok();
        match text.and_then(entry::open) {
            None => self.damage(seq, DamageKind::Unreadable),
            Some(_) if stored != Some(computed) => self.damage(seq, DamageKind::Changed),
            Some(opened) => self.compare(row, &opened),
        }
        self.links = stored.into_iter().chain((stored != Some(computed)).then_some(computed)).collect();
        self.last = seq;
        if let Some(checkpoint) = self.checkpoint.filter(|c| c.seq == seq) {
            self.anchored = computed == checkpoint.hash;
            if !self.anchored {
                self.damage(seq, DamageKind::Rewritten);
            }
        }
    }

    fn compare(&mut self, row: &RawRow, opened: &Opened) {
        let seq = row.seq;
        if opened.seq != seq {
            self.damage(seq, DamageKind::Moved { from: opened.seq });
        } else if !self.links.is_empty() && !self.links.iter().any(|hash| HEXLOWER.encode(hash) == opened.previous) {
            self.damage(seq, DamageKind::Unlinked);
        }
        if row.at != opened.at.as_microsecond() {
            self.damage(seq, DamageKind::Column("at"));
        }
        if row.actor != opened.actor.as_bytes() {
            self.damage(seq, DamageKind::Column("actor"));
        }
        if row.action != opened.action().as_bytes() {
            self.damage(seq, DamageKind::Column("action"));
        }
    }

    /// The verdict after the last row.
    pub(super) fn finish(mut self, now: Timestamp) -> Verification {
        if let Some(checkpoint) = self.checkpoint.filter(|c| c.seq > self.last) {
            self.damage(self.last + 1, DamageKind::Truncated { checkpoint: checkpoint.seq });
        }
        let hash = self.links.last().copied().unwrap_or(GENESIS);
        Verification {
            entries: self.entries,
            head: Checkpoint { seq: self.last, hash, at: now },
            damages: self.damages,
            damaged: self.damaged,
            anchored: self.anchored,
        }
    }
}
