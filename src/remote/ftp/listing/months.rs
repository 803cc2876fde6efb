//! Names of months, as `ls` and its kin write them in the languages that servers speak.

use encoding_rs::{Encoding, IBM866, ISO_8859_2, KOI8_R, WINDOWS_1251, WINDOWS_1252};

/// What a word says about a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Month {
    /// 1 to 12.
    Is(i8),
    /// A month, but two languages (or one that cuts "juin" and "juillet" alike) mean different ones by it.
    Unclear,
}

/// English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Ukrainian, Finnish, Swedish and its
/// neighbours, Hungarian, Czech, Slovenian, Romanian, Catalan, Turkish, Greek: abbreviated and in full. Croatian is left
/// out: its "lip", "srp" and "lis" are the months before those of Polish and Czech.
const MONTHS: [&str; 12] = [
    "jan january januar jän jänner janv janvier ene enero gen gennaio gener janeiro januari sty stycznia styczeń янв \
     январь января січ tammi tam led leden ledna ian ianuarie oca ocak ιαν",
    "feb february februar februari febr févr fév fevr fev février febrero febbraio fevereiro lut lutego luty фев февр \
     февраль февраля лют helmi hel úno únor února február februarie şub şubat φεβ",
    "mar march mär mrz märz mars marzo març março mrt maart marca marzec мар март марта maalis maa márc március bře \
     březen března martie mart μαρ бер",
    "apr april avr avril abr abril aprile kwi kwietnia апр апрель апреля кві huhti huh ápr április dub duben dubna \
     aprilie nis nisan απρ",
    "may mai mayo mag maggio maio mei maj maja май мая тра touko tou máj május kvě květen května maig mayıs μαϊ",
    "jun june juni juin junio giu giugno junho cze czerwca июн июнь июня чер kesä kes jún június čen červen června \
     iun iunie juny haz haziran ιουν",
    "jul july juli juil juillet julio lug luglio julho lip lipca июл июль июля лип heinä hei júl július čec července \
     iul iulie juliol tem temmuz ιουλ",
    "aug august août aou aoû aout ago agosto augustus augusti sie sierpnia авг август августа сер elo aug. augusztus \
     srp srpen srpna agost avg ağu ağustos αυγ",
    "sep sept september septembre septiembre set settembre setembro setembre wrz września сен сент сентябрь сентября \
     вер syys syy szept szeptember zář září septembrie eyl eylül σεπ",
    "oct october okt oktober octobre octubre ott ottobre out outubro paź paz października окт октябрь октября жов \
     loka lok október říj říjen října octombrie eki ekim οκτ",
    "nov november novembre noviembre novembro lis listopada listopad лис ноя нояб ноябрь ноября marras marr noi \
     noiembrie kas kasım νοε",
    "dec december dez dezember déc décembre dic diciembre dicembre dezembro gru grudnia дек декабрь декабря гру joulu \
     jou des desember desembre pro prosinec prosince decembrie ara aralık δεκ",
];

/// As `ls` writes them where nobody set a language.
const ENGLISH: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// "jui" is June as well as July, where VMS cuts the French words.
const UNCLEAR: &str = "jui";

/// Names of months in bytes of Russian and Polish servers that know nothing of Unicode.
const ENCODINGS: [&Encoding; 5] = [WINDOWS_1252, WINDOWS_1251, KOI8_R, ISO_8859_2, IBM866];

/// The month that `word` names, whatever its case, its character set and the dot behind it.
pub fn month(word: &[u8]) -> Option<Month> {
    let word = word.strip_suffix(b",").unwrap_or(word);
    let word = word.strip_suffix(b".").unwrap_or(word);
    // From three letters up, as they are written: the longest has eleven characters.
    if !(3..=24).contains(&word.len()) || word.iter().any(u8::is_ascii_digit) {
        return None;
    }
    // Nearly all listings are in English.
    if let Some(at) = ENGLISH.iter().position(|name| name.eq_ignore_ascii_case(word)) {
        return i8::try_from(at + 1).ok().map(Month::Is);
    }
    match std::str::from_utf8(word) {
        Ok(text) => find(&text.to_lowercase()),
        Err(_) => ENCODINGS.iter().find_map(|encoding| {
            let text = encoding.decode_without_bom_handling_and_without_replacement(word)?;
            find(&text.to_lowercase())
        }),
    }
}

fn find(text: &str) -> Option<Month> {
    let among = |names: &str| names.split_ascii_whitespace().any(|name| name == text);
    if among(UNCLEAR) {
        return Some(Month::Unclear);
    }
    let found = MONTHS.iter().position(|names| among(names))?;
    i8::try_from(found + 1).ok().map(Month::Is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_for_two_months() {
        let mut seen = std::collections::HashMap::new();
        for (at, names) in MONTHS.iter().enumerate() {
            for name in names.split_ascii_whitespace() {
                let before = seen.insert(name, at);
                assert!(before.is_none_or(|b| b == at), "{name} is month {at} and {before:?}");
            }
        }
        for name in UNCLEAR.split_ascii_whitespace() {
            assert!(!seen.contains_key(name), "{name}");
        }
    }

    #[test]
    fn in_many_tongues_and_bytes() {
        for (word, is) in [
            (&b"Oct"[..], Some(Month::Is(10))),
            ("Mär".as_bytes(), Some(Month::Is(3))),
            (b"M\xe4r", Some(Month::Is(3))),
            (b"ao\xfbt", Some(Month::Is(8))),
            ("МАЯ".as_bytes(), Some(Month::Is(5))),
            (b"\xcd\xc1\xd2", Some(Month::Is(3))),
            (b"\xe4\xe5\xea", Some(Month::Is(12))),
            ("paź".as_bytes(), Some(Month::Is(10))),
            (b"Juli,", Some(Month::Is(7))),
            (b"Okt.", Some(Month::Is(10))),
            (b"JUI", Some(Month::Unclear)),
            (b"Jam", None),
            (b"ma", None),
            (b"Sunday", None),
        ] {
            assert_eq!(month(word), is, "{word:?}");
        }
    }
}
