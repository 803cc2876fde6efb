//! Early warning in the running program: what was recorded while it stood still is made up for, an alarm is shown, and leads
//! to its observations and to the incident.

use std::time::{Duration, Instant};

use causeway::db::Db;
use causeway::model::{Fault, FaultKind, Phase, Protocol};
use causeway::reliability::{Detail, End, Observation, Recorder, Role, What};
use causeway::task::Tasks;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::browser::Browser;
use super::site::Curl;
use crate::support::causeway::{Causeway, run};

const PASSWORD: &str = "correct horse battery";
const ENDPOINT: &str = "old.example:21";

/// Two connections a minute for seven hours; in the last forty minutes half of them are refused.
async fn record(causeway: &Causeway) {
    let db = Db::open(&causeway.data().join("causeway.db")).await.unwrap();
    let tasks = Tasks::new();
    let recorder = Recorder::start(db.clone(), &tasks);
    let now = Timestamp::now();
    for minute in (0..420).rev() {
        for one in 0..2 {
            let refused = one == 0 && (minute < 40 || minute % 200 == 150);
            let what = if refused {
                What::never_ready(&Fault::new(Phase::Connect, FaultKind::Refused, "no"))
            } else {
                let setup = Some(Duration::from_millis(80 + minute % 7));
                What::Connection { setup, phases: Vec::new(), held: Duration::from_secs(30), end: End::Clean }
            };
            let at = now - SignedDuration::from_secs(60 * minute as i64 + 20 * one);
            let (protocol, role, endpoint) = (Protocol::Ftp, Role::Client, ENDPOINT.to_owned());
            recorder.record(Observation { at, protocol, role, endpoint, what, detail: Detail::default() });
        }
    }
    assert!(tasks.drain(Duration::from_secs(30)).await);
    assert_eq!(recorder.dropped(), 0);
    db.close().await;
}

