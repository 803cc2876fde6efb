//! A few files are read, to know what reading costs here: small ones one after the other, as a mirror reads them, and
//! pieces of the largest ones, first over one connection, several times, then over two.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Fault, RelPath};
use crate::remote::{Remote, Sample};

/// The first files warm the connection up and do not count.
const WARM_UP: usize = 2;
/// So many bytes are read over one connection,
const ONE: u64 = 3 << 20;
/// so often: a flow that filled the queue before the link is slow for once, which the median does not see,
const TIMES: usize = 3;
/// and over each of two.
const TWO: u64 = 3 << 19;
/// From a file with fewer bytes than these no rate can be told.
const ENOUGH: u64 = 256 << 10;
/// Bytes of a short stretch.
const STRETCH: u64 = 48 << 10;
/// A rate is told after so long at the latest.
const LONGEST: Duration = Duration::from_secs(8);
/// Small files are read for so long at the most.
const PATIENCE: Duration = Duration::from_secs(15);

/// What reading costs.
#[derive(Debug, Clone, Default)]
pub(super) struct Costs {
    /// Of small files.
    pub(super) small: Vec<Small>,
    /// Bytes per second of one connection: the median.
    pub(super) one: Option<f64>,
    /// Of two together.
    pub(super) two: Option<f64>,
    /// Within what comes at once: the median, since bytes that waited for a lost packet come faster than the link.
    pub(super) burst: Option<f64>,
    /// Files that could not be read, and why the first of them.
    pub(super) failed: Vec<(RelPath, Fault)>,
}

/// What a small file cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Small {
    /// Bytes.
    pub(super) size: u64,
    /// Seconds until the next could be read.
    pub(super) took: f64,
    /// It came with the round trips of a small file: the next could be asked for before this one's closing word. Else
    /// it came as a larger one does.
    pub(super) ahead: bool,
}

/// Reads `small` files and pieces of `large` ones, the largest first. `pair`: may two be read at once?
pub(super) async fn read(remote: &dyn Remote, small: &[Sample], large: &[(RelPath, u64)], pair: bool) -> Costs {
    let mut costs = Costs::default();
    let begun = Instant::now();
    for (at, file) in small.iter().enumerate() {
        if begun.elapsed() > PATIENCE && costs.small.len() > WARM_UP {
            break;
        }
        match whole(remote, file).await {
            Ok(cost) if at >= WARM_UP || small.len() <= WARM_UP => costs.small.push(cost),
            Ok(_) => {}
            Err(fault) => costs.failed.push((file.path.clone(), fault)),
        }
    }
    let large: Vec<_> = large.iter().filter(|(_, size)| *size >= ENOUGH).collect();
    let Some(largest) = large.first() else { return costs };
    let (begun, mut rates, mut bursts) = (Instant::now(), Vec::new(), Vec::new());
    for file in large.iter().cycle().take(TIMES) {
        // Where one takes long, it has a mean of its own.
        if begun.elapsed() >= LONGEST {
            break;
        }
        let alone = Marks::new();
        if let Err(fault) = pull(remote, file, ONE, &alone).await {
            costs.failed.push((file.0.clone(), fault));
            return costs;
        }
        rates.extend(alone.steady());
        bursts.extend(alone.burst());
    }
    costs.one = median(rates);
    if costs.one.is_some() && pair {
        let together = Marks::new();
        let other = large.get(1).unwrap_or(largest);
        let both = (pull(remote, largest, TWO, &together), pull(remote, other, TWO, &together));
        if let (Ok(()), Ok(())) = tokio::join!(both.0, both.1) {
            costs.two = together.steady();
            bursts.extend(together.burst());
        }
    }
    costs.burst = median(bursts);
    costs
}

