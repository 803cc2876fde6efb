//! Which character set are these names in? Evidence in, verdict out: nothing here reads or remembers anything.
//!
//! UTF-8 is proven or refuted by its own rules. Everything else is a guess, so it comes with what speaks for it: how many
//! of the names are text in the guessed set that leads back to the very same bytes, and how many of eight parts of the
//! evidence, each without an eighth of the names, lead to the same guess.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Bytes of names that are kept; more say no more.
const KEPT: usize = 32 << 10;
/// The evidence is judged without each of so many parts.
const PARTS: u64 = 8;
/// Fewer characters beyond ASCII do not make a guess sure. Three short Chinese names have as many.
const ENOUGH: u64 = 6;
/// From fewer names no part can be left out.
const FEWEST: u64 = 3;
/// From so many characters beyond ASCII on a name says something alone: of Chinese, Japanese and Korean names of that
/// length more than nine in ten are told right.
const ALONE: u64 = 5;
/// Fewer sequences beyond ASCII may be UTF-8 by accident: one Chinese name in GBK can be.
const PROVEN: u64 = 3;

/// What names say about their character set. Bounded memory, whatever their number.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Names with bytes beyond ASCII that are UTF-8.
    utf8: u64,
    /// Characters beyond ASCII in them.
    sequences: u64,
    /// Names that are not UTF-8.
    other: u64,
    /// Names that are not UTF-8, the first of them.
    sample: Vec<Box<[u8]>>,
    kept: usize,
}

/// A character set that is not UTF-8, and what speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guess {
    /// Which.
    pub charset: &'static Encoding,
    /// Names that are text in it and lead back to the same bytes …
    pub fits: u64,
    /// … of so many that were looked at.
    pub names: u64,
    /// Parts of the evidence that lead to the same guess, of [`Guess::PARTS`].
    pub agreeing: u64,
    /// Characters beyond ASCII that it rests on.
    pub characters: u64,
    /// Names that are long enough to say something alone …
    pub long: u64,
    /// … and of them those that, alone, say something else.
    pub dissenting: u64,
}

impl Guess {
    /// How many parts of the evidence are asked.
    pub const PARTS: u64 = PARTS;

    /// Every name fits, every part agrees, there was enough to go by, and no second set speaks from several names.
    #[must_use]
    pub const fn is_sure(&self) -> bool {
        self.dissenting <= 1 + self.long / 10
            && self.fits == self.names
            && self.agreeing == PARTS
            && self.names >= FEWEST
            && self.characters >= ENOUGH
    }
}

/// What the evidence amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Plain ASCII: every character set says the same.
    Ascii,
    /// Every name is UTF-8.
    Utf8 {
        /// Enough of it that it is none by accident.
        proven: bool,
    },
    /// Some names are not UTF-8.
    Legacy {
        /// What they are, as far as that can be told.
        guess: Guess,
        /// So many others are UTF-8 beyond ASCII: the folder is mixed, or they are that by accident.
        utf8: u64,
    },
}

impl Evidence {
    /// One more name.
    pub fn add(&mut self, name: &[u8]) {
        match std::str::from_utf8(name) {
            Ok(text) => {
                let beyond = text.chars().filter(|c| !c.is_ascii()).count() as u64;
                self.utf8 += u64::from(beyond > 0);
                self.sequences += beyond;
            }
            Err(_) => {
                self.other += 1;
                if self.kept + name.len() <= KEPT {
                    self.kept += name.len();
                    self.sample.push(name.into());
                }
            }
        }
    }

