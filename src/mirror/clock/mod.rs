//! The clock that the source's listings show: its zone is given, or learned from a few files whose exact time the server
//! tells on request, and remembered for all later runs.
//!
//! What is remembered of listings is read by one zone per job, and follows when another one is known: a listing that shows
//! what it showed before counts as unchanged, whatever was believed of its clock. That a clock itself was set to another
//! zone is a different matter: see `shift`.

mod store;

use std::sync::PoisonError;

use jiff::SignedDuration;

use super::engine::{Broken, Engine, Facts};
use super::heat::Extent;
use super::merge::store as merge;
use super::scan::store::Side;
use super::shift;
use crate::model::ServerZone;
use crate::model::zone::{Learned, Pair, Unclear, learn};

/// So many files at once are asked for their exact time.
const AT_ONCE: u16 = 4;
/// What was learned is believed for so long without asking again, as long as nothing speaks against it.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// Does this run learn? Others read as the job's memory was read: they must not change it.
fn learns(engine: &Engine) -> bool {
    engine.order.extent == Extent::Whole && !engine.order.policy.dry_run
}

/// Before anything is listed: the zone that is given, or was learned before.
pub(super) async fn believe(engine: &Engine) -> Result<(), Broken> {
    let (db, order) = (&engine.order.db, &engine.order);
    if order.source.listing_zone().is_none() {
        return Ok(());
    }
    let zone = match &order.zone {
        _ if !learns(engine) => read_until_now(engine).await?,
        Some(given) => given.clone(),
        None => match store::evidence(db, &order.server).await?.map(|(pairs, _)| learn(&pairs)) {
            Some(Learned::Zone { zone, .. }) => zone,
            _ => store::reading(db, order.job).await?.unwrap_or_default(),
        },
    };
    order.source.set_listing_zone(&zone);
    Ok(())
}

/// After both sides were read: learns, and reads by what was learned all that listings told, now and in earlier runs.
/// Finds out by how much the times in listings moved since the last run.
pub(super) async fn settle(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    let Some(read) = engine.order.source.listing_zone() else { return Ok(()) };
    // Listed alike means read alike: only then does what moved say something.
    if learns(engine) && read_until_now(engine).await? != read {
        remembered_as(engine, &read, facts).await?;
    }
    facts.moves = merge::moves(db, job, run).await?;
    if !learns(engine) {
        return Ok(());
    }
    let zone = if engine.order.zone.is_some() { read.clone() } else { learned(engine, &read, facts).await? };
    remembered_as(engine, &zone, facts).await?;
    if zone != read {
        engine.order.source.set_listing_zone(&zone);
        store::read_anew(db, run, &read, &zone).await?;
        facts.moves = merge::moves(db, job, run).await?;
    }
    Ok(())
}

/// By which zone all was read that is remembered. Older versions noted nothing: what they read was read by what was given.
async fn read_until_now(engine: &Engine) -> Result<ServerZone, Broken> {
    let noted = store::reading(&engine.order.db, engine.order.job).await?;
    Ok(noted.or_else(|| engine.order.zone.clone()).unwrap_or_default())
}

/// What is remembered of listings counts as read by `zone`.
async fn remembered_as(engine: &Engine, zone: &ServerZone, facts: &mut Facts) -> Result<(), Broken> {
    let (db, order) = (&engine.order.db, &engine.order);
    let before = store::reading(db, order.job).await?;
    if before.as_ref() == Some(zone) {
        return Ok(());
    }
    if let Some(before) = &before {
        facts.notes.push(format!(
            "until now the times of listings were read as {before}: what is remembered of them is read as {zone}, too, and \
             nothing is copied because of that"
        ));
    }
    Ok(store::follow(db, order.job, &read_until_now(engine).await?, zone).await?)
}

/// The zone of the clock by all that is known; `read` where that tells nothing.
async fn learned(engine: &Engine, read: &ServerZone, facts: &mut Facts) -> Result<ServerZone, Broken> {
    let (db, order) = (&engine.order.db, &engine.order);
    let months = engine.faces.lock().unwrap_or_else(PoisonError::into_inner).months();
    if !months.contains(&true) {
        return Ok(read.clone());
    }
    // The clock was set: it shows nothing any more of what it showed before.
    let known = store::evidence(db, &order.server).await?.filter(|_| !shift::may_be_clock(&facts.moves));
    let is_known = |month: usize| known.iter().flat_map(|(pairs, _)| pairs).any(|pair| pair.month() == month);
    let now = order.clock.now();
    let is_fresh = known.as_ref().is_some_and(|(_, at)| now.duration_since(*at).abs() < FRESH)
        && months.iter().enumerate().all(|(month, seen)| !seen || is_known(month));
    let known = known.map(|(pairs, _)| pairs).unwrap_or_default();
    let pairs = if is_fresh {
        known
    } else {
        let told = ask(engine, read).await?;
        let pairs = merged(known, told);
        if !pairs.is_empty() {
            store::remember(db, &order.server, now, &pairs).await?;
        }
        pairs
    };
    let told = learn(&pairs);
    facts.notes.extend(note(&told, read));
    Ok(if let Learned::Zone { zone, .. } = told { zone } else { read.clone() })
}

