//! Certificates that an authority issues (Pebble, over the real protocol), and the plain listener beside HTTPS.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway::model::{Clock, ManualClock, SystemClock};
use causeway::serve::http::{AcmeSettings, Served, Settings, acme_plan, bind, serve};
use causeway::task::Tasks;
use jiff::SignedDuration;

use crate::support::causeway::{command, run};
use crate::support::pebble::Pebble;
use crate::support::port::Port;

/// A listener that orders, on the data in a folder.
struct Door {
    tasks: Tasks,
    served: Served,
    settings: Settings,
    clock: Arc<ManualClock>,
    https: u16,
    plain: Option<u16>,
}

fn settings(pebble: &Pebble, plain: bool) -> Settings {
    let acme = AcmeSettings {
        directory: pebble.directory().parse().unwrap(),
        names: vec!["files.example.org".to_owned(), "sftp.example.org".to_owned()],
        contact: Some("admin@example.org".to_owned()),
        ca: Some(pebble.root()),
    };
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        acme: Some(acme),
        plain: plain.then(|| ([127, 0, 0, 1], 0).into()),
        look_again: Duration::from_millis(50),
        ..Settings::default()
    }
}

impl Door {
    async fn open(settings: Settings, data: &Path, clock: Arc<ManualClock>, pebble: Option<&mut Pebble>) -> Self {
        let listener = bind(&settings, data, clock.clone()).await.unwrap();
        let (https, plain) = (listener.address().port(), listener.plain_address().map(|at| at.port()));
        if let Some(pebble) = pebble {
            pebble.start(plain.unwrap_or(1), https);
        }
        let (tasks, served) = (Tasks::new(), listener.certificate().clone());
        let router = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
        serve(listener, router, &tasks);
        Self { tasks, served, settings, clock, https, plain }
    }

    fn fingerprint(&self) -> String {
        self.served.borrow().fingerprint.clone()
    }

    /// Waits for another certificate than this.
    async fn other_than(&mut self, fingerprint: &str) -> String {
        let changed = self.served.wait_for(|now| now.fingerprint != fingerprint);
        let now = tokio::time::timeout(Duration::from_secs(60), changed).await.expect("no other certificate").unwrap();
        assert!(!now.self_signed && now.names.iter().any(|name| name == "sftp.example.org"), "{:?}", now.names);
        now.fingerprint.clone()
    }

    /// The issuer of what is really served.
    fn issuer(&self) -> String {
        let at = format!("127.0.0.1:{}", self.https);
        let script = format!(
            "openssl s_client -connect {at} -servername files.example.org </dev/null 2>/dev/null | openssl x509 -noout -issuer"
        );
        run(Command::new("sh").args(["-c", &script])).1
    }
}

