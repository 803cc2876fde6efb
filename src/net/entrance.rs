//! A door's two budgets: one for everybody, and a smaller one for strangers, who have not logged in yet. A
//! flood of strangers uses up their own, and those who were in before still find a place.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::admit::{Admission, AdmissionLimits, Permit, subscriber};
use super::counters::{Counters, Refusal};

/// Addresses that are remembered: those from which somebody logged in last.
const REMEMBERED: usize = 4096;

/// Lets connections in. Clones share the budgets.
#[derive(Debug, Clone)]
pub struct Entrance(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    everybody: Admission,
    strangers: Admission,
    /// Requests that are under way.
    requests: Admission,
    counters: Counters,
    known: Mutex<Known>,
}

/// From where somebody has logged in, with the number of that login.
#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<IpAddr, u64>,
    logins: u64,
}

impl Known {
    fn remember(&mut self, address: IpAddr) {
        self.logins += 1;
        self.addresses.insert(address, self.logins);
        if self.addresses.len() > REMEMBERED
            && let Some(oldest) = self.addresses.iter().min_by_key(|(_, login)| **login).map(|(address, _)| *address)
        {
            self.addresses.remove(&oldest);
        }
    }
}

impl Entrance {
    /// Nobody is inside, and nobody is known. `strangers` counts among `everybody`; who is refused is counted in `counters`.
    #[must_use]
    pub fn new(everybody: AdmissionLimits, strangers: AdmissionLimits, counters: Counters) -> Self {
        Self::with_requests(everybody, strangers, usize::MAX, counters)
    }

    /// The same for connections with many requests at once: one address may have `requests` of them under way.
    #[must_use]
    pub fn with_requests(
        everybody: AdmissionLimits,
        strangers: AdmissionLimits,
        requests: usize,
        counters: Counters,
    ) -> Self {
        let (everybody, strangers) = (Admission::new(everybody), Admission::new(strangers));
        let requests = Admission::new(AdmissionLimits { total: usize::MAX, per_address: requests });
        Self(Arc::new(Inner { everybody, strangers, requests, counters, known: Mutex::default() }))
    }

    /// A place for a connection from `peer`; `None` when the house is full, when the address holds its share,
    /// or when nobody has logged in from there and the strangers' budget is used up.
    #[must_use]
    pub fn try_enter(&self, peer: SocketAddr) -> Option<Place> {
        let told = |why: Refusal| self.0.counters.refused(why);
        let permit = self.0.everybody.try_admit(peer).map_err(told).ok()?;
        let address = subscriber(peer.ip());
        let budget = match self.0.knows(address) {
            true => None,
            false => Some(self.0.strangers.try_admit(peer).map_err(|_| told(Refusal::Strangers)).ok()?),
        };
        let standing = Mutex::new(Standing { stranger: true, budget });
        Some(Place(Arc::new(Held { entrance: self.clone(), peer, address, standing, _permit: permit })))
    }

    /// Would a connection from `peer` find a place? Nothing is taken and nothing counted: who asks may not be sure that
    /// the address is true.
    #[must_use]
    pub fn has_room(&self, peer: SocketAddr) -> bool {
        self.0.everybody.has_room(peer) && (self.0.knows(subscriber(peer.ip())) || self.0.strangers.has_room(peer))
    }
}

impl Inner {
    fn knows(&self, address: IpAddr) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).addresses.contains_key(&address)
    }
}

/// One connection's place, given back when the last clone is dropped.
#[derive(Debug, Clone)]
#[must_use = "the place is given back when it is dropped"]
pub struct Place(Arc<Held>);

#[derive(Debug)]
struct Held {
    entrance: Entrance,
    peer: SocketAddr,
    address: IpAddr,
    standing: Mutex<Standing>,
    _permit: Permit,
}

#[derive(Debug)]
struct Standing {
    stranger: bool,
    budget: Option<Permit>,
}