async fn ask(engine: &Engine, read: &ServerZone) -> Result<Vec<Pair>, Broken> {
    let faces = std::mem::take(&mut *engine.faces.lock().unwrap_or_else(PoisonError::into_inner));
    let at_once = engine.width(Side::Source).min(AT_ONCE);
    tokio::select! {
        biased;
        () = engine.stop.cancelled() => Err(Broken::Stopped),
        told = faces.ask(engine.order.source.as_ref(), read, at_once.into()) => Ok(told),
    }
}

/// Of each month the newest answers count, unless older ones contradict them.
fn merged(mut known: Vec<Pair>, told: Vec<Pair>) -> Vec<Pair> {
    known.retain(|old| told.iter().all(|new| new.month() != old.month()));
    known.extend(&told);
    let fits = |pairs: &[Pair]| matches!(learn(pairs), Learned::Zone { .. });
    if fits(&known) || !fits(&told) { known } else { told }
}

/// For the summary; nothing where all is as everybody takes it to be.
fn note(told: &Learned, read: &ServerZone) -> Option<String> {
    match told {
        Learned::Zone { zone, .. } if *zone == ServerZone::default() => None,
        Learned::Zone { zone, pairs, whole_year } => {
            let season = if *whole_year { "" } else { ", of one season only" };
            Some(format!("listing times are read as {zone}: learned from {pairs} files{season}"))
        }
        Learned::Doubt(Unclear::TooFew(_)) => None,
        Learned::Doubt(why) => Some(format!(
            "listing times are read as {read}, and nobody knows whether that is right ({why}): --zone settles it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(zone: &str, instants: &[&str]) -> Vec<Pair> {
        let zone: ServerZone = zone.parse().unwrap();
        instants.iter().map(|text| text.parse().unwrap()).map(|exact| Pair { face: zone.face(exact), exact }).collect()
    }

    fn zone_of(pairs: &[Pair]) -> String {
        match learn(pairs) {
            Learned::Zone { zone, .. } => zone.to_string(),
            Learned::Doubt(why) => why.to_string(),
        }
    }

    const WINTER: [&str; 3] = ["2026-01-10T10:00:00Z", "2026-01-20T10:00:00Z", "2026-02-01T10:00:00Z"];
    const SUMMER: [&str; 3] = ["2026-07-10T10:00:00Z", "2026-07-20T10:00:00Z", "2026-08-01T10:00:00Z"];

    #[test]
    fn seasons_add_up_to_a_rule() {
        let all = merged(pairs("Europe/Berlin", &WINTER), pairs("Europe/Berlin", &SUMMER));
        assert_eq!((all.len(), zone_of(&all).as_str()), (6, "Europe/Berlin"));
        // Of the same month the newer ones count.
        let moved = merged(pairs("60", &WINTER), pairs("120", &WINTER));
        assert_eq!((moved.len(), zone_of(&moved).as_str()), (3, "120"));
        // What contradicts the new ones is dropped.
        let other = merged(pairs("345", &SUMMER), pairs("120", &WINTER));
        assert_eq!((other.len(), zone_of(&other).as_str()), (3, "120"));
        // Nothing new spoils nothing.
        assert_eq!(merged(pairs("60", &WINTER), Vec::new()).len(), 3);
    }

    #[test]
    fn what_is_said() {
        let read: ServerZone = "60".parse().unwrap();
        let said = |pairs: &[Pair]| note(&learn(pairs), &read);
        assert_eq!(said(&pairs("UTC", &WINTER)), None);
        assert_eq!(said(&pairs("60", &WINTER[..1])), None);
        let one = said(&pairs("120", &WINTER)).unwrap();
        assert_eq!(one, "listing times are read as 120: learned from 3 files, of one season only");
        let odd = [pairs("60", &WINTER), pairs("345", &WINTER)].concat();
        assert!(said(&odd).unwrap().contains("--zone settles it"), "{:?}", said(&odd));
    }
}
