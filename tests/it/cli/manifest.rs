//! Manifests as people and auditors meet them: with Causeway, and with the script alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::HEXLOWER;
use serde_json::json;

use super::*;
use crate::support::skip::not_run;

/// What a verifier said.
struct Said {
    code: i32,
    text: String,
}

struct House {
    folder: tempfile::TempDir,
}

impl House {
    /// A tree with an odd name, mirrored from a real server.
    fn new(ftpd: &Ftpd) -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(ftpd.root().join("sub")).unwrap();
        for (name, text) in [(&b"a.txt"[..], "first"), (b"sub/b", "second"), (b"sub-c", ""), (b"\xd6\xd0", "gbk")] {
            fs::write(ftpd.root().join(OsStr::from_bytes(name)), text).unwrap();
        }
        ftpd.own();
        house.mirror(ftpd);
        house
    }

    fn mirror(&self, ftpd: &Ftpd) -> String {
        let mut mirror = command(self.folder.path());
        mirror.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD);
        let (code, stdout, stderr) = run(mirror.args(["mirror", &ftpd.url(), "target", "--progress", "never"]));
        assert_eq!(code, 0, "{stdout}{stderr}");
        stdout
    }

    fn manifest(&self, run: u32) -> PathBuf {
        self.folder.path().join(format!("data/manifests/job-1-run-{run}.jsonl"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self) -> String {
        let (code, stdout, stderr) = causeway(self.folder.path(), &["manifest", "key"]);
        assert_eq!(code, 0, "{stderr}");
        stdout.trim().to_owned()
    }

    /// The same question to both verifiers, without store or configuration.
    fn verify(&self, file: &Path, more: &[&str]) -> [Said; 2] {
        let elsewhere = tempfile::tempdir().unwrap();
        let mut own = command(elsewhere.path());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/static/verify-manifest.py");
        let mut alone = Command::new("python3");
        alone.current_dir(elsewhere.path());
        let answers = [own.args(["manifest", "verify"]), alone.arg(script)].map(|command| {
            let (code, stdout, stderr) = run(command.arg(file).args(more));
            Said { code, text: stdout + &stderr }
        });
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "offline means that nothing is made");
        answers
    }

    /// Both have to say all of `words` and end with `code`.
    fn both(&self, file: &Path, more: &[&str], code: i32, words: &[&str]) {
        for (who, said) in ["causeway", "the script"].into_iter().zip(self.verify(file, more)) {
            assert_eq!(said.code, code, "{who}: {}", said.text);
            // The script quotes names.
            let text = said.text.replace('\'', "");
            for word in words {
                assert!(text.contains(word), "{who} does not say '{word}': {text}");
            }
        }
    }
}

#[test]
fn a_manifest_is_written_after_a_run_and_verified_offline_by_both() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let house = House::new(&ftpd);
    let (file, key) = (house.manifest(1), house.key());
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(ftpd::PASSWORD) && text.contains(&format!("\"source\":\"{}\"", ftpd.url())), "{text}");
    for part in ["\"verdict\":\"complete\"", "\"path_hex\":\"d6d0\"", "\"mtime_source\":\"", "\"started\":\"20"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let tree = house.path("target");
    let tree = tree.to_str().unwrap();
    house.both(&file, &["--key", &key, "--tree", tree], 0, &["signature is right", "4 files"]);
    fs::write(house.path("key"), format!("{key}\n")).unwrap();
    let key_file = house.path("key");
    let [own, _] = house.verify(&file, &["--key", key_file.to_str().unwrap()]);
    assert_eq!(own.code, 0, "{}", own.text);

    // A tree that is not what it says.
    fs::write(house.path("target/a.txt"), "FIRST").unwrap();
    fs::remove_file(house.path("target/sub/b")).unwrap();
    fs::write(house.path("target/sub/new"), "").unwrap();
    let wrong = ["different: a.txt", "missing: sub/b", "extra: sub/new"];
    house.both(&file, &["--tree", tree], 1, &wrong);
    let (code, stdout, _) =
        causeway(house.folder.path(), &["manifest", "verify", file.to_str().unwrap(), "--tree", tree, "--json"]);
    let lines: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, 1);
    assert_eq!((&lines[0]["found"], &lines[0]["path"]), (&"different".into(), &"a.txt".into()), "{stdout}");
    assert_eq!(lines.last().unwrap()["tree"]["equal"], 2, "{stdout}");
    house.both(&file, &["--tree", house.path("nowhere").to_str().unwrap()], 2, &["No such file"]);
}

