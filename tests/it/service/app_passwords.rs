//! App passwords where they are needed: an account with a second factor, and programs that can show a password only.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::causeway::{Causeway, run};
use crate::support::davfs2::Mount;
use crate::support::totp;
use crate::web::site::{Answer, Curl};

const PASSWORD: &str = "correct horse battery";

/// A service with the account `anna`, who has a second factor.
struct House {
    served: Causeway,
    base: String,
}

impl House {
    fn start() -> Self {
        let served = Causeway::serve();
        served.account("anna", PASSWORD, &[]);
        std::fs::create_dir_all(served.tree().join("reports")).unwrap();
        std::fs::write(served.tree().join("reports/a.txt"), "hello").unwrap();
        let base = format!("https://localhost:{}", served.https.port());
        Self { served, base }
    }

    /// The owner's browser, after the second factor was switched on there.
    fn with_second_factor(&self) -> Curl<'_> {
        let browser = Curl::signed_in_at(&self.base, "anna", PASSWORD);
        let page = browser.post("/account", "/account/second-factor", &[("old", PASSWORD)]).body;
        let secret = page.split("<p class=\"hash\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let code = totp::code_after(&secret, 0);
        let said = browser.told("/account", "/account/second-factor/confirm", &[("code", &code)]);
        assert!(said.contains("The second factor holds"), "{said}");
        browser
    }

    /// A request without a browser's cookies.
    fn call(&self, more: &[&str], path: &str) -> Answer {
        Curl { base: &self.base, jar: tempfile::NamedTempFile::new().unwrap() }.call(path, more)
    }

    fn status(&self, secret: &str, more: &[&str], path: &str) -> u16 {
        self.call(&[&["-u", &format!("anna:{secret}")], more].concat(), path).status
    }

    fn cli(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = run(&mut self.served.command(arguments));
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
        stdout
    }

