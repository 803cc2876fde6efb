//! How content is proven, from the form to the manifest that a browser saves.

use std::time::{Duration, Instant};

use super::site::{Curl, Site};
use crate::support::causeway::{command, run};

#[test]
fn a_job_says_how_it_proves_and_its_run_hands_out_a_manifest() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let source = site.source();
    let fields = |proof: &'static str, sample: &'static str| {
        let source = source.to_str().unwrap();
        [
            ("name", "job"),
            ("source", source),
            ("target", "jobs/a"),
            ("schedule", "now"),
            ("proof", proof),
            ("sample", sample),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    };
    let post = |to: &str, of: &str, fields: &[(&'static str, String)]| {
        curl.post(of, to, &fields.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
    };
    for (proof, sample, field) in [("sampling", "0", "sample"), ("faith", "5", "proof")] {
        let refused = post("/jobs", "/jobs/new", &fields(proof, sample));
        assert!(refused.status == 200 && refused.body.contains(&format!("id=\"{field}-wrong\"")), "{}", refused.body);
    }
    assert_eq!(post("/jobs", "/jobs/new", &fields("second-read", "5")).status, 303);
    let started = Instant::now();
    while !curl.get("/runs/1").body.contains("Download the manifest") {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", curl.get("/runs/1").body);
        std::thread::sleep(Duration::from_millis(200));
    }
    let page = curl.get("/runs/1").body;
    assert!(page.contains("This run proved 40 files by second-read"), "{page}");
    assert!(page.contains("proven by a second read"), "{page}");
    let key =
        page.split("class=\"hash\">").find_map(|rest| rest.split('<').next().filter(|t| t.starts_with("ed25519:")));
    let manifest = curl.get("/runs/1/manifest");
    assert_eq!(manifest.status, 200);
    assert!(manifest.head.contains("attachment; filename=\"job-1-run-1.jsonl\""), "{}", manifest.head);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.jsonl");
    std::fs::write(&file, &manifest.body).unwrap();
    let tree = site.tree().join("jobs/a");
    let mut verify = command(folder.path());
    verify.args(["manifest", "verify"]).arg(&file).arg("--tree").arg(&tree).args(["--key", key.unwrap()]);
    let (code, stdout, stderr) = run(&mut verify);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let script = curl.get("/static/verify-manifest.py");
    assert_eq!(script.body, std::fs::read_to_string("static/verify-manifest.py").unwrap());
    assert!(curl.get("/jobs/1").body.contains("every file is read twice"));

    assert_eq!(post("/jobs/1/edit", "/jobs/1/edit", &fields("sampling", "7")).status, 303);
    let form = curl.get("/jobs/1/edit").body;
    assert!(form.contains("name=\"sample\" min=\"1\" max=\"100\" value=\"7\""), "{form}");
    assert!(form.contains("value=\"sampling\" checked"), "{form}");
    assert!(curl.get("/audit").body.contains("The manifest of run 1 was signed: 40 files"));
    let partner = Curl::signed_in(&site, "partner");
    assert_eq!(partner.get("/runs/1/manifest").status, 403);
    assert_eq!(curl.get("/runs/99/manifest").status, 404);
}
