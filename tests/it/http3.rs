//! HTTP/3 with a client that is none of ours (aioquic): the same files under the same limits as over HTTP/1.1 and HTTP/2.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use causeway::net::{AdmissionLimits, Refusal};
use causeway::reliability::{End, What};
use causeway::serve::http::Settings;
use rcgen::PublicKeyData as _;
use serde_json::{Value, json};

use crate::support::http3::{Client, ask, request, with};
use crate::support::https::{Https, PASSWORD};
use crate::web::browser::Browser;

fn bytes(size: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(size).collect()
}

async fn door(settings: Settings) -> Https {
    let door = Https::with(settings).await;
    std::fs::write(door.root.join("small"), "small").unwrap();
    std::fs::File::create(door.root.join("large")).unwrap().set_len(512 << 20).unwrap();
    door
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_and_go_as_over_the_older_versions() {
    let (door, folder) = (door(Settings::default()).await, tempfile::tempdir().unwrap());
    let (whole, sent) = (bytes(5_000_001), bytes(3_000_000));
    std::fs::write(door.root.join("whole"), &whole).unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(folder.path().join("sent"), &sent).unwrap();
    let requests = vec![
        with(request("GET", "/files/whole"), "/out", file("got")),
        with(with(request("GET", "/files/whole"), "/headers/range", "bytes=1000000-2999999"), "/out", file("part")),
        with(request("PUT", "/dav/sent"), "/body", file("sent")),
        request("HEAD", "/files/whole"),
        request("GET", "/files/none"),
        json!({ "path": "/files/whole" }),
    ];
    let answers = ask(door.port, requests).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 206, 201, 200, 404, 401]);
    assert!(std::fs::read(folder.path().join("got")).unwrap() == whole);
    assert!(std::fs::read(folder.path().join("part")).unwrap() == whole[1_000_000..3_000_000]);
    assert!(std::fs::read(door.root.join("sent")).unwrap() == sent);
    for (answer, size) in [(&answers[0], "5000001"), (&answers[1], "2000000"), (&answers[3], "5000001")] {
        assert_eq!(answer["headers"]["content-length"], size, "{answer}");
        assert!(answer["headers"]["date"].is_string() && answer["headers"]["server"] == "Causeway", "{answer}");
    }
    assert_eq!(answers[3]["size"], 0, "what HEAD asks for has no body");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_ones_and_many_at_once() {
    let (door, folder) = (door(Settings::default()).await, tempfile::tempdir().unwrap());
    let got = |name: &str| folder.path().join(name);
    let files = [("one", bytes(20_000_000)), ("two", bytes(20_000_001))];
    let requests = files.each_ref().map(|(name, content)| {
        std::fs::write(door.root.join(name), content).unwrap();
        with(request("GET", &format!("/files/{name}")), "/out", got(name).to_str().unwrap())
    });
    ask(door.port, requests.to_vec()).await;
    for (name, content) in &files {
        assert!(std::fs::read(got(name)).unwrap() == *content, "{name}");
    }
    // More than may be under way at once: the others wait for their turn.
    let answers = ask(door.port, vec![request("GET", "/files/small"); 1000]).await;
    assert_eq!(answers.iter().filter(|answer| answer["status"] == 200 && answer["size"] == 5).count(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_leaves_what_was_there() {
    let (door, folder) =
        (door(Settings { stall: Duration::from_secs(3), ..Settings::default() }).await, tempfile::tempdir().unwrap());
    let body = folder.path().join("body");
    std::fs::write(&body, bytes(300_000)).unwrap();
    std::fs::write(door.root.join("old"), "old").unwrap();
    for cut in ["end", "torn", "reset", "close", "pause"] {
        for (name, length) in [("old", None), ("new", None), ("old", Some("300000")), ("new", Some("300000"))] {
            if (cut, length) == ("end", None) {
                // So somebody says that this was all.
                continue;
            }
            let mut put = with(request("PUT", &format!("/dav/{name}")), "/body", body.to_str().unwrap());
            if let Some(length) = length {
                put = with(put, "/headers/content-length", length);
            }
            let put = if cut == "pause" { with(put, "/pause", true) } else { with(put, "/cut", cut) };
            let mut client = Client::start(door.port, &json!({ "requests": [put] }));
            if cut == "pause" {
                // Without a word, as by a machine that loses its power.
                client.until("half");
                while door.leftovers().is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                drop(client);
            } else {
                let answer = client.until("number");
                assert!(answer["status"].as_u64().is_none_or(|status| status >= 400), "{cut}: {answer}");
            }
            let begin = Instant::now();
            while !door.leftovers().is_empty() {
                assert!(begin.elapsed() < Duration::from_secs(60), "{cut}: a part is left");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(std::fs::read(door.root.join("old")).unwrap(), b"old", "{cut}");
            assert!(!door.root.join("new").exists(), "{cut}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_of_unless_it_is_off() {
    let door = door(Settings::default()).await;
    for version in ["--http1.1", "--http2"] {
        let (said, _) = door.exchange(&[version], "/files/small");
        assert!(said.contains(&format!("alt-svc: h3=\":{}\"; ma=86400\r\n", door.port)), "{said}");
    }
    let outside = self::door(Settings { public_port: Some(443), ..Settings::default() }).await;
    assert!(outside.exchange(&[], "/files/small").0.contains("alt-svc: h3=\":443\"; ma=86400\r\n"));
    let off = self::door(Settings { http3: false, ..Settings::default() }).await;
    let (said, _) = off.exchange(&[], "/files/small");
    // Who remembers it from before forgets it.
    assert!(said.contains(" 200") && said.contains("alt-svc: clear\r\n"), "{said}");
    std::net::UdpSocket::bind(("127.0.0.1", off.port)).expect("nobody has the port");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_with_its_status_and_counted() {
    let door = door(Settings::default()).await;
    let padded = |count: usize| {
        (0..count).fold(request("GET", "/files/small"), |request, n| {
            with(request, &format!("/headers/x-{n}"), "~".repeat(4000))
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("body");
    std::fs::write(&body, vec![b' '; 2_000_000]).unwrap();
    let propfind = with(request("PROPFIND", "/dav/"), "/body", body.to_str().unwrap());
    let answers = ask(door.port, vec![padded(20), propfind]).await;
    assert_eq!((&answers[0]["status"], &answers[1]["status"]), (&json!(431), &json!(413)), "{answers:?}");
    // So large that it is not even read.
    let answers = ask(door.port, vec![padded(80), request("GET", "/files/small")]).await;
    assert!(answers[0].get("status").is_none() && answers[0]["reset"].is_number(), "{answers:?}");
    assert_eq!(answers[1]["status"], 200, "the others on its connection go on");
    door.counted(Refusal::Head, 2).await;
    door.counted(Refusal::Body, 1).await;
    // Said to be larger than it is: what came is no file.
    std::fs::write(&body, "half").unwrap();
    for length in ["8", "2"] {
        let wrong = with(request("PUT", "/dav/wrong"), "/body", body.to_str().unwrap());
        let answers = ask(door.port, vec![with(wrong, "/headers/content-length", length)]).await;
        assert_ne!(answers[0]["status"], 201, "{answers:?}");
        assert!(!door.root.join("wrong").exists(), "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_its_share_over_all_versions() {
    let settings = Settings { streams_per_address: 10, stall: Duration::from_secs(20), ..Settings::default() };
    let door = door(settings).await;
    let large = || vec![request("GET", "/files/large"); 10];
    let mut holding = Client::start(door.port, &json!({ "requests": large(), "takes": false }));
    holding.until("certificate");
    let begin = Instant::now();
    while door.status(&["-4"], "/files/small") != 429 {
        assert!(begin.elapsed() < Duration::from_secs(30), "what is asked by HTTP/3 is not counted");
    }
    assert_eq!(ask(door.port, vec![request("GET", "/files/small")]).await[0]["status"], 429);
    drop(holding);
    let begin = Instant::now();
    while door.status(&["-4"], "/files/small") != 200 {
        assert!(begin.elapsed() < Duration::from_secs(120), "a client that has gone keeps its places");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_must_show_that_their_address_is_theirs_and_none_has_more_than_its_share() {
    let connections = AdmissionLimits { total: 100, per_address: 34 };
    let door = door(Settings { connections, ..Settings::default() }).await;
    let plan = json!({ "requests": [], "connections": 35, "stays": true });
    let mut holding = Client::start(door.port, &plan);
    for number in 0..34 {
        let connected = holding.until("connected");
        assert_eq!((&connected["connected"], &connected["shown"]), (&json!(number), &json!(number >= 17)));
    }
    assert_eq!(holding.until("refused")["refused"], 34);
    door.counted(Refusal::Address, 1).await;
    assert_eq!(door.status(&["-4"], "/files/small"), 0, "nor by TCP");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_count_as_requests_and_keep_no_memory() {
    let door = door(Settings { streams_per_address: 10, ..Settings::default() }).await;
    let mut few = Client::start(door.port, &json!({ "requests": [], "heads": 10, "bytes": 1, "stays": true }));
    few.until("begun");
    let begin = Instant::now();
    while door.status(&["-4"], "/files/small") != 429 {
        assert!(begin.elapsed() < Duration::from_secs(30), "a head that has begun is not counted");
    }
    let answers = ask(door.port, vec![request("GET", "/files/small")]).await;
    assert_eq!(answers[0]["status"], 429, "who is whole is told why");
    // Those beyond are not waited for.
    let refused = door.counters.count(Refusal::Streams);
    let mut more = Client::start(door.port, &json!({ "requests": [], "heads": 3, "bytes": 1, "stays": true }));
    more.until("begun");
    door.counted(Refusal::Streams, refused + 3).await;
    assert_eq!(door.counters.count(Refusal::SlowWriter), 0);
    drop((few, more));

    let door = self::door(Settings::default()).await;
    let mut many = Client::start(door.port, &json!({ "requests": [], "heads": 40, "bytes": 60_000, "stays": true }));
    many.until("begun");
    // 2 MiB are borne, which is 34 of them.
    door.counted(Refusal::Head, 6).await;
    assert_eq!(ask(door.port, vec![request("GET", "/files/small")]).await[0]["status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_fills_nothing() {
    let door = door(Settings::default()).await;
    let plan =
        |bytes| json!({ "requests": [request("GET", "/files/small")], "unread": bytes, "stays": bytes > 60_000 });
    let said = Client::start(door.port, &plan(60_000)).rest();
    assert!(said.iter().any(|said| said["status"] == 200), "{said:?}");
    assert_eq!(door.counters.count(Refusal::Flood), 0);
    Client::start(door.port, &plan(1_000_000)).until("closed");
    door.counted(Refusal::Flood, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_stays_with_the_address_it_was_admitted_for() {
    let (door, folder) = (door(Settings::default()).await, tempfile::tempdir().unwrap());
    let (whole, got) = (bytes(60_000_000), folder.path().join("got"));
    std::fs::write(door.root.join("whole"), &whole).unwrap();
    let ask = with(request("GET", "/files/whole"), "/out", got.to_str().unwrap());
    let mut client = Client::start(door.port, &json!({ "requests": [ask], "moves": true }));
    let moved = client.until("moved");
    assert_eq!((&moved["moved"], &moved["whole"]), (&json!(0), &json!(false)), "somebody else gets it");
    assert_eq!(client.until("number")["status"], 200);
    assert!(std::fs::read(&got).unwrap() == whole, "back at its address it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_told_apart() {
    let clean = |end: &End| matches!(end, End::Clean);
    // Application: nothing, H3_NO_ERROR, H3_REQUEST_CANCELLED, H3_INTERNAL_ERROR; of QUIC: NO_ERROR, INTERNAL_ERROR.
    let kinds = [(0, None), (0x100, None), (0x10c, None), (0x102, None), (0, Some(0)), (1, Some(0))];
    let mut ends = Vec::new();
    for (code, frame) in kinds {
        let mut door = door(Settings::default()).await;
        let plan = json!({ "requests": [request("GET", "/files/small")], "closes": [code, frame], "stays": true });
        tokio::task::spawn_blocking({
            let port = door.port;
            move || Client::start(port, &plan).until("closed")
        })
        .await
        .unwrap();
        let end = loop {
            let seen = tokio::time::timeout(Duration::from_secs(30), door.observations.recv()).await;
            if let What::Connection { end, .. } = seen.expect("the end is observed").unwrap().what {
                break end;
            }
        };
        ends.push(clean(&end));
    }
    assert_eq!(ends, [true, true, true, false, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_before_the_handshake_is_over() {
    let door = door(Settings::default()).await;
    let plan = json!({ "requests": [request("GET", "/files/small")] });
    let ticket = tokio::task::spawn_blocking(move || Client::start(door.port, &plan).until("early")).await.unwrap();
    assert_eq!(ticket["early"], Value::Null, "a ticket that lets requests come early");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_taken_back_without_end_end_the_connection() {
    let connections = AdmissionLimits { total: 100, per_address: 2 };
    let door = door(Settings { connections, ..Settings::default() }).await;
    let flood = vec![with(request("GET", "/files/large"), "/back", true); 3000];
    let flooding = Client::start(door.port, &json!({ "requests": flood, "stays": true }));
    let answers = ask(door.port, vec![request("GET", "/files/small")]).await;
    assert_eq!(answers[0]["status"], 200, "others are served");
    door.counted(Refusal::Flood, 1).await;
    // While it is still there, its place is free again.
    let begin = Instant::now();
    loop {
        let plan = json!({ "requests": [], "connections": 2 });
        let port = door.port;
        let two = tokio::task::spawn_blocking(move || Client::start(port, &plan).rest()).await.unwrap();
        if two.iter().filter(|said| said.get("connected").is_some()).count() == 2 {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the connection is not ended: {two:?}");
    }
    drop(flooding);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_bytes_loses_the_answer_and_who_is_silent_the_connection() {
    let connections = AdmissionLimits { total: 100, per_address: 1 };
    let door = door(Settings { stall: Duration::from_secs(2), connections, ..Settings::default() }).await;
    let plan = json!({ "requests": [request("GET", "/files/large")], "takes": false, "stays": true });
    let mut client = Client::start(door.port, &plan);
    let answer = client.until("number");
    assert!(answer["reset"].is_number() && answer["whole"] == false, "{answer}");
    door.counted(Refusal::SlowReader, 1).await;
    // The only place of its address is taken as long as it says that it is there, and then no longer.
    assert_eq!(door.status(&["-4"], "/files/small"), 0);
    assert_eq!(ask(door.port, vec![request("GET", "/files/small")]).await, [] as [Value; 0]);
    let process = client.child.id().to_string();
    assert!(Command::new("kill").args(["-STOP", &process]).status().unwrap().success());
    let begin = Instant::now();
    while door.status(&["-4"], "/files/small") != 200 {
        assert!(begin.elapsed() < Duration::from_secs(60), "a silent connection keeps its place");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_is_under_way() {
    let (door, folder) = (door(Settings::default()).await, tempfile::tempdir().unwrap());
    let (sent, local) = (bytes(1_000_000), folder.path().join("sent"));
    std::fs::write(&local, &sent).unwrap();
    let put = with(request("PUT", "/dav/sent"), "/body", local.to_str().unwrap());
    let mut client = Client::start(door.port, &json!({ "requests": [with(put, "/pause", true)], "stays": true }));
    client.until("half");
    let begin = Instant::now();
    while door.leftovers().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(30), "the upload does not begin");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let going_on = async {
        let mut stdin = client.child.stdin.take().unwrap();
        tokio::task::spawn_blocking(move || {
            stdin.write_all(b"go on\n").unwrap();
            drop(stdin);
            (client.until("number"), client.until("closed"), client.until("goodbyes"))
        })
        .await
        .unwrap()
    };
    let (door, (answer, closed, goodbyes)) = tokio::join!(door.restart(), going_on);
    assert_eq!((&answer["status"], &closed["closed"]), (&json!(201), &json!(0x100)), "{answer} {closed}");
    // Said of the request after it, so that nobody asks twice.
    assert_eq!(goodbyes["goodbyes"], json!([4]));
    assert!(std::fs::read(door.root.join("sent")).unwrap() == sent);
}

/// A certificate and its key in `folder`, and the digest of the key by which Chromium can be told to trust it.
fn pair(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost", "127.0.0.1"].map(str::to_owned)).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &made.signing_key.subject_public_key_info());
    data_encoding::BASE64.encode(digest.as_ref())
}

/// With the certificate that is in `folder`.
fn certified(folder: &Path) -> Settings {
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| Some(folder.join(name)));
    Settings { certificate, key, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_speaks_it() {
    let folder = tempfile::tempdir().unwrap();
    let digest = pair(folder.path());
    let door = door(certified(folder.path())).await;
    std::fs::write(door.root.join("page.txt"), "a page").unwrap();
    let port = door.port;
    let (text, spoken) = tokio::task::spawn_blocking(move || {
        let browser = Browser::start_with(&[
            &format!("--origin-to-force-quic-on=127.0.0.1:{port}"),
            &format!("--ignore-certificate-errors-spki-list={digest}"),
        ]);
        browser.open(&format!("https://anna:{}@127.0.0.1:{port}/files/page.txt", PASSWORD.replace(' ', "%20")));
        let script = |text| browser.script(text).as_str().unwrap_or_default().to_owned();
        (
            script("return document.body.innerText"),
            script("return performance.getEntriesByType('navigation')[0].nextHopProtocol"),
        )
    })
    .await
    .unwrap();
    assert_eq!((text.as_str(), spoken.as_str()), ("a page", "h3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path());
    let door = door(Settings { look_again: Duration::from_millis(30), ..certified(folder.path()) }).await;
    let shown = |port| async move {
        let plan = json!({ "requests": [request("GET", "/files/small")] });
        let shown = tokio::task::spawn_blocking(move || Client::start(port, &plan).until("certificate"));
        shown.await.unwrap()["certificate"].as_str().unwrap().to_owned()
    };
    assert_eq!(shown(door.port).await, door.fingerprint);
    pair(folder.path());
    let begin = Instant::now();
    while shown(door.port).await == door.fingerprint {
        assert!(begin.elapsed() < Duration::from_secs(60), "the new certificate is not served");
    }
}