#[test]
fn a_damaged_a_cut_and_a_foreign_manifest_are_refused_by_both() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let (house, other) = (House::new(&ftpd), House { folder: tempfile::tempdir().unwrap() });
    other.mirror(&ftpd);
    let whole = fs::read_to_string(house.manifest(1)).unwrap();
    let bad = house.path("bad");
    fs::write(&bad, whole.replace("\"size\":5", "\"size\":6").replace("\"bytes\":14", "\"bytes\":15")).unwrap();
    house.both(&bad, &[], 2, &["was changed after it was signed"]);
    fs::write(&bad, whole.lines().take(3).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    house.both(&bad, &[], 2, &["cut off", "its signature is missing"]);
    house.both(&other.manifest(1), &["--key", &house.key()], 2, &["signed by another key", &other.key()]);
    fs::write(&bad, whole.replace(&house.key(), &other.key())).unwrap();
    house.both(&bad, &["--key", &other.key()], 2, &["signature is wrong"]);
    fs::write(&bad, "no manifest at all\n").unwrap();
    house.both(&bad, &[], 2, &[]);
    house.both(&house.path("missing"), &[], 2, &["No such file"]);
}

/// Signs whatever it is given.
struct Forger(Ed25519KeyPair);

impl Forger {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn key(&self) -> String {
        format!("ed25519:{}", HEXLOWER.encode(self.0.public_key().as_ref()))
    }

    fn seal(&self, lines: &str) -> String {
        let sha256 = HEXLOWER.encode(digest(&SHA256, lines.as_bytes()).as_ref());
        let signature = self.0.sign(format!("causeway manifest 1\nsha256 {sha256}\n").as_bytes());
        let signature = HEXLOWER.encode(signature.as_ref());
        format!("{lines}{}\n", json!({"seal": {"sha256": sha256, "key": self.key(), "signature": signature}}))
    }
}

/// A file of one byte, the letter x, as a line of a manifest.
fn line(path: &str) -> String {
    let sum = HEXLOWER.encode(digest(&SHA256, b"x").as_ref());
    let entry = json!({
        "path": path, "size": 1, "mtime": null, "digests": {"sha-256": sum}, "proof": "stream-hash", "proof_run": 1,
        "proof_at": "2026-11-23T12:00:00Z",
    });
    // The order of the fields is that of Causeway's own lines.
    format!("{entry}\n")
}

fn total(files: u64) -> String {
    format!("{{\"total\":{{\"files\":{files},\"bytes\":{files}}}}}\n")
}

