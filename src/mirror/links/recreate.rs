//! A link of the source as a link of the target, in the same bytes.

use super::walk::{self, Step};
use crate::audit::Event;
use crate::mirror::engine::Engine;
use crate::mirror::names::Naming;
use crate::mirror::publish::batch;
use crate::mirror::replace;
use crate::model::{EntryKind, Fault, FaultKind, Phase, RelPath, display_bytes};

/// May the link at `link` in the source, which points at `target`, be made in the target? There it has to lead to what
/// lies in the same place: a path from the root of the machine, or out of the mirrored folder, would lead to something
/// else, and a name that is another one in the target to nothing.
///
/// # Errors
/// Why not.
pub(in crate::mirror) fn check(link: &RelPath, target: Option<&[u8]>, naming: Naming) -> Result<(), Fault> {
    if target.is_some_and(|target| target.first() == Some(&b'/')) {
        let target = display_bytes(target.unwrap_or_default());
        let message = format!("the link leads to the absolute path {target}, which is something else in the target");
        return Err(Fault::new(Phase::List, FaultKind::Unsupported, message));
    }
    let mut at = link.parent().unwrap_or_default();
    for step in walk::steps(target, None)? {
        match step {
            Step::Root => at = RelPath::root(),
            Step::Up => {
                at = at.parent().ok_or_else(|| {
                    let message =
                        "the link leads out of the source's folder: it would lead to something else in the target";
                    Fault::new(Phase::List, FaultKind::Unsupported, message)
                })?;
            }
            Step::Down(name) => {
                if naming.map(&name).ok().as_ref() != Some(&name) {
                    let message =
                        format!("the link leads by the name {}, which is another in the target", name.display());
                    return Err(Fault::new(Phase::List, FaultKind::BadName, message));
                }
                at = at.join(&name);
            }
        }
    }
    Ok(())
}

/// Makes the link `at` that points at `target`. A link that lies there and is not `ours` goes into the trash, anything
/// else stays and is in the way. Returns what went, for the audit log.
///
/// # Errors
/// The target's.
pub(in crate::mirror) async fn make(
    engine: &Engine,
    at: &RelPath,
    target: &[u8],
    ours: Option<&[u8]>,
) -> Result<Option<Event>, Fault> {
    let remote = &engine.order.target;
    let mut trashed = None;
    for _ in 0..replace::MOST_TURNS {
        match remote.make_link(at, target).await {
            Err(taken) if taken.kind == FaultKind::Exists => {}
            made => return made.map(|()| trashed),
        }
        match remote.stat(at).await?.map(|entry| entry.kind) {
            None => {}
            Some(EntryKind::Symlink(there)) if there.as_deref() == Some(target) => return Ok(trashed),
            Some(EntryKind::Symlink(_)) => trashed = make_room(engine, at, ours).await?.or(trashed),
            Some(_) => return Err(in_the_way()),
        }
    }
    Err(replace::contested())
}

pub(in crate::mirror) fn in_the_way() -> Fault {
    let message = "something that is not a link lies where the link belongs in the target: move it away";
    Fault::new(Phase::Publish, FaultKind::Exists, message)
}

/// Moves whatever lies there into the trash in one step, and only there looks at what it was: our own older link goes
/// for good.
async fn make_room(engine: &Engine, at: &RelPath, ours: Option<&[u8]>) -> Result<Option<Event>, Fault> {
    let (remote, run) = (&engine.order.target, engine.order.run);
    let kept = match remote.trash(at, at, &batch(run)?).await {
        Err(fault) if fault.kind == FaultKind::Missing => return Ok(None),
        kept => kept?,
    };
    let is_ours = |kind: &EntryKind| matches!(kind, EntryKind::Symlink(Some(there)) if Some(there.as_slice()) == ours);
    if remote.stat(&kept).await?.is_some_and(|entry| is_ours(&entry.kind)) {
        remote.remove_file(&kept).await?;
        return Ok(None);
    }
    Ok(Some(replace::trashed(run, at.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_to_the_same_place_is_made() {
        let at = |link: &str| RelPath::new(link).unwrap();
        let plain = |link: &str, target: &[u8]| check(&at(link), Some(target), Naming::default());
        for (link, target) in
            [("l", &b"a"[..]), ("a/l", b"../b/c"), ("a/l", b".."), ("a/l", b"./x/../../y"), ("l", b"\xd6")]
        {
            assert!(plain(link, target).is_ok(), "{link}");
        }
        for (link, target, words) in
            [("l", &b"../a"[..], "out of the source"), ("a/l", b"/srv/a", "absolute"), ("l", b"", "does not say")]
        {
            assert!(plain(link, target).unwrap_err().message.contains(words), "{link}");
        }
        let gbk = Naming::default().in_charset(Some(encoding_rs::GBK));
        assert!(check(&at("l"), Some(b"\xd6\xd0"), gbk).is_err(), "it has another name there");
        assert!(check(&at("l"), Some(b"plain"), gbk).is_ok());
    }
}