impl Place {
    /// Somebody logged in over this connection: it is no stranger's any more, and its address is known.
    pub fn welcome(&self) {
        let mut standing = self.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut standing.stranger, false) {
            standing.budget = None;
            let mut known = self.0.entrance.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.remember(self.0.address);
        }
    }

    /// Has nobody logged in over this connection?
    #[must_use]
    pub fn is_stranger(&self) -> bool {
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner).stranger
    }

    /// Room for one more request, to be kept until its answer is sent; `None` (and counted) when this address has its
    /// share of them under way, over all its connections.
    #[must_use]
    pub fn try_request(&self) -> Option<Permit> {
        let Inner { requests, counters, .. } = &*self.0.entrance.0;
        requests.try_admit(self.0.peer).map_err(|_| counters.refused(Refusal::Streams)).ok()
    }

    /// Resolves after `limit` when the connection is a stranger's still; never for others.
    pub async fn overstayed(&self, limit: Duration) {
        tokio::time::sleep(limit).await;
        if !self.is_stranger() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1)
    }

    fn entrance() -> Entrance {
        let limits = |total, per_address| AdmissionLimits { total, per_address };
        Entrance::with_requests(limits(10, 5), limits(4, 3), 2, Counters::default())
    }

    #[test]
    fn a_flood_of_strangers_leaves_room_for_who_was_in_before() {
        let entrance = entrance();
        let anna = entrance.try_enter(at("192.0.2.1")).unwrap();
        anna.welcome();
        let crowd: Vec<_> = (0..9).filter_map(|n| entrance.try_enter(at(&format!("198.51.100.{}", n / 3)))).collect();
        assert_eq!(crowd.len(), 4, "the strangers' budget");
        assert!(!entrance.has_room(at("203.0.113.1")) && entrance.has_room(at("192.0.2.1")));
        assert_eq!(entrance.0.counters.count(Refusal::Strangers), 5, "who only asks is not counted");
        assert!(entrance.try_enter(at("203.0.113.1")).is_none());
        assert!(entrance.0.counters.count(Refusal::Strangers) > 0);
        let again = entrance.try_enter(at("192.0.2.1")).expect("anna's address is known");
        assert!(again.is_stranger(), "the connection itself has to log in all the same");
        drop(anna);
        assert!(entrance.try_enter(at("192.0.2.1")).is_some(), "also when she has gone");
    }

    #[test]
    fn a_login_gives_the_strangers_place_back() {
        let entrance = entrance();
        let held: Vec<_> = (0..3).map(|_| entrance.try_enter(at("192.0.2.1")).unwrap()).collect();
        assert!(entrance.try_enter(at("192.0.2.1")).is_none(), "one address has its share");
        let other = entrance.try_enter(at("192.0.2.2")).unwrap();
        assert!(entrance.try_enter(at("192.0.2.3")).is_none());
        other.welcome();
        assert!(entrance.try_enter(at("192.0.2.3")).is_some());
        drop(held);
        assert!(!other.is_stranger());
    }

    #[test]
    fn an_address_has_its_share_of_requests_over_all_its_connections() {
        let entrance = entrance();
        let (one, two) = (entrance.try_enter(at("192.0.2.1")).unwrap(), entrance.try_enter(at("192.0.2.1")).unwrap());
        let first = one.try_request().unwrap();
        let _second = two.try_request().unwrap();
        assert!(one.try_request().is_none() && two.try_request().is_none());
        assert!(entrance.try_enter(at("192.0.2.2")).unwrap().try_request().is_some());
        drop(first);
        assert!(two.try_request().is_some());
        assert_eq!(entrance.0.counters.count(Refusal::Streams), 2);
    }

    #[test]
    fn only_the_last_logins_are_remembered() {
        let mut known = Known::default();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..u32::try_from(REMEMBERED).unwrap() {
            known.remember(address(n));
        }
        known.remember(address(0));
        known.remember(address(u32::MAX));
        assert_eq!(known.addresses.len(), REMEMBERED);
        assert!(known.addresses.contains_key(&address(0)) && !known.addresses.contains_key(&address(1)));
    }
}
