//! What the doors refused since the start, and what compression was worth, in words: a card of the page of connections.

use serde_json::{Value, json};

use crate::net::{Coding, Counters, Refusal};
use crate::web::show;

/// One limit that somebody met.
#[derive(Debug, Clone)]
pub struct RefusedRow {
    /// Which, in a few words.
    pub what: &'static str,
    /// What it means and what changes it.
    pub why: &'static str,
    /// How often.
    pub count: String,
}

/// One way of compression that somebody asked for.
#[derive(Debug, Clone)]
pub struct SqueezedRow {
    /// "Brotli".
    pub coding: &'static str,
    /// Of the files and answers.
    pub plain: String,
    /// What was sent for them.
    pub sent: String,
    /// How much less that is.
    pub saved: String,
}

/// The card.
#[derive(Debug, Clone, Default)]
pub struct CountersShown {
    /// What happened at least once.
    pub refused: Vec<RefusedRow>,
    /// What was asked for at least once.
    pub squeezed: Vec<SqueezedRow>,
}

impl CountersShown {
    /// As things are now.
    pub(super) fn of(counters: &Counters) -> Self {
        let refused = counters.refusals().filter(|(_, count)| *count > 0).map(|(refusal, count)| {
            let (what, why) = words(refusal);
            RefusedRow { what, why, count: show::count(count) }
        });
        let squeezed = counters.savings().filter(|(_, worth)| worth.plain > 0).map(|(coding, worth)| SqueezedRow {
            coding: name(coding),
            plain: show::bytes(worth.plain),
            sent: show::bytes(worth.sent),
            saved: format!("{} %", worth.plain.saturating_sub(worth.sent).saturating_mul(100) / worth.plain.max(1)),
        });
        Self { refused: refused.collect(), squeezed: squeezed.collect() }
    }
}

/// The same for programs, with what never happened.
pub(super) fn json(counters: &Counters) -> Value {
    let refused: serde_json::Map<_, _> =
        counters.refusals().map(|(why, count)| (why.name().to_owned(), json!(count))).collect();
    let worth = |(coding, worth): (Coding, crate::net::Squeezed)| {
        (coding.name().to_owned(), json!({ "plain": worth.plain, "sent": worth.sent }))
    };
    let compressed: serde_json::Map<_, _> = counters.savings().map(worth).collect();
    json!({ "refused": refused, "compressed": compressed })
}

fn name(coding: Coding) -> &'static str {
    match coding {
        Coding::Brotli => "Brotli",
        Coding::Zstd => "Zstandard",
        Coding::Gzip => "gzip",
    }
}

fn words(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::House => ("Connections, the house was full", "More at once than limits.connections allows."),
        Refusal::Address => {
            ("Connections of one address", "More at once from there than limits.connections-per-address allows.")
        }
        Refusal::Strangers => {
            ("Connections of strangers", "More at once from where nobody has signed in than is kept free for them.")
        }
        Refusal::Handshake => ("Handshakes that did not end", "Something connected and did not speak TLS in time."),
        Refusal::Overstayed => ("Connections without a sign-in", "Nobody signed in over them in time."),
        Refusal::Flood => (
            "Floods",
            "An attack or a broken program: frames of HTTP/2 that bring nothing, without end. Each ended the connection.",
        ),
        Refusal::Head => ("Heads that were too large", "Address and headers of a request together, above 64 KiB."),
        Refusal::Body => ("Bodies that were too large", "Files above limits.upload, or much sent before signing in."),
        Refusal::SlowWriter => {
            ("Uploads that stood still", "No bytes came for a minute: the client or its network was gone.")
        }
        Refusal::SlowReader => ("Downloads that stood still", "Nobody took the bytes for a minute: paused, or gone."),
        Refusal::Streams => {
            ("Requests of one address", "More under way at once from there than limits.streams-per-address allows.")
        }
        Refusal::Requests => (
            "Requests of one account",
            "It asked more often than limits.requests-per-account allows: a program that runs wild?",
        ),
        Refusal::Archives => ("Archives", "As many folders were fetched at once as limits.archives allows."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_shown_and_everything_is_told() {
        let counters = Counters::default();
        let empty = CountersShown::of(&counters);
        assert!(empty.refused.is_empty() && empty.squeezed.is_empty());
        counters.refused(Refusal::Flood);
        counters.squeezed(Coding::Brotli, 1_000_000, 250_000);
        let shown = CountersShown::of(&counters);
        assert_eq!((shown.refused.len(), shown.refused[0].what, &*shown.refused[0].count), (1, "Floods", "1"));
        assert_eq!((shown.squeezed[0].coding, &*shown.squeezed[0].saved), ("Brotli", "75 %"));
        let told = json(&counters);
        assert_eq!((&told["refused"]["flood"], &told["refused"]["head"]), (&json!(1), &json!(0)));
        assert_eq!(told["compressed"]["br"], json!({ "plain": 1_000_000, "sent": 250_000 }));
    }
}