/// The addresses in `page` that begin with `root`, as a browser reads them.
fn links(page: &str, root: &str) -> Vec<String> {
    let all = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    all.filter(|href| href.starts_with(root)).map(|href| href.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

#[test]
fn an_alarm_is_shown_with_what_it_rests_on() {
    let mut causeway = Causeway::serve();
    causeway.account("boss", PASSWORD, &["--admin"]);
    assert_eq!(causeway.stop(), 0);
    tokio::runtime::Runtime::new().unwrap().block_on(record(&causeway));
    causeway.again();
    let base = format!("https://localhost:{}", causeway.https.port());
    let curl = Curl::signed_in_at(&base, "boss", PASSWORD);
    let begun = Instant::now();
    let page = loop {
        let page = curl.get("/reliability").body;
        if page.contains("/alarms/1") && page.contains("the incident there") {
            break page;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{page}\n{}", causeway.log());
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(page.contains("% of attempts fail instead of") && page.contains("at old.example:21 (FTP)"), "{page}");
    assert!(page.contains("1 endpoint is watched; of 1 there is not enough data yet"), "{page}");
    assert!(page.contains("0.30 a week") && page.contains("No neural network"), "{page}");
    assert!(!page.contains("/alarms/2"), "one change is one alarm: {page}");

    // Its evidence: five minutes each, and behind each of them as many observations as it says.
    let alarm = curl.get("/alarms/1").body;
    assert!(alarm.contains("Goes on") && alarm.contains("What it rests on"), "{alarm}");
    let rows = links(&alarm, "/observations?statistic=connection-success");
    assert!(rows.len() >= 2, "{alarm}");
    for row in &rows {
        let told: Value =
            serde_json::from_str(&curl.call(row, &["-H", "Accept: application/json"]).body).expect("JSON");
        let seen = told["observations"].as_array().unwrap();
        assert_eq!(seen.len(), 10, "{row}: {told}");
        assert!(alarm.contains("data-label=\"Out of\">10<"), "{alarm}");
    }
    let incident = links(&alarm, "/incidents/");
    let incident = curl.get(&incident[0]).body;
    assert!(incident.contains("Connections are refused at old.example:21"), "{incident}");
    assert_eq!(links(&incident, "/alarms/"), ["/alarms/1"], "and back");
    assert_eq!(curl.get("/alarms/7").status, 404);

    objectives_and_limits(&curl);
    // On its trend, in the log, and in what can be downloaded.
    let trend = links(&alarm, "/reliability/trends");
    let drawn = curl.get(&trend[0]).body;
    assert!(drawn.contains("class=\"alarm\"") && drawn.contains(", an alarm<"), "{drawn}");
    a_drawing_answers_the_mouse(&base, &trend[0]);
    let calm = curl.get("/reliability/trends?statistic=setup-median").body;
    assert!(calm.contains(ENDPOINT) && !calm.contains("class=\"alarm\""), "{calm}");
    assert!(curl.get("/audit?action=alarm-began").body.contains("Alarm 1: "));
    let report: Value = serde_json::from_str(&curl.get("/reliability/export?format=json").body).unwrap();
    let told = &report["alarms"][0];
    assert_eq!((&told["sign"], &told["endpoint"], &told["ended"]), (&"errors".into(), &ENDPOINT.into(), &Value::Null));
    assert!(told["seen"].as_f64().unwrap() > 0.2 && told["usual"].as_f64().unwrap() < 0.05, "{told}");
    let asked: Value = serde_json::from_str(&curl.get("/api/reliability?window=day").body).unwrap();
    assert_eq!(&asked["alarms"][0], told, "scripts are told the same");
    for format in ["csv", "html"] {
        let (code, written, stderr) = run(&mut causeway.command(&["report", "--format", format, "--window", "day"]));
        assert_eq!(code, 0, "{stderr}");
        assert!(written.contains("of attempts fail instead of"), "{format}: {written}");
    }
}

/// What the mouse is over is said, and a stretch that is drawn over is shown more closely.
fn a_drawing_answers_the_mouse(base: &str, trend: &str) {
    let browser = Browser::signed_in_at(base, "boss", PASSWORD, "/reliability");
    browser.open(&format!("{base}{trend}"));
    let hits = "[...document.querySelector('svg.chart:has(.hit[data-href])').querySelectorAll('.hit[data-href]')]";
    browser.wait("the drawing", &format!("{hits}.length > 3 && (scrollTo(0, 0), true)"));
    let told = browser.script(&format!(
        "return {hits}.map(hit => ({{ box: hit.getBoundingClientRect(), href: hit.dataset.href, \
         title: hit.querySelector('title').textContent }}))"
    ));
    let place = |hit: &Value| {
        let part = |name: &str| hit["box"][name].as_f64().unwrap();
        ((part("x") + part("width") / 2.0) as i64, (part("y") + part("height") / 2.0) as i64)
    };
    let (first, last) = (&told[1], &told[3]);
    browser.mouse(&[place(first)], false);
    assert_eq!(browser.script("return document.querySelector('.tip:not([hidden])')?.textContent"), first["title"]);
    browser.mouse(&[place(last)], false);
    assert_eq!(browser.script("return document.querySelector('.tip:not([hidden])')?.textContent"), last["title"]);
    browser.mouse(&[place(last), place(first)], true);
    let end = |hit: &Value, name: &str| {
        let url = url::Url::parse(base).unwrap().join(hit["href"].as_str().unwrap()).unwrap();
        url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    let asked = |name: &str| format!("new URLSearchParams(location.search).get('{name}')");
    let (from, to) = (end(first, "from"), end(last, "to"));
    browser.wait("the closer look", &format!("{} === '{from}' && {} === '{to}'", asked("from"), asked("to")));
}

/// The same traffic against its objective, and the most connections that were held at once: each figure with as many
/// observations behind it as it says.
fn objectives_and_limits(curl: &Curl<'_>) {
    let asked =
        |link: &str| serde_json::from_str::<Value>(&curl.call(link, &["-H", "Accept: application/json"]).body).unwrap();
    let page = curl.get("/reliability/endpoints").body;
    assert!(page.contains("objective 99.9% over 30d") && page.contains("burns: look now"), "{page}");
    let report: Value = serde_json::from_str(&curl.get("/reliability/export?format=json").body).unwrap();
    let endpoint = &report["endpoints"][0];
    let links = links(&page, "/observations?");
    let figures: Vec<_> =
        endpoint["figures"].as_array().unwrap().iter().filter(|figure| figure["key"] != "burn-rate-1d").collect();
    assert_eq!((links.len(), figures.len(), &endpoint["endpoint"]), (6, 6, &ENDPOINT.into()), "{page}");
    let value = |key: &str| figures.iter().find(|figure| figure["key"] == key).unwrap();
    // Of 840 tries 42 were refused: 40 in the last hour, and two before.
    let (availability, left) = (value("availability"), value("budget-left"));
    assert_eq!((&availability["n"], &left["n"]), (&840.into(), &840.into()), "{endpoint}");
    let number = |figure: &Value, field: &str| figure[field].as_f64().unwrap();
    assert!((number(availability, "value") - 798.0 / 840.0).abs() < 1e-9, "{availability}");
    assert!((number(left, "value") - (1.0 - 42.0 / 0.84)).abs() < 1e-6, "{left}");
    let hour = value("burn-rate-1h");
    let (n, bad) = (number(hour, "n"), number(hour, "events"));
    assert!(bad >= 39.0 && (number(hour, "value") - 1000.0 * bad / n).abs() < 1e-6, "{hour}");
    assert!(number(hour, "low") < number(hour, "value") && number(hour, "value") < number(hour, "high"), "{hour}");
    for (link, figure) in links.iter().zip(&figures).filter(|(_, figure)| figure["key"] != "concurrency") {
        let told = asked(link);
        assert_eq!((&told["n"], &told["statistic"]), (&figure["n"], &"connection-success".into()), "{link}: {told}");
    }
    // Each was held for half a minute, and one began every twenty seconds or forty.
    let most = value("concurrency");
    assert_eq!((&most["value"], &most["n"]), (&2.0.into(), &798.into()), "{most}");
    // Now and then one more was asked for and refused within a minute of two that were held.
    assert!(page.contains(">2<") && page.contains("one more was refused") && !page.contains("at least 2"), "{page}");
    let told = asked(&links[5]);
    let held = told["observations"].as_array().unwrap().iter().filter(|seen| seen["lasted"].as_f64() >= Some(10.0));
    assert!(held.count() >= 2, "{told}");
    let csv = curl.get("/reliability/export?format=csv").body;
    assert!(csv.contains("\"endpoint\",\"budget-left\"") && csv.contains("objective 99.9% over 30d"), "{csv}");
}
