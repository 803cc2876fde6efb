//! The comparison from real observations: OpenSSH's `sftp`, `curl` over WebDAV and a mirror from vsftpd
//! against the running program, then the page and its numbers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::browser::Browser;
use super::site::Curl;
use crate::support::causeway::{Causeway, run};
use crate::support::ftpd::{self, Ftpd, Server, Tls};

const PASSWORD: &str = "correct horse battery";
/// Sessions of each door: enough for the median set-up time (20), too few for its 95th percentile (72).
const SESSIONS: usize = 24;
/// Files over FTP: enough for an error rate (100 attempts).
const FILES: usize = 110;

/// The cells of a row of `/api/reliability`, by family and side.
fn cell<'a>(told: &'a serde_json::Value, key: &str, family: &str, role: &str) -> &'a serde_json::Value {
    let row = told["rows"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
    let cells = row["cells"].as_array().unwrap();
    cells
        .iter()
        .find(|c| c["family"] == family && c["role"] == role)
        .unwrap_or_else(|| panic!("{family} {role}: {row}"))
}

#[test]
fn the_comparison_is_made_of_real_traffic() {
    let server = Ftpd::start_with(Server::Vsftpd, Tls::None, &[]);
    for number in 0..FILES {
        std::fs::write(server.root().join(format!("file {number}.bin")), vec![b'x'; 70_000]).unwrap();
    }
    let causeway = Causeway::serve();
    causeway.account("boss", PASSWORD, &["--admin"]);
    let mut add = causeway.command(&["job", "add", "mirror", &server.url(), "mirrored", "--connections", "4"]);
    let (code, _, stderr) = run(add.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD));
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = run(&mut causeway.command(&["job", "run", "mirror"]));
    assert_eq!(code, 0, "{stderr}");
    std::fs::write(causeway.tree().join("served.bin"), vec![b'y'; 100_000]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..SESSIONS {
        sftp(&causeway, &folder.path().join(number.to_string()));
        dav(&causeway);
    }
    let base = format!("https://localhost:{}", causeway.https.port());
    let curl = Curl::signed_in_at(&base, "boss", PASSWORD);
    let begun = Instant::now();
    let told = loop {
        let told: serde_json::Value = serde_json::from_str(&curl.get("/api/reliability?window=hour").body).unwrap();
        let there = |key, family, role| {
            let row = told["rows"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
            row["cells"].as_array().unwrap().iter().any(|c| c["family"] == family && c["role"] == role)
        };
        let all =
            there("resets", "FTP", "client") && there("resets", "SFTP", "door") && there("resets", "WebDAV", "door");
        let n = |key, family, role| cell(&told, key, family, role)["n"].as_u64().unwrap();
        if all
            && n("transfer-errors", "FTP", "client") >= FILES as u64
            && n("setup-median", "SFTP", "door") >= SESSIONS as u64
            && n("setup-median", "WebDAV", "door") >= SESSIONS as u64
        {
            break told;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{told}\n{}", causeway.log());
        std::thread::sleep(Duration::from_millis(300));
    };
    // The doors: each session is one connection, neither more nor less, and nothing of the dashboard.
    for family in ["SFTP", "WebDAV"] {
        let median = cell(&told, "setup-median", family, "door");
        assert_eq!(median["n"], SESSIONS, "{family}: {median}");
        let figure = |name: &str| median[name].as_f64().unwrap();
        assert!(figure("low") <= figure("value") && figure("value") <= figure("high"), "{median}");
        assert!(figure("low") > 0.0 && figure("high") < 30.0, "{median}");
        let p95 = cell(&told, "setup-p95", family, "door");
        assert!(p95["enough"] == false && p95["value"].is_null() && p95["n"] == SESSIONS, "{p95}");
        let speed = cell(&told, "throughput", family, "door");
        assert!(speed["n"] == SESSIONS && speed["value"].as_f64().unwrap() > 0.0, "{family}: {speed}");
    }
    // Our client: every file is an attempt that went well.
    let errors = cell(&told, "transfer-errors", "FTP", "client");
    assert_eq!((errors["n"].as_u64(), errors["events"].as_u64()), (Some(FILES as u64), Some(0)), "{errors}");
    assert_eq!(errors["value"], 0.0);
    // Wilson of 0 in 110: z² / (n + z²).
    assert!((errors["high"].as_f64().unwrap() - 3.841_458_8 / 113.841_458_8).abs() < 1e-6, "{errors}");
    assert!(cell(&told, "throughput", "FTP", "client")["enough"] == true);
    let held = cell(&told, "hold-time", "FTP", "client");
    assert!(held["enough"] == false && held["events"] == 0, "{held}");
    page(&curl, &server);
}

/// What a person reads.
fn page(curl: &Curl<'_>, server: &Ftpd) {
    let page = curl.get("/reliability?window=hour").body;
    for (said, times) in [("our client", 2), ("our door", 4), (" from 20 ready connections", 1), ("lower is better", 4)]
    {
        assert!(page.matches(said).count() >= times, "{said}: {page}");
    }
    assert!(page.contains(&format!("n = {SESSIONS}, shown from 72 ready connections")), "{page}");
    assert!(page.contains("with 0 of the 30 lost connections it needs") && page.contains("not enough data yet"));
    assert!(
        page.contains("<span class=\"value\">0 %</span>")
            && page.contains("0 to 3.37 · <a ")
            && page.contains(">n = 110</a>"),
        "{page}"
    );
    assert!(!page.contains("0.0000"), "{page}");
    // One side, one endpoint.
    let doors = curl.get("/reliability?window=hour&role=door").body;
    assert!(!doors.contains(">our client</span>"), "{doors}");
    let endpoint = format!("localhost%3A{}", server.address().port());
    let one = curl.get(&format!("/reliability?window=hour&endpoint={endpoint}")).body;
    assert!(one.contains("Show every endpoint") && one.contains("n = 110"), "{one}");
    assert!(!one.contains(&format!("n = {SESSIONS},")), "{one}");
}

/// One session of OpenSSH's client that fetches a file.
fn sftp(causeway: &Causeway, to: &std::path::Path) {
    let mut batch = String::new();
    writeln!(batch, "get served.bin {}", to.display()).unwrap();
    let script = to.with_extension("batch");
    std::fs::write(&script, batch).unwrap();
    let status = Command::new("sshpass")
        .args(["-p", PASSWORD, "sftp", "-q", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"])
        .args(["-oPubkeyAuthentication=no", "-oBatchMode=no", "-oLogLevel=ERROR", "-b"])
        .arg(&script)
        .args([&format!("-oPort={}", causeway.sftp.port()), "boss@127.0.0.1"])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read(to).unwrap().len(), 100_000);
}

/// One WebDAV connection that fetches a file.
fn dav(causeway: &Causeway) {
    let output = Command::new("curl")
        .args(["-s", "--fail", "--max-time", "20", "-u", &format!("boss:{PASSWORD}"), "--cacert"])
        .arg(causeway.certificate())
        .arg(format!("https://localhost:{}/dav/served.bin", causeway.https.port()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.len(), 100_000);
}

/// The demo compares by itself: its visitors fetch a file over each protocol until every rate has its n.
#[test]
fn the_demo_shows_a_comparison_within_minutes() {
    let demo = Causeway::demo();
    let password = std::fs::read_to_string(demo.data().join("clients/demo-password")).unwrap();
    let base = format!("https://localhost:{}", demo.https.port());
    let curl = Curl::signed_in_at(&base, "demo", password.trim());
    let begun = Instant::now();
    let told = loop {
        let told: serde_json::Value =
            serde_json::from_str(&curl.get("/api/reliability?window=hour&role=client").body).unwrap();
        let enough = |key: &str| {
            let row = told["rows"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
            row["cells"].as_array().unwrap().iter().all(|cell| cell["enough"] == true)
        };
        if ["connection-success", "setup-median", "setup-p95", "resets", "transfer-errors", "throughput"]
            .iter()
            .all(|k| enough(k))
        {
            break told;
        }
        assert!(begun.elapsed() < Duration::from_secs(240), "{told}\n{}", demo.log());
        std::thread::sleep(Duration::from_secs(1));
    };
    println!("the demo compares after {:?}", begun.elapsed());
    for family in ["FTP", "SFTP", "WebDAV"] {
        let errors = cell(&told, "transfer-errors", family, "client");
        assert!(errors["n"].as_u64().unwrap() >= 100 && errors["events"] == 0, "{family}: {errors}");
        assert!(cell(&told, "setup-median", family, "client")["value"].as_f64().unwrap() > 0.0);
        // Nobody loses a connection here, and nobody claims to know how long they hold.
        assert!(cell(&told, "hold-time", family, "client")["value"].is_null());
    }
    let page = curl.get("/reliability?window=hour").body;
    assert!(
        page.contains("goes over the loopback of this machine") && page.contains("href=\"/comparisons\""),
        "{page}"
    );
    // What ranks the protocols are the rounds of the demo's comparison, and nothing else.
    let paired = page.split("id=\"paired\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    for said in ["SFTP set-up", "WebDAV set-up", "SFTP download of ", "WebDAV download of ", " pairs"] {
        assert!(paired.contains(said), "{said}: {paired}");
    }
    for drawn in
        ["id=\"trends\"", "id=\"phases\"", "id=\"week\"", "<svg class=\"chart\"", "As a table", "/reliability/trends?"]
    {
        assert!(page.contains(drawn), "{drawn}: {page}");
    }
    assert!(page.contains(" here: ") || page.contains("No difference to FTP is shown here yet."), "{page}");
    let window = every_number_can_be_traced(&curl);
    the_report_says_the_same(&curl, &window);
    the_command_writes_it(&demo, &curl);
}

/// The answer to a script.
fn asked(curl: &Curl<'_>, path: &str) -> Value {
    let answer = curl.call(path, &["-H", "Accept: application/json"]);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// All observations behind a figure, page by page.
fn behind(curl: &Curl<'_>, query: &str) -> (Value, Vec<Value>) {
    let first = asked(curl, &format!("/observations?{query}"));
    let mut all = first["observations"].as_array().unwrap().clone();
    let mut next = first["next"].clone();
    while let Some(path) = next.as_str() {
        let page = asked(curl, path);
        all.extend(page["observations"].as_array().unwrap().iter().cloned());
        next = page["next"].clone();
    }
    (first, all)
}

fn number(row: &Value, field: &str) -> Option<f64> {
    row[field].as_f64()
}

/// The figure, from what was measured and nothing else; none of those that need more than arithmetic.
fn recomputed(key: &str, rows: &[Value]) -> Option<f64> {
    let share =
        |is: &dyn Fn(&Value) -> bool| Some(rows.iter().filter(|row| is(row)).count() as f64 / rows.len() as f64);
    let quantile = |p: f64, of: &dyn Fn(&Value) -> Option<f64>| {
        let mut values: Vec<_> = rows.iter().map(|row| of(row).unwrap()).collect();
        values.sort_by(f64::total_cmp);
        Some(values[((values.len() as f64 * p - 1e-9).ceil() as usize).max(1) - 1])
    };
    let phase = |name: &'static str| {
        move |row: &Value| row["phases"].as_array().unwrap().iter().find(|part| part[0] == name)?[1].as_f64()
    };
    let (stem, p) = match key.rsplit_once('-') {
        Some((stem, "median")) => (stem, 0.5),
        Some((stem, "p95")) => (stem, 0.95),
        Some((stem, "p99")) => (stem, 0.99),
        _ => (key, 0.5),
    };
    match stem {
        "connection-success" => share(&|row| !row["setup"].is_null()),
        "setup" => quantile(p, &|row| number(row, "setup")),
        "resets" => share(&|row| row["ended"] == "reset").map(|share| 1000.0 * share),
        "resets-per-hour" => {
            let hours: f64 = rows.iter().map(|row| number(row, "lasted").unwrap()).sum::<f64>() / 3600.0;
            Some(rows.iter().filter(|row| row["ended"] == "reset").count() as f64 / hours)
        }
        "rtt" => quantile(p, &|row| number(row, "min_rtt")),
        "transfer-errors" => share(&|row| row["ended"] != "clean"),
        "file-errors" => share(&|row| row["lost"] == true),
        "errors-per-gib" => {
            let gib = rows.iter().map(|row| number(row, "bytes").unwrap()).sum::<f64>() / 1_073_741_824.0;
            Some(rows.iter().filter(|row| row["ended"] != "clean").count() as f64 / gib)
        }
        "corruption" => share(&|row| row["ended"] != "clean"),
        "overhead" => quantile(p, &|row| {
            let (wire, payload) = (number(row, "wire")?, number(row, "payload")?);
            Some((wire - payload).max(0.0) / payload)
        }),
        "round-trips" => quantile(p, &|row| number(row, "round_trips")),
        "encrypted" => share(&|row| row["encrypted"] == true),
        "post-quantum" => share(&|row| row["post_quantum"] == true),
        stem if stem.starts_with("throughput") => {
            quantile(p, &|row| Some(number(row, "bytes")? / number(row, "lasted")?))
        }
        "resolve" => quantile(p, &phase("resolve")),
        "connect" => quantile(p, &phase("connect")),
        "banner" => quantile(p, &phase("banner")),
        "tls" => quantile(p, &phase("tls")),
        "login" => quantile(p, &phase("login")),
        "ready" => quantile(p, &phase("command")),
        _ => None,
    }
}

/// Every number of the page leads to observations that come to it.
fn every_number_can_be_traced(curl: &Curl<'_>) -> String {
    // A window that is over: nothing comes to it while it is read.
    let to = Timestamp::from_second((Timestamp::now().as_second() / 60 + 1) * 60).unwrap();
    while Timestamp::now().as_second() < to.as_second() + 5 {
        std::thread::sleep(Duration::from_millis(500));
    }
    let from = Timestamp::from_second(to.as_second() - 3600).unwrap();
    let told: Value = serde_json::from_str(&curl.get(&format!("/api/reliability?from={from}&to={to}")).body).unwrap();
    assert_eq!((told["from"].as_str().unwrap(), told["to"].as_str().unwrap()), (&*from.to_string(), &*to.to_string()));
    let page = curl.get(&format!("/reliability?from={from}&to={to}")).body.replace("&amp;", "&").replace("&#38;", "&");
    let (mut traced, mut keys) = (0, BTreeSet::new());
    for row in told["rows"].as_array().unwrap() {
        let key = row["key"].as_str().unwrap();
        for cell in row["cells"].as_array().unwrap() {
            let n = cell["n"].as_u64().unwrap();
            if n == 0 {
                continue;
            }
            let (family, role) = (cell["family"].as_str().unwrap(), cell["role"].as_str().unwrap());
            let stem = format!("/observations?statistic={key}&family={family}&role={role}&");
            assert!(page.contains(&stem), "{stem} is not on {page}");
            let (first, rows) =
                behind(curl, &format!("statistic={key}&family={family}&role={role}&from={from}&to={to}"));
            assert_eq!((first["n"].as_u64(), rows.len() as u64), (Some(n), n), "{key} of {family}, {role}");
            let Some(shown) = number(cell, "value") else { continue };
            let Some(found) = recomputed(key, &rows) else { continue };
            // A histogram's bin is 2 % wide.
            assert!((found - shown).abs() <= 0.021 * shown.abs(), "{key} of {family}, {role}: {shown}, not {found}");
            traced += 1;
            keys.insert(key);
        }
    }
    assert!(traced >= 30 && keys.contains("setup-p95") && keys.contains("throughput"), "{traced}: {keys:?}");
    let mut answers = 0;
    for link in page.split("href=\"").filter_map(|rest| rest.split('"').next()).filter(|link| link.contains("/pairs?"))
    {
        let told = asked(curl, link);
        let pairs = told["pairs"].as_array().unwrap();
        assert_eq!(told["n"].as_u64(), Some(pairs.len() as u64), "{link}");
        assert!(page.contains(told["sentence"].as_str().unwrap()), "{told}");
        let each = |pair: &Value| match told["question"].as_str().unwrap() {
            "connecting" | "moving" => {
                f64::from(u8::from(pair["other_well"] == true)) - f64::from(u8::from(pair["first_well"] == true))
            }
            _ => number(pair, "other").unwrap() - number(pair, "first").unwrap(),
        };
        let mean = pairs.iter().map(each).sum::<f64>() / pairs.len() as f64;
        assert!((mean - number(&told, "value").unwrap()).abs() < 1e-9, "{link}: {mean} {}", told["value"]);
        let html = curl.get(link).body;
        assert!(html.contains(&format!("{} pairs", pairs.len())) && html.contains("/observations?round="), "{html}");
        answers += 1;
    }
    assert!(answers >= 10, "{answers} answers in pairs");
    println!("{traced} figures and {answers} answers in pairs were worked out again from what was observed");
    format!("from={from}&to={to}")
}

/// What can be downloaded holds the figures of the page, harmless and on two sheets.
fn the_report_says_the_same(curl: &Curl<'_>, window: &str) {
    let export = |format: &str| curl.get(&format!("/reliability/export?{window}&format={format}"));
    let told: Value = serde_json::from_str(&curl.get(&format!("/api/reliability?{window}")).body).unwrap();
    let report: Value = serde_json::from_str(&export("json").body).unwrap();
    assert_eq!((&report["from"], &report["to"]), (&told["from"], &told["to"]));
    assert!(!report["machine"].as_str().unwrap().is_empty() && report["made"].as_str().unwrap().starts_with("20"));
    let (rows, figures) = (told["rows"].as_array().unwrap(), report["rows"].as_array().unwrap());
    assert_eq!(rows.len(), figures.len());
    let mut shown = 0;
    for (row, figures) in rows.iter().zip(figures) {
        assert_eq!((&row["key"], &row["definition"]), (&figures["key"], &figures["definition"]));
        for (cell, figure) in row["cells"].as_array().unwrap().iter().zip(figures["figures"].as_array().unwrap()) {
            for field in ["family", "role", "enough", "value", "low", "high", "n", "events"] {
                assert_eq!(cell[field], figure[field], "{field} of {row}");
            }
            shown += usize::from(cell["enough"] == true);
        }
    }
    assert!(shown >= 30 && report["compared"][0]["answers"].as_array().unwrap().len() >= 10, "{report}");
    let csv = export("csv");
    let lines: Vec<_> = csv.body.lines().collect();
    assert!(lines[0].starts_with("kind,key,title") && lines.len() > 100, "{}", csv.body);
    assert!(csv.body.contains("\"setup-median\"") && csv.head.contains("text/csv"), "{}", csv.head);
    let html = export("html");
    for said in
        ["content-disposition: attachment; filename=\"causeway-reliability-", "content-security-policy: sandbox;"]
    {
        assert!(html.head.contains(said), "{said}: {}", html.head);
    }
    for said in
        ["What we would gain by leaving FTP", "n = ", "Compared in pairs", "not enough data yet", "This is a demo."]
    {
        assert!(html.body.contains(said), "{said}: {}", html.body);
    }
    assert!(
        !html.body.contains("<script") && !html.body.contains("href=\"") && !html.body.contains("src="),
        "{}",
        html.body
    );
    assert_eq!(curl.get("/reliability/export?format=exe").status, 400);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, &html.body).unwrap();
    let sheets = printed(&file);
    assert!((1..=2).contains(&sheets), "{sheets} sheets");
}

/// Pages of the PDF that Chromium makes of a file on A4.
fn printed(file: &std::path::Path) -> usize {
    let browser = Browser::start();
    browser.open(&format!("file://{}", file.display()));
    let paper = r#"{"page":{"width":21.0,"height":29.7},"margin":{"top":1.4,"bottom":1.2,"left":1.4,"right":1.4}}"#;
    let pdf = browser.send("POST", "/print", paper);
    let pdf = data_encoding::BASE64.decode(pdf.as_str().expect("a PDF").as_bytes()).unwrap();
    if let Some(kept) = std::env::var_os("CAUSEWAY_REPORT") {
        std::fs::copy(file, std::path::Path::new(&kept).join("report.html")).unwrap();
        std::fs::write(std::path::Path::new(&kept).join("report.pdf"), &pdf).unwrap();
    }
    let text = String::from_utf8_lossy(&pdf);
    text.matches("/Type /Page").count() - text.matches("/Type /Pages").count()
}

/// `causeway report` writes what the dashboard's download holds.
fn the_command_writes_it(demo: &Causeway, curl: &Curl<'_>) {
    let (code, stdout, stderr) = run(&mut demo.command(&["report", "--format", "json", "--window", "hour"]));
    assert_eq!(code, 0, "{stderr}");
    let (written, downloaded): (Value, Value) = (
        serde_json::from_str(&stdout).unwrap(),
        serde_json::from_str(&curl.get("/reliability/export?window=hour&format=json").body).unwrap(),
    );
    for field in ["title", "machine", "window", "caveat"] {
        assert_eq!(written[field], downloaded[field], "{field}");
    }
    let keys =
        |report: &Value| report["rows"].as_array().unwrap().iter().map(|row| row["key"].clone()).collect::<Vec<_>>();
    assert_eq!(keys(&written), keys(&downloaded));
    let file = demo.folder().join("report.html");
    let (code, _, stderr) = run(&mut demo.command(&["report", "--output", file.to_str().unwrap()]));
    assert_eq!(code, 0, "{stderr}");
    assert!(std::fs::read_to_string(file).unwrap().contains("What we would gain by leaving FTP"));
}
