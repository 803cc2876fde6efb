//! What an ordinary client never does.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use causeway::reliability::{Direction, End, What};
use causeway::serve::sftp::{self, Settings};

use super::door::{Fixture, good, noise};
use super::raw::Field::{L, S, U};
use super::raw::{Raw, request};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const FSTAT: u8 = 8;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const STAT: u8 = 17;
const RENAME: u8 = 18;

const PUT: u32 = 0x1a;

#[test]
fn damaged_packets_end_the_channel_with_a_reason() {
    let f = Fixture::new();
    let oversized = 300_000_u32.to_be_bytes().to_vec();
    let cases: [(&str, Vec<u8>); 5] = [
        ("a packet of 300000 bytes", oversized),
        ("a packet of 0 bytes", vec![0; 4]),
        ("a packet of 4294967295 bytes", vec![255; 4]),
        ("ends in the middle of a field", [&[0, 0, 0, 9][..], &[4, 0, 0, 0, 1, 0, 0, 1, 0]].concat()),
        ("must be INIT", [&[0, 0, 0, 5][..], &[1, 0, 0, 0, 3]].concat()),
    ];
    for (reason, bytes) in cases {
        let mut raw = Raw::greeted(&f, "anna");
        raw.bytes(&bytes);
        let said = raw.ended();
        assert!(said.contains(reason), "{reason}: {said}");
    }
    let mut raw = Raw::new(&f, "anna");
    raw.send(&request(STAT, 1, &[S(b"/")]));
    assert!(raw.ended().contains("must be INIT"));
}

#[test]
fn every_answer_bears_its_number_and_code() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "12345").unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    assert_eq!(raw.status(99, 1, &[]), 8, "unknown request");
    assert_eq!(raw.status(200, 2, &[S(b"no@such")]), 8, "unknown extension");
    assert_eq!(raw.status(STAT, 3, &[S(b"none")]), 2);
    assert_eq!(raw.status(STAT, 4, &[S(b"a/b")]), 2);
    assert_eq!(raw.status(STAT, 5, &[S(b"a\0b")]), 5);
    assert_eq!(raw.status(STAT, 6, &[S(&[b'x'; 300])]), 5);
    assert_eq!(raw.status(STAT, 7, &[S(b".causeway-trash")]), 3);
    for handle in [&b"nope"[..], b"", b"\0\0\0\x63", b"too long to be a handle"] {
        for kind in [CLOSE, FSTAT, READDIR] {
            assert_eq!(raw.status(kind, 8, &[S(handle)]), 4);
        }
        assert_eq!(raw.status(READ, 9, &[S(handle), L(0), U(10)]), 4);
        assert_eq!(raw.status(WRITE, 9, &[S(handle), L(0), S(b"x")]), 4);
    }
    let file = raw.handle(OPEN, 10, &[S(b"/../../a"), U(1), U(0)]);
    assert_eq!(raw.ask(READ, 11, &[S(&file), L(3), U(100)]), (103, b"\0\0\0\x0245".to_vec()));
    assert_eq!(raw.status(READ, 12, &[S(&file), L(5), U(100)]), 1);
    assert_eq!(raw.status(READ, 13, &[S(&file), L(1 << 63), U(u32::MAX)]), 1);
    assert_eq!(raw.status(READ, 14, &[S(&file), L(u64::MAX), U(1)]), 1);
    assert_eq!(raw.status(WRITE, 15, &[S(&file), L(0), S(b"x")]), 4, "opened to read");
    assert_eq!(raw.status(CLOSE, 16, &[S(&file)]), 0);
    assert_eq!(raw.status(CLOSE, 17, &[S(&file)]), 4);
    assert_eq!(raw.status(OPEN, 18, &[S(b"none"), U(2), U(0)]), 2, "no CREAT");
    assert_eq!(raw.status(OPEN, 19, &[S(b"a"), U(0x2a), U(0)]), 4, "EXCL");
    assert_eq!(raw.status(OPENDIR, 20, &[S(b"a")]), 2);
}

