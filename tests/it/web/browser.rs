//! Headless Chromium, as people use it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::site::{PASSWORD, Site};

/// Headless Chromium behind chromedriver, spoken to by `curl`.
pub struct Browser {
    driver: Child,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
        Self::start_with(&["--disable-quic"])
    }

    /// With other arguments about HTTP/3 than the usual one.
    pub fn start_with(more: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: install chromium-driver");
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{port}/session"), _profile: profile };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let arguments = serde_json::json!([&arguments[..], more].concat());
        let wish = format!(
            r#"{{"capabilities":{{"alwaysMatch":{{"acceptInsecureCerts":true,"goog:chromeOptions":{{"args":{arguments}}}}}}}}}"#
        );
        let began = Instant::now();
        loop {
            let answer = browser.send("POST", "", &wish);
            if let Some(id) = answer["sessionId"].as_str() {
                browser.session = format!("{}/{id}", browser.session);
                return browser;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no browser: {answer}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    pub fn send(&self, method: &str, command: &str, body: &str) -> serde_json::Value {
        let url = format!("{}{command}", self.session);
        let mut curl = Command::new("curl");
        curl.args(["-s", "--max-time", "60", "-X", method, &url]);
        if method == "POST" {
            curl.args(["-H", "Content-Type: application/json", "-d", body]);
        }
        let output = curl.output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).map(|v| v["value"].clone()).unwrap_or_default()
    }

    pub fn open(&self, url: &str) {
        self.send("POST", "/url", &serde_json::json!({ "url": url }).to_string());
    }

    /// Signs in and lands on `path`.
    pub fn signed_in(site: &Site, name: &str, path: &str) -> Self {
        Self::signed_in_at(&site.base, name, PASSWORD, path)
    }

    /// As [`Browser::signed_in`], somewhere else.
    pub fn signed_in_at(base: &str, name: &str, password: &str, path: &str) -> Self {
        let browser = Self::start();
        browser.open(&format!("{base}{path}"));
        browser.wait("the sign-in page", "document.querySelector('#password')");
        browser.write("#name", name);
        browser.write("#password", password);
        browser.click("form[action='/sign-in'] button");
        browser.wait("the page after signing in", &format!("location.pathname === '{path}'"));
        browser
    }

    /// Presses a key, wherever the focus is.
    pub fn press(&self, key: char) {
        let key = key.to_string();
        let press = serde_json::json!({ "actions": [{ "type": "key", "id": "keys", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }
        ] }] });
        self.send("POST", "/actions", &press.to_string());
    }

    /// Moves the mouse from one point of the window to the next, with its button held down from the first on when it `draws`.
    pub fn mouse(&self, points: &[(i64, i64)], draws: bool) {
        let mut actions = Vec::new();
        for (number, (x, y)) in points.iter().enumerate() {
            actions.push(serde_json::json!({ "type": "pointerMove", "duration": 50, "x": x, "y": y }));
            if draws && number == 0 {
                actions.push(serde_json::json!({ "type": "pointerDown", "button": 0 }));
            }
        }
        if draws {
            actions.push(serde_json::json!({ "type": "pointerUp", "button": 0 }));
        }
        let mouse = serde_json::json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.send("POST", "/actions", &serde_json::json!({ "actions": [mouse] }).to_string());
    }

    /// As small as a phone.
    pub fn phone(&self) {
        self.send("POST", "/window/rect", r#"{"width":500,"height":800}"#);
    }

    /// Speaks to the browser's own tools, for what people do with a device and not with a page.
    pub fn devtools(&self, command: &str, parameters: &serde_json::Value) {
        let wish = serde_json::json!({ "cmd": command, "params": parameters });
        self.send("POST", "/goog/cdp/execute", &wish.to_string());
    }

    /// What the browser complained about.
    pub fn complaints(&self) -> Vec<serde_json::Value> {
        let problems = self.send("POST", "/se/log", r#"{"type":"browser"}"#);
        problems.as_array().into_iter().flatten().filter(|p| p["level"] == "SEVERE").cloned().collect()
    }

    pub fn script(&self, text: &str) -> serde_json::Value {
        self.send("POST", "/execute/sync", &serde_json::json!({ "script": text, "args": [] }).to_string())
    }

    pub fn find(&self, selector: &str) -> String {
        let wish = serde_json::json!({ "using": "css selector", "value": selector }).to_string();
        let found = self.send("POST", "/element", &wish);
        let id = found.as_object().and_then(|o| o.values().next()).and_then(|v| v.as_str()).map(str::to_owned);
        id.unwrap_or_else(|| panic!("no {selector}: {found}, {}", self.script("return document.body.innerText")))
    }

    pub fn write(&self, selector: &str, text: &str) {
        let id = self.find(selector);
        self.send("POST", &format!("/element/{id}/clear"), "{}");
        self.send("POST", &format!("/element/{id}/value"), &serde_json::json!({ "text": text }).to_string());
    }

    /// Chooses files for an upload, one path a line.
    pub fn attach(&self, selector: &str, paths: &str) {
        let id = self.find(selector);
        self.send("POST", &format!("/element/{id}/value"), &serde_json::json!({ "text": paths }).to_string());
    }

    pub fn click(&self, selector: &str) {
        let id = self.find(selector);
        self.send("POST", &format!("/element/{id}/click"), "{}");
    }

    pub fn wait(&self, what: &str, condition: &str) {
        let began = Instant::now();
        while self.script(&format!("return Boolean({condition})")) != serde_json::Value::Bool(true) {
            let text = self.script("return location.href + '\\n' + document.body.innerText");
            assert!(
                began.elapsed() < Duration::from_secs(40),
                "{what} did not happen: {}",
                text.as_str().unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(150));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.send("DELETE", "", "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
