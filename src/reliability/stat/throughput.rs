//! How fast the bytes of a file move.
//!
//! - **Counted**: transfers that ended well and moved at least [`SMALLEST`] bytes: payload bytes divided by the
//!   time from the command to the last byte. Smaller files measure the round trips, not the throughput.
//! - **Left out**: smaller and failed ones.
//! - **Estimator**: median by order statistics. **Unit**: bytes per second. **Minimum**: 20 transfers.
//! - From 50,000 transfers on, an even draw of about that many is used.
//!
//! What limits it may be the link, a configured limit, the disk or the other side's cipher, and several
//! transfers at once share the link: compare it only where all that is the same.

use super::{Better, Estimate, Sample, Statistic, Unit};
use crate::reliability::estimate::{number, quantile};

/// Bytes from which on a transfer says something about throughput: 64 KiB.
pub(in crate::reliability) const SMALLEST: u64 = 64 * 1024;
const MINIMUM: u64 = 20;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "throughput",
    title: "Throughput, median",
    definition: "Payload bytes per second of transfers of 64 KiB and more that ended well, one transfer at a time. \
                 Order-statistic 95 % interval.",
    unit: Unit::BytesPerSecond,
    better: Better::Higher,
    minimum: MINIMUM,
    counted: "transfers of 64 KiB and more",
    counts_events: false,
    compute,
};

fn compute(sample: &Sample) -> Estimate {
    let mut rates: Vec<f64> = sample
        .transfers
        .iter()
        .filter(|transfer| transfer.bytes >= SMALLEST && transfer.duration > 0.0)
        .map(|transfer| number(transfer.bytes) / transfer.duration)
        .collect();
    let used = u64::try_from(rates.len()).unwrap_or(u64::MAX);
    quantile(&mut rates, 0.5).excluding(sample.transfers_clean.saturating_sub(used)).enough_from(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::stat::TransferRow;

    #[test]
    fn small_files_do_not_count() {
        let big = |i: u64| TransferRow { bytes: 1_000_000 * i, duration: 1.0 };
        let mut transfers: Vec<_> = (1..=25).map(big).collect();
        transfers.extend([TransferRow { bytes: 10, duration: 0.5 }; 100]);
        let estimate = compute(&Sample { transfers_clean: 125, transfers, ..Sample::default() });
        assert_eq!((estimate.value, estimate.n, estimate.excluded), (Some(13e6), 25, 100));
        assert!(estimate.enough);
    }
}
