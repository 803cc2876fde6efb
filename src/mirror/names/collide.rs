//! Names of one folder that the target takes for one: files that would overwrite each other in turn. One of them keeps its
//! name, the one that holds it by the journal; the others are refused, or get a name of their own that never changes.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

use super::store::{self, Member};
use crate::mirror::engine::{Broken, Engine, Facts};
use crate::mirror::plan::Kind;
use crate::mirror::policy::{Links, Naming as Policy};
use crate::model::{Fault, FaultKind, Folds, Name, NameError, Phase, RelPath};

const PAGE: i64 = 500;
/// So many hexadecimal digits tell two names apart; more where fewer do not.
const DIGITS: [usize; 3] = [4, 8, 16];

/// Settles all of them, before anything is planned. A target is only asked what it takes for one where that matters.
pub(in crate::mirror) async fn settle(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    let first = store::groups(db, run, &[], 1).await?;
    let portable = engine.order.policy.names == Policy::Portable;
    let renamed = portable && !store::renamed(db, job, run, &RelPath::root(), 1).await?.is_empty();
    if first.is_empty() && !renamed {
        return Ok(());
    }
    if engine.order.policy.dry_run {
        let note = "some names differ only in case or composition: whether the target takes them for one shows when it is written";
        facts.notes.extend((!first.is_empty()).then(|| note.to_owned()));
        return Ok(());
    }
    let folds = engine.folds().await;
    if !folds.any() {
        return Ok(());
    }
    if portable {
        as_before(engine).await?;
    }
    let mut after = Vec::new();
    loop {
        engine.check_stop()?;
        let page = store::groups(db, run, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for key in page {
            let links = engine.order.policy.links == Links::Recreate;
            let mut members = store::members(db, (job, run), &key, links).await?;
            // It may take fewer names for one than the key does.
            while let Some(first) = members.first().map(|member| key_of(folds, &member.path)) {
                let (same, others) = members.into_iter().partition(|member| key_of(folds, &member.path) == first);
                members = others;
                settle_group(engine, &key, same).await?;
            }
        }
    }
}

fn key_of(folds: Folds, path: &RelPath) -> Vec<u8> {
    path.name().map(|name| folds.key(&name)).unwrap_or_default()
}

async fn settle_group(engine: &Engine, key: &[u8], members: Vec<Member>) -> Result<(), Broken> {
    let (db, run) = (&engine.order.db, engine.order.run);
    let Some(winner) = holder(&members).filter(|_| members.len() > 1).cloned() else { return Ok(()) };
    // The target shows one of the names, whichever came first.
    store::align(db, run, key, &winner.path).await?;
    for loser in members.into_iter().filter(|member| member.path != winner.path) {
        let name = match engine.order.policy.names {
            Policy::Keep => Err(refused(&winner)),
            Policy::Portable => own_name(engine, &loser).await?,
        };
        match name {
            Ok(name) => {
                let to = loser.path.parent().unwrap_or_default().join(&name);
                store::rename(db, run, &loser.path, &to, loser.kind == Kind::Dir).await?;
            }
            Err(fault) => store::refuse(db, run, &loser.path, &fault).await?,
        }
    }
    Ok(())
}

/// Who holds the name: by the journal, the last that was published under it; else the first by its bytes.
fn holder(members: &[Member]) -> Option<&Member> {
    let held = |member: &&Member| member.known.as_ref().is_some_and(|(target, _)| target.name() == member.path.name());
    let latest = members.iter().filter(held).max_by_key(|member| {
        let at = member.known.as_ref().map(|(_, at)| *at);
        (at, std::cmp::Reverse(member.path.clone()))
    });
    latest.or_else(|| members.iter().min_by_key(|member| &member.path))
}

fn refused(winner: &Member) -> Fault {
    let holder = winner.source.display();
    let message = format!(
        "the target takes its name for that of {holder}: rename one of them in the source, or let the job use portable names"
    );
    Fault::new(Phase::List, FaultKind::BadName, message)
}

/// The name that a loser gets: the one that it had, else one that nobody has.
async fn own_name(engine: &Engine, loser: &Member) -> Result<Result<Name, Fault>, Broken> {
    if let Some(name) = remembered(loser) {
        return Ok(Ok(name));
    }
    let folder = loser.path.parent().unwrap_or_default();
    for digits in DIGITS {
        match suffixed(loser, digits) {
            Ok(name) if store::is_free(&engine.order.db, engine.order.run, &folder.join(&name)).await? => {
                return Ok(Ok(name));
            }
            Ok(_) => {}
            Err(error) => {
                let message = format!("the target takes its name for another, and with a suffix: {error}");
                return Ok(Err(Fault::new(Phase::List, FaultKind::BadName, message)));
            }
        }
    }
    Ok(Err(Fault::new(Phase::List, FaultKind::BadName, "the target takes its name for too many others: rename it")))
}

/// The name of its own under which the journal knows it.
fn remembered(member: &Member) -> Option<Name> {
    let name = member.known.as_ref().and_then(|(target, _)| target.name())?;
    DIGITS.iter().any(|digits| suffixed(member, *digits).as_ref() == Ok(&name)).then_some(name)
}

/// `name~5f2b.ext`: told apart by its own bytes in the source.
fn suffixed(member: &Member, digits: usize) -> Result<Name, NameError> {
    let (own, plain) = (member.source.name(), member.path.name().ok_or(NameError::Empty)?);
    let hash = HEXLOWER.encode(digest(&SHA256, own.as_ref().unwrap_or(&plain).as_bytes()).as_ref());
    let bytes = plain.as_bytes();
    let dot = bytes.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0).unwrap_or(bytes.len());
    let (stem, extension) = bytes.split_at_checked(dot).unwrap_or((bytes, &[]));
    let suffix = hash.get(..digits).unwrap_or(&hash);
    Name::new([stem, b"~", suffix.as_bytes(), extension].concat())
}

