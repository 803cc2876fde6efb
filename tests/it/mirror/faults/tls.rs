//! The same inside TLS: fatal alerts, ends without a farewell and resets, in the handshakes and behind them.

use std::collections::BTreeMap;

use rustls::version::{TLS12, TLS13};

use super::places::{DONE, OPEN, big, root};
use super::{Cell, HALF, OVERLAP, modern, play, tree};
use crate::support::scripted::{Act, data, pause, say};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Alert,
    /// FIN, and no close_notify.
    Cut,
    Reset,
    Silent,
}

const ENDS: [End; 4] = [End::Alert, End::Cut, End::Reset, End::Silent];

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Alert => "fatal alert",
            Self::Cut => "cut",
            Self::Reset => "RST",
            Self::Silent => "silent",
        }
    }

    /// The control connection ends so.
    fn control(self) -> Vec<Act> {
        match self {
            Self::Alert => vec![Act::Alert, Act::Close],
            Self::Cut => vec![Act::Close],
            // What the client says first has come by then.
            Self::Reset => vec![pause(50), Act::Reset],
            Self::Silent => vec![Act::Hang],
        }
    }

    /// A data connection ends so; whatever happened to it, the server takes all of it for sent.
    fn data(self) -> Vec<Act> {
        match self {
            Self::Alert => vec![Act::AlertData, say(DONE)],
            Self::Cut => vec![Act::CutData, say(DONE)],
            Self::Reset => vec![pause(50), Act::ResetData, say(DONE)],
            Self::Silent => vec![Act::KeepData],
        }
    }
}

/// Where it happens: a name, the command, what comes before, whether it is the data connection that ends, and how much
/// of which file is sent again at most.
struct Place(&'static str, &'static str, Vec<Act>, bool, Option<(&'static str, u64)>);

fn places() -> Vec<Place> {
    let (open, big, (first, rest)) = (say(OPEN), big(), root());
    let begun = |bytes: &[u8]| vec![open.clone(), data(bytes), pause(100)];
    let all = [first.as_slice(), rest.as_slice()].concat();
    vec![
        Place("handshake of AUTH", "AUTH", vec![say("234 go on\r\n")], false, None),
        Place("PBSZ", "PBSZ", vec![], false, None),
        Place("PROT", "PROT", vec![], false, None),
        Place("PASS", "PASS", vec![], false, None),
        Place("CWD", "CWD /d", vec![], false, None),
        Place("handshake of a listing", "MLSD", vec![open.clone()], true, None),
        Place("in a listing", "MLSD", begun(&first), true, None),
        Place("end of a listing", "MLSD", begun(&all), true, None),
        Place("closing word of a listing", "MLSD", [begun(&all), vec![Act::EndData]].concat(), false, None),
        Place("LIST of an empty folder", "LIST", begun(b""), true, None),
        Place("handshake of a file", "RETR /big", vec![open.clone()], true, None),
        Place("in a file", "RETR /big", begun(&big[..HALF]), true, Some(("/big", OVERLAP))),
        Place("end of a file", "RETR /big", begun(&big), true, Some(("/big", OVERLAP))),
        Place("beside a file", "RETR /big", begun(&big[..HALF]), false, Some(("/big", OVERLAP))),
        Place(
            "closing word of a file",
            "RETR /big",
            [begun(&big), vec![Act::EndData]].concat(),
            false,
            Some(("/big", OVERLAP)),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_inside_tls() {
    for version in [&TLS12, &TLS13] {
        let mut cells = Vec::new();
        for Place(place, cue, before, in_data, again) in places() {
            for end in ENDS {
                let acts = [before.clone(), if in_data { end.data() } else { end.control() }].concat();
                let script = modern().tls(version).once(cue, acts);
                cells.push(Cell { place, harm: end.word(), script, again: BTreeMap::from_iter(again), tree });
            }
        }
        play(&format!("Inside {:?}", version.version), cells).await;
    }
}
