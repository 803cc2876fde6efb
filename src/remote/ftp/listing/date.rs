//! Dates as `ls` and its kin write them, in the languages that servers speak.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Zone;
use crate::model::{Mtime, Precision, TimeSource};

/// A date at the start of `words`: how many words it takes, and the time if there is such a day.
pub fn find(words: &[(&[u8], usize)], zone: &Zone) -> Option<(usize, Option<Mtime>)> {
    let text = |n: usize| words.get(n).map(|(word, _)| lower(word));
    let first = text(0)?;
    if let Some((y, m, d)) = ymd(&first) {
        return iso(&first, y, m, d, text(1), text(2).as_deref(), zone);
    }
    let second = text(1)?;
    let (month, day) = match (month(&first), month(&second)) {
        (Some(month), _) => (month, number(second.trim_end_matches(['日', ',', '.', '일']), 31)?),
        (None, Some(month)) => (month, number(first.trim_end_matches('.'), 31)?),
        _ => return None,
    };
    let third = text(2)?;
    if let Some((h, m, s)) = clock(&third) {
        // BSD's `ls -T` puts the year behind the time.
        if let Some(year) = text(3).filter(|_| third.matches(':').count() == 2).and_then(|t| year(&t)) {
            return Some((4, at(year, month, day, (h, m, s), Precision::Second, zone)));
        }
        return Some((3, recent(month, day, (h, m, s), zone)));
    }
    let year = year(third.trim_end_matches(['年', '년']))?;
    Some((3, at(year, month, day, (0, 0, 0), Precision::Day, zone)))
}

/// `hh:mm`, `hh:mm:ss`, fractions ignored.
pub fn clock(text: &str) -> Option<(i8, i8, i8)> {
    let mut parts = text.split('.').next()?.split(':');
    let hour = number(parts.next()?, 24)?;
    let minute = parts.next().filter(|m| m.len() == 2).and_then(|m| number(m, 59))?;
    let second = parts.next().map_or(Some(0), |s| number(s, 60))?;
    parts.next().is_none().then_some((hour, minute, second))
}

/// The instant of a clock face on the server; `None` when there is no such day.
pub fn at(year: i16, month: i8, day: i8, (h, m, s): (i8, i8, i8), precision: Precision, zone: &Zone) -> Option<Mtime> {
    let face = DateTime::new(year, month, day, h, m, s.min(59), 0).ok()?;
    let utc = face.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let at = utc.checked_sub(SignedDuration::from_mins(i64::from(zone.minutes))).ok()?;
    Some(Mtime { at, precision, source: TimeSource::List })
}

/// No year written: the latest that is not more than a day ahead, and in which the day exists.
fn recent(month: i8, day: i8, time: (i8, i8, i8), zone: &Zone) -> Option<Mtime> {
    let latest = zone.now.checked_add(SignedDuration::from_hours(24)).unwrap_or(zone.now);
    let this = latest.to_zoned(TimeZone::UTC).year();
    (0..9).find_map(|back| {
        let found = at(this - back, month, day, time, Precision::Minute, zone)?;
        (found.at <= latest).then_some(found)
    })
}

/// `2024-05-06 07:08[:09.123] [+0200]`, or `05-06 07:08`; the date alone is a day.
fn iso(
    first: &str,
    year: Option<i16>,
    month: i8,
    day: i8,
    time: Option<String>,
    offset: Option<&str>,
    zone: &Zone,
) -> Option<(usize, Option<Mtime>)> {
    let Some(text) = time.filter(|t| clock(t).is_some()) else {
        // A day alone must be written in full, or a version number would pass for it.
        return year.filter(|_| first.len() == 10).map(|y| (1, at(y, month, day, (0, 0, 0), Precision::Day, zone)));
    };
    let face = clock(&text)?;
    let Some(year) = year else { return Some((2, recent(month, day, face, zone))) };
    let precision = if text.matches(':').count() == 2 { Precision::Second } else { Precision::Minute };
    let written = offset.and_then(offset_minutes);
    let own = written.map_or(*zone, |minutes| Zone { minutes, ..*zone });
    Some((2 + usize::from(written.is_some()), at(year, month, day, face, precision, &own)))
}

fn offset_minutes(text: &str) -> Option<i16> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 {
        return None;
    }
    let value = digits.parse::<i16>().ok()?;
    Some(sign * (value / 100 * 60 + value % 100))
}

/// `yyyy-mm-dd`, `yyyy/mm/dd` or `mm-dd`.
fn ymd(text: &str) -> Option<(Option<i16>, i8, i8)> {
    let parts = text.split(['-', '/']).collect::<Vec<_>>();
    match parts.as_slice() {
        [y, m, d] if y.len() == 4 => Some((Some(year(y)?), number(m, 12)?, number(d, 31)?)),
        [m, d] if m.len() == 2 && d.len() == 2 => Some((None, number(m, 12)?, number(d, 31)?)),
        _ => None,
    }
}

pub fn number(text: &str, most: i8) -> Option<i8> {
    let plain = !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse::<i8>().ok()).flatten().filter(|n| *n <= most)
}

fn year(text: &str) -> Option<i16> {
    let plain = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse::<i16>().ok()).flatten().filter(|y| (1900..=2500).contains(y))
}

fn lower(word: &[u8]) -> String {
    match std::str::from_utf8(word) {
        Ok(text) => text.to_lowercase(),
        // Old servers write month names in Latin-1.
        Err(_) => word.iter().map(|b| char::from(*b)).collect::<String>().to_lowercase(),
    }
}

/// Abbreviations in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Finnish.
const MONTHS: [&str; 12] = [
    "jan january janv ene gen sty янв январь января tammi jän jän.",
    "feb february févr fév fevr fev lut фев февраля helmi",
    "mar march mär mrz märz mars mrt maa marca мар марта maalis",
    "apr april avr abr kwi апр апреля huhti",
    "may mai mag mei maj май мая touko",
    "jun june juin giu cze июн июня kesä",
    "jul july juil lug lip июл июля heinä",
    "aug august août aou aoû aout ago sie авг августа elo",
    "sep sept september set wrz сен сент сентября syys",
    "oct october okt out ott paź paz окт октября loka",
    "nov november lis ноя нояб ноября marras",
    "dec december dez déc dic gru дек декабря joulu",
];

fn month(text: &str) -> Option<i8> {
    if let Some(digits) = text.strip_suffix('月').or_else(|| text.strip_suffix('월')) {
        return number(digits, 12).filter(|m| *m > 0);
    }
    let text = text.trim_end_matches('.');
    let found = MONTHS.iter().position(|names| names.split(' ').any(|name| name == text))?;
    i8::try_from(found + 1).ok()
}

/// Today, for tests of this folder.
#[cfg(test)]
pub fn test_now() -> jiff::Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}