fn now() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(SystemClock.now()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_ordered_renewed_and_kept_over_a_restart() {
    let (data, mut pebble) = (tempfile::tempdir().unwrap(), Pebble::new());
    let plan = |settings: &Settings, clock: &ManualClock| acme_plan(settings, data.path(), clock.now()).unwrap();
    let wanted = settings(&pebble, true);
    assert!(plan(&wanted, &now()).contains("at the next start; until it is there, a self-signed one is served"));
    let mut door = Door::open(wanted, data.path(), now(), Some(&mut pebble)).await;
    let first = door.fingerprint();
    assert!(door.served.borrow().self_signed, "until it is there");
    let ordered = door.other_than(&first).await;
    assert!(door.issuer().contains("Pebble"), "{}", door.issuer());
    for kept in ["certificate.pem", "account.json"] {
        let kept = data.path().join("tls/acme").join(kept);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", kept.display());
    }
    let account = std::fs::read(data.path().join("tls/acme/account.json")).unwrap();

    // A third of its time is left.
    let (begins, ends) = (door.served.borrow().begins, door.served.borrow().ends);
    door.clock.advance(ends.duration_since(begins) * 2 / 3 - SignedDuration::from_hours(24));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(door.fingerprint(), ordered, "not a day too early");
    door.clock.advance(SignedDuration::from_hours(48));
    let renewed = door.other_than(&ordered).await;
    assert_eq!(std::fs::read(data.path().join("tls/acme/account.json")).unwrap(), account, "by the same account");

    // Nobody is asked again by a start: there is nobody who could be.
    assert!(door.tasks.drain(Duration::from_secs(10)).await);
    pebble.stop();
    let clock = now();
    let mut door = Door::open(door.settings, data.path(), Arc::clone(&clock), None).await;
    assert_eq!(door.fingerprint(), renewed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!plan(&door.settings, &clock).contains("failed"), "nothing was tried");

    // The authority is down when it is time: the old one is served on, and that is said.
    door.clock.advance(ends.duration_since(begins) * 3 / 4);
    let begin = Instant::now();
    while !plan(&door.settings, &clock).contains("failed") {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing was tried: {}", plan(&door.settings, &clock));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(door.fingerprint(), renewed);
    assert!(door.issuer().contains("Pebble"));
    let said = plan(&door.settings, &clock);
    assert!(said.contains("The last order failed (failures: 1): connect: cannot connect to localhost"), "{said}");
    // It comes back, but only after a wait is it asked again.
    pebble.start(door.plain.unwrap(), door.https);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(door.fingerprint(), renewed);
    assert!(plan(&door.settings, &clock).contains("failures: 1"));
    // It has forgotten our account meanwhile, as no other does.
    std::fs::remove_file(data.path().join("tls/acme/account.json")).unwrap();
    clock.advance(SignedDuration::from_mins(11));
    door.other_than(&renewed).await;
    assert!(!plan(&door.settings, &clock).contains("failed"));
    door.tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_plain_listener_a_name_is_shown_by_a_handshake() {
    let (data, mut pebble) = (tempfile::tempdir().unwrap(), Pebble::new());
    let mut door = Door::open(settings(&pebble, false), data.path(), now(), Some(&mut pebble)).await;
    let first = door.fingerprint();
    door.other_than(&first).await;
    assert!(door.issuer().contains("Pebble"), "{}", door.issuer());
    door.tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_show_a_name_is_told_why() {
    let (data, mut pebble) = (tempfile::tempdir().unwrap(), Pebble::new());
    let wanted = settings(&pebble, true);
    let nobody = Port::reserve();
    pebble.start(nobody.number(), nobody.number());
    let door = Door::open(wanted, data.path(), now(), None).await;
    let begin = Instant::now();
    let said = loop {
        let said = acme_plan(&door.settings, data.path(), door.clock.now()).unwrap();
        if said.contains("failures: 1") {
            break said;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(said.contains("the authority refused") && said.contains("connection refused"), "{said}");
    assert!(door.served.borrow().self_signed);
    door.tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_leads_to_https_and_serves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let wanted = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        plain: Some(([127, 0, 0, 1], 0).into()),
        names: vec!["files.example".to_owned()],
        ..Settings::default()
    };
    let door = Door::open(wanted.clone(), data.path(), now(), None).await;
    let plain = door.plain.unwrap();
    let ask = |host: &str, more: &[&str], path: &str| {
        let url = format!("http://127.0.0.1:{plain}{path}");
        let host = format!("Host: {host}");
        run(Command::new("curl").args(["-si", "--max-time", "20", "-H", &host]).args(more).arg(url)).1.to_lowercase()
    };
    for (method, host) in [("GET", "Files.Example"), ("POST", "localhost:80"), ("PROPFIND", "127.0.0.1")] {
        let said = ask(host, &["-X", method], "/files/a%20b?x=1");
        let name = host.split(':').next().unwrap().to_lowercase();
        let to = format!("location: https://{name}:{}/files/a%20b?x=1\r\n", door.https);
        assert!(said.starts_with("http/1.1 308") && said.contains(&to), "{said}");
        assert!(!said.contains("strict-transport-security"), "over plain HTTP it means nothing");
    }
    for host in ["evil.example", "", "files.example.evil.example"] {
        let said = ask(host, &[], "/");
        assert!(said.starts_with("http/1.1 421") && !said.contains("location"), "{host}: {said}");
    }
    assert!(ask("files.example", &[], "/.well-known/acme-challenge/x").starts_with("http/1.1 404"));
    door.tasks.stop();
    // Reached from outside by another port.
    let door = Door::open(Settings { public_port: Some(443), ..wanted }, data.path(), now(), None).await;
    let plain = door.plain.unwrap();
    let url = format!("http://localhost:{plain}/x");
    let said = run(Command::new("curl").args(["-sI", "--max-time", "20", &url])).1.to_lowercase();
    assert!(said.contains("location: https://localhost/x\r\n"), "{said}");
    door.tasks.stop();
}

#[test]
fn check_says_what_would_be_ordered_and_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let check = |pairs: &[(&str, &str)]| {
        let mut check = command(folder.path());
        check.arg("check");
        for (name, value) in pairs {
            check.env(format!("CAUSEWAY_HTTPS_{name}"), value);
        }
        run(&mut check)
    };
    let (code, said, _) =
        check(&[("ACME", "letsencrypt"), ("ACME_NAMES", "files.example.org"), ("PLAIN", "0.0.0.0:8080")]);
    assert_eq!(code, 0, "{said}");
    for part in ["files.example.org", "acme-v02.api.letsencrypt.org", "at the next start", "port 80", "0.0.0.0:8080"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let wrong: [(&[(&str, &str)], &str); 4] = [
        (&[("ACME", "letsencrypt")], "it is not said what the certificate is for"),
        (&[("ACME", "letsencrypt"), ("ACME_NAMES", "*.example.org")], "no certificate can be ordered for"),
        (&[("ACME", "example")], "is no authority that issues certificates"),
        (&[("PLAIN", "0.0.0.0:8443")], "on the same address and port"),
    ];
    for (pairs, expected) in wrong {
        let (code, said, _) = check(pairs);
        assert!(code != 0 && said.contains(expected), "{pairs:?}: {said}");
    }
}