/// Reads a file as a mirror does: with a look before and after it, where none comes with it. How long it keeps others
/// from being read.
async fn whole(remote: &dyn Remote, file: &Sample) -> Result<Small, Fault> {
    let started = Instant::now();
    let mut source = remote.read(&file.path, 0, Some(file.size)).await?;
    let told = source.opened().is_some();
    while source.next().await?.is_some() {}
    // A mirror reads the next file while this one's closing word is on its way.
    let free = source.is_off_the_road().then(|| started.elapsed());
    let after = source.finish().await?;
    if !told {
        remote.stat(&file.path).await?;
    }
    if after.is_none() {
        remote.stat(&file.path).await?;
    }
    let took = free.unwrap_or_else(|| started.elapsed()).as_secs_f64();
    Ok(Small { size: file.size, took, ahead: free.is_some() })
}

/// Reads the start of a file.
async fn pull(remote: &dyn Remote, (path, size): &(RelPath, u64), most: u64, marks: &Marks) -> Result<(), Fault> {
    let mut source = remote.read(path, 0, Some(*size)).await?;
    let mut bytes = 0;
    loop {
        let Some(more) = source.next().await? else {
            source.finish().await?;
            return Ok(());
        };
        bytes += more.len() as u64;
        marks.add(more.len() as u64);
        if bytes >= most || marks.started.elapsed() >= LONGEST {
            source.stop().await;
            return Ok(());
        }
    }
}

/// When how many bytes had come.
struct Marks {
    started: Instant,
    log: Mutex<Vec<(u64, Duration)>>,
}

impl Marks {
    fn new() -> Self {
        Self { started: Instant::now(), log: Mutex::default() }
    }

    fn log(&self) -> MutexGuard<'_, Vec<(u64, Duration)>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: u64) {
        let mut log = self.log();
        let before = log.last().map_or(0, |(bytes, _)| *bytes);
        log.push((before + bytes, self.started.elapsed()));
    }

    fn steady(&self) -> Option<f64> {
        steady(&self.log())
    }

    fn burst(&self) -> Option<f64> {
        burst(&self.log())
    }
}

/// Bytes per second of the second half: by then the window of the connection has grown.
fn steady(marks: &[(u64, Duration)]) -> Option<f64> {
    let (all, end) = marks.last()?;
    let (half, at) = marks.iter().find(|(bytes, _)| bytes * 2 >= *all)?;
    let from = if half < all { (*half, *at) } else { (0, Duration::ZERO) };
    if *all >= ENOUGH / 2 { rate(from, (*all, *end)) } else { None }
}

/// Bytes per second within a burst. What a server sends at once comes as fast as the narrowest link lets it, however long
/// the pause behind it is: three quarters of the short stretches are slower.
fn burst(marks: &[(u64, Duration)]) -> Option<f64> {
    let mut ends = marks.iter().copied().peekable();
    let mut rates = Vec::new();
    for from in marks {
        while ends.next_if(|(bytes, _)| bytes - from.0.min(*bytes) < STRETCH).is_some() {}
        let Some(to) = ends.peek() else { break };
        rates.extend(rate(*from, *to));
    }
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() * 3 / 4).copied()
}

/// The one in the middle; of two in the middle the upper.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
fn rate(from: (u64, Duration), to: (u64, Duration)) -> Option<f64> {
    let took = to.1.saturating_sub(from.1);
    (!took.is_zero()).then(|| (to.0 - from.0) as f64 / took.as_secs_f64())
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

    #[test]
    fn one_slow_flow_of_several_is_not_the_goodput() {
        assert_eq!(median(vec![24.2e6, 6.2e6, 24.1e6]), Some(24.1e6));
        assert_eq!((median(vec![1.0]), median(Vec::new())), (Some(1.0), None));
    }

    #[test]
    fn a_burst_tells_the_link_behind_a_small_window() {
        // 100 kB come at 20 MB/s, then nothing for 80 ms, again and again.
        let (mut marks, mut bytes) = (Vec::new(), 0);
        for flight in 0..20_u64 {
            for packet in 0..10_u64 {
                bytes += 10_000;
                marks.push((bytes, Duration::from_micros(flight * 85_000 + packet * 500)));
            }
        }
        let (steady, burst) = (steady(&marks).unwrap(), burst(&marks).unwrap());
        assert!((1.0e6..1.4e6).contains(&steady), "{steady}");
        assert!((18e6..22e6).contains(&burst), "{burst}");
    }
}