    /// What the names amount to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.other, self.utf8) {
            (0, 0) => Verdict::Ascii,
            (0, _) => Verdict::Utf8 { proven: self.sequences >= PROVEN },
            (_, utf8) => Verdict::Legacy { guess: self.guess(), utf8 },
        }
    }

    /// How well `charset`, which somebody named or which the folders around use, suits these names.
    #[must_use]
    pub fn suits(&self, charset: &'static Encoding) -> bool {
        self.sample.iter().all(|name| decode(name, charset).is_some())
    }

    fn guess(&self) -> Guess {
        let charset = detect(self.sample.iter().map(AsRef::as_ref));
        let agreeing = (0..PARTS).filter(|part| {
            let rest = self.sample.iter().filter(|name| self::part(name) != *part);
            detect(rest.map(AsRef::as_ref)) == charset
        });
        let agreeing = agreeing.count() as u64;
        let mut guess = Guess {
            charset,
            fits: 0,
            names: self.sample.len() as u64,
            agreeing,
            characters: 0,
            long: 0,
            dissenting: 0,
        };
        for name in &self.sample {
            let Some(text) = decode(name, charset) else { continue };
            let beyond = text.chars().filter(|c| !c.is_ascii()).count() as u64;
            guess.fits += 1;
            guess.characters += beyond;
            if beyond >= ALONE {
                guess.long += 1;
                guess.dissenting += u64::from(detect(std::iter::once(name.as_ref())) != charset);
            }
        }
        guess
    }
}

/// The text of `name` in `charset`, when it leads back to the very same bytes: then two names never become one.
#[must_use]
pub fn decode<'a>(name: &'a [u8], charset: &'static Encoding) -> Option<Cow<'a, str>> {
    let text = charset.decode_without_bom_handling_and_without_replacement(name)?;
    if charset == UTF_8 {
        return Some(text);
    }
    let (back, _, lossy) = charset.encode(&text);
    let is_back = !lossy && back.as_ref() == name;
    // Control characters beyond ASCII stand for bytes that the set does not define.
    (is_back && !text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c))).then_some(text)
}

/// The likeliest set. Names are parted by line feeds, which stand in none.
fn detect<'a>(names: impl Iterator<Item = &'a [u8]>) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut any = false;
    for name in names {
        detector.feed(name, false);
        detector.feed(b"\n", false);
        any = true;
    }
    if any { detector.guess(None, Utf8Detection::Deny) } else { WINDOWS_1252 }
}

/// The part that a name belongs to: its own, in whatever order names come.
fn part(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish() % PARTS
}

#[cfg(test)]
mod tests {
    use encoding_rs::*;

    use super::*;

    fn evidence<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Evidence {
        let mut evidence = Evidence::default();
        names.into_iter().for_each(|name| evidence.add(name));
        evidence
    }

    fn in_charset(names: &[&str], charset: &'static Encoding) -> Evidence {
        let bytes: Vec<_> = names.iter().map(|name| charset.encode(name).0.into_owned()).collect();
        evidence(bytes.iter().map(Vec::as_slice))
    }

