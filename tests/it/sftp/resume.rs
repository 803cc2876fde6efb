//! Uploads that are cut off: nobody sees them, nothing is torn, and whoever sent them can go on.

use std::time::Duration;

use super::door::{Fixture, good, noise};
use super::raw::Field::{L, S, U};
use super::raw::{Raw, request};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const WRITE: u8 = 6;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const STAT: u8 = 17;

/// WRITE | CREAT | TRUNC, WRITE | CREAT, WRITE | CREAT | APPEND.
const ANEW: u32 = 0x1a;
const ON: u32 = 0x0a;
const APPEND: u32 = 0x0e;

const BLOCK: usize = 32_000;

/// Sends the blocks of `content` with these numbers and leaves without a word.
fn cut(f: &Fixture, name: &[u8], content: &[u8], blocks: &[usize]) {
    let mut raw = Raw::greeted(f, "anna");
    let file = raw.handle(OPEN, 1, &[S(name), U(ANEW), U(0)]);
    for block in blocks {
        let data = &content[block * BLOCK..content.len().min((block + 1) * BLOCK)];
        assert_eq!(raw.status(WRITE, 2, &[S(&file), L((block * BLOCK) as u64), S(data)]), 0);
    }
    drop(raw);
}

/// The size that STAT tells, if there is a file.
fn size(raw: &mut Raw, name: &[u8]) -> Option<u64> {
    let (kind, body) = raw.ask(STAT, 3, &[S(name)]);
    (kind == 105).then(|| u64::from_be_bytes(body[4..12].try_into().unwrap()))
}

/// Waits until the door has noticed that the upload of `name` was cut off.
fn kept(f: &Fixture, raw: &mut Raw, name: &[u8], expected: u64) {
    f.eventually("what has arrived is kept", || size(raw, name) == Some(expected));
}

#[test]
fn openssh_and_lftp_go_on_with_what_was_cut_off() {
    let f = Fixture::new();
    let content = noise(10 * BLOCK);
    std::fs::write(f.local("file"), &content).unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    for name in ["by-sftp", "by-lftp"] {
        cut(&f, name.as_bytes(), &content, &[0, 1, 2, 3]);
        kept(&f, &mut raw, name.as_bytes(), 4 * BLOCK as u64 - 1);
        assert_eq!(size(&mut Raw::greeted(&f, "reader"), name.as_bytes()), None, "others see nothing");
        assert_eq!(raw.status(OPEN, 4, &[S(name.as_bytes()), U(1), U(0)]), 2, "nobody reads half a file");
        let folder = raw.handle(OPENDIR, 5, &[S(b"/")]);
        let (_, listed) = raw.ask(READDIR, 6, &[S(&folder)]);
        assert!(!String::from_utf8_lossy(&listed).contains(name), "and no listing has it");
    }
    let said = good(&f.sftp("anna", &["-v"], &format!("reput {} by-sftp\n", f.local("file").display())));
    good(&f.lftp(&format!("put -c {} -o by-lftp", f.local("file").display())));
    for name in ["by-sftp", "by-lftp"] {
        assert!(std::fs::read(f.served(name)).unwrap() == content, "{name}: {said}");
    }
    assert_eq!(f.names(""), ["by-lftp", "by-sftp"], "nothing is kept any more");
    let received: u64 = uploaded(f).into_iter().filter(|bytes| *bytes != 4 * BLOCK as u64).sum();
    assert_eq!(received, 2 * (6 * BLOCK as u64 + 1), "only what was missing came again");
}

/// Bytes of each transfer that was seen.
fn uploaded(mut f: Fixture) -> Vec<u64> {
    use causeway::reliability::What;
    let mut all = Vec::new();
    while let Ok(seen) = f.observations.try_recv() {
        if let What::Transfer { bytes, .. } = seen.what {
            all.push(bytes);
        }
    }
    all
}

#[test]
fn whoever_does_not_go_on_begins_anew() {
    let f = Fixture::new();
    let content = noise(4 * BLOCK);
    let mut raw = Raw::greeted(&f, "anna");
    // From the start, without TRUNC: a shorter file than what was kept.
    cut(&f, b"a", &content, &[0, 1]);
    kept(&f, &mut raw, b"a", 2 * BLOCK as u64 - 1);
    let file = raw.handle(OPEN, 1, &[S(b"a"), U(ON), U(0)]);
    assert_eq!(raw.status(WRITE, 2, &[S(&file), L(0), S(b"short")]), 0);
    assert_eq!(raw.status(CLOSE, 3, &[S(&file)]), 0);
    assert_eq!(std::fs::read(f.served("a")).unwrap(), b"short");
    // Opened and closed: half a file does not appear, and is still there to go on with.
    cut(&f, b"b", &content, &[0, 1]);
    kept(&f, &mut raw, b"b", 2 * BLOCK as u64 - 1);
    for also_dated in [false, true] {
        let file = raw.handle(OPEN, 4, &[S(b"b"), U(APPEND), U(0)]);
        if also_dated {
            assert_eq!(raw.status(FSETSTAT, 5, &[S(&file), U(8), U(7), U(8)]), 0);
        }
        assert_eq!(raw.status(CLOSE, 6, &[S(&file)]), 4, "nothing was sent");
        assert_eq!(size(&mut raw, b"b"), Some(2 * BLOCK as u64 - 1));
    }
    // Made shorter: no more is kept than is left of it, and nothing that nobody sent.
    let file = raw.handle(OPEN, 4, &[S(b"b"), U(ON), U(0)]);
    assert_eq!(raw.status(FSETSTAT, 5, &[S(&file), U(1), L(10)]), 0);
    assert_eq!(raw.status(CLOSE, 6, &[S(&file)]), 4);
    assert_eq!(size(&mut raw, b"b"), Some(10));
    assert!(std::fs::metadata(f.served("b")).is_err());
    // Removed: it is gone.
    assert_eq!(raw.status(REMOVE, 7, &[S(b"b")]), 0);
    assert_eq!(raw.status(REMOVE, 8, &[S(b"b")]), 2);
    assert_eq!(f.names(""), ["a"]);
}