/// Well signed by a key that somebody may have been talked into trusting.
#[test]
fn a_manifest_that_no_program_should_have_signed_is_refused_by_both() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let (house, forger) = (House::new(&ftpd), Forger::new());
    let header = fs::read_to_string(house.manifest(1)).unwrap().lines().next().unwrap().to_owned() + "\n";
    let file = house.path("forged");
    let write = |lines: &[&str]| fs::write(&file, forger.seal(&(header.clone() + &lines.concat()))).unwrap();
    let (a, b, two) = (line("a"), line("b/c"), total(2));
    write(&[&a, &b, &two]);
    house.both(&file, &[], 0, &["the signature is right", &forger.key()]);
    for leading in ["/a", "../a", "a/..", "a/../b", "a/./b", "a//b", "a/", "", "."] {
        write(&[&line(leading), &total(1)]);
        house.both(&file, &[], 2, &[]);
        write(&[
            &line("+").replace(
                "\"path\":\"+\"",
                &format!("\"path\":\"+\",\"path_hex\":\"{}\"", HEXLOWER.encode(leading.as_bytes())),
            ),
            &total(1),
        ]);
        house.both(&file, &[], 2, &[]);
    }
    let sizeless = a.replace(",\"size\":1", "");
    let digestless = a.replace("\"digests\"", "\"others\"");
    let badly_named = a.replace("\"path\":\"a\"", "\"path\":\"a\",\"path_hex\":\"6\"");
    let wrong: [(&str, &[&str]); 13] = [
        ("out of order", &[&b, &a, &two]),
        ("twice", &[&a, &a, &two]),
        ("too few", &[&a, &b, &total(3)]),
        ("too many", &[&a, &b, &total(1)]),
        ("other bytes", &[&a, &b, &two.replace("\"bytes\":2", "\"bytes\":3")]),
        ("behind the total", &[&a, &total(1), &b]),
        ("two totals", &[&a, &total(1), &total(1)]),
        ("no total", &[&a, &b]),
        ("a list", &["[]\n", &total(0)]),
        ("a number", &["7\n", &total(0)]),
        ("no digests", &[&digestless, &total(1)]),
        ("half a digit", &[&badly_named, &total(1)]),
        ("a header twice", &[&header, &total(0)]),
    ];
    for (what, lines) in wrong {
        write(lines);
        let said = house.verify(&file, &["--tree", house.path("target").to_str().unwrap()]);
        for (who, said) in ["causeway", "the script"].into_iter().zip(said) {
            assert_eq!(said.code, 2, "{what}: {who}: {}", said.text);
            assert!(
                !said.text.contains("Traceback") && !said.text.contains("panicked"),
                "{what}: {who}: {}",
                said.text
            );
        }
    }
    // Without a size it is only the script that has to say so by itself.
    write(&[&sizeless, &total(1)]);
    let [_, script] = house.verify(&file, &[]);
    assert!(script.code == 2 && !script.text.contains("Traceback"), "{}", script.text);
    let whole = forger.seal(&(header.clone() + &a + &total(1)));
    for (from, to) in [
        (forger.key(), "ed25519:00".to_owned()),
        ("\"signature\":\"".to_owned(), "\"signature\":\"00".to_owned()),
        ("{\"seal\"".to_owned(), "{\"sail\"".to_owned()),
    ] {
        fs::write(&file, whole.replace(&from, &to)).unwrap();
        house.both(&file, &[], 2, &[]);
    }
}

#[test]
fn the_script_says_who_signed_and_what_it_could_not_read() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let (house, forger) = (House::new(&ftpd), Forger::new());
    let script = |arguments: &[&str]| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/static/verify-manifest.py");
        let (code, stdout, stderr) = run(Command::new("python3").arg(path).args(arguments));
        Said { code, text: stdout + &stderr }
    };
    let source = include_str!("../../../static/verify-manifest.py");
    assert!(source.lines().count() <= 60, "README says that it has sixty lines");
    let said = script(&[]);
    assert!(said.code == 2 && said.text.starts_with("usage: "), "{}", said.text);
    let (file, key) = (house.manifest(1), house.key());
    let file = file.to_str().unwrap();
    let said = script(&[file]);
    assert!(said.code == 0 && said.text.contains(&key) && said.text.contains("warning: whose key"), "{}", said.text);
    let said = script(&[file, "--key", &key]);
    assert!(said.code == 0 && said.text.contains(&key) && !said.text.contains("warning"), "{}", said.text);

    // A name that the disk refuses to look up, one behind a link, one that would move the cursor; one as it should be.
    let tree = house.path("tree");
    fs::create_dir_all(tree.join("real")).unwrap();
    std::os::unix::fs::symlink("real", tree.join("link")).unwrap();
    for name in ["real/x", "\u{1b}[2Jmoves", "fine"] {
        fs::write(tree.join(name), "x").unwrap();
    }
    let header = fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned() + "\n";
    let long = "n".repeat(300);
    let lines = header + &line("fine") + &line("link/x") + &line(&long) + &total(3);
    let forged = house.path("forged");
    fs::write(&forged, forger.seal(&lines)).unwrap();
    let tree = tree.to_str().unwrap();
    let said = script(&[forged.to_str().unwrap(), "--tree", tree]);
    assert_eq!(said.code, 1, "{}", said.text);
    for words in [
        "missing: 'link/x'",
        &format!("cannot be read: '{long}'"),
        r"extra: '\x1b[2Jmoves'",
        "extra: 'link'",
        "extra: 'real/x'",
    ] {
        assert!(said.text.contains(words), "{words} is not in {}", said.text);
    }
    assert!(!said.text.contains("fine") && !said.text.contains('\u{1b}'), "{}", said.text);
}

