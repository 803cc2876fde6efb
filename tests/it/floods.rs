//! What no well-behaved client does over HTTPS: each is ended with its code or status and counted, and others are served
//! meanwhile.

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::time::{Duration, Instant};

use causeway::net::Refusal;
use causeway::serve::http::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::frames::{self, Raw, frame, get, request};
use crate::support::https::{Https, head};
use crate::support::tls::tls;

/// More than all buffers between two programs hold.
const LARGE: u64 = 512 << 20;

async fn door(settings: Settings) -> Https {
    let door = Https::with(settings).await;
    std::fs::write(door.root.join("small"), "small").unwrap();
    std::fs::File::create(door.root.join("large")).unwrap().set_len(LARGE).unwrap();
    door
}

/// Floods a connection, and asks for a file over others until that has its end.
async fn flood(flood: Vec<u8>) -> u32 {
    let door = door(Settings::default()).await;
    let flooding = Raw::open(&door, &[]).await.flooded(flood);
    tokio::pin!(flooding);
    let mut served = 0;
    let code = loop {
        tokio::select! {
            code = &mut flooding => break code,
            () = tokio::time::sleep(Duration::from_millis(1)) => {
                assert_eq!(door.status(&[], "/files/small"), 200, "others are served");
                served += 1;
                assert!(served < 2000, "it is never ended");
            }
        }
    };
    // One connection is one flood.
    door.counted(Refusal::Flood, 1).await;
    assert_eq!(door.status(&[], "/files/small"), 200);
    code.unwrap_or(frames::ENHANCE_YOUR_CALM)
}

