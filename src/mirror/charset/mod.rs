//! Which character set the names of each folder are in, where the policy lets it be found out: decided once, by the names
//! of the folder itself and by what was decided above it, and remembered.

mod store;

use encoding_rs::Encoding;

use super::engine::{Broken, Engine};
use super::names::{Names, Naming};
use crate::db::{Db, DbError};
use crate::model::charset::{Evidence, Verdict};
use crate::model::{Entry, JobId, RelPath};

/// So many entries whose names need a character set wait for the decision; then they decide.
const MOST_HELD: usize = 10_000;

/// What a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The names of the folder.
    Found,
    /// What was decided for a folder above, which the names of this one fit.
    Around,
    /// Nothing: the bytes are kept.
    Unclear,
}

impl Why {
    const ALL: [Self; 3] = [Self::Found, Self::Around, Self::Unclear];

    /// The stable word for the store.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Around => "around",
            Self::Unclear => "unclear",
        }
    }

    /// Reads the word back.
    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == word)
    }
}

/// A decision about a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decision {
    charset: Option<&'static Encoding>,
    why: Why,
}

/// A folder being listed whose names may have to wait until they are understood.
pub(super) struct Folder {
    naming: Option<Naming>,
    plain: Naming,
    held: Vec<Entry>,
    evidence: Evidence,
}

impl Folder {
    /// Nothing listed yet.
    pub(super) fn new(names: Names) -> Self {
        Self { naming: names.everywhere(), plain: names.plain(), held: Vec::new(), evidence: Evidence::default() }
    }

    /// How names are carried over; before the decision only those that every character set agrees on.
    pub(super) fn naming(&self) -> Naming {
        self.naming.unwrap_or(self.plain)
    }

    /// The entries whose names can be carried over now; the others wait.
    pub(super) fn take(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if self.naming.is_some() {
            return entries;
        }
        let (plain, others) = entries.into_iter().partition::<Vec<_>, _>(|entry| entry.name.as_bytes().is_ascii());
        for entry in &others {
            self.evidence.add(entry.name.as_bytes());
        }
        self.held.extend(others);
        plain
    }

    /// Do so many wait that they have to decide?
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= MOST_HELD
    }

    /// Decides, unless that was done, and hands out what waited. The decision is stored before anybody goes by it.
    pub(super) async fn settle(&mut self, engine: &Engine, dir: &RelPath) -> Result<Vec<Entry>, Broken> {
        let held = std::mem::take(&mut self.held);
        if self.naming.is_none() && !held.is_empty() {
            let decision = remembered_or_decided(engine, dir, &self.evidence).await?;
            self.naming = Some(self.plain.in_charset(decision.charset));
        }
        Ok(held)
    }
}

async fn remembered_or_decided(engine: &Engine, dir: &RelPath, evidence: &Evidence) -> Result<Decision, DbError> {
    let (db, job) = (&engine.order.db, engine.order.job);
    let above = store::nearest(db, job, dir).await?;
    if let Some((_, decision)) = above.as_ref().filter(|(at, _)| at == dir) {
        return Ok(*decision);
    }
    let decision = decide(evidence, above.and_then(|(_, decision)| decision.charset));
    store::remember(db, job, (engine.order.run, engine.order.clock.now()), dir, decision).await?;
    Ok(decision)
}

/// Pure: by the folder's own names where they are enough, else by what is used above.
fn decide(evidence: &Evidence, around: Option<&'static Encoding>) -> Decision {
    let found = |charset| Decision { charset: Some(charset), why: Why::Found };
    let legacy = around.filter(|charset| *charset != encoding_rs::UTF_8);
    match evidence.verdict() {
        Verdict::Utf8 { proven } if proven || legacy.is_none() => found(encoding_rs::UTF_8),
        Verdict::Legacy { guess, .. } if guess.is_sure() => found(guess.charset),
        Verdict::Legacy { .. } if legacy.is_some_and(|charset| evidence.suits(charset)) => {
            Decision { charset: legacy, why: Why::Around }
        }
        _ => Decision { charset: None, why: Why::Unclear },
    }
}

/// For the summary: what is used where.
pub(super) async fn notes(db: &Db, job: JobId, names: Names) -> Result<Vec<String>, DbError> {
    if names.everywhere().is_some() {
        return Ok(Vec::new());
    }
    let used = store::used(db, job).await?;
    let folders = |count: u64| if count == 1 { "1 folder".to_owned() } else { format!("{count} folders") };
    let known = used.iter().filter_map(|used| Some(format!("{} in {}", used.charset.as_ref()?, folders(used.folders))));
    let known = known.collect::<Vec<_>>();
    let mut notes = Vec::new();
    if !known.is_empty() {
        notes.push(format!("character sets of names, found out and kept for later runs: {}", known.join(", ")));
    }
    notes.extend(used.iter().filter(|used| used.charset.is_none()).map(|used| {
        format!(
            "the character set of the names in {} cannot be told, the first is '{}': their bytes are kept; --charset \
             with its name settles it",
            folders(used.folders),
            used.first.display()
        )
    }));
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{GBK, SHIFT_JIS, UTF_8};

    use super::*;

    fn evidence(charset: &'static Encoding, names: &[&str]) -> Evidence {
        let mut evidence = Evidence::default();
        names.iter().for_each(|name| evidence.add(&charset.encode(name).0));
        evidence
    }

    #[test]
    fn own_names_decide_and_the_folders_above_help() {
        let chinese = evidence(
            GBK,
            &["财务报表2024.xls", "会议纪要.doc", "照片", "合同扫描件.pdf", "新建文件夹", "客户名单.txt"],
        );
        let japanese =
            evidence(SHIFT_JIS, &["売上報告書.xls", "会議議事録.doc", "写真", "契約書スキャン.pdf", "新しいフォルダ"]);
        let short = evidence(GBK, &["照片"]);
        let pun = evidence(GBK, &["模"]);
        let utf8 = evidence(UTF_8, &["财务报表"]);
        for (evidence, around, charset, why) in [
            (&chinese, None, Some(GBK), Why::Found),
            (&chinese, Some(SHIFT_JIS), Some(GBK), Why::Found),
            (&japanese, Some(GBK), Some(SHIFT_JIS), Why::Found),
            (&short, Some(GBK), Some(GBK), Why::Around),
            (&short, Some(UTF_8), None, Why::Unclear),
            (&short, None, None, Why::Unclear),
            (&utf8, Some(GBK), Some(UTF_8), Why::Found),
            (&pun, None, Some(UTF_8), Why::Found),
            (&pun, Some(GBK), None, Why::Unclear),
        ] {
            assert_eq!(decide(evidence, around), Decision { charset, why }, "{evidence:?} in {around:?}");
        }
    }
}