    #[test]
    fn sets_of_many_lands() {
        let mut wrong = Vec::new();
        for (charset, names) in [
            (GBK, &["财务报表2024.xls", "会议纪要.doc", "照片", "合同扫描件.pdf", "新建文件夹", "客户名单.txt"][..]),
            (BIG5, &["財務報表2024.xls", "會議紀錄.doc", "照片", "合約掃描檔.pdf", "新資料夾", "客戶名單.txt"]),
            (SHIFT_JIS, &["売上報告書.xls", "会議議事録.doc", "写真", "契約書スキャン.pdf", "新しいフォルダ"]),
            (EUC_JP, &["売上報告書.xls", "会議議事録.doc", "写真のフォルダ", "契約書スキャン.pdf"]),
            (EUC_KR, &["매출보고서.xls", "회의록.doc", "사진", "계약서 스캔.pdf", "새 폴더", "고객명단.txt"]),
            (WINDOWS_1251, &["Отчёт о продажах.xls", "Протокол.doc", "Фотографии", "Новая папка", "Список клиентов"]),
            (KOI8_U, &["Отчёт о продажах.xls", "Протокол.doc", "Фотографии", "Новая папка", "Список клиентов"]),
            (WINDOWS_1252, &["Übersicht.xls", "Verträge", "Größen und Maße", "Café à Liège", "señor.txt"]),
            (WINDOWS_1253, &["Αναφορά πωλήσεων.xls", "Πρακτικά.doc", "Φωτογραφίες", "Νέος φάκελος"]),
            (WINDOWS_1254, &["Satış raporu.xls", "Toplantı tutanağı.doc", "Fotoğraflar", "Müşteri listesi şubat"]),
            (WINDOWS_1255, &["דוח מכירות.xls", "פרוטוקול.doc", "תמונות", "תיקייה חדשה"]),
            (WINDOWS_1256, &["تقرير المبيعات.xls", "محضر الاجتماع.doc", "صور", "مجلد جديد"]),
            (WINDOWS_874, &["รายงานการขาย.xls", "รายงานการประชุม.doc", "รูปภาพ", "โฟลเดอร์ใหม่"]),
            (WINDOWS_1250, &["Zpráva o prodeji.xls", "Zápis ze schůze.doc", "Nová složka", "Příliš žluťoučký kůň"]),
        ] {
            let evidence = in_charset(names, charset);
            let Verdict::Legacy { guess, utf8: 0 } = evidence.verdict() else { panic!("{}", charset.name()) };
            if guess.charset != charset || !guess.is_sure() {
                wrong.push(format!("{}: {guess:?}", charset.name()));
            }
            assert!(evidence.suits(charset));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn utf8_is_proven_or_refuted() {
        assert_eq!(evidence([&b"plain"[..], b"names"]).verdict(), Verdict::Ascii);
        assert_eq!(evidence(["中文名".as_bytes(), b"x"]).verdict(), Verdict::Utf8 { proven: true });
        // "联通" in GBK is UTF-8 as well, by accident.
        // One Chinese character in GBK is one of UTF-8 as well, by accident.
        let pun = GBK.encode("模").0.into_owned();
        assert_eq!(evidence([pun.as_slice()]).verdict(), Verdict::Utf8 { proven: false });
        let mut mixed = in_charset(&["财务报表", "会议纪要", "合同扫描件"], GBK);
        mixed.add("中文".as_bytes());
        let Verdict::Legacy { guess, utf8 } = mixed.verdict() else { panic!("refuted") };
        assert_eq!((guess.charset, utf8), (GBK, 1));
    }

    #[test]
    fn little_evidence_makes_no_sure_guess() {
        let Verdict::Legacy { guess, .. } = in_charset(&["财务报表的会议纪要"], GBK).verdict() else {
            panic!("refuted")
        };
        assert!(!guess.is_sure(), "{guess:?}");
        // Two sets in one folder: not every name fits whatever is guessed, or the parts disagree.
        let mut two = in_charset(&["财务报表", "会议纪要", "合同扫描件", "客户名单"], GBK);
        for name in ["売上報告書のカナ", "会議議事録のカナ", "契約書スキャン"] {
            two.add(&SHIFT_JIS.encode(name).0);
        }
        let Verdict::Legacy { guess, .. } = two.verdict() else { panic!("refuted") };
        assert!(!guess.is_sure(), "{guess:?}");
    }

    #[test]
    fn only_what_leads_back_is_text() {
        assert_eq!(decode(b"\xd6\xd0", GBK).as_deref(), Some("中"));
        assert_eq!(decode(b"\xd6\xff", GBK), None);
        assert_eq!(decode(b"\x81", WINDOWS_1252), None, "a byte that the set does not define");
        // Two codes of one character: only one of them leads back.
        let twins = [&b"\x87\x90"[..], b"\x81\xe0"];
        let texts = twins.map(|name| SHIFT_JIS.decode_without_bom_handling(name).0);
        assert_eq!(texts[0], texts[1]);
        assert_eq!(twins.iter().filter(|name| decode(name, SHIFT_JIS).is_some()).count(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut evidence = Evidence::default();
        for n in 0..20_000_u32 {
            evidence.add(&[&GBK.encode("会议纪要").0[..], n.to_string().as_bytes()].concat());
        }
        assert!(evidence.kept <= KEPT && evidence.other == 20_000);
        assert!(matches!(evidence.verdict(), Verdict::Legacy { guess, .. } if guess.charset == GBK && guess.is_sure()));
    }
}