#[tokio::test(flavor = "multi_thread")]
async fn rapid_reset_ends_the_connection() {
    // 10,000 streams, each taken back at once.
    let taken_back = |n: u32| {
        let reset = frame(frames::RST_STREAM, 0, 2 * n + 1, &frames::CANCEL.to_be_bytes());
        [get("/files/large", 2 * n + 1), reset].concat()
    };
    let code = flood((0..10_000).flat_map(taken_back).collect()).await;
    assert!([frames::ENHANCE_YOUR_CALM, frames::NO_ERROR].contains(&code), "{code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_block_without_end_ends_the_connection() {
    let begin = frame(frames::HEADERS, frames::END_STREAM, 1, &request("GET", "/files/small"));
    let more = frame(frames::CONTINUATION, 0, 1, &[0x00, 1, b'a', 1, b'b']);
    let code = flood([begin, more.repeat(10_000)].concat()).await;
    assert_eq!(code, frames::ENHANCE_YOUR_CALM);
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_and_settings_without_end_end_the_connection() {
    for (kind, payload) in [(frames::PING, vec![7; 8]), (frames::SETTINGS, Vec::new())] {
        let code = flood(frame(kind, 0, 0, &payload).repeat(500)).await;
        assert!([frames::ENHANCE_YOUR_CALM, frames::NO_ERROR].contains(&code), "{kind}: {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_and_one_address_have_so_many_requests_under_way() {
    let door = door(Settings { streams_per_address: 10, ..Settings::default() }).await;
    // Nothing of the answers is taken, so all of them stay.
    let mut raw = Raw::open(&door, &[(4, 0)]).await;
    let mut answered = HashMap::new();
    for n in 0..10 {
        raw.send(&get("/files/large", 2 * n + 1)).await;
        let answer = raw.until(frames::HEADERS).await;
        answered.insert(answer.stream, true);
    }
    assert_eq!(answered.len(), 10);
    // Over another connection of the same address.
    let mut more = Raw::open(&door, &[]).await;
    more.send(&get("/files/small", 1)).await;
    assert_eq!(more.until(frames::HEADERS).await.status(), 429);
    door.counted(Refusal::Streams, 1).await;
    let (said, _) = door.exchange(&["-4"], "/files/small");
    assert!(said.contains(" 429") && said.contains("retry-after: 1"), "{said}");
    // The first goes, and there is room again.
    raw.send(&frame(frames::RST_STREAM, 0, 1, &frames::CANCEL.to_be_bytes())).await;
    let begin = Instant::now();
    while door.status(&["-4"], "/files/small") != 200 {
        assert!(begin.elapsed() < Duration::from_secs(30), "a place is given back");
    }

    // One connection: what is above its streams is refused, so that the client may ask again (RFC 9113, 8.7).
    let door = self::door(Settings::default()).await;
    let mut raw = Raw::open(&door, &[(4, 0)]).await;
    raw.until(frames::SETTINGS).await;
    raw.send(&frame(frames::SETTINGS, frames::ACK, 0, &[])).await;
    let many: Vec<u8> = (0..300).flat_map(|n| get("/files/large", 2 * n + 1)).collect();
    raw.send(&many).await;
    let (mut taken, mut refused) = (HashSet::new(), HashSet::new());
    while taken.len() + refused.len() < 300 {
        let frame = raw.next().await.expect("the connection stays");
        match frame.kind {
            frames::HEADERS => assert!(taken.insert(frame.stream)),
            frames::RST_STREAM => {
                assert_eq!(frame.code(), frames::REFUSED_STREAM);
                assert!(refused.insert(frame.stream));
            }
            _ => {}
        }
    }
    assert_eq!((taken.len(), refused.len()), (256, 44));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_bytes_is_left() {
    for http2 in [false, true] {
        let door = door(Settings { stall: Duration::from_secs(1), ..Settings::default() }).await;
        let mut stream = tls(&door).await;
        let asking = match http2 {
            false => format!("{}\r\n", head("GET", "/files/large")).into_bytes(),
            // A window for all of it, and nobody who reads.
            true => [
                &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
                &frame(frames::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]),
                &frame(frames::WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes()),
                &get("/files/large", 1),
            ]
            .concat(),
        };
        stream.write_all(&asking).await.unwrap();
        stream.flush().await.unwrap();
        door.counted(Refusal::SlowReader, 1).await;
        assert_eq!(door.status(&[], "/files/small"), 200);
        let mut all = Vec::new();
        let _cut = stream.read_to_end(&mut all).await;
        assert!((all.len() as u64) < LARGE, "it was not sent after all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_stays_shut_costs_its_own_stream_only() {
    let door = door(Settings { stall: Duration::from_secs(1), ..Settings::default() }).await;
    let mut raw = Raw::open(&door, &[(4, 0)]).await;
    raw.send(&get("/files/large", 1)).await;
    assert_eq!(raw.until(frames::HEADERS).await.status(), 200);
    let reset = raw.until(frames::RST_STREAM).await;
    assert_eq!((reset.stream, reset.code()), (1, frames::CANCEL));
    door.counted(Refusal::SlowReader, 1).await;
    // The connection is as good as before.
    raw.send(&[get("/files/small", 3), frame(frames::WINDOW_UPDATE, 0, 3, &100_u32.to_be_bytes())].concat()).await;
    let data = raw.until(frames::DATA).await;
    assert_eq!((data.stream, &*data.payload), (3, &b"small"[..]));
}

/// A quarter of a block a time, each well within the patience and all of them together beyond it.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_block_slowly_takes_it() {
    let stall = Duration::from_secs(4);
    let door = door(Settings { stall, ..Settings::default() }).await;
    let mut raw = Raw::open(&door, &[(4, 0)]).await;
    raw.send(&get("/files/large", 1)).await;
    assert_eq!(raw.until(frames::HEADERS).await.status(), 200);
    let (begin, mut got) = (Instant::now(), 0);
    while begin.elapsed() < 2 * stall {
        let window = [1, 0].map(|stream| frame(frames::WINDOW_UPDATE, 0, stream, &20_000_u32.to_be_bytes())).concat();
        raw.send(&window).await;
        let mut here = 0;
        while here < 20_000 {
            let next = raw.next().await.expect("the connection stays");
            assert_ne!((next.kind, next.stream), (frames::RST_STREAM, 1), "after {got} bytes");
            here += if next.kind == frames::DATA { next.payload.len() } else { 0 };
        }
        got += here;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(door.counters.count(Refusal::SlowReader), 0);
    assert!(got < 16 * 20_000 + 1, "no faster than it was taken: {got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_that_are_too_large_are_counted() {
    let door = door(Settings::default()).await;
    let large = format!("X-Large: {}", "x".repeat(70_000));
    assert_eq!(door.status(&["--http1.1", "-H", &large], "/files/small"), 431);
    door.counted(Refusal::Head, 1).await;
    // No client sends as much over HTTP/2.
    let one = [&[0x00, 1, b'a', 100][..], &[b'b'; 100]].concat();
    let block = [request("GET", "/files/small"), one.repeat(600)].concat();
    let (first, rest) = block.split_at(16_000);
    let mut raw = Raw::open(&door, &[]).await;
    raw.send(&frame(frames::HEADERS, frames::END_STREAM, 1, first)).await;
    let parts: Vec<&[u8]> = rest.chunks(16_000).collect();
    for (n, part) in parts.iter().enumerate() {
        let flags = if n + 1 == parts.len() { frames::END_HEADERS } else { 0 };
        raw.send(&frame(frames::CONTINUATION, flags, 1, part)).await;
    }
    assert_eq!(raw.until(frames::HEADERS).await.status(), 431);
    door.counted(Refusal::Head, 2).await;
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), vec![b' '; 2_000_000]).unwrap();
    let data = format!("@{}", local.path().display());
    assert_eq!(door.status(&["--http1.1", "-X", "PROPFIND", "--data-binary", &data], "/dav/"), 413);
    door.counted(Refusal::Body, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_asks_too_often_is_told_when_to_come_again() {
    let door = Https::with_budget(1).await;
    let mut answered = 0;
    let refused = loop {
        let (said, _) = door.exchange(&["-X", "OPTIONS"], "/dav/");
        if !said.contains(" 200") {
            break said;
        }
        answered += 1;
        assert!(answered < 1000, "it is never refused");
    };
    assert!(answered >= 10, "ten seconds' worth is free: {answered}");
    assert!(refused.contains(" 429") && refused.contains("retry-after: 1"), "{refused}");
    assert!(door.counters.count(Refusal::Requests) >= 1);
    std::fs::create_dir_all(door.root.join("bob")).unwrap();
    assert_eq!(door.status_as("bob", &["-X", "OPTIONS"], "/dav/"), 200, "nobody else is held up");
}

/// A large download must not keep what else is asked for on its connection waiting until it is through.
#[tokio::test(flavor = "multi_thread")]
async fn a_download_leaves_room_for_others_on_its_connection() {
    let door = door(Settings::default()).await;
    let mut raw = Raw::open(&door, &[(4, 0x7fff_ffff)]).await;
    raw.send(&frame(frames::WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes())).await;
    raw.send(&get("/files/large", 1)).await;
    let (mut asked, mut before, mut after) = (false, 0, 0_usize);
    loop {
        let frame = raw.next().await.expect("the connection stays");
        match (frame.kind, frame.stream) {
            (frames::DATA, 1) if asked => after += frame.payload.len(),
            (frames::DATA, 1) => before += frame.payload.len(),
            (frames::DATA, 3) => break assert_eq!(frame.payload, b"small"),
            _ => {}
        }
        if before > 16 << 20 && !asked {
            asked = true;
            raw.send(&get("/files/small", 3)).await;
        }
    }
    // What was on its way already: in our buffers, in the system's and in those of this client.
    assert!(after < 32 << 20, "{after} bytes came first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_again_resumes_its_session() {
    let door = door(Settings::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session").to_str().unwrap().to_owned();
    for version in ["-tls1_3", "-tls1_2"] {
        let client = |option: &str| {
            let script = format!(
                "printf 'GET /files/ HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' | \
                 timeout 30 openssl s_client {version} -ign_eof -connect 127.0.0.1:{} {option} {session}",
                door.port
            );
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let first = client("-sess_out");
        assert!(first.contains("New, TLSv1."), "{first}");
        let again = client("-sess_in");
        assert!(again.contains("Reused, TLSv1.") && again.contains("401"), "{version}: {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compression_saves_is_counted() {
    let door = door(Settings::default()).await;
    let text = "hello ".repeat(20_000);
    std::fs::write(door.root.join("a.txt"), &text).unwrap();
    for coding in ["br", "zstd", "gzip"] {
        let accept = format!("Accept-Encoding: {coding}");
        let (_, sent) = door.exchange(&["-H", &accept], "/files/a.txt");
        door.exchange(&["-H", &accept], "/files/small");
        let begin = Instant::now();
        let worth = loop {
            let worth = door.counters.savings().find(|(one, _)| one.name() == coding).unwrap().1;
            if worth.plain > 0 {
                break worth;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "{coding} is not counted");
        };
        assert_eq!((worth.plain, worth.sent), (text.len() as u64, sent.len() as u64), "{coding}");
    }
}
