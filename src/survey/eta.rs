//! How long a mirror would take: a stated model, with every term as it was measured or assumed.
//!
//! ```text
//! time(n) = start and end + set-ups + listing + max(connections, this side)
//!
//! set-ups     = set-up of the first connection, then, for n > 1, of all others at once
//! listing     = folders × time of a connection per folder ÷ n, at least levels × that time
//! connections = (Σ files (round trips × round-trip time + handling + sending(size)) + files × waiting(n)) ÷ n
//! this side   = files × time per file here + bytes ÷ rate here
//! ```
//!
//! `sending` begins with a window of ten segments that doubles every round trip (RFC 6928, RFC 5681 section 3.1), since
//! each file of FTP comes over a connection of its own, until it reaches the goodput of one connection. The bytes of the
//! last window come one after the other, as fast as the link lets them.
//!
//! `waiting` is what the connections take from each other on the link, whose end is at `rate` bytes per second. A file
//! of mean size keeps it for `link = bytes ÷ files ÷ rate` seconds of the `alone` seconds that it takes when there is no
//! other. A file that comes to the link finds as many there as the mean of a world with one connection fewer (mean value
//! analysis of a closed queueing network: Reiser and Lavenberg, J. ACM 27(2), 1980):
//!
//! ```text
//! on(k)      = link × (1 + queue(k - 1))                         queue(0) = 0
//! queue(k)   = k × on(k) ÷ (alone - link + on(k))
//! waiting(n) = on(n) - link
//! ```
//!
//! With one connection nothing waits; with very many the files come as fast as the link bears, bytes ÷ rate in all; and
//! between there is no edge, since some flows are on the link at once while others are in their dialogues.
//!
//! What it does not know: where several flows fill the queue before a link, packets are lost, and the flows that lost some
//! are slow for a while. The real run is up to a sixth slower by that where connections and link are equally narrow.

use serde::{Deserialize, Serialize};

use super::histogram::Bin;

/// Connections that are reckoned with.
const COUNTS: [u16; 5] = [1, 2, 4, 8, 16];
/// The window that a connection begins with: ten segments of an Ethernet path.
const WINDOW: f64 = 10.0 * 1448.0;
/// Up to so many bytes a file is small: what follows it flies with it.
const SMALL: u64 = 64 << 10;
/// A file of more bytes is read in pieces by several connections.
const PIECE: f64 = 8.0 * 1024.0 * 1024.0;

/// What the estimate rests on. Times are in seconds, rates in bytes per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Model {
    /// One question and its answer: the median of several.
    pub round_trip: f64,
    /// Round trips of a small file, as few as were seen.
    pub round_trips_small: f64,
    /// Round trips of another.
    pub round_trips_large: f64,
    /// What a small file took beyond its round trips: the median of the last third.
    pub handling: f64,
    /// Small files that were read to know it.
    pub timed_files: u64,
    /// What one connection brings when it runs; none: no file was large enough to tell.
    pub goodput_one: Option<f64>,
    /// What two bring together.
    pub goodput_two: Option<f64>,
    /// How fast bytes come within what is sent at once: as fast as the narrowest link lets them.
    pub burst: Option<f64>,
    /// What a folder kept a connection busy with while it was listed: the mean of all.
    pub per_folder: f64,
    /// Of a connection, until the first question can be asked.
    pub setup: f64,
    /// Assumed: until a run begins to list, and from its last file to its end, on this side.
    pub here_per_run: f64,
    /// Assumed: what a file costs on this side, one after the other.
    pub here_per_file: f64,
    /// Assumed: bytes that this side takes.
    pub here_rate: f64,
}

/// What there is to move.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Folders.
    pub folders: u64,
    /// Levels of folders.
    pub levels: u64,
    /// Files by size.
    pub sizes: &'a [Bin],
}

/// What bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// More connections would be faster.
    Connections,
    /// The link, or the server's disk.
    Link,
    /// This machine.
    Here,
}

impl Bound {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Link => "link",
            Self::Here => "this side",
        }
    }
}

