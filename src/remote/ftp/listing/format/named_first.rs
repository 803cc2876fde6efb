//! SuperTCP and NetManage Chameleon on early Windows: the name first, then bytes or `<DIR>`, date, time, attributes.

use super::super::habits::Habits;
use super::super::words::{Word, marked_number, words};
use super::super::{Raw, Zone, date};
use super::dos;
use crate::model::{EntryKind, Mtime};

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], habits: Habits, zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let [name, what, when @ ..] = words.as_slice() else { return None };
    let (kind, size) = match what.bytes {
        b"<DIR>" => (EntryKind::Dir, None),
        digits => (EntryKind::File, Some(marked_number(digits)?)),
    };
    let (taken, mtime) = moment(when, habits, zone)?;
    let attributes = when.get(taken..)?;
    let is_attributes = |word: &Word<'_>| {
        word.bytes.len() <= 6 && word.bytes.iter().all(|b| b.is_ascii_alphabetic() || b"[]-".contains(b))
    };
    if attributes.len() > 1 || !attributes.iter().all(is_attributes) {
        return None;
    }
    Some(Raw { size, mtime, ..Raw::bare(name.bytes, kind) })
}

fn moment(words: &[Word<'_>], habits: Habits, zone: &Zone) -> Option<(usize, Option<Mtime>)> {
    if let Some((year, month, day)) = dos::day(words.first()?.text(), habits.day_first) {
        let (taken, face, exact) = date::clock(words.get(1..)?, true)?;
        let mtime = month.and_then(|month| date::at(year, month, day, face, exact, &zone.zone));
        return Some((1 + taken, mtime));
    }
    // `Nov  4 1994  2:55`
    let day = date::find(words.get(..3)?, habits, zone).filter(|found| found.words == 3)?;
    let (taken, face, exact) = date::clock(words.get(3..)?, true)?;
    let mtime = day.mtime.and_then(|mtime| {
        let on = zone.zone.face(mtime.at);
        date::at(on.year(), on.month(), on.day(), face, exact, &zone.zone)
    });
    Some((3 + taken, mtime))
}
