//! Directory listings of every kind: the same entries come out however the bytes are cut, and none has a name that
//! leaves its folder.
#![no_main]

use causeway::model::Entry;
use causeway::remote::ftp::listing::{Form, Parser, Zone};
use libfuzzer_sys::fuzz_target;

fn parse(form: Form, pieces: &[&[u8]]) -> Vec<Entry> {
    let zone = Zone { now: jiff::Timestamp::UNIX_EPOCH, minutes: 0 };
    let mut parser = Parser::new(form, zone);
    let mut out = Vec::new();
    for piece in pieces {
        parser.push(piece, &mut out);
    }
    parser.end(&mut out);
    assert_eq!(parser.tally().entries, out.len() as u64);
    out
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, text)) = input.split_first() else { return };
    let form = [Form::Facts, Form::Lines, Form::Names][usize::from(choice % 3)];
    let whole = parse(form, &[text]);
    let (first, second) = text.split_at(usize::from(choice / 3).min(text.len()));
    // Lists of lines vote once for the order of day and month: a cut before the vote may change times, not names.
    let names = |entries: &[Entry]| entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&whole), names(&parse(form, &[first, second])));
    for entry in whole {
        let name = entry.name.as_bytes();
        assert!(!name.is_empty() && !matches!(name, b"." | b".."));
        assert!(!name.iter().any(|byte| matches!(byte, b'/' | b'\0' | b'\r' | b'\n')));
    }
});
