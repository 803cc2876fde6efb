//! The operator's own certificate: served, renewed under way, and looked at by `causeway check`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway::model::{Clock, ManualClock};
use causeway::serve::http::{Settings, bind, serve};
use causeway::task::Tasks;

use crate::support::causeway::{command, run};

/// A self-signed pair for `files.example`, ending on `until`.
fn pair(folder: &Path, until: (i32, u8, u8)) {
    let mut params = rcgen::CertificateParams::new(vec!["files.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(folder.join("certificate.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// Does a client that trusts the file `trusted` come in?
fn comes_in(port: u16, trusted: &Path) -> bool {
    let (code, stdout, stderr) = run(Command::new("curl")
        .args(["-sS", "--max-time", "10", "--connect-to", &format!("files.example:443:127.0.0.1:{port}"), "--cacert"])
        .arg(trusted)
        .arg("https://files.example/"));
    assert!(code == 0 || code == 60, "{code}: {stderr}");
    code == 0 && stdout == "hello"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path(), (2099, 1, 1));
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        certificate: Some(certificate.clone()),
        key: Some(key.clone()),
        look_again: Duration::from_millis(30),
        ..Settings::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let tasks = Tasks::new();
    let listener = bind(&settings, folder.path(), clock).await.unwrap();
    let (port, shown) = (listener.address().port(), listener.certificate().clone());
    let first = shown.borrow().fingerprint.clone();
    let router = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
    serve(listener, router, &tasks);
    let old = folder.path().join("old.pem");
    std::fs::copy(&certificate, &old).unwrap();
    assert!(comes_in(port, &old));

    // Half a renewal: the new key is there, its certificate is not.
    let old_key = std::fs::read(&key).unwrap();
    pair(folder.path(), (2099, 1, 1));
    let new = folder.path().join("new.pem");
    std::fs::rename(&certificate, &new).unwrap();
    std::fs::copy(&old, &certificate).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(comes_in(port, &old) && !comes_in(port, &new), "the old pair is served on");
    assert_ne!(std::fs::read(&key).unwrap(), old_key);

    std::fs::copy(&new, &certificate).unwrap();
    let begin = Instant::now();
    while shown.borrow().fingerprint == first {
        assert!(begin.elapsed() < Duration::from_secs(20), "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(comes_in(port, &new) && !comes_in(port, &old));
    assert!(tasks.drain(Duration::from_secs(10)).await);
}

#[test]
fn check_looks_into_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let check = || {
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        let mut check = command(folder.path());
        check.arg("check").env("CAUSEWAY_HTTPS_CERTIFICATE", certificate).env("CAUSEWAY_HTTPS_KEY", key);
        run(&mut check)
    };
    pair(folder.path(), (2099, 1, 1));
    let (code, stdout, _) = check();
    assert_eq!((code, stdout.contains("no problems")), (0, true), "{stdout}");
    let other = std::fs::read(folder.path().join("key.pem")).unwrap();
    pair(folder.path(), (2020, 1, 1));
    let (code, stdout, _) = check();
    assert_eq!((code, stdout.contains("ended on 2020-01-01")), (1, true), "{stdout}");
    std::fs::write(folder.path().join("key.pem"), other).unwrap();
    let (code, stdout, _) = check();
    assert_eq!((code, stdout.contains("do not belong together")), (1, true), "{stdout}");
    std::fs::write(folder.path().join("certificate.pem"), "hello").unwrap();
    let (code, stdout, _) = check();
    assert_eq!((code, stdout.contains("holds no certificate in PEM form")), (1, true), "{stdout}");
}
