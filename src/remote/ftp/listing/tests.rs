//! Lines as servers write them.

use proptest::prelude::*;

use super::*;
use crate::remote::{Doubt, Reading};

fn zone() -> Zone {
    Zone::new(date::test_now(), &ServerZone::default())
}

fn run(form: Form, text: &[u8]) -> (Vec<Entry>, Tally) {
    let mut parser = Parser::new(form, zone());
    let mut out = Vec::new();
    parser.push(text, &mut out);
    parser.end(&mut out);
    (out, parser.tally().clone())
}

fn one(line: &str) -> Entry {
    let (entries, tally) = run(Form::Lines, format!("{line}\r\n").as_bytes());
    assert!(tally.doubts().is_empty(), "{line}: {tally:?}");
    entries.into_iter().next().unwrap_or_else(|| panic!("no entry in {line}"))
}

#[test]
fn unix_lines_of_every_kind() {
    for (line, name, size, time) in [
        ("-rw-r--r--    1 0        0               2 Nov 23 11:20 a b", "a b", 2, "2026-11-23T11:20:00Z"),
        ("-rw-r--r--+ 1 Domain Users 17 Jan  1  2030 x", "x", 17, "2030-01-01T00:00:00Z"),
        ("-rw-r--r--. 1 anna staff 17 Dec 24 23:59 x", "x", 17, "2025-12-24T23:59:00Z"),
        ("-rw-r--r--@ 1 anna 17 Mär  5  2021 x", "x", 17, "2021-03-05T00:00:00Z"),
        ("-rw-r--r-- 1 a b 17 5. Mai 2021 x", "x", 17, "2021-05-05T00:00:00Z"),
        ("-rw-r--r-- 1 a b 17 août 5 2021 x", "x", 17, "2021-08-05T00:00:00Z"),
        ("-rw-r--r-- 1 a b 17 дек 31 2021 x", "x", 17, "2021-12-31T00:00:00Z"),
        ("-rw-r--r-- 1 a b 17 6月 12 10:00 x", "x", 17, "2026-06-12T10:00:00Z"),
        ("-rw-r--r-- 1 a b 17 2024-05-06 07:08 x", "x", 17, "2024-05-06T07:08:00Z"),
        ("-rw-r--r-- 1 a b 17 2024-05-06 07:08:09.12 +0200 x", "x", 17, "2024-05-06T05:08:09Z"),
        ("-rw-r--r-- 1 a b 17 May  6 07:08:09 2024 x", "x", 17, "2024-05-06T07:08:09Z"),
        ("-rw-r--r-- 1 May 6 17 Feb 29  2024  lead", " lead", 17, "2024-02-29T00:00:00Z"),
        ("-rw-r--r-- 1 a b 5000000000 May 6 2024 big -> name", "big -> name", 5_000_000_000, "2024-05-06T00:00:00Z"),
        ("  1234 8 -rw-r--r-- 1 a b 17 May 6 2024 2024-01-01 00:00", "2024-01-01 00:00", 17, "2024-05-06T00:00:00Z"),
    ] {
        let entry = one(line);
        assert_eq!(entry.name.as_bytes(), name.as_bytes(), "{line}");
        assert_eq!((entry.size, entry.kind), (Some(size), EntryKind::File), "{line}");
        assert_eq!(entry.mtime.unwrap().at, time.parse().unwrap(), "{line}");
    }
}

fn names_and_times(text: &str) -> Vec<(String, String)> {
    let (entries, tally) = run(Form::Lines, text.as_bytes());
    assert!(tally.doubts().is_empty(), "{text}: {tally:?}");
    let told = |entry: &Entry| entry.mtime.map_or_else(String::new, |mtime| mtime.at.to_string());
    entries.iter().map(|e| (String::from_utf8(e.name.as_bytes().to_vec()).unwrap(), told(e))).collect()
}