/// The time for one number of connections, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Forecast {
    /// How many connections.
    pub connections: u16,
    /// Reading the folders.
    pub listing: f64,
    /// Round trips of files.
    pub round_trips: f64,
    /// Handling of files.
    pub handling: f64,
    /// Sending of bytes by as many connections.
    pub sending: f64,
    /// Waiting of connections for each other, where they share the link.
    #[serde(default)]
    pub waiting: f64,
    /// Bytes over the link, if they came without a pause: no number of connections is faster.
    pub link: f64,
    /// This side's work.
    pub here: f64,
    /// All of it.
    pub total: f64,
    /// What bounds it.
    pub bound: Bound,
}

/// What was reckoned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// On what it rests.
    pub model: Model,
    /// By number of connections.
    pub forecasts: Vec<Forecast>,
    /// The server bears no more connections than these, as far as is known.
    pub limit: Option<u16>,
}

/// Reckons for 1, 2, 4, … connections, up to `limit`.
#[must_use]
pub fn estimate(model: Model, load: Load<'_>, limit: Option<u16>) -> Estimate {
    let most = limit.unwrap_or(u16::MAX).max(1);
    let mut counts: Vec<u16> = COUNTS.into_iter().filter(|count| *count <= most).collect();
    if counts.last().is_some_and(|last| *last < most) && limit.is_some_and(|limit| limit < 16) {
        counts.push(most);
    }
    let forecasts = counts.into_iter().map(|count| forecast(&model, load, count)).collect();
    Estimate { model, forecasts, limit }
}

fn forecast(model: &Model, load: Load<'_>, connections: u16) -> Forecast {
    let files: f64 = load.sizes.iter().map(|bin| float(bin.files)).sum();
    let bytes: f64 = load.sizes.iter().map(|bin| float(bin.bytes)).sum();
    let n = f64::from(connections);
    // Fewer files than connections keep fewer of them busy, unless they are read in pieces.
    let busy = n.min(files.max(bytes / PIECE)).max(1.0);
    let round_trips =
        load.sizes.iter().map(|bin| float(bin.files) * model.round_trips(bin)).sum::<f64>() * model.round_trip / busy;
    let handling = files * model.handling / busy;
    let sending = load.sizes.iter().map(|bin| float(bin.files) * model.sending(mean(bin))).sum::<f64>() / busy;
    let link = model.link().map_or(0.0, |rate| bytes / rate);
    let here = files * model.here_per_file + if model.here_rate > 0.0 { bytes / model.here_rate } else { 0.0 };
    let folders = float(load.folders) * model.per_folder / n;
    let listing = folders.max(float(load.levels + 1) * model.per_folder);
    let alone = round_trips + handling + sending;
    let waiting = waiting(alone * busy, link, busy) / busy;
    let moving = (alone + waiting).max(here);
    let bound = if moving <= here {
        Bound::Here
    } else if link > alone {
        Bound::Link
    } else {
        Bound::Connections
    };
    // The others are opened together when there is something to copy.
    let setups = if connections > 1 { 2.0 } else { 1.0 } * model.setup;
    let total = model.here_per_run + setups + listing + moving;
    Forecast { connections, listing, round_trips, handling, sending, waiting, link, here, total, bound }
}

/// Seconds that all files together wait for each other on the link, where they would take `alone` seconds over one
/// connection, the link `link` of them, and come over `connections`. For all files as for one: the formulas are linear.
fn waiting(alone: f64, link: f64, connections: f64) -> f64 {
    let elsewhere = (alone - link).max(0.0);
    let (mut on, mut queue, mut there) = (link, 0.0, 1.0);
    while there <= connections && link > 0.0 {
        on = link * (1.0 + queue);
        queue = there * on / (elsewhere + on);
        there += 1.0;
    }
    (elsewhere + on - alone).max(0.0)
}

impl Model {
    fn round_trips(&self, bin: &Bin) -> f64 {
        if bin.below.is_some_and(|below| below <= SMALL) { self.round_trips_small } else { self.round_trips_large }
    }

