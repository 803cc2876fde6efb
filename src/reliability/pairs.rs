//! Which protocol is better here, by how much, and how sure: only from pairs.
//!
//! A round of probes touches all endpoints of a comparison set in the same minute, in random order, with the same payloads.
//! What one endpoint did in a round is compared with what another did in the same step of the same round: the time of day,
//! the load, the file and the path are the same for both. Real traffic is never compared like that: big files go over one
//! protocol and small ones over another.
//!
//! What a figure says is written in [`TIMES`] and [`SHARES`]. Below the [`MINIMUM`], and where the interval holds "no
//! difference", that is what is said, with the number of pairs that a difference as large as the one seen would need (80 of
//! 100 times, at 95 %).

use super::estimate::share_pairs_needed;
use super::estimate::{mcnemar, mean_difference, mean_ratio, pairs_needed, share_difference};
use super::{Definition, Estimate};

pub use super::estimate::{Moments, Pairs};

/// Fewer pairs say nothing.
pub const MINIMUM: u64 = 30;

/// Which rounds a window holds.
pub const WINDOW: &str = "Rounds that began in the window; of more than 2,000 an even draw.";
/// Where they come from.
pub const SOURCE: &str = "The steps of rounds that visited both endpoints in the same minute, in an order that chance \
                          decided, with the same files. Real traffic is never compared like that.";

/// What differences of times say.
pub const TIMES: Definition = Definition {
    brief: "How much longer or shorter the same step took at the other endpoint in the same round.",
    counted: "In each round the time at the other endpoint less the time at the first.",
    of: "Rounds in which the step ended well at both.",
    left_out: "Rounds in which the step failed, or was not tried, at one of them; they count in the shares.",
    method: "Mean of the paired differences with the interval of Student; the ratio is the geometric mean of the paired \
             ratios.",
};

/// What differences of shares say.
pub const SHARES: Definition = Definition {
    brief: "How much more or less often the same thing succeeded at the other endpoint in the same rounds.",
    counted: "The share of rounds in which it succeeded at the other endpoint less that at the first.",
    of: "Rounds of which it is known at both. Of transfers a round has one verdict: all files came through, or not.",
    left_out: "Rounds in which it was not tried, or failed by request (wrong password, missing file) at one of them.",
    method: "Difference of paired shares with the interval of Newcombe (1998, method 10); a difference is shown when \
             McNemar's exact test is below 5 %, too.",
};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Set-up time of connections, in seconds.
    Setup,
    /// Time of a download of so many bytes.
    Download(u64),
    /// Time of a listing.
    Listing,
    /// Time of an upload of so many bytes.
    Upload(u64),
    /// Whether a connection became ready.
    Connecting,
    /// Whether all transfers of a round came through.
    Moving,
}

impl Subject {
    fn words(self) -> String {
        match self {
            Self::Setup => "set-up".to_owned(),
            Self::Download(bytes) => format!("download of {}", size(bytes)),
            Self::Listing => "listing".to_owned(),
            Self::Upload(bytes) => format!("upload of {}", size(bytes)),
            Self::Connecting => "connection success".to_owned(),
            Self::Moving => "transfer success".to_owned(),
        }
    }
}

/// One comparison of two families.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Of what.
    pub subject: Subject,
    /// From which protocol or endpoint.
    pub from: String,
    /// To which: differences are this one's minus that one's.
    pub to: String,
    /// The difference, in seconds or as a share.
    pub difference: Estimate,
    /// This one's by that one's; of times.
    pub ratio: Option<Estimate>,
    /// Is there a difference, as far as 95 % tell?
    pub shown: bool,
    /// Pairs that a difference as large as the one seen would need.
    pub needed: Option<u64>,
    /// What differs and by how much, with the interval: "set-up 0.40 s faster [0.38, 0.42]"; empty when nothing is shown.
    pub gist: String,
    /// All of it in a sentence.
    pub sentence: String,
}

/// Compares times: `differences` in seconds, `logarithms` of the ratios.
#[must_use]
pub fn times(subject: Subject, (from, to): (&str, &str), differences: &Moments, logarithms: &Moments) -> Finding {
    let difference = mean_difference(differences).enough_from(MINIMUM);
    let ratio = Some(mean_ratio(logarithms).enough_from(MINIMUM));
    let shown = difference.enough && excludes_zero(&difference);
    let by = bounds(&difference).filter(|_| shown).map(|(value, low, high)| {
        let (factor, unit) = if value.abs() < 0.1 { (1000.0, "ms") } else { (1.0, "s") };
        let word = if value > 0.0 { "slower" } else { "faster" };
        let (size, low, high) = sizes((value, low, high), factor);
        (format!("{size} {unit} {word}"), format!("[{low}, {high}]"))
    });
    let needed = pairs_needed(differences);
    Finding { ratio, ..finding(subject, (from, to), difference, needed, by) }
}

