//! Directory listings of every kind: the same entries come out however the bytes are cut, and none has a name that
//! leaves its folder.
#![no_main]

use causeway::model::{Entry, ServerZone};
use causeway::remote::ftp::listing::{Form, Parser, Zone};
use libfuzzer_sys::fuzz_target;

fn parse(form: Form, pieces: &[&[u8]]) -> Vec<Entry> {
    let zone = Zone::new(jiff::Timestamp::UNIX_EPOCH, &ServerZone::default());
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
    assert_eq!(whole, parse(form, &[first, second]));
    for entry in whole {
        let name = entry.name.as_bytes();
        assert!(!name.is_empty() && !matches!(name, b"." | b".."));
        assert!(!name.iter().any(|byte| matches!(byte, b'/' | b'\0' | b'\r' | b'\n')));
    }
});
