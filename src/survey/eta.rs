//! How long a mirror would take: a stated model, with every term as it was measured or assumed.
//!
//! ```text
//! time(n) = start and end + set-ups + listing + max(connections, longest file, this side)
//!
//! set-ups     = set-up of the first connection, then, for n > 1, of all others at once
//! listing     = folders × time of a connection per folder ÷ n, at least levels × that time
//! connections = (Σ files (round trips × round-trip time + handling + sending(size)) + files × waiting(n)) ÷ n
//! longest     = what the largest file takes that is not read in pieces, over its one connection
//! this side   = files × time per file here + bytes ÷ rate here
//! ```
//!
//! `sending` begins with a window of ten segments that doubles every round trip (RFC 6928, RFC 5681 section 3.1), since
//! each file of FTP comes over a connection of its own, until it reaches the goodput of one connection. The bytes of the
//! last window come one after the other, as fast as the link lets them.
//!
//! `waiting` is what the connections take from each other on the link, whose end is at `rate` bytes per second. The files
//! are the customers of a closed network (the machine repair model: Feller, An Introduction to Probability Theory, XVII.7):
//! of the `alone` seconds that they take over one connection they are on the link for `link = bytes ÷ rate`. With `j` of
//! `n` connections on the link at once, the others come to it and these leave it:
//!
//! ```text
//! p(j) ÷ p(j - 1) = (n - j + 1) × link ÷ (alone - link) ÷ speed(j)
//! speed(1)        = 1
//! speed(j)        = min(1, j ÷ 2 × crowded)                      crowded = goodput of two ÷ rate
//! waiting         = n × link ÷ Σ p(j) × speed(j) - alone
//! ```
//!
//! `crowded` is how much of the link two flows used that could each have filled more than half of it: their windows fill
//! the queue before the link, packets are lost, and who lost some is slow for a while. With more flows others fill the gap.
//! So there is no edge between bound by connections and bound by the link: with one connection nothing waits, with very
//! many the files come as fast as the link bears.
//!
//! What it does not know: packets that a bad link will lose, beside what they did to the samples. At 80 ms and 0.5 % loss
//! three samples of a flow are few (one connection and 40 files of 1 MiB: 33 % too long), and connections that wait for a
//! lost packet at the end make a short run over many longer (16 and 1,000 small files: 21 % and 38 % too short in two
//! runs). And a run of a second or two is as long as this machine is busy.

use serde::{Deserialize, Serialize};

use super::histogram::Bin;

/// Connections that are reckoned with.
const COUNTS: [u16; 5] = [1, 2, 4, 8, 16];
/// The window that a connection begins with: ten segments of an Ethernet path.
const WINDOW: f64 = 10.0 * 1448.0;
/// Up to so many bytes a file is small: what follows it flies with it.
const SMALL: u64 = 64 << 10;
/// A piece of a file that several connections read together.
const PIECE: f64 = 8.0 * 1024.0 * 1024.0;
/// From so many bytes on a file is read so.
const PARTED: f64 = 32.0 * 1024.0 * 1024.0;

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
    /// The largest file takes as long over its one connection as all others over theirs.
    File,
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
            Self::File => "longest file",
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
    let busy = n.min(files.max(bytes / PIECE)).max(1.0).floor();
    let round_trips =
        load.sizes.iter().map(|bin| float(bin.files) * model.round_trips(bin)).sum::<f64>() * model.round_trip / busy;
    let handling = files * model.handling / busy;
    let sending = load.sizes.iter().map(|bin| float(bin.files) * model.sending(mean(bin))).sum::<f64>() / busy;
    let link = model.link().map_or(0.0, |rate| bytes / rate);
    let here = files * model.here_per_file + if model.here_rate > 0.0 { bytes / model.here_rate } else { 0.0 };
    let folders = float(load.folders) * model.per_folder / n;
    let listing = folders.max(float(load.levels + 1) * model.per_folder);
    let alone = round_trips + handling + sending;
    let waiting = waiting(alone * busy, link, busy, model.crowded()) / busy;
    let whole = load.sizes.iter().filter(|bin| bin.files > 0 && mean(bin) < PARTED);
    let longest = whole.map(|bin| model.alone(bin)).fold(0.0, f64::max);
    let moving = (alone + waiting).max(longest).max(here);
    let bound = if moving <= here {
        Bound::Here
    } else if longest > alone + waiting {
        Bound::File
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
/// connection, the link `link` of them, and come over `connections`; see the head of this file.
fn waiting(alone: f64, link: f64, connections: f64, crowded: f64) -> f64 {
    let elsewhere = alone - link;
    if link <= 0.0 || elsewhere <= 0.0 {
        return (connections * link - alone).max(0.0);
    }
    let (mut there, mut weight, mut all, mut busy) = (1.0, 1.0, 1.0, 0.0);
    while there <= connections {
        let speed = if there > 1.0 { (there / 2.0 * crowded).min(1.0) } else { 1.0 };
        weight *= (connections - there + 1.0) * link / elsewhere / speed;
        all += weight;
        busy += weight * speed;
        there += 1.0;
    }
    (connections * link * all / busy - alone).max(0.0)
}

impl Model {
    fn round_trips(&self, bin: &Bin) -> f64 {
        if bin.below.is_some_and(|below| below <= SMALL) { self.round_trips_small } else { self.round_trips_large }
    }

    /// How much of the link two flows use that could fill it.
    fn crowded(&self) -> f64 {
        match (self.goodput_one, self.goodput_two, self.link()) {
            (Some(one), Some(two), Some(link)) if one * 2.0 > link => (two / link).min(1.0),
            _ => 1.0,
        }
    }

    /// Seconds of a file of the class over a connection that has the link for itself.
    fn alone(&self, bin: &Bin) -> f64 {
        self.round_trips(bin) * self.round_trip + self.handling + self.sending(mean(bin))
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
mod tests;
