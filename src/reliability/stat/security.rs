//! How many connections nobody can listen to, now and later.

use super::{Basis, Better, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::reliability::estimate::wilson;
use crate::reliability::rollup::Sum;

const MINIMUM: u64 = 20;

pub(super) const ENCRYPTED: Statistic = Statistic {
    key: "encrypted",
    group: Group::Security,
    title: "Encrypted",
    definition: Definition {
        brief: "Connections inside TLS or SSH, of those that became ready.",
        counted: "Connections that became ready inside TLS or SSH.",
        of: "Connections that became ready and of which it is known.",
        left_out: "Attempts that never became ready.",
        method: "Share with the interval of Wilson.",
    },
    basis: Basis::Encrypted,
    unit: Unit::Share,
    better: Better::Higher,
    minimum: MINIMUM,
    counted: "ready connections",
    counts_events: false,
    compute: |sample| share(sample, Sum::Encrypted, Sum::InClear),
};

pub(super) const POST_QUANTUM: Statistic = Statistic {
    key: "post-quantum",
    group: Group::Security,
    title: "Post-quantum key exchange",
    definition: Definition {
        brief: "Connections whose keys were agreed on with ML-KEM or sntrup761, of the encrypted ones.",
        counted: "Encrypted connections whose keys were agreed on with ML-KEM (FIPS 203) or sntrup761: what is \
                  recorded today is not read by the quantum computer of tomorrow.",
        of: "Encrypted connections whose key exchange is known.",
        left_out: "Connections in clear text.",
        method: "Share with the interval of Wilson.",
    },
    basis: Basis::PostQuantum,
    unit: Unit::Share,
    better: Better::Higher,
    minimum: MINIMUM,
    counted: "encrypted connections",
    counts_events: false,
    compute: |sample| share(sample, Sum::PostQuantum, Sum::Classical),
};

fn share(sample: &Sample, of: Sum, other: Sum) -> Estimate {
    let counted = sample.summed(of);
    wilson(counted, counted + sample.summed(other)).enough_from(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_is_known() {
        let mut sample = Sample { ready: 1000, ..Sample::default() };
        for (sum, by) in [(Sum::Encrypted, 75), (Sum::InClear, 25), (Sum::PostQuantum, 15), (Sum::Classical, 45)] {
            sample.digest.sum(sum, by);
        }
        let of = |one: Statistic| (one.compute)(&sample);
        assert_eq!((of(ENCRYPTED).value, of(ENCRYPTED).n), (Some(0.75), 100));
        assert_eq!((of(POST_QUANTUM).value, of(POST_QUANTUM).n), (Some(0.25), 60));
    }
}
