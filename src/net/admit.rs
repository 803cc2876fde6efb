//! Permits for incoming connections: a door asks before it spends anything on a stranger.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::counters::Refusal;

/// How many connections a door bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdmissionLimits {
    /// From all addresses together.
    pub total: usize,
    /// From one IPv4 address or one IPv6 /64 (what one subscriber usually holds).
    pub per_address: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { total: 4096, per_address: 256 }
    }
}

/// Hands out permits. Clones share the count.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: AdmissionLimits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    per_address: HashMap<IpAddr, usize>,
}

impl Inner {
    /// How many `address` holds, if it may have one more.
    fn judge(&self, open: &Open, address: IpAddr) -> Result<usize, Refusal> {
        let held = open.per_address.get(&address).copied().unwrap_or(0);
        if open.total >= self.limits.total {
            return Err(Refusal::House);
        }
        if held >= self.limits.per_address { Err(Refusal::Address) } else { Ok(held) }
    }
}

impl Admission {
    /// Nobody is inside yet.
    #[must_use]
    pub fn new(limits: AdmissionLimits) -> Self {
        Self(Arc::new(Inner { limits, open: Mutex::default() }))
    }

    /// A permit for a connection from `peer`, to be kept as long as the connection lives.
    ///
    /// # Errors
    /// [`Refusal::House`] when the house is full, [`Refusal::Address`] when this address holds its share already.
    pub fn try_admit(&self, peer: SocketAddr) -> Result<Permit, Refusal> {
        let address = subscriber(peer.ip());
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.0.judge(&open, address)?;
        open.total += 1;
        open.per_address.insert(address, held + 1);
        drop(open);
        Ok(Permit { inner: Arc::clone(&self.0), address })
    }

    /// Would `peer` get a permit?
    #[must_use]
    pub fn has_room(&self, peer: SocketAddr) -> bool {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.judge(&open, subscriber(peer.ip())).is_ok()
    }

    /// How many connections are inside.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
#[must_use = "the place is given back when the permit is dropped"]
pub struct Permit {
    inner: Arc<Inner>,
    address: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(held) = open.per_address.get_mut(&self.address) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                open.per_address.remove(&self.address);
            }
        }
    }
}

/// Whose connection is it? IPv6 hosts choose addresses freely inside their /64.
pub(super) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_per_address_and_in_total() {
        let admission = Admission::new(AdmissionLimits { total: 3, per_address: 2 });
        let a: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let b: SocketAddr = "[2001:db8::1]:1".parse().unwrap();
        let neighbour: SocketAddr = "[2001:db8::2]:9".parse().unwrap();
        let first = admission.try_admit(a).unwrap();
        let _second = admission.try_admit(a).unwrap();
        assert_eq!(admission.try_admit(a).unwrap_err(), Refusal::Address, "the address has its share");
        let third = admission.try_admit(b).unwrap();
        assert_eq!(admission.try_admit(neighbour).unwrap_err(), Refusal::House, "the house is full");
        drop((first, third));
        assert_eq!(admission.inside(), 1);
        let _b = admission.try_admit(b).unwrap();
        let _n = admission.try_admit(neighbour).unwrap();
        assert_eq!(admission.inside(), 3);
    }
}