#[test]
fn a_name_that_begins_like_the_end_of_a_time_is_whole() {
    for (text, expected) in [
        // Times of 24 hours, which one line shows or nothing speaks against.
        (
            "-rw-r--r-- 1 a b 1 Jun  1 10:30 PM report.doc\n-rw-r--r-- 1 a b 1 Jun  1 10:31 x\n",
            [("PM report.doc", "2026-06-01T10:30:00Z"), ("x", "2026-06-01T10:31:00Z")],
        ),
        (
            "-rw-r--r-- 1 a b 1 Jun  1 10:30 am Montag\n-rw-r--r-- 1 a b 1 Jun  1 13:30 am Abend\n",
            [("am Montag", "2026-06-01T10:30:00Z"), ("am Abend", "2026-06-01T13:30:00Z")],
        ),
        // Those of twelve, as every line shows.
        (
            "-rw-r--r-- 1 a b 1 Jun  1 10:30 PM report.doc\n-rw-r--r-- 1 a b 1 Jun  1 12:05 am x\n",
            [("report.doc", "2026-06-01T22:30:00Z"), ("x", "2026-06-01T00:05:00Z")],
        ),
        (
            "-rw-r--r-- 1 a b 1 Jan 12 10:30 2019 report\n-rw-r--r-- 1 a b 1 Jan 12 10:30:01 2019 report 2\n",
            [("2019 report", "2026-01-12T10:30:00Z"), ("report 2", "2019-01-12T10:30:01Z")],
        ),
        (
            "-rw-r--r-- 1 a b 1 Jan 12 10:30:00 2019 report\n-rw-r--r-- 1 a b 1 Jan 12 10:30:01 x\n",
            [("2019 report", "2026-01-12T10:30:00Z"), ("x", "2026-01-12T10:30:01Z")],
        ),
        // Zones stand behind times to the second only.
        (
            "-rw-r--r-- 1 a b 1 2024-05-06 07:08 +0200 calls\n-rw-r--r-- 1 a b 1 2024-05-06 07:08:09.5 +0200 x\n",
            [("+0200 calls", "2024-05-06T07:08:00Z"), ("x", "2024-05-06T05:08:09Z")],
        ),
    ] {
        let expected = expected.map(|(name, time)| (name.to_owned(), time.to_owned()));
        assert_eq!(names_and_times(text), expected, "{text}");
    }
    let alone = names_and_times("-rw-r--r-- 1 a b 1 Jun  1 10:30 PM report.doc\n");
    assert_eq!(alone, [("PM report.doc".to_owned(), "2026-06-01T10:30:00Z".to_owned())]);
}

#[test]
fn a_zone_behind_a_time_belongs_to_it() {
    for (time, at) in [
        ("2024-05-06 07:08:09Z", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09.5+02:00", "2024-05-06T05:08:09Z"),
        ("2024-05-06T07:08:09 -0330", "2024-05-06T10:38:09Z"),
        ("2024-05-06 07:08:09 +02:00", "2024-05-06T05:08:09Z"),
        ("2024-05-06 07:08:09.123456789 +0200", "2024-05-06T05:08:09Z"),
        ("2024-05-06T07:08", "2024-05-06T07:08:00Z"),
    ] {
        let all = names_and_times(&format!("-rw-r--r-- 1 a b 1 {time} 10:30 x\n"));
        assert_eq!(all, [("10:30 x".to_owned(), at.to_owned())], "{time}");
    }
    let (entries, tally) = run(Form::Lines, b"-rw-r--r-- 1 a b 1 2024-05-06Tnoon 10:30 x\n");
    assert!(entries.is_empty() && tally.unparsed == 1, "a time that is none is not another one: {entries:?}");
}

#[test]
fn a_size_that_no_file_has_is_unknown() {
    for size in [u64::MAX, i64::MAX as u64 + 1] {
        assert_eq!(one(&format!("-rw-r--r-- 1 a b {size} Jun  1 10:30 x")).size, None);
        let (entries, _) = run(Form::Facts, format!("type=file;size={size}; x\n").as_bytes());
        assert_eq!(entries[0].size, None);
    }
    assert_eq!(one(&format!("-rw-r--r-- 1 a b {} Jun  1 10:30 x", i64::MAX)).size, Some(i64::MAX as u64));
}

#[test]
fn a_name_that_ends_like_a_version_of_vms_is_whole() {
    let line = "-rw-r--r-- 1 a b 1 Jun  1 10:30 ";
    let text = format!("{line}report;1\n{line}report;2\n{line}x\n11-23-26  07:08PM 9 mixed;3\n");
    let names: Vec<_> = names_and_times(&text).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["report;1", "report;2", "x", "mixed;3"]);
    // On VMS a name alone goes on in the next line; where it does not, nothing is made up.
    let (entries, tally) =
        run(Form::Lines, b"A.TXT;1  5 24-APR-2003 08:16\nA_LONG_NAME.TXT;1\n  5 24-APR-2003 08:16\nX;1\n");
    assert_eq!(entries.iter().map(|e| e.name.as_bytes()).collect::<Vec<_>>(), [&b"A.TXT"[..], b"A_LONG_NAME.TXT"]);
    assert!(matches!(&tally.doubts()[..], [Doubt::Unparsed { count: 1, first }] if first == "X;1"), "{tally:?}");
}

