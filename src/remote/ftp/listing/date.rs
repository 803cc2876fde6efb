//! Dates as listings write them. A shape that is a date but names no day that exists (30 February, 25:61) is found as
//! well: it anchors the line, and its time stays unknown.

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::Zone;
use super::habits::Habits;
use super::months::{Month, month};
use super::words::{Word, whole_number};
use crate::model::{Mtime, Precision, ServerZone, TimeSource};

/// Hours, minutes, seconds.
pub type Face = (i8, i8, i8);

/// A date at the start of some words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// How many words it takes.
    pub words: usize,
    /// The time, where there is such a day and it is clear which.
    pub mtime: Option<Mtime>,
}

/// A date at the start of `words`; the habits of the listing say what could be read in two ways.
pub fn find(words: &[Word<'_>], habits: Habits, zone: &Zone) -> Option<Found> {
    joined(words, habits, zone)
        .or_else(|| named(words, habits, zone))
        .or_else(|| marked(words, habits, zone))
        .or_else(|| apart(words, habits, zone))
}

/// `May  6 07:08`, `6. Mai 2024`, `May 6, 2024 07:08`, `Nov 23 11:20:00 2026`.
fn named(words: &[Word<'_>], habits: Habits, zone: &Zone) -> Option<Found> {
    let (first, second, third) = (words.first()?, words.get(1)?, words.get(2)?);
    // The day is looked for first: most words are none, and the names of months are many.
    let (month, day) = match (day(second), day(first)) {
        (Some(day), _) => (month(first.bytes)?, day),
        (None, Some(day)) => (month(second.bytes)?, day),
        (None, None) => return None,
    };
    let month = if let Month::Is(month) = month { Some(month) } else { None };
    if let Some((taken, face, exact)) = clock(words.get(2..)?, habits.half_days) {
        let year_last = habits.year_last && exact == Precision::Second;
        if let Some(year) = words.get(2 + taken).filter(|_| year_last).and_then(year) {
            return Some(Found {
                words: 3 + taken,
                mtime: month.and_then(|month| at(year, month, day, face, exact, &zone.zone)),
            });
        }
        let mtime = month.and_then(|month| recent(month, day, face, exact, zone));
        return Some(Found { words: 2 + taken, mtime });
    }
    let year = year(third)?;
    // `ls` pads the year to the width of a time; where it is not padded, the time may follow.
    let padded = third.start > second.end + 1;
    let more = words.get(3..).filter(|_| !padded).and_then(|rest| clock(rest, habits.half_days));
    let more = more.filter(|(taken, ..)| words.len() > 3 + taken);
    let (taken, face, exact) = more.unwrap_or((0, (0, 0, 0), Precision::Day));
    Some(Found { words: 3 + taken, mtime: month.and_then(|month| at(year, month, day, face, exact, &zone.zone)) })
}

/// Dates in one word, with a time or a year behind where there is one: `2024-05-06`, `06.05.2024`, `05-06`,
/// `6-May-24`, `May-06-2024`, `2024-05-06T07:08:09Z`.
fn joined(words: &[Word<'_>], habits: Habits, zone: &Zone) -> Option<Found> {
    let (first, rest) = words.split_first()?;
    let text = first.text();
    if let Some((date, time)) = text.split_once('T').filter(|(date, _)| date.len() == 10) {
        let time = Word { bytes: time.as_bytes(), ..*first };
        let moment = moment(&[[time].as_slice(), rest].concat(), false)?;
        return whole(date, habits, Some(moment), zone);
    }
    let mark = text.chars().find(|c| matches!(c, '-' | '/' | '.'))?;
    let (month, day) = match text.split(mark).collect::<Vec<_>>().as_slice() {
        [_, _, _] => {
            let found = whole(text, habits, moment(rest, habits.half_days), zone)?;
            return Some(Found { words: 1 + found.words, ..found });
        }
        [m, d] if m.len() == 2 && d.len() == 2 && mark == '-' => (number(m, 12)?, number(d, 99)?),
        _ => return None,
    };
    if let Some((taken, face, exact)) = clock(rest, habits.half_days) {
        return Some(Found { words: 1 + taken, mtime: recent(month, day, face, exact, zone) });
    }
    let year = year(rest.first()?)?;
    Some(Found { words: 2, mtime: at(year, month, day, (0, 0, 0), Precision::Day, &zone.zone) })
}

/// A date with its year, and what follows: nothing, or a time. The words of the time are those that it takes.
fn whole(date: &str, habits: Habits, moment: Option<Moment>, zone: &Zone) -> Option<Found> {
    let mark = date.chars().find(|c| matches!(c, '-' | '/' | '.'))?;
    let parts = date.split(mark).collect::<Vec<_>>();
    let [a, b, c] = parts.as_slice() else { return None };
    let (year, month, day) = three(a, b, c, habits.day_first || mark == '.')?;
    let Moment { words, face, exact, zone: own } = moment.unwrap_or(Moment::MIDNIGHT);
    let own = own.as_ref().unwrap_or(&zone.zone);
    Some(Found { words, mtime: month.and_then(|month| at(year, month, day, face, exact, own)) })
}

/// A time of day behind a date, and how its clock stands to UTC where that is told.
struct Moment {
    /// How many words it takes.
    words: usize,
    face: Face,
    exact: Precision,
    zone: Option<ServerZone>,
}

impl Moment {
    /// Where no time is told.
    const MIDNIGHT: Self = Self { words: 0, face: (0, 0, 0), exact: Precision::Day, zone: None };
}

/// `07:08`, `07:08:09 +0200`, `07:08:09+02:00`, `07:08:09Z`. Zones stand behind times to the second only.
fn moment(words: &[Word<'_>], half_days: bool) -> Option<Moment> {
    if let Some((taken, face, exact)) = clock(words, half_days) {
        let zone = words.get(taken).filter(|_| exact == Precision::Second).and_then(|word| offset(word.text()));
        return Some(Moment { words: taken + usize::from(zone.is_some()), face, exact, zone });
    }
    let text = words.first()?.text();
    let (time, zone) = text.split_at_checked(text.find(['Z', '+', '-'])?)?;
    let (face, exact) = face(time)?;
    let zone = if zone == "Z" { ServerZone::default() } else { offset(zone)? };
    Some(Moment { words: 1, face, exact, zone: Some(zone) })
}

/// Year, month (none: unclear) and day of three parts.
fn three(a: &str, b: &str, c: &str, day_first: bool) -> Option<(i16, Option<i8>, i8)> {
    let known = |month| if let Month::Is(month) = month { Some(month) } else { None };
    if let Some(named) = month(b.as_bytes()) {
        return Some((any_year(c)?, known(named), number(a, 99)?));
    }
    if let Some(named) = month(a.as_bytes()) {
        return Some((any_year(c)?, known(named), number(b, 99)?));
    }
    if a.len() == 4 {
        return Some((any_year(a)?, Some(number(b, 12)?), number(c, 99)?));
    }
    if c.len() != 4 {
        return None;
    }
    let (first, second) = (number(a, 99)?, number(b, 99)?);
    let (month, day) = if second > 12 || !day_first && first <= 12 { (first, second) } else { (second, first) };
    Some((any_year(c)?, Some(month), day))
}

/// A number of a date in the scripts that put the unit behind it.
struct Unit {
    number: i16,
    /// A year, a month or a day is written behind it, or bytes that are no UTF-8 and so may be that.
    marked: bool,
    /// Words up to its end.
    words: usize,
}

/// `5月 6日 07:08`, `2024年5月6日`, `2024 년 5 월 6 일`, and the same in bytes of other character sets.
fn marked(words: &[Word<'_>], habits: Habits, zone: &Zone) -> Option<Found> {
    let units = units(words);
    let [first, second, ..] = units.as_slice() else { return None };
    let (year, month, day, taken) = match units.get(2) {
        Some(third) if first.number > 999 => (Some(first.number), second.number, third.number, third.words),
        Some(third) if third.number > 999 => (Some(third.number), first.number, second.number, third.words),
        _ => (None, first.number, second.number, second.words),
    };
    let used = if year.is_some() { 3 } else { 2 };
    if !units.iter().take(used).any(|unit| unit.marked) || !(1..=12).contains(&month) {
        return None;
    }
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let following = words.get(taken..).and_then(|rest| clock(rest, habits.half_days));
    let Some(year) = year else {
        let (more, face, exact) = following?;
        return Some(Found { words: taken + more, mtime: recent(month, day, face, exact, zone) });
    };
    let following = following.filter(|(more, ..)| words.len() > taken + more);
    let (more, face, exact) = following.unwrap_or((0, (0, 0, 0), Precision::Day));
    Some(Found { words: taken + more, mtime: at(year, month, day, face, exact, &zone.zone) })
}

/// The numbers at the start of `words`, three at most.
fn units(words: &[Word<'_>]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if is_mark(word.bytes) {
            // `5 月`: the mark stands alone behind its number.
            match units.last_mut().filter(|unit| !unit.marked) {
                Some(last) => (last.marked, last.words) = (true, at + 1),
                None => break,
            }
            continue;
        }
        if units.len() >= 3 {
            break;
        }
        let mut rest = word.bytes;
        let mut inside = Vec::new();
        while !rest.is_empty() {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let after = rest.get(digits..).unwrap_or_default();
            let mark = after.iter().take_while(|b| !b.is_ascii_digit()).count();
            let (mark, next) = after.split_at_checked(mark).unwrap_or((after, &[]));
            let number = rest.get(..digits).filter(|d| (1..=4).contains(&d.len())).and_then(whole_number);
            let Some(number) = number.and_then(|n| i16::try_from(n).ok()) else { return units };
            if !mark.is_empty() && !is_mark(mark) {
                return units;
            }
            inside.push(Unit { number, marked: !mark.is_empty(), words: at + 1 });
            rest = next;
        }
        units.append(&mut inside);
    }
    units.truncate(3);
    units
}

/// Year, month, day in Chinese, Japanese, Korean; or bytes that are no text in UTF-8.
fn is_mark(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(text) => matches!(text, "年" | "月" | "日" | "년" | "월" | "일"),
        Err(_) => bytes.len() <= 3 && !bytes.iter().any(u8::is_ascii_digit),
    }
}

/// `5 6 07:08`: month and day in digits.
fn apart(words: &[Word<'_>], habits: Habits, zone: &Zone) -> Option<Found> {
    let month = number(words.first()?.text(), 12).filter(|m| *m > 0)?;
    let day = number(words.get(1)?.text(), 31).filter(|d| *d > 0)?;
    let (taken, face, exact) = clock(words.get(2..)?, habits.half_days)?;
    Some(Found { words: 2 + taken, mtime: recent(month, day, face, exact, zone) })
}

/// A time of day at the start of `words`: how many words, what it shows, how exactly. AM and PM belong to it where they
/// are glued to it, and apart from it where there are `half_days`.
pub fn clock(words: &[Word<'_>], half_days: bool) -> Option<(usize, Face, Precision)> {
    let written = words.first()?.text();
    let upper = written.to_ascii_uppercase();
    let glued = [("AM", false), ("PM", true), ("A", false), ("P", true)]
        .into_iter()
        .find_map(|(mark, late)| upper.strip_suffix(mark).map(|rest| (rest.to_owned(), late)));
    if let Some((rest, late)) = glued {
        let (face, exact) = face(&rest)?;
        return Some((1, twelve(face, late)?, exact));
    }
    let (face, exact) = face(written)?;
    match words.get(1).filter(|_| half_days).and_then(|word| half(word.text())) {
        Some(late) => Some((2, twelve(face, late)?, exact)),
        None => Some((1, face, exact)),
    }
}

/// Is it PM? `None` when it is neither that nor AM.
pub fn half(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("PM") { Some(true) } else { text.eq_ignore_ascii_case("AM").then_some(false) }
}

const fn twelve((hour, minute, second): Face, late: bool) -> Option<Face> {
    match (hour, late) {
        (13.., _) => None,
        (12, false) => Some((0, minute, second)),
        (12, true) | (_, false) => Some((hour, minute, second)),
        (_, true) => Some((hour + 12, minute, second)),
    }
}

/// `hh:mm`, `hh:mm:ss`, with parts of a second; any two digits, so that an impossible time is still seen as one.
pub fn face(text: &str) -> Option<(Face, Precision)> {
    let (text, parts) = text.split_once('.').unwrap_or((text, "0"));
    if !parts.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut parts = text.split(':');
    let hour = number(parts.next()?, 99)?;
    let minute = parts.next().filter(|m| m.len() == 2).and_then(|m| number(m, 99))?;
    let second = parts.next().map(|s| if s.len() == 2 { number(s, 99) } else { None });
    if parts.next().is_some() {
        return None;
    }
    match second {
        None => Some(((hour, minute, 0), Precision::Minute)),
        Some(second) => Some(((hour, minute, second?), Precision::Second)),
    }
}

/// The instant of a clock face on the server; `None` when there is no such day or time. A leap second counts as the
/// one before it.
pub fn at(year: i16, month: i8, day: i8, (h, m, s): Face, precision: Precision, zone: &ServerZone) -> Option<Mtime> {
    let second = if s == 60 { 59 } else { s };
    let face = DateTime::new(year, month, day, h, m, second, 0).ok()?;
    Some(Mtime { at: zone.instant(face)?, precision, source: TimeSource::List })
}

/// No year written: the latest that is not more than a day ahead, and in which the day exists.
pub fn recent(month: i8, day: i8, face: Face, precision: Precision, zone: &Zone) -> Option<Mtime> {
    let latest = zone.now.checked_add(SignedDuration::from_hours(24)).unwrap_or(zone.now);
    let this = zone.zone.face(latest).year();
    (0..9).find_map(|back| {
        let found = at(this - back, month, day, face, precision, &zone.zone)?;
        (found.at <= latest).then_some(found)
    })
}

/// `+0200` or `+02:00`.
fn offset(text: &str) -> Option<ServerZone> {
    let (sign, digits) = text.split_at_checked(1)?;
    let (hours, minutes) = digits.split_once(':').or_else(|| digits.split_at_checked(2))?;
    let part = |text: &str| number(text, 99).filter(|_| text.len() == 2).map(i32::from);
    let minutes = part(hours)? * 60 + part(minutes)?;
    match sign {
        "+" => ServerZone::minutes(minutes).ok(),
        "-" => ServerZone::minutes(-minutes).ok(),
        _ => None,
    }
}

/// A day of the month, with the dot or comma of some languages.
pub fn day(word: &Word<'_>) -> Option<i8> {
    number(word.text().trim_end_matches(['.', ',']), 99)
}

/// One or two digits up to `most`.
pub fn number(text: &str, most: i8) -> Option<i8> {
    let plain = !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse::<i8>().ok()).flatten().filter(|n| *n <= most)
}

/// A year in four digits.
pub fn year(word: &Word<'_>) -> Option<i16> {
    any_year(word.text().trim_end_matches([',', '.'])).filter(|_| word.bytes.len() >= 4)
}

/// A year in two, three (of programs that count from 1900) or four digits.
pub fn any_year(text: &str) -> Option<i16> {
    let value = whole_number(text.as_bytes()).and_then(|n| i16::try_from(n).ok())?;
    match (text.len(), value) {
        (2, 70..) => Some(1900 + value),
        (2, _) => Some(2000 + value),
        (3, 100..=199) => Some(1900 + value),
        (4, 1900..=2500) => Some(value),
        _ => None,
    }
}

/// Today, for tests of this folder.
#[cfg(test)]
pub fn test_now() -> jiff::Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}