/// Whoever got a name of its own keeps it, also when the others are gone.
async fn as_before(engine: &Engine) -> Result<(), Broken> {
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    let mut after = RelPath::root();
    loop {
        engine.check_stop()?;
        let page = store::renamed(db, job, run, &after, PAGE).await?;
        if page.is_empty() {
            return Ok(());
        }
        for member in page {
            after = member.path.clone();
            let Some(name) = remembered(&member).filter(|name| Some(name) != member.path.name().as_ref()) else {
                continue;
            };
            let to = member.path.parent().unwrap_or_default().join(&name);
            if store::is_free(db, run, &to).await? {
                store::rename(db, run, &member.path, &to, member.kind == Kind::Dir).await?;
            }
            // What lies in a folder has another path now.
            if member.kind == Kind::Dir {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(source: &str, known: Option<(&str, i64)>) -> Member {
        let path = |text: &str| RelPath::new(text).unwrap();
        let known = known.map(|(target, at)| (path(target), at));
        Member { path: path(source), source: path(source), kind: Kind::File, known }
    }

    #[test]
    fn the_journal_says_who_holds_a_name_and_else_the_bytes_do() {
        let held = |members: &[Member]| holder(members).unwrap().path.display().into_owned();
        assert_eq!(held(&[member("a/x", None), member("a/X", None)]), "a/X");
        assert_eq!(held(&[member("a/x", Some(("a/x", 1))), member("a/X", None)]), "a/x");
        assert_eq!(held(&[member("x", Some(("x", 1))), member("X", Some(("X", 2)))]), "X");
        assert_eq!(held(&[member("x", Some(("x", 1))), member("X", Some(("X~4b68.", 2)))]), "x");
    }

    #[test]
    fn a_suffix_stands_before_the_extension_and_comes_from_the_own_bytes() {
        let name = |text: &str| suffixed(&member(text, None), 4).unwrap().display().into_owned();
        let (one, other) = (name("d/Read.me"), name("d/READ.me"));
        assert!(one.starts_with("Read~") && one.ends_with(".me") && one.len() == 12, "{one}");
        assert_ne!(one.to_lowercase(), other.to_lowercase());
        assert!(name(".hidden").starts_with(".hidden~"));
        let long = "x".repeat(253);
        assert_eq!(suffixed(&member(&long, None), 4), Err(NameError::TooLong));
        assert_eq!(remembered(&member("d/Read.me", Some((&format!("d/{one}"), 1)))).unwrap().display(), one);
    }
}