#[test]
fn links_directories_and_modes() {
    let link = one("lrwxrwxrwx 1 a b 6 May  6  2024 a -> b -> target");
    assert_eq!(link.name.as_bytes(), b"a -> b");
    assert_eq!(link.kind, EntryKind::Symlink(Some(b"target".to_vec())));
    let dir = one("drwxr-sr-t 2 a b 4096 May  6  2024 dir");
    assert_eq!((dir.kind, dir.mode, dir.size), (EntryKind::Dir, Some(0o3755), None));
    assert_eq!(one("crw-rw---- 1 root tty 4, 64 May  6  2024 tty").kind, EntryKind::Special);
    // The day does not exist: the entry does.
    let odd = one("-rw-r--r-- 1 a b 17 Feb 30 2024 x");
    assert_eq!((odd.mtime, odd.size), (None, Some(17)));
}

#[test]
fn dos_lines() {
    for (line, name, time) in [
        ("11-23-26  07:08PM       <DIR>          My Folder", "My Folder", "2026-11-23T19:08:00Z"),
        ("11-23-2026  12:05AM                 1234 a b.txt", "a b.txt", "2026-11-23T00:05:00Z"),
        ("2026-11-23  17:05            1,234 x", "x", "2026-11-23T17:05:00Z"),
        ("23.11.2026  17:05            1.234 x", "x", "2026-11-23T17:05:00Z"),
        ("25/12/25 17:05 99 x", "x", "2025-12-25T17:05:00Z"),
    ] {
        let entry = one(line);
        assert_eq!(entry.name.as_bytes(), name.as_bytes(), "{line}");
        assert_eq!(entry.mtime.unwrap().at, time.parse().unwrap(), "{line}");
    }
    let link = one("11-23-26  07:08PM       <SYMLINKD>     link [C:\\x]");
    assert_eq!(link.kind, EntryKind::Symlink(Some(b"C:\\x".to_vec())));
    let (entries, _) = run(Form::Lines, b"01-02-26 10:00 1 a\r\n13-02-26 10:00 1 b\r\n");
    assert_eq!(entries[0].mtime.unwrap().at, "2026-02-01T10:00:00Z".parse().unwrap(), "the listing votes");
}

#[test]
fn facts_with_their_quirks() {
    let text = b"type=cdir;modify=20240506070809; .\r\nType=file;Size=5;Modify=20240506070809.123;UNIX.mode=0644; a;b \r\n\
        type=OS.unix=slink:/x y;size=3; l\r\nsize=abc;modify=00010101000000;type=dir;UNIX.mode=00; d\r\ntype=file n\r\n nonsense; x\r\nzzz\r\n";
    let (entries, tally) = run(Form::Facts, text);
    let names = entries.iter().map(|e| String::from_utf8_lossy(e.name.as_bytes()).into_owned()).collect::<Vec<_>>();
    assert_eq!(names[..4], ["a;b ", "l", "d", "n"]);
    assert_eq!((entries[0].size, entries[0].mode), (Some(5), Some(0o644)));
    assert_eq!(entries[0].mtime.unwrap().at, "2024-05-06T07:08:09Z".parse().unwrap());
    assert_eq!(entries[1].kind, EntryKind::Symlink(Some(b"/x y".to_vec())));
    assert_eq!((entries[2].size, entries[2].mtime, entries[2].mode), (None, None, None));
    assert_eq!(tally.dots, 1);
    assert!(matches!(tally.doubts()[0], Doubt::Unparsed { .. }));
}

