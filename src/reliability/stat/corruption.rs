//! How often a file is another one than it should be, although every word about it was yes.

use super::{Basis, Better, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::reliability::estimate::wilson;
use crate::reliability::rollup::Sum;

const MINIMUM: u64 = 100;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "corruption",
    group: Group::Transfers,
    title: "Corruption found",
    definition: Definition {
        brief: "Files whose content was compared with its source and was another, of all that were compared.",
        counted: "Comparisons of a file's content with that of its source that found another content.",
        of: "Those, and the comparisons that found the same.",
        left_out: "Files whose content nobody compared; a file that changed in its source meanwhile.",
        method: "Share with the interval of Wilson: with none found in n, up to about 3.8 / n.",
    },
    basis: Basis::Compared,
    unit: Unit::Share,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "compared files",
    counts_events: false,
    compute,
};

fn compute(sample: &Sample) -> Estimate {
    let corrupt = sample.summed(Sum::Corrupt);
    wilson(corrupt, corrupt + sample.summed(Sum::Verified)).enough_from(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_comparisons() {
        let mut sample = Sample::default();
        sample.digest.sum(Sum::Verified, 249);
        assert!(compute(&sample).high.unwrap() < 0.016);
        sample.digest.sum(Sum::Corrupt, 1);
        let estimate = compute(&sample);
        assert_eq!((estimate.value, estimate.n, estimate.events, estimate.enough), (Some(0.004), 250, 1, true));
    }
}
