//! How fast the bytes of a file move, by the size of the file.
//!
//! What limits it may be the link, a configured limit, the disk or the other side's cipher, and several transfers at once
//! share the link: compare it only where all that is the same.

use std::time::Duration;

use super::{Basis, Better, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::reliability::End;

const MINIMUM: u64 = 20;
/// The class of the largest.
const LAST: u8 = 3;

/// Does a transfer say something about goodput?
#[must_use]
pub fn is_goodput(end: End, duration: Duration) -> bool {
    end == End::Clean && !duration.is_zero()
}

macro_rules! row {
    ($key:literal, $title:literal, $of:literal, $classes:expr) => {
        Statistic {
            key: $key,
            group: Group::Transfers,
            title: $title,
            definition: Definition {
                brief: concat!("Payload bytes per second of transfers of ", $of, " that ended well, one transfer at a \
                                time."),
                counted: "The payload bytes of each transfer, by the time from the command to the last byte.",
                of: concat!("Transfers of ", $of, " that ended well."),
                left_out: "Failed transfers, those of other sizes, and those of no measurable length. Files below 64 KiB \
                           measure round trips more than throughput.",
                method: "Median over transfers with an order-statistic interval, ±2 % at worst.",
            },
            basis: Basis::Goodput($classes),
            unit: Unit::BytesPerSecond,
            better: Better::Higher,
            minimum: MINIMUM,
            counted: concat!("transfers of ", $of),
            counts_events: false,
            compute: |sample: &Sample| compute(sample, $classes),
        }
    };
}

pub(super) const STATISTICS: &[Statistic] = &[
    row!("throughput", "Throughput, median", "64 KiB and more", (1, LAST)),
    row!("throughput-small", "Throughput below 64 KiB", "less than 64 KiB", (0, 0)),
    row!("throughput-64k", "Throughput, 64 KiB to 1 MiB", "64 KiB to 1 MiB", (1, 1)),
    row!("throughput-1m", "Throughput, 1 to 16 MiB", "1 to 16 MiB", (2, 2)),
    row!("throughput-16m", "Throughput, 16 MiB and more", "16 MiB and more", (3, 3)),
];

fn compute(sample: &Sample, (first, last): (u8, u8)) -> Estimate {
    let rates = sample.goodput(first..=last);
    rates.quantile(0.5).excluding(sample.transfers_clean.saturating_sub(rates.count())).enough_from(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::{Detail, Direction, What};

    #[test]
    fn classes_are_by_size() {
        let mut digest = crate::reliability::rollup::Digest::default();
        let mut moved = |bytes, millis| {
            let (direction, duration) = (Direction::Download, Duration::from_millis(millis));
            digest.add(&What::Transfer { direction, bytes, duration, end: End::Clean }, &Detail::default());
        };
        (1..=25).for_each(|i| moved(1_500_000 * i, 1000));
        (0..100).for_each(|_| moved(10, 500));
        moved(1_000_000, 0);
        let sample = Sample::of(digest);
        let of = |key: &str| (STATISTICS.iter().find(|one| one.key == key).unwrap().compute)(&sample);
        let all = of("throughput");
        assert_eq!((all.n, all.excluded, all.enough), (25, 101, true));
        assert!((all.value.unwrap() / 19.5e6 - 1.0).abs() < 0.01, "{all:?}");
        assert_eq!(["throughput-64k", "throughput-1m", "throughput-16m"].map(|key| of(key).n), [0, 11, 14]);
        assert!((of("throughput-small").value.unwrap() / 20.0 - 1.0).abs() < 0.01);
    }
}