#[test]
fn nothing_vanishes_silently() {
    let text =
        b"total 12\nls: cannot open directory '.': Permission denied\n-rw-r--r-- 1 a b 1 May  6  2024 x/y\nhello\n";
    let (entries, tally) = run(Form::Lines, text);
    assert!(entries.is_empty());
    assert_eq!(tally.noise, 1);
    assert!(matches!(tally.doubts()[0], Doubt::Unparsed { count: 2, .. }), "{tally:?}");
    assert!(matches!(tally.doubts()[1], Doubt::BadNames { count: 1, .. }));
}

#[test]
fn half_a_line_names_nothing() {
    let text = b"-rw-r--r-- 1 a b 1 May  6  2024 report.csv\r\n-rw-r--r-- 1 a b 1 May  6  2024 repo";
    let (entries, tally) = run(Form::Lines, text);
    assert_eq!(entries.len(), 1);
    assert!(
        matches!(&tally.doubts()[..], [Doubt::Unparsed { count: 1, first }] if first.ends_with("repo")),
        "{tally:?}"
    );
}

/// What came out: entries, tally, how each line was read.
fn read_in_pieces(form: Form, text: &[u8], piece: usize) -> (Vec<Entry>, Tally, Vec<Reading>) {
    let mut parser = Parser::new(form, zone());
    let mut out = Vec::new();
    for piece in text.chunks(piece.max(1)) {
        parser.push(piece, &mut out);
    }
    parser.end(&mut out);
    let readings = parser.readings();
    (out, parser.tally().clone(), readings)
}

/// Every listing of the fixtures, and all of them in one, which is longer than what votes.
fn fixtures() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/listings");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    files.sort();
    let mut listings: Vec<_> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(listings.len() >= 40);
    listings.push(listings.concat().repeat(4));
    listings
}

#[test]
fn however_the_bytes_come_the_entries_are_the_same() {
    for text in fixtures() {
        for form in [Form::Lines, Form::Facts, Form::Names] {
            let whole = read_in_pieces(form, &text, text.len());
            for piece in [1, 2, 3, 7, 64, 1000, 32 << 10] {
                if text.len() > 20_000 && piece < 64 {
                    continue;
                }
                assert_eq!(read_in_pieces(form, &text, piece), whole, "{piece}: {}", String::from_utf8_lossy(&text));
            }
        }
    }
}

#[test]
fn every_line_is_accounted_for() {
    for text in fixtures() {
        let (entries, tally, readings) = read_in_pieces(Form::Lines, &text, 4096);
        let lines = text.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).count() as u64;
        let blank = text.iter().filter(|b| **b == b'\n').count() as u64 - lines;
        // A name that stands on a line of its own (VMS) makes one of two.
        let joined = text.windows(5).filter(|five| five == b"TXT;1").count() as u64;
        assert_eq!(tally.lines(), lines + blank - joined, "{}", String::from_utf8_lossy(&text));
        let told = |reading: &Reading| if let Reading::Entries { count, .. } = reading { *count } else { 0 };
        assert_eq!(readings.iter().map(told).sum::<usize>(), entries.len());
        assert_eq!(tally.entries, entries.len() as u64);
    }
}