    /// The rate at which more connections bring no more: as fast as bytes come when they come at once, and never less
    /// than what was seen.
    #[must_use]
    pub fn link(&self) -> Option<f64> {
        let seen = [self.goodput_one, self.goodput_two].into_iter().flatten();
        self.burst.map(|burst| seen.fold(burst, f64::max))
    }

    /// Seconds that `size` bytes take beyond the round trip that brings the first of them.
    #[must_use]
    pub fn sending(&self, size: f64) -> f64 {
        let goodput = self.goodput_one.unwrap_or(f64::INFINITY);
        let line = self.link().unwrap_or(goodput);
        let (mut window, mut left, mut took) = (WINDOW, size, 0.0);
        while left > window {
            left -= window;
            if window * 2.0 >= goodput * self.round_trip {
                return took + left / goodput;
            }
            window *= 2.0;
            took += self.round_trip;
        }
        took + left / line
    }
}

fn mean(bin: &Bin) -> f64 {
    if bin.files == 0 { 0.0 } else { float(bin.bytes) / float(bin.files) }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no 53 bits")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::histogram::Sizes;
    use super::*;

    fn model() -> Model {
        Model {
            round_trip: 0.050,
            round_trips_small: 2.0,
            round_trips_large: 3.0,
            handling: 0.001,
            timed_files: 16,
            goodput_one: Some(10e6),
            goodput_two: Some(19e6),
            burst: None,
            per_folder: 0.1,
            setup: 0.2,
            here_per_run: 0.0,
            here_per_file: 0.0005,
            here_rate: 0.0,
        }
    }

    fn sizes(files: u64, size: u64) -> Sizes {
        let mut sizes = Sizes::default();
        (0..files).for_each(|_| sizes.add(size));
        sizes
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6
    }

    #[test]
    fn small_files_cost_round_trips_and_connections_share_them() {
        let sizes = sizes(1_000, 4_096);
        let load = Load { folders: 10, levels: 2, sizes: sizes.bins() };
        let estimate = estimate(model(), load, None);
        assert_eq!(estimate.forecasts.iter().map(|f| f.connections).collect::<Vec<_>>(), COUNTS);
        let [one, .., sixteen] = estimate.forecasts.as_slice() else { panic!("five") };
        assert!(close(one.round_trips, 100.0) && close(one.handling, 1.0) && close(one.listing, 1.0), "{one:?}");
        assert!(close(one.sending, 0.4096), "one after the other, at 10 MB/s: {one:?}");
        assert!(close(one.total, 0.2 + 1.0 + 101.4096), "{one:?}");
        assert!(close(sixteen.round_trips, 100.0 / 16.0));
        assert!(close(sixteen.listing, 0.3), "the levels come one after the other: {sixteen:?}");
        assert!(estimate.forecasts.iter().all(|f| f.bound == Bound::Connections));
    }

    #[test]
    fn the_end_of_the_link_is_the_end() {
        let sizes = sizes(100, 100_000_000);
        let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
        let seen = Model { goodput_two: Some(11e6), burst: Some(11e6), ..model() };
        assert_eq!((model().link(), seen.link()), (None, Some(11e6)));
        assert_eq!(Model { burst: Some(50e6), ..model() }.link(), Some(50e6));
        assert_eq!(Model { burst: Some(5e6), ..model() }.link(), Some(19e6), "slower than what was seen");
        let forecasts = estimate(seen, load, None).forecasts;
        assert!(forecasts[1..].iter().all(|f| f.bound == Bound::Link && f.total > 10e9 / 11e6), "{forecasts:?}");
        let free = estimate(model(), load, None).forecasts;
        assert!(free[4].total < free[0].total / 15.0, "{free:?}");
    }

    #[test]
    fn a_window_grows_before_a_connection_is_fast() {
        let model = model();
        assert!(close(model.sending(10_000.0), 0.001), "the first window comes with the round trip");
        assert!(close(model.sending(40_000.0), 0.050 + (40_000.0 - 14_480.0) / 10e6));
        assert!(close(model.sending(100_000.0), 0.100 + (100_000.0 - 43_440.0) / 10e6));
        let wide = Model { burst: Some(100e6), ..model };
        assert!(close(wide.sending(100_000.0), 0.100 + 56_560.0 / 100e6), "what is sent at once comes at once");
        // 14,480 doubles to 463,360, the last below the 500,000 that the path holds; the rest flows.
        let grown = 14_480.0 * f64::from(1 + 2 + 4 + 8 + 16 + 32);
        assert!(close(model.sending(10e6), 5.0 * 0.050 + (10e6 - grown) / 10e6), "{}", model.sending(10e6));
        let unknown = Model { goodput_one: None, ..model };
        assert!(close(unknown.sending(100_000.0), 0.100));
    }

    #[test]
    fn connections_wait_for_each_other_on_the_link() {
        // Of four seconds one is on the link. Of two, the second finds the first there a quarter of the time.
        assert!(close(waiting(4.0, 1.0, 1.0), 0.0));
        assert!(close(waiting(4.0, 1.0, 2.0), 0.25));
        // As many as find no room on the link: the machine repair model, whose states are counted one by one.
        for n in [2_u16, 3, 4, 8, 16] {
            let mut states = vec![1.0];
            for there in 0..n {
                states.push(states[usize::from(there)] * f64::from(n - there) / 3.0);
            }
            let busy = 1.0 - 1.0 / states.iter().sum::<f64>();
            let cycle = 4.0 + waiting(4.0, 1.0, f64::from(n));
            assert!(close(f64::from(n) / cycle, busy), "{n}: {cycle}");
        }
        assert!(close(waiting(4.0, 0.0, 16.0), 0.0), "no link was seen");
        assert!(close(waiting(1.0, 4.0, 1.0), 3.0), "never faster than the link");
    }

    #[test]
    fn between_connections_and_link_there_is_no_edge() {
        let sizes = sizes(200, 1_000_000);
        let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
        let seen =
            Model { goodput_one: Some(24e6), goodput_two: None, burst: Some(24e6), round_trip: 0.020, ..model() };
        let forecasts = estimate(seen, load, None).forecasts;
        let moving = |at: usize| forecasts[at].total - if at > 0 { 0.4 } else { 0.2 } - forecasts[at].listing;
        // Three round trips, handling, six windows of 14,480 to 463,360 of which the last does not end, the rest of it.
        let alone = 200.0 * (0.061 + 5.0 * 0.020 + (1e6 - 14_480.0 * 31.0 - 463_360.0) / 24e6);
        assert!(close(moving(0), alone), "{} {alone}", moving(0));
        let link = 200e6 / 24e6;
        assert!(forecasts.windows(2).all(|two| two[1].total < two[0].total), "{forecasts:?}");
        assert!((1..5).all(|at| moving(at) > link && moving(at) > alone / f64::from(COUNTS[at])), "{forecasts:?}");
        assert!(moving(4) < link * 1.01 && forecasts[4].bound == Bound::Link, "{forecasts:?}");
    }

    #[test]
    fn a_limit_ends_the_table_and_few_files_keep_few_busy() {
        let sizes = sizes(2, 1_000);
        let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
        let forecasts = estimate(model(), load, Some(5)).forecasts;
        assert_eq!(forecasts.iter().map(|f| f.connections).collect::<Vec<_>>(), [1, 2, 4, 5]);
        assert!(close(forecasts[1].round_trips, forecasts[3].round_trips));
        let nothing = estimate(model(), Load { folders: 1, levels: 0, sizes: &[] }, None);
        assert!(nothing.forecasts.iter().all(|f| f.total.is_finite()));
    }

    #[test]
    fn this_side_may_be_the_slowest() {
        let sizes = sizes(100_000, 100);
        let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
        let near = Model { round_trip: 0.000_05, handling: 0.0, per_folder: 0.001, ..model() };
        assert!(estimate(near, load, None).forecasts.iter().skip(1).all(|f| f.bound == Bound::Here));
    }
}