#[test]
fn only_what_came_without_a_gap_is_kept() {
    let f = Fixture::new();
    let content = noise(6 * BLOCK);
    let mut raw = Raw::greeted(&f, "anna");
    for (name, blocks, expected) in [(b"gap", &[0, 1, 3, 5][..], 2), (b"mix", &[2, 0, 1, 5], 3)] {
        cut(&f, name, &content, blocks);
        kept(&f, &mut raw, name, (expected * BLOCK) as u64 - 1);
    }
    cut(&f, b"end", &content, &[5]);
    std::fs::write(f.local("file"), &content).unwrap();
    good(&f.sftp("anna", &[], &format!("reput {0} gap\nreput {0} mix\n", f.local("file").display())));
    for name in ["gap", "mix"] {
        assert!(std::fs::read(f.served(name)).unwrap() == content, "{name}");
    }
    f.eventually("of a file without a beginning nothing is kept", || f.names("") == ["gap", "mix"]);
}

#[test]
fn the_end_of_a_new_file_is_not_added_to_an_old_one() {
    let f = Fixture::new();
    let (old, new) = (vec![b'o'; 2 * BLOCK], noise(6 * BLOCK));
    std::fs::write(f.served("x"), &old).unwrap();
    std::fs::write(f.local("x"), &new).unwrap();
    let parts = || f.names("").len() > 1;
    cut(&f, b"x", &new, &[0, 1, 2]);
    f.eventually("what has arrived is kept", parts);
    let reput = format!("reput {} x\n", f.local("x").display());
    let out = f.sftp("anna", &[], &reput);
    assert!(!out.status.success(), "{out:?}");
    assert_eq!(std::fs::read(f.served("x")).unwrap(), old, "the old file is as it was");
    good(&f.sftp("anna", &[], &format!("put {} x\n", f.local("x").display())));
    assert!(std::fs::read(f.served("x")).unwrap() == new);
    assert_eq!(f.names(""), ["x"]);
    // A file that has only grown begins alike: its end may be added.
    let longer = [&new[..], b"and more"].concat();
    cut(&f, b"x", &longer, &[0, 1]);
    f.eventually("what has arrived is kept", parts);
    std::fs::write(f.local("x"), &longer).unwrap();
    good(&f.sftp("anna", &[], &reput));
    assert!(std::fs::read(f.served("x")).unwrap() == longer);
}

/// Nothing but the old file or the whole new one is ever under the name, wherever the session is cut.
#[test]
fn a_session_cut_at_every_packet_of_an_upload() {
    let f = Fixture::new();
    let content = noise(3 * BLOCK);
    let packets = |handle: &[u8]| {
        let write = |block: usize| {
            let data = &content[block * BLOCK..(block + 1) * BLOCK];
            request(WRITE, 2, &[S(handle), L((block * BLOCK) as u64), S(data)])
        };
        let dated = request(FSETSTAT, 3, &[S(handle), U(8), U(7), U(8)]);
        [write(0), write(1), write(2), dated, request(CLOSE, 4, &[S(handle)])]
    };
    let mut expected = Vec::new();
    for old in [None, Some(b"old".to_vec())] {
        for (whole, half) in (0..=5).flat_map(|whole| [(whole, false), (whole, true)]) {
            let name = format!("{}-{whole}-{half}", old.is_some());
            if let Some(old) = &old {
                std::fs::write(f.served(&name), old).unwrap();
            }
            let mut raw = Raw::greeted(&f, "anna");
            let handle = raw.handle(OPEN, 1, &[S(name.as_bytes()), U(ANEW), U(0)]);
            let packets = packets(&handle);
            for packet in packets.iter().take(whole) {
                raw.send(packet);
            }
            for _ in packets.iter().take(whole) {
                assert_eq!(raw.packet()[0], 101);
            }
            if let Some(packet) = packets.get(whole).filter(|_| half) {
                raw.bytes(&(packet.len() as u32).to_be_bytes());
                raw.bytes(&packet[..packet.len() / 2]);
            }
            expected.push((name, if whole == 5 { Some(content.clone()) } else { old.clone() }));
        }
    }
    assert!(f.runtime().block_on(f.tasks.drain(Duration::from_secs(20))), "every channel has ended");
    for (name, expected) in expected {
        assert!(std::fs::read(f.served(&name)).ok() == expected, "{name}");
    }
}
