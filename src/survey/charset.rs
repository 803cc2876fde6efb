//! In which character set names are, said in words with what speaks for it.

use crate::model::charset::{Guess, Verdict};

/// As a sentence without its beginning and end.
#[must_use]
pub fn sentence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ascii => "plain ASCII, the same in every character set".to_owned(),
        Verdict::Utf8 { proven: true } => "UTF-8".to_owned(),
        Verdict::Utf8 { proven: false } => "UTF-8, or something else that looks like it: too few to tell".to_owned(),
        Verdict::Legacy { guess, utf8 } => {
            let Guess { charset, fits, names, agreeing, .. } = guess;
            let sure = if guess.is_sure() { "" } else { ", which is not sure: name the right one with --charset" };
            let mixed = if *utf8 > 0 { format!("; {utf8} other names are UTF-8") } else { String::new() };
            format!(
                "{}{sure} ({fits} of {names} names fit, {agreeing} of {} parts of them agree){mixed}",
                charset.name(),
                Guess::PARTS
            )
        }
    }
}
