//! A few files are read, to know what reading costs here: small ones one after the other, as a mirror reads them, and
//! pieces of the largest ones, first over one connection, then over two.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Fault, RelPath};
use crate::remote::{Remote, Sample};

/// The first files warm the connection up and do not count.
const WARM_UP: usize = 2;
/// So many bytes are read over one connection,
const ONE: u64 = 3 << 20;
/// and over each of two.
const TWO: u64 = 3 << 19;
/// From a file with fewer bytes than these no rate can be told.
const ENOUGH: u64 = 256 << 10;
/// A rate is told after so long at the latest.
const LONGEST: Duration = Duration::from_secs(8);
/// Small files are read for so long at the most.
const PATIENCE: Duration = Duration::from_secs(15);

/// What reading costs.
#[derive(Debug, Clone, Default)]
pub(super) struct Costs {
    /// Of small files: length, and seconds from question to certainty.
    pub(super) small: Vec<(u64, f64)>,
    /// Bytes per second of one connection.
    pub(super) one: Option<f64>,
    /// Of two together.
    pub(super) two: Option<f64>,
    /// Files that could not be read, and why the first of them.
    pub(super) failed: Vec<(RelPath, Fault)>,
}

/// Reads `small` files and pieces of `large` ones, the largest first. `pair`: may two be read at once?
pub(super) async fn read(remote: &dyn Remote, small: &[Sample], large: &[(RelPath, u64)], pair: bool) -> Costs {
    let mut costs = Costs::default();
    let begun = Instant::now();
    for (at, file) in small.iter().enumerate() {
        if begun.elapsed() > PATIENCE && costs.small.len() > WARM_UP {
            break;
        }
        let started = Instant::now();
        match whole(remote, file).await {
            Ok(()) if at >= WARM_UP || small.len() <= WARM_UP => {
                costs.small.push((file.size, started.elapsed().as_secs_f64()));
            }
            Ok(()) => {}
            Err(fault) => costs.failed.push((file.path.clone(), fault)),
        }
    }
    let mut large = large.iter().filter(|(_, size)| *size >= ENOUGH);
    let Some((largest, size)) = large.next() else { return costs };
    match rate(remote, largest, *size, ONE).await {
        Ok(rate) => costs.one = rate,
        Err(fault) => costs.failed.push((largest.clone(), fault)),
    }
    if costs.one.is_some() && pair {
        let (other, other_size) = large.next().unwrap_or(&(largest.clone(), *size)).clone();
        let both = tokio::join!(rate(remote, largest, *size, TWO), rate(remote, &other, other_size, TWO));
        if let (Ok(Some(one)), Ok(Some(two))) = both {
            costs.two = Some(one + two);
        }
    }
    costs
}

/// Reads a file as a mirror does: with a look before and after it, where none comes with it.
async fn whole(remote: &dyn Remote, file: &Sample) -> Result<(), Fault> {
    let mut source = remote.read(&file.path, 0, Some(file.size)).await?;
    let told = source.opened().is_some();
    while source.next().await?.is_some() {}
    let after = source.finish().await?;
    if !told {
        remote.stat(&file.path).await?;
    }
    if after.is_none() {
        remote.stat(&file.path).await?;
    }
    Ok(())
}

/// Bytes per second of the second half of what is read: by then the window of the connection has grown.
async fn rate(remote: &dyn Remote, path: &RelPath, size: u64, most: u64) -> Result<Option<f64>, Fault> {
    let mut source = remote.read(path, 0, Some(size)).await?;
    let started = Instant::now();
    let (mut marks, mut bytes) = (Vec::new(), 0_u64);
    let ended = loop {
        match source.next().await? {
            None => break true,
            Some(more) => {
                bytes += more.len() as u64;
                marks.push((bytes, started.elapsed()));
            }
        }
        if bytes >= most || started.elapsed() >= LONGEST {
            break false;
        }
    };
    if ended {
        source.finish().await?;
    } else {
        source.stop().await;
    }
    Ok(steady(&marks))
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
fn steady(marks: &[(u64, Duration)]) -> Option<f64> {
    let (all, end) = marks.last()?;
    let (half, at) = marks.iter().find(|(bytes, _)| bytes * 2 >= *all)?;
    let (bytes, took) = if half < all { (all - half, *end - *at) } else { (*all, *end) };
    (*all >= ENOUGH / 2 && !took.is_zero()).then(|| bytes as f64 / took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_start_is_not_the_rate() {
        let ms = Duration::from_millis;
        let marks = [(50_000, ms(1000)), (500_000, ms(1100)), (1_000_000, ms(1200))];
        assert_eq!(steady(&marks).map(f64::round), Some(5_000_000.0));
        assert_eq!(steady(&[(1_000_000, ms(500))]).map(f64::round), Some(2_000_000.0));
        assert_eq!(steady(&[(10, ms(500))]), None);
        assert_eq!(steady(&[]), None);
    }
}