/// The service's own files are its own; whoever else has an account on this machine is nobody's business.
#[test]
fn owners_are_told_by_name_only_where_it_is_the_service() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "anna");
    let own = rustix::process::geteuid().as_raw();
    let users = [own.to_be_bytes(), (own + 1).to_be_bytes()].concat();
    let (kind, body) = raw.ask(200, 1, &[S(b"users-groups-by-id@openssh.com"), S(&users), S(b"")]);
    assert_eq!(kind, 201);
    let names = [&[0, 0, 0, 16, 0, 0, 0, 8][..], b"causeway", &[0; 4], &[0; 4]].concat();
    assert_eq!(body, names, "two users, of whom one is told, and no group");
}

#[test]
fn a_broken_upload_is_seen_by_nobody_and_keeps_the_old_file() {
    let mut f = Fixture::new();
    std::fs::write(f.served("old"), "old").unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    for (name, id) in [(&b"new"[..], 1), (b"old", 2)] {
        let file = raw.handle(OPEN, id, &[S(name), U(PUT), U(0)]);
        assert_eq!(raw.status(WRITE, id, &[S(&file), L(0), S(&noise(100_000))]), 0);
        assert_eq!(raw.ask(STAT, id, &[S(name)]).0, 105, "who uploads sees it");
    }
    assert_eq!(std::fs::read(f.served("old")).unwrap(), b"old");
    let parts = || f.names("").into_iter().filter(|name| name.starts_with(".causeway-upload-")).collect::<Vec<_>>();
    let arriving = parts();
    drop(raw);
    // What is kept has another name; while it takes it, an empty file holds the place.
    f.eventually("both are kept", || parts().iter().all(|name| !arriving.contains(name)));
    assert_eq!((arriving.len(), parts().len(), f.names("").len()), (2, 2, 3));
    assert_eq!(std::fs::read(f.served("old")).unwrap(), b"old");
    let mut broken = 0;
    let end = Instant::now() + Duration::from_secs(5);
    while broken < 2 && Instant::now() < end {
        while let Ok(seen) = f.observations.try_recv() {
            if let What::Transfer { direction: Direction::Upload, bytes: 100_000, end: End::Failed(..), .. } = seen.what
            {
                broken += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(broken, 2, "both are counted as broken off");
}

#[test]
fn names_of_unfinished_uploads_can_be_changed_and_removed() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "anna");
    let a = raw.handle(OPEN, 1, &[S(b"a.tmp"), U(PUT), U(0)]);
    assert_eq!(raw.status(WRITE, 2, &[S(&a), L(0), S(b"a")]), 0);
    assert_eq!(raw.status(9, 3, &[S(b"a.tmp"), U(8), U(7), U(8)]), 0, "SETSTAT by name");
    assert_eq!(raw.status(RENAME, 4, &[S(b"a.tmp"), S(b"a")]), 0);
    assert!(std::fs::metadata(f.served("a")).is_err());
    assert_eq!(raw.status(CLOSE, 5, &[S(&a)]), 0);
    assert_eq!(
        std::fs::metadata(f.served("a")).unwrap().modified().unwrap(),
        std::time::UNIX_EPOCH + Duration::from_secs(8)
    );
    let b = raw.handle(OPEN, 6, &[S(b"b"), U(PUT), U(0)]);
    assert_eq!(raw.status(REMOVE, 7, &[S(b"b")]), 0);
    assert_eq!(raw.status(STAT, 8, &[S(b"b")]), 2);
    assert_eq!(raw.status(CLOSE, 9, &[S(&b)]), 0);
    let first = raw.handle(OPEN, 10, &[S(b"race"), U(0x2a), U(0)]);
    let mut other = Raw::greeted(&f, "anna");
    let second = other.handle(OPEN, 10, &[S(b"race"), U(0x2a), U(0)]);
    assert_eq!(raw.status(CLOSE, 11, &[S(&first)]), 0);
    assert_eq!(other.status(CLOSE, 11, &[S(&second)]), 4, "EXCL holds to the end");
    assert_eq!(f.names(""), ["a", "race"]);
}

#[test]
fn handles_run_out_politely() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "anna");
    for id in 0..1024 {
        raw.handle(OPENDIR, id, &[S(b"/")]);
    }
    assert_eq!(raw.status(OPENDIR, 2000, &[S(b"/")]), 4);
    assert_eq!(raw.status(CLOSE, 2001, &[S(&7_u32.to_be_bytes())]), 0);
    raw.handle(OPENDIR, 2002, &[S(b"/")]);
}

