//! One round: every member of a set, in an order that chance decides.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::visit::{Call, Outcome, Step, Visit};
use super::{Spent, Work};
use crate::model::{Digest, Endpoint, Fault, RelPath};
use crate::remote::Context;

/// A visit that takes longer says nothing about the same minute any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen.
#[derive(Debug, Clone)]
pub struct Round {
    /// When it began.
    pub at: Timestamp,
    /// Of each member, in the order of the set; fewer when it was ended before all were visited.
    pub visits: BTreeMap<usize, Visit>,
    /// Which member was visited first, second and so on: its place in the set.
    pub order: Vec<usize>,
    /// It was ended early: nothing is compared.
    pub is_cut: bool,
}

impl Round {
    /// What it took from those who were visited.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let add = |sum: Spent, visit: &Visit| Spent {
            logins: sum.logins.saturating_add(visit.logins),
            bytes: sum.bytes.saturating_add(visit.bytes),
        };
        self.visits.values().fold(Spent::default(), add)
    }
}

/// Who is to be visited.
#[derive(Debug, Clone)]
pub struct Host {
    /// Where; a member whose address is not known is a failed visit.
    pub endpoint: Result<Endpoint, Fault>,
    /// What visits before have left there.
    pub left: Vec<RelPath>,
}

/// Visits `hosts` in turn, with no more than `bytes` of payload in all, until it is told to `stop`.
pub async fn round(
    (hosts, order): (&[Host], &[usize]),
    (work, bytes): (&Work, u64),
    context: &Context,
    stop: &CancellationToken,
) -> Round {
    let at = context.clock.now();
    // One round begins after the other: the time is a number that no other has.
    let number = at.as_microsecond();
    let mut seen = Round { at, visits: BTreeMap::new(), order: order.to_vec(), is_cut: false };
    for &place in order {
        let Some(host) = hosts.get(place) else { continue };
        let visit = match &host.endpoint {
            Ok(endpoint) => {
                let bytes = bytes.saturating_sub(seen.spent().bytes);
                let call = Call { context, round: number, patience: PATIENCE, bytes, left: &host.left, stop };
                Visit::make(endpoint, work, &call).await
            }
            Err(fault) => Visit::failed(context.clock.now(), fault.clone(), &host.left),
        };
        seen.visits.insert(place, visit);
        if stop.is_cancelled() {
            seen.is_cut = true;
            return seen;
        }
    }
    for step in [Step::Small, Step::Medium] {
        compare(&mut seen.visits, step);
    }
    seen
}

/// An order in which `count` members are visited, each as likely as any other.
///
/// # Errors
/// The random generator's.
pub fn order(count: usize) -> io::Result<Vec<usize>> {
    let mut order: Vec<_> = (0..count).collect();
    let mut bytes = [0; 8];
    for last in (1..count).rev() {
        crate::random::fill(&mut bytes)?;
        // 64 random bits for a choice among a handful: what is uneven about it nobody can measure.
        let choices = u64::try_from(last + 1).unwrap_or(1);
        let chosen = usize::try_from(u64::from_le_bytes(bytes) % choices).unwrap_or_default();
        order.swap(last, chosen);
    }
    Ok(order)
}

/// Marks what is not as most have read it. Where two differ and there is no third, nobody knows who is right: both are
/// marked.
fn compare(visits: &mut BTreeMap<usize, Visit>, step: Step) {
    let mut votes: BTreeMap<Digest, usize> = BTreeMap::new();
    let sum = |visit: &Visit| match visit.step(step) {
        Some(Outcome::Done(done)) => done.digest,
        _ => None,
    };
    for sum in visits.values().filter_map(sum) {
        *votes.entry(sum).or_default() += 1;
    }
    if votes.len() < 2 {
        return;
    }
    let most = votes.values().copied().max().unwrap_or_default();
    let winners: Vec<_> = votes.into_iter().filter(|(_, count)| *count == most).map(|(sum, _)| sum).collect();
    let right = if let [one] = winners.as_slice() { Some(*one) } else { None };
    for visit in visits.values_mut() {
        if sum(visit).is_some_and(|sum| Some(sum) != right) {
            for (which, outcome) in &mut visit.steps {
                if let (true, Outcome::Done(done)) = (*which == step, &*outcome) {
                    *outcome = Outcome::Differs(*done);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::visit::Done;
    use super::*;
    use crate::model::{DigestAlgorithm, Hasher};

    fn read(content: &[u8]) -> Visit {
        let mut hasher = Hasher::of_digest(DigestAlgorithm::Sha256);
        hasher.update(content);
        let digest = Digest::try_from(hasher).ok();
        let done = Done { took: Duration::from_secs(1), first: None, amount: 1, digest };
        let steps = vec![(Step::Small, Outcome::Done(done))];
        Visit { at: Timestamp::UNIX_EPOCH, phases: vec![], steps, logins: 1, bytes: 1, left: vec![] }
    }

    fn unlike(contents: &[&[u8]]) -> Vec<bool> {
        let mut visits: BTreeMap<_, _> = contents.iter().map(|content| read(content)).enumerate().collect();
        compare(&mut visits, Step::Small);
        visits.values().map(|visit| matches!(visit.step(Step::Small), Some(Outcome::Differs(_)))).collect()
    }

    #[test]
    fn the_odd_one_out_is_marked_and_two_who_differ_both_are() {
        assert_eq!(unlike(&[b"a", b"a", b"a"]), [false; 3]);
        assert_eq!(unlike(&[b"a", b"b", b"a"]), [false, true, false]);
        assert_eq!(unlike(&[b"a", b"b"]), [true, true]);
        assert_eq!(unlike(&[b"a"]), [false]);
        assert_eq!(unlike(&[]), [false; 0]);
    }

    #[test]
    fn every_order_comes_about_equally_often() {
        let mut seen: BTreeMap<Vec<usize>, u32> = BTreeMap::new();
        for _ in 0..6_000 {
            *seen.entry(order(3).unwrap()).or_default() += 1;
        }
        assert_eq!(seen.len(), 6);
        // 1,000 each on average; 200 away from it is seven standard deviations.
        assert!(seen.values().all(|count| (800..1_200).contains(count)), "{seen:?}");
    }
}