#[test]
fn what_the_run_was_told_is_told_whatever_came_later() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let house = House::new(&ftpd);
    let mut mirror = command(house.folder.path());
    mirror.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD);
    let (code, _, stderr) =
        run(mirror.args(["mirror", &ftpd.url(), "target", "--progress", "never", "--proof", "second-read"]));
    assert_eq!(code, 0, "{stderr}");
    let file = house.manifest(2);
    let proof = || {
        let text = fs::read_to_string(&file).unwrap();
        let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        (header["proof"].clone(), header["unchanged"].clone())
    };
    assert_eq!(proof(), ("second-read".into(), "content".into()));
    fs::remove_file(&file).unwrap();
    let (code, _, stderr) = causeway(house.folder.path(), &["manifest", "write", "2"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(proof(), ("second-read".into(), "content".into()));
    let (code, _, stderr) = causeway(house.folder.path(), &["manifest", "write", "1"]);
    assert!(code == 1 && stderr.contains("a later run changed files"), "{stderr}");
}

#[test]
fn what_changed_between_two_runs_is_told() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let house = House::new(&ftpd);
    let stood = house.mirror(&ftpd);
    assert!(stood.contains("of run 1, nothing changed since") && !house.manifest(2).exists(), "{stood}");
    fs::write(ftpd.root().join("a.txt"), "first, and longer").unwrap();
    fs::write(ftpd.root().join("z"), "new").unwrap();
    ftpd.own();
    house.mirror(&ftpd);
    let files = [house.manifest(1), house.manifest(3)].map(|file| file.to_str().unwrap().to_owned());
    let (code, stdout, stderr) = causeway(house.folder.path(), &["manifest", "diff", &files[0], &files[1]]);
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(
        stdout,
        "~ a.txt (5 B → 17 B)\n+ z (3 B)\n1 added, 0 removed, 1 changed, 0 with another time only, 3 the same\n"
    );
    let (code, stdout, _) = causeway(house.folder.path(), &["manifest", "diff", &files[1], &files[0], "--json"]);
    assert_eq!(code, 1);
    assert!(stdout.contains(r#"{"change":"removed","path":"z","size":3}"#), "{stdout}");
    assert_eq!(causeway(house.folder.path(), &["manifest", "diff", &files[1], &files[1]]).0, 0);

    let (_, listed, _) = causeway(house.folder.path(), &["manifest", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().iter().map(|one| one["run"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 3]);
    // What the target held before is not known any more; what it holds now is.
    let (code, _, stderr) = causeway(house.folder.path(), &["manifest", "write", "1"]);
    assert!(code == 1 && stderr.contains("a later run changed files"), "{stderr}");
    fs::remove_file(&files[1]).unwrap();
    let (code, stdout, stderr) = causeway(house.folder.path(), &["manifest", "write", "3"]);
    assert!(code == 0 && stdout.contains("5 files") && stdout.contains(&house.key()), "{stdout}{stderr}");
    house.both(Path::new(&files[1]), &["--key", &house.key()], 0, &["5 files"]);
    let (_, audited, _) = causeway(house.folder.path(), &["audit", "list", "--action", "manifest-written", "--json"]);
    assert_eq!(audited.matches("\"manifest-written\"").count(), 3, "{audited}");
}

#[test]
fn how_content_is_proven_is_chosen_and_told() {
    let ftpd = Ftpd::start_with(Server::Proftpd, ftpd::Tls::None, &["LoadModule mod_digest.c"]);
    fs::write(ftpd.root().join("a"), "content").unwrap();
    ftpd.own();
    let folder = tempfile::tempdir().unwrap();
    let mirror = |more: &[&str]| {
        let mut mirror = command(folder.path());
        mirror.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD).args(["mirror", &ftpd.url(), "--progress", "never"]);
        run(mirror.args(more))
    };
    let (code, stdout, stderr) = mirror(&["one", "--proof", "server-hash"]);
    assert!(code == 0 && stdout.contains("proven: 1 by server-hash:sha-256"), "{stdout}{stderr}");
    let (_, stdout, _) = causeway(folder.path(), &["job", "show", "1"]);
    assert!(stdout.contains("files here are proven: 1 by server-hash:sha-256"), "{stdout}");
    let (code, stdout, _) = mirror(&["two", "--proof", "size", "--no-manifest"]);
    assert!(code == 3 && stdout.contains("proven: 1 by size") && !stdout.contains("manifest"), "{stdout}");
    let (code, _, stderr) = mirror(&["three", "--proof", "sampling=0"]);
    assert!(code == 2 && stderr.contains("from 1 to 100"), "{stderr}");
}

/// Python has no BLAKE3 of its own: a script that cannot check something must not say that all is well.
#[test]
fn blake3_is_verified_by_causeway_and_by_the_script_where_python_has_it() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let house = House::new(&ftpd);
    fs::write(ftpd.root().join("z"), "hashed otherwise").unwrap();
    ftpd.own();
    let mut mirror = command(house.folder.path());
    mirror.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD);
    let arguments = ["mirror", &ftpd.url(), "target", "--progress", "never", "--digest", "blake3"];
    let (code, stdout, stderr) = run(mirror.args(arguments));
    assert_eq!(code, 0, "{stdout}{stderr}");
    let file = house.manifest(2);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!((text.matches("\"blake3\":\"").count(), text.matches("\"sha-256\":\"").count()), (1, 4), "{text}");
    let (_, audited, _) = causeway(house.folder.path(), &["audit", "list", "--action", "file-published", "--json"]);
    assert_eq!(audited.matches("\"blake3\":").count(), 1, "{audited}");

    let (tree, z) = (house.path("target"), house.path("target/z"));
    let tree = tree.to_str().unwrap();
    let script = |isolated: &[&str]| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/static/verify-manifest.py");
        let (code, stdout, stderr) =
            run(Command::new("python3").args(isolated).arg(path).arg(&file).args(["--tree", tree]));
        Said { code, text: stdout + &stderr }
    };
    let has_it = run(Command::new("python3").args(["-c", "import blake3"])).0 == 0;
    if !has_it {
        not_run("BLAKE3 in the stand-alone verifier", "python3 has no package blake3");
    }
    for (content, own, able, unable) in
        [("hashed otherwise", 0, 0, 3), ("HASHED otherwise", 1, 1, 3), ("short", 1, 1, 1)]
    {
        fs::write(&z, content).unwrap();
        let (code, stdout, stderr) =
            causeway(house.folder.path(), &["manifest", "verify", file.to_str().unwrap(), "--tree", tree]);
        assert_eq!(code, own, "{content}: {stdout}{stderr}");
        // Without the packages of the site, whatever these are.
        let said = script(&["-S"]);
        assert_eq!(said.code, unable, "{content}: {}", said.text);
        assert!(said.text.contains("not checked: the BLAKE3 of 1 files"), "{}", said.text);
        if has_it {
            let said = script(&[]);
            assert!(said.code == able && !said.text.contains("BLAKE3"), "{content}: {}", said.text);
        }
    }
}