#[test]
fn who_hangs_up_leaves_no_change_without_its_entry() {
    const ROUNDS: u64 = 25;
    let f = Fixture::new();
    for number in 0..ROUNDS {
        let mut raw = Raw::greeted(&f, "anna");
        let (from, to) = (format!("f{number}"), format!("g{number}"));
        let file = raw.handle(OPEN, 1, &[S(from.as_bytes()), U(PUT), U(0)]);
        raw.send(&request(WRITE, 2, &[S(&file), L(0), S(b"content")]));
        raw.send(&request(CLOSE, 3, &[S(&file)]));
        raw.send(&request(RENAME, 4, &[S(from.as_bytes()), S(to.as_bytes())]));
        if number + 1 == ROUNDS {
            // The last one stays, so that something is carried out for certain.
            (0..3).for_each(|_| drop(raw.packet()));
        }
        std::thread::sleep(Duration::from_micros(50 * number * number));
        // Killed, whatever is under way.
        drop(raw);
    }
    let audited = |action: &str| {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM audit WHERE action = ?").bind(action.to_owned());
        usize::try_from(f.runtime().block_on(count.fetch_one(f.db.read())).unwrap()).unwrap()
    };
    let (mut there, mut renamed) = (0, 0);
    f.eventually("every file that is there has its entries", || {
        let names = f.names("");
        there = names.len();
        renamed = names.iter().filter(|name| name.starts_with('g')).count();
        names.iter().all(|name| !name.starts_with('.'))
            && (audited("door-uploaded"), audited("door-renamed")) == (there, renamed)
    });
    println!("of {ROUNDS}: {there} published, {renamed} of them renamed");
    assert!(renamed > 0, "the last one at least");
}

/// 20,000 READs and 600 WRITEs are on their way before the first answer is read.
#[test]
fn a_slow_reader_never_stops_it() {
    let f = Fixture::new();
    let content = noise(20_000 * 4096);
    std::fs::write(f.served("big"), &content).unwrap();
    let mut raw = Raw::ahead(&f, "anna", 1);
    raw.greet(3);
    let big = raw.handle(OPEN, 1, &[S(b"big"), U(1), U(0)]);
    let new = raw.handle(OPEN, 2, &[S(b"new"), U(PUT), U(0)]);
    for number in 0..20_000_u32 {
        raw.send(&request(READ, 100 + number, &[S(&big), L(u64::from(number) * 4096), U(4096)]));
    }
    for number in 0..600_u32 {
        let data = &content[number as usize * 32_768..][..32_768];
        raw.send(&request(WRITE, 100_000 + number, &[S(&new), L(u64::from(number) * 32_768), S(data)]));
    }
    let (mut reads, mut writes) = (0, 0);
    while reads < 20_000 || writes < 600 {
        let packet = raw.packet();
        let id = u32::from_be_bytes(packet[1..5].try_into().unwrap());
        if id >= 100_000 {
            assert_eq!(packet[0], 101);
            writes += 1;
        } else {
            assert_eq!(packet[0], 103);
            let at = (id as usize - 100) * 4096;
            assert!(packet[9..] == content[at..at + 4096], "READ {id}");
            reads += 1;
        }
    }
    assert_eq!(raw.status(CLOSE, 200_000, &[S(&new)]), 0);
    assert!(std::fs::read(f.served("new")).unwrap() == content[..600 * 32_768]);
}