/// Compares shares of success; in `pairs` the first is `from`.
#[must_use]
pub fn shares(subject: Subject, (from, to): (&str, &str), pairs: &Pairs) -> Finding {
    let difference = share_difference(pairs).enough_from(MINIMUM);
    let shown = difference.enough && excludes_zero(&difference) && mcnemar(pairs) < 0.05;
    let by = bounds(&difference).filter(|_| shown).map(|(value, low, high)| {
        let word = if value > 0.0 { "higher" } else { "lower" };
        let (size, low, high) = sizes((value, low, high), 100.0);
        (format!("{size} percentage points {word}"), format!("[{low}, {high}]"))
    });
    finding(subject, (from, to), difference, share_pairs_needed(pairs), by)
}

/// In words; `by` says how much and with which interval, where a difference is shown.
fn finding(
    subject: Subject,
    (from, to): (&str, &str),
    difference: Estimate,
    needed: Option<u64>,
    by: Option<(String, String)>,
) -> Finding {
    let what = subject.words();
    let (from, to) = (from.to_owned(), to.to_owned());
    let (shown, gist, sentence) = match by {
        Some((by, interval)) => {
            let n = grouped(difference.n);
            let gist = format!("{what} {by} {interval}");
            (true, gist, format!("{to} {what} is {by} here {interval}, n = {n} pairs"))
        }
        None => (false, String::new(), not_shown(&format!("{to} {what}"), &difference, needed)),
    };
    Finding { subject, from, to, difference, ratio: None, shown, needed, gist, sentence }
}

fn bounds(difference: &Estimate) -> Option<(f64, f64, f64)> {
    Some((difference.value?, difference.low?, difference.high?))
}

/// A difference and its interval, seen from the side where it is positive.
fn sizes((value, low, high): (f64, f64, f64), factor: f64) -> (String, String, String) {
    let (low, high) = if value > 0.0 { (low, high) } else { (-high, -low) };
    (figure(value.abs() * factor), figure(low * factor), figure(high * factor))
}

fn excludes_zero(estimate: &Estimate) -> bool {
    estimate.low.is_some_and(|low| low > 0.0) || estimate.high.is_some_and(|high| high < 0.0)
}

fn not_shown(what: &str, difference: &Estimate, needed: Option<u64>) -> String {
    let pairs = grouped(difference.n);
    if !difference.enough {
        return format!("{what}: {pairs} of the {MINIMUM} pairs that a comparison needs");
    }
    match needed.filter(|needed| *needed > difference.n) {
        Some(needed) => {
            format!("{what}: no difference shown in {pairs} pairs; {} would be needed", grouped(needed))
        }
        None => format!("{what}: no difference shown in {pairs} pairs"),
    }
}

/// Three digits.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// 1,200.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: (&str, &str) = ("FTP", "SFTP");

    #[test]
    fn a_difference_is_said_with_its_interval() {
        let differences = Moments::of((0..1200).map(|i| 0.41 + f64::from(i % 21 - 10) / 20.0));
        let logarithms = Moments::of((0..1200).map(|i| 2.0_f64.ln() + f64::from(i % 3 - 1) / 10.0));
        let found = times(Subject::Setup, TO, &differences, &logarithms);
        assert_eq!(found.sentence, "SFTP set-up is 0.41 s slower here [0.39, 0.43], n = 1,200 pairs");
        assert!(found.shown && (found.ratio.unwrap().value.unwrap() - 2.0).abs() < 1e-9);
        let faster = Moments { sum: -differences.sum / 10.0, squares: differences.squares / 100.0, ..differences };
        let found = times(Subject::Download(1 << 20), TO, &faster, &logarithms);
        assert_eq!(found.sentence, "SFTP download of 1 MiB is 40.9 ms faster here [39.2, 42.6], n = 1,200 pairs");
    }

    #[test]
    fn no_difference_is_said_too() {
        let differences = Moments::of((0..300).map(|i| 0.01 + if i % 2 == 0 { 0.25 } else { -0.25 }));
        let found = times(Subject::Setup, TO, &differences, &Moments::default());
        assert_eq!(found.sentence, "SFTP set-up: no difference shown in 300 pairs; 4,922 would be needed");
        let few = times(Subject::Setup, TO, &Moments::of([1.0; 12]), &Moments::default());
        assert_eq!(few.sentence, "SFTP set-up: 12 of the 30 pairs that a comparison needs");
    }

    #[test]
    fn shares_are_compared_by_what_differs() {
        let found = shares(Subject::Connecting, TO, &Pairs { both: 900, first: 5, second: 90, neither: 5 });
        assert_eq!(
            found.sentence,
            "SFTP connection success is 8.50 percentage points higher here [6.73, 10.5], n = 1,000 pairs"
        );
        let even = shares(Subject::Moving, TO, &Pairs { both: 95, first: 2, second: 3, neither: 0 });
        assert!(!even.shown && even.sentence.contains("no difference shown in 100 pairs"), "{}", even.sentence);
        assert_eq!(shares(Subject::Moving, TO, &Pairs { both: 50, ..Pairs::default() }).needed, None);
    }
}