#[test]
fn lines_that_nobody_asks_for_cost_bounded_memory() {
    let line = [vec![b'x'; 1000], b"\n-rw-r--r-- 1 a b 1 Nov  2 10:59 y\n".to_vec()].concat();
    let mut parser = Parser::new(Form::Lines, zone());
    let mut out = Vec::new();
    for _ in 0..3000 {
        parser.push(&line, &mut out);
    }
    parser.end(&mut out);
    let readings = parser.readings();
    let kept = readings.iter().filter(|reading| matches!(reading, Reading::Unparsed { .. })).count();
    assert!((900..1100).contains(&kept), "{kept}");
    let entries: usize = readings.iter().map(|r| if let Reading::Entries { count, .. } = r { *count } else { 0 }).sum();
    assert_eq!(entries, 3000);
    assert_eq!(readings.last(), Some(&Reading::MoreUnparsed(3000 - kept as u64)));
    // Asked for in time, nothing is only counted.
    parser.push(&line, &mut out);
    assert_eq!(parser.readings().len(), 2);
}

#[test]
fn a_known_format_needs_no_vote() {
    let (entries, tally) = run(Form::Known(Format::Pds), b"MEMBER1\nMEMBER2 \n");
    assert_eq!((entries.len(), tally.doubts().len()), (2, 0));
    let (entries, tally) = run(Form::Lines, b"MEMBER1\nMEMBER2 \n");
    assert_eq!((entries.len(), tally.doubts().len()), (0, 1), "a name alone is no entry of anything");
    for format in Format::ALL {
        assert_eq!(Format::of_name(format.as_str()), Some(*format));
    }
}

proptest! {
    #[test]
    fn splitting_changes_nothing(cut in 0usize..200) {
        let text = b"total 3\r\ndrwxr-xr-x 2 0 0 4096 May  6  2024 .\r\n-rw-r--r-- 1 0 0 2 Nov 23 11:20 a b\r\n\
            -rw-r--r-- 1 0 0 9 Nov 23 11:20 \xd6\xd0\r\nlrwxrwxrwx 1 0 0 1 Nov 23 11:20 l -> x\r\n";
        let cut = cut.min(text.len());
        let mut parser = Parser::new(Form::Lines, zone());
        let mut out = Vec::new();
        parser.push(&text[..cut], &mut out);
        parser.push(&text[cut..], &mut out);
        parser.end(&mut out);
        prop_assert_eq!(&out, &run(Form::Lines, text).0);
        prop_assert_eq!(out.len(), 3);
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for form in [Form::Facts, Form::Lines, Form::Names] {
            let _ = run(form, &bytes);
        }
    }

    #[test]
    fn never_panics_on_lines_that_were_bent(pick in any::<prop::sample::Index>(), bends in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let listings = fixtures();
        let mut text = pick.get(&listings[..listings.len() - 1]).clone();
        for (at, byte) in bends {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let whole = read_in_pieces(Form::Lines, &text, text.len());
        prop_assert_eq!(&whole, &read_in_pieces(Form::Lines, &text, 5));
        for format in Format::ALL {
            let _ = run(Form::Known(*format), &text);
        }
    }

    #[test]
    fn never_panics_on_almost_lines(text in "[-dl rwx0-9:A-Za-z<>;=.]{0,90}\n[0-9-]{6,10} +[0-9:]{4,6}[AP]?M? [<>A-Z0-9]+ .*") {
        for form in [Form::Facts, Form::Lines] {
            let _ = run(form, text.as_bytes());
        }
    }
}

#[test]
fn the_tail_of_an_overlong_line_is_no_line() {
    let tail = b"-rw-r--r-- 1 a b 17 May  6  2024 ghost\n-rw-r--r-- 1 a b 17 May  6  2024 real\n";
    let text = [vec![b'x'; parser::MAX_LINE + 10], tail.to_vec()].concat();
    for cut in [1, 100, parser::MAX_LINE + 5, parser::MAX_LINE + 10, parser::MAX_LINE + 20, text.len()] {
        let mut parser = Parser::new(Form::Lines, zone());
        let mut out = Vec::new();
        parser.push(&text[..cut], &mut out);
        parser.push(&text[cut..], &mut out);
        parser.end(&mut out);
        assert_eq!(out.len(), 1, "cut at {cut}");
        assert_eq!(out[0].name.as_bytes(), b"real");
        assert_eq!(parser.tally().lines(), 2);
    }
}