    /// The command line removes one, of which the service hears within a second.
    fn remove(&self, label: &str, secret: &str) {
        self.cli(&["account", "app", "remove", "anna", label]);
        let end = Instant::now() + Duration::from_secs(30);
        while self.status(secret, &[], "/dav/") != 401 {
            assert!(Instant::now() < end, "it is let in still");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One that the command line makes.
    fn app(&self, label: &str, more: &[&str]) -> String {
        let said = self.cli(&[&["account", "app", "add", "anna", label, "--json"], more].concat());
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["password"].as_str().unwrap().to_owned()
    }

    fn rclone(&self, secret: &[&str], arguments: &[&str]) -> Output {
        let url = format!("{}/dav/", self.base);
        let mut rclone = Command::new("timeout");
        rclone.args(["120", "rclone", "--no-check-certificate", "--config", "/dev/null", "--retries", "1"]);
        rclone.args(["--webdav-vendor", "owncloud", "--webdav-url", &url]).args(secret).args(arguments);
        rclone.output().unwrap()
    }
}

/// What the page says once.
fn shown(page: &str) -> String {
    let from = page.find("cway_").unwrap_or_else(|| panic!("no app password: {page}"));
    page[from..].split('<').next().unwrap().to_owned()
}

#[test]
fn a_second_factor_leaves_the_doors_open_for_app_passwords() {
    let house = House::start();
    let browser = house.with_second_factor();
    let refused = house.call(&["-u", &format!("anna:{PASSWORD}")], "/dav/");
    assert!(refused.status == 403 && refused.body.contains("make an app password for this device"), "{}", refused.body);

    let wanted = [("label", "Anna's laptop"), ("old", PASSWORD)];
    let page = browser.post("/account", "/account/app-passwords", &wanted);
    assert!(page.status == 200 && page.head.contains("cache-control: no-store"), "{}", page.head);
    let secret = shown(&page.body);
    assert!(!browser.get("/account").body.contains(&secret), "it is shown once");
    assert!(browser.get("/account").body.contains("never"));

    assert_eq!(house.status(&secret, &["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/"), 207);
    assert_eq!(house.status(&secret, &["-T", "/etc/hostname"], "/dav/new"), 201);
    assert_eq!(house.status(&secret, &["-T", "/etc/hostname"], "/files/newer"), 201);
    let token = format!("Authorization: Bearer {secret}");
    assert_eq!(house.call(&["-H", &token], "/files/reports/a.txt").body, "hello");
    assert_eq!(house.call(&["-H", &token], "/dav/reports/a.txt").body, "hello");
    assert_eq!(house.call(&[], &format!("/files/?access_token={secret}")).status, 401, "never in a URL");
    let wrong = house.call(&["-H", "Authorization: Bearer x"], "/files/");
    assert!(wrong.status == 401 && wrong.head.contains("www-authenticate: bearer realm="), "{}", wrong.head);
    assert!(wrong.head.contains("error=\"invalid_token\""), "{}", wrong.head);
    let wrong = house.call(&["-u", &format!("anna:{secret}a")], "/dav/");
    assert!(wrong.status == 401 && wrong.head.contains("www-authenticate: basic realm="), "{}", wrong.head);

    let stranger = Curl { base: &house.base, jar: tempfile::NamedTempFile::new().unwrap() };
    for code in ["", "000000"] {
        let fields = [("name", "anna"), ("password", secret.as_str()), ("code", code)];
        assert_eq!(stranger.post("/sign-in", "/sign-in", &fields).status, 401, "it opens no dashboard");
    }
    let bearer = ["-H", token.as_str()];
    assert_eq!(stranger.call("/account", &bearer).status, 303, "nor does it as a token");

    let page = browser.get("/account").body;
    assert!(page.contains("from 127.0.0.1") && page.contains("May read and write everything"), "{page}");
    let wrong = [("label", "Anna's laptop"), ("old", "wrong")];
    assert!(browser.told("/account", "/account/app-passwords/remove", &wrong).contains("nothing was changed"));
    assert_eq!(house.status(&secret, &[], "/dav/new"), 200);
    let gone = browser.told("/account", "/account/app-passwords/remove", &wanted);
    assert!(gone.contains("The app password is removed"), "the session goes on: {gone}");
    assert_eq!(house.status(&secret, &[], "/dav/new"), 401);
    assert_eq!(house.call(&["-H", &token], "/files/new").status, 401);

    let log = house.cli(&["audit", "export"]);
    for said in [
        "\"action\":\"app-password-made\"",
        "\"label\":\"Anna's laptop\"",
        "\"method\":\"app-password\"",
        "\"app_password\":\"Anna's laptop\"",
        "\"reason\":\"app-password-removed\"",
        "\"action\":\"app-password-removed\"",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains(&secret) && !house.served.log().contains(&secret), "nor does a log show it");
}

#[test]
fn a_narrow_one_reads_its_folder_and_nothing_else() {
    let house = House::start();
    let tree = house.served.tree();
    std::fs::write(tree.join("secret.txt"), "x").unwrap();
    let narrow = house.app("Report", &["--folder", "reports", "--read-only", "--days", "90"]);
    for door in ["/dav", "/files"] {
        let read = house.call(&["-u", &format!("anna:{narrow}")], &format!("{door}/a.txt"));
        assert_eq!((read.status, read.body.as_str()), (200, "hello"), "{door}");
        for path in ["/secret.txt", "/reports/a.txt", "/../secret.txt", "/%2e%2e/secret.txt"] {
            let status = house.status(&narrow, &["--path-as-is"], &format!("{door}{path}"));
            assert!(matches!(status, 400 | 403 | 404), "{door}{path}: {status}");
        }
        assert_eq!(house.status(&narrow, &["-X", "PUT", "-d", "x"], &format!("{door}/a.txt")), 403, "{door}");
    }
    assert_eq!(house.status(&narrow, &["-X", "DELETE"], "/dav/a.txt"), 403);
    assert_eq!(std::fs::read_to_string(tree.join("reports/a.txt")).unwrap(), "hello");
    assert_eq!(house.status(PASSWORD, &["-X", "DELETE"], "/dav/reports"), 204);
    let gone = house.call(&["-u", &format!("anna:{narrow}")], "/dav/");
    assert!(gone.status == 404 && gone.body.contains("not there any more"), "{}: {}", gone.status, gone.body);
    assert!(!tree.join("reports").exists(), "it is not made anew");
    let listed = house.cli(&["account", "app", "list", "anna"]);
    assert!(listed.contains("/reports") && listed.contains("from 127.0.0.1"), "{listed}");
}

#[test]
fn rclone_comes_in_with_it_as_password_and_as_token() {
    let house = House::start();
    house.with_second_factor();
    let secret = house.app("rclone", &[]);
    let source = house.served.folder().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("one"), "1").unwrap();
    let obscured = Command::new("rclone").args(["obscure", &secret]).output().unwrap().stdout;
    let obscured = String::from_utf8(obscured).unwrap().trim().to_owned();
    let basic = ["--webdav-user", "anna", "--webdav-pass", obscured.as_str()];
    let bearer = ["--webdav-bearer-token", secret.as_str()];
    for (way, folder) in [(&basic[..], "basic"), (&bearer[..], "bearer")] {
        let done = house.rclone(way, &["copy", source.to_str().unwrap(), &format!(":webdav:{folder}")]);
        assert!(done.status.success(), "{folder}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(std::fs::read(house.served.tree().join(folder).join("one")).unwrap(), b"1");
    }
    house.remove("rclone", &secret);
    for way in [&basic[..], &bearer[..]] {
        let refused = house.rclone(way, &["lsf", ":webdav:"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("401"), "{said}");
    }
}

#[test]
fn davfs2_mounts_with_it() {
    let house = House::start();
    house.with_second_factor();
    let (secret, other) = (house.app("Desk", &[]), house.app("Laptop", &[]));
    let mount = |password: &str| {
        let url = format!("{}/dav/", house.base);
        Mount::of(&url, Path::new(&house.served.certificate()), ("anna", password))
    };
    let Some(mounted) = mount(&secret) else { return };
    let mounted = mounted.unwrap();
    assert_eq!(std::fs::read_to_string(mounted.path().join("reports/a.txt")).unwrap(), "hello");
    std::fs::write(mounted.path().join("reports/b.txt"), "back").unwrap();
    mounted.end();
    assert_eq!(std::fs::read_to_string(house.served.tree().join("reports/b.txt")).unwrap(), "back");
    house.remove("Desk", &secret);
    for refused in [secret.as_str(), PASSWORD] {
        assert!(mount(refused).is_some_and(|mounted| mounted.is_err()), "it mounts with what opens nothing");
    }
    mount(&other).unwrap().expect("the other one goes on").end();
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let house = House::start();
    let fails = |arguments: &[&str]| {
        let (code, _, stderr) = run(&mut house.served.command(&[&["account", "app"], arguments].concat()));
        (code, stderr)
    };
    assert!(house.cli(&["account", "app", "list", "anna"]).contains("no app password"));
    let said = house.cli(&["account", "app", "add", "anna", "Laptop"]);
    assert!(said.contains("not shown again") && said.contains("  password  cway_"), "{said}");
    for (arguments, code, why) in [
        (&["add", "anna", "Laptop"][..], 1, "there is an app password 'Laptop' already"),
        (&["add", "anna", " "], 1, "name the device or program"),
        (&["add", "anna", "x", "--folder", "../x"], 1, "cannot be a folder"),
        (&["add", "anna", "x", "--days", "0"], 2, "0 is not in"),
        (&["add", "bert", "x"], 1, "there is no account 'bert'"),
        (&["remove", "anna", "Phone"], 1, "there is no app password 'Phone'"),
        (&["list", "bert"], 1, "there is no account 'bert'"),
    ] {
        let (was, stderr) = fails(arguments);
        assert!(was == code && stderr.contains(why), "{arguments:?}: {was}, {stderr}");
    }
    let shown: serde_json::Value = serde_json::from_str(&house.cli(&["account", "list", "--json"])).unwrap();
    let anna = shown.as_array().unwrap().iter().find(|account| account["name"] == "anna").unwrap();
    assert_eq!(anna["app-passwords"], serde_json::json!(["Laptop"]));
    house.cli(&["account", "app", "remove", "anna", "Laptop"]);
    assert_eq!(house.cli(&["account", "app", "list", "anna", "--json"]).trim(), "[]");
}