#[test]
fn strangers_are_shown_out_in_time() {
    let f = Fixture::with(&Settings { login_seconds: 1, ..Settings::default() });
    let mut silent = TcpStream::connect(f.address).unwrap();
    let mut talking = TcpStream::connect(f.address).unwrap();
    talking.write_all(b"SSH-2.0-x\r\n").unwrap();
    for socket in [&mut silent, &mut talking] {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut rest = Vec::new();
        // Closed or reset, but not left open.
        match std::io::Read::read_to_end(socket, &mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

/// Everybody here comes from another loopback address.
fn knock(f: &Fixture, from: [u8; 4]) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&f.address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

#[test]
fn a_flood_of_strangers_does_not_lock_out_who_was_in_before() {
    let strangers = causeway::net::AdmissionLimits { total: 2, per_address: 1 };
    let f = Fixture::with(&Settings { strangers, ..Settings::default() });
    good(&f.sftp("anna", &[], "pwd\n"));
    let mut crowd: Vec<_> = (2..5).map(|n| knock(&f, [127, 0, 0, n])).collect();
    let mut greeting = [0; 4];
    for stranger in &mut crowd[..2] {
        std::io::Read::read_exact(stranger, &mut greeting).unwrap();
        assert_eq!(&greeting, b"SSH-");
    }
    assert!(std::io::Read::read_exact(&mut crowd[2], &mut greeting).is_err(), "the strangers' budget is used up");
    good(&f.sftp("anna", &[], "pwd\n"));
}

#[test]
fn a_taken_port_is_said() {
    let f = Fixture::new();
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { listen: f.address, ..Settings::default() };
    let error = f.runtime().block_on(sftp::bind(&settings, dir.path())).unwrap_err();
    assert!(error.to_string().contains("in use by another program"), "{error}");
}

#[test]
fn a_stop_lets_an_open_upload_end() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "anna");
    let idle = Raw::greeted(&f, "anna");
    let file = raw.handle(OPEN, 1, &[S(b"a"), U(PUT), U(0)]);
    f.tasks.stop();
    idle.ended();
    assert_eq!(raw.status(WRITE, 2, &[S(&file), L(0), S(b"last words")]), 0);
    assert_eq!(raw.status(CLOSE, 3, &[S(&file)]), 0);
    assert_eq!(std::fs::read(f.served("a")).unwrap(), b"last words");
    raw.ended();
    assert!(f.runtime().block_on(f.tasks.drain(Duration::from_secs(10))), "everything ended");
}

#[test]
fn many_sessions_at_once_are_served() {
    let f = Fixture::new();
    let content = noise(1 << 20);
    std::fs::write(f.local("up"), &content).unwrap();
    let up = f.local("up");
    std::thread::scope(|scope| {
        for number in 0..12 {
            let (f, up) = (&f, &up);
            scope.spawn(move || {
                let batch = format!("put {} f{number}\nput {} same\n", up.display(), up.display());
                good(&f.sftp("anna", &[], &batch));
            });
        }
    });
    assert_eq!(f.names("").len(), 13);
    assert!(std::fs::read(f.served("same")).unwrap() == content);
}

/// Everything is sent at once, with the end of file behind it: all of it is done and answered.
#[test]
fn what_was_asked_before_the_end_is_answered() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "x").unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    for id in 0..500 {
        raw.send(&request(STAT, id, &[S(b"a")]));
    }
    raw.finish();
    for id in 0..500_u32 {
        assert_eq!(raw.packet()[..5], [&[105][..], &id.to_be_bytes()].concat());
    }
    assert_eq!(raw.ended(), "");
}

#[test]
fn an_account_that_is_switched_off_loses_its_connection() {
    let f = Fixture::new();
    let mut raw = Raw::greeted(&f, "anna");
    assert_eq!(raw.ask(STAT, 1, &[S(b"/")]).0, 105);
    f.runtime().block_on(async {
        let change = causeway::account::Change { disabled: Some(true), ..Default::default() };
        f.accounts.change(&causeway::audit::Actor::System, "anna", &change).await.unwrap();
    });
    raw.ended();
}
