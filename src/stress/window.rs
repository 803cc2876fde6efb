//! Do the buffers of TCP limit it? Advice only where it is true: most slow transfers are slow for another reason.

use serde::{Deserialize, Serialize};

/// Less of the sending time is no matter.
const WAITING: f64 = 0.05;
/// A download that is this much of what its receive buffer can hold may be bound by it.
const FULL: f64 = 0.8;

/// What was measured of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct WindowLook {
    /// The middle one of the connections' shortest round trips, in seconds.
    pub round_trip: Option<f64>,
    /// The highest rate that one connection sent at, bytes per second.
    pub sending: Option<f64>,
    /// The share of the sending time for which the other side's receive window was waited for.
    pub share: Option<f64>,
    /// The highest rate of one download, bytes per second.
    pub receiving: Option<f64>,
    /// The bytes that a receive buffer may grow to here.
    pub buffer: Option<u64>,
}

impl WindowLook {
    /// What to do, where something is to be done.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let round_trip = self.round_trip.unwrap_or(0.0);
        if let (Some(share), Some(sending)) = (self.share.filter(|share| *share >= WAITING), self.sending) {
            advice.push(format!(
                "sending waited {:.0} % of its time for the other side's receive window: at {:.1} MB/s and a round trip of \
                 {:.1} ms it needs {:.0} KiB for each connection (there: net.ipv4.tcp_rmem, or the window of its program)",
                share * 100.0,
                sending / 1e6,
                round_trip * 1e3,
                sending * round_trip / 1024.0
            ));
        }
        if let (Some(rate), Some(buffer)) = (self.receiving, self.buffer) {
            // Half of a receive buffer is window at the least (tcp_adv_win_scale, tcp(7)).
            let (need, have) = (rate * round_trip, super::number(buffer) / 2.0);
            if need >= FULL * have {
                advice.push(format!(
                    "a download of {:.1} MB/s at a round trip of {:.1} ms has {:.0} KiB on the way, and the receive buffer of \
                     this machine holds {:.0} KiB of it: raise the third number of net.ipv4.tcp_rmem",
                    rate / 1e6,
                    round_trip * 1e3,
                    need / 1024.0,
                    have / 1024.0
                ));
            }
        }
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_advice_only_where_the_window_is_short() {
        let near = WindowLook {
            round_trip: Some(0.000_05),
            sending: Some(900e6),
            share: Some(0.01),
            receiving: Some(900e6),
            buffer: Some(6 << 20),
        };
        assert!(near.advice().is_empty(), "{:?}", near.advice());
        assert!(WindowLook::default().advice().is_empty());
        let waits = WindowLook { round_trip: Some(0.1), sending: Some(1e6), share: Some(0.6), ..near };
        assert!(waits.advice()[0].contains("60 %") && waits.advice()[0].contains("98 KiB"), "{:?}", waits.advice());
        let far = WindowLook { round_trip: Some(0.2), share: None, receiving: Some(15e6), ..near };
        assert!(far.advice().len() == 1 && far.advice()[0].contains("tcp_rmem"), "{:?}", far.advice());
    }
}
