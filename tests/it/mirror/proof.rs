//! Servers that tell hashes of their files: in every way, wrongly, or not at all.

use causeway::mirror::Proving;
use causeway::mirror::proof::store as proofs;

use super::*;
use crate::support::ftpd::Tls;

const DIGEST: &str = "LoadModule mod_digest.c";
/// Of "content".
const SHA256: &str = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
const MD5: &str = "9a0364b9e99bb480dd25e1f0284c8555";
const SHA512: &str = "b2d1d285b5199c85f988d03649c37e44fd3dde01e5d69c50fef90651962f4811\
                      0e9340b60d49a479c4c0b53f5f07d690686dd87d2481937a512e8b85ee7c617f";
const SHA1: &str = "040f06fd774092478d450774f5ba30c5da78acc8";
const CRC32: &str = "fec530a9";

fn proving(proof: Proving) -> Policy {
    Policy { proof, attempts: 2, ..Policy::default() }
}

/// Other bytes of the same length under the same time, in the very same file.
fn change_unseen(file: &Path) {
    let (old, mtime) = (fs::read(file).unwrap(), fs::metadata(file).unwrap().modified().unwrap());
    let new: Vec<u8> = old.iter().map(|byte| byte ^ 1).collect();
    fs::write(file, new).unwrap();
    fs::File::options().write(true).open(file).unwrap().set_modified(mtime).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_tells_hashes_and_they_find_what_size_and_time_hide() {
    for tls in [Tls::None, Tls::V13] {
        let (lab, ftpd) = (Lab::new().await, Ftpd::start_with(Server::Proftpd, tls, &[DIGEST]));
        make_tree(&ftpd.root(), 3, 4);
        fs::write(ftpd.root().join("two words \"x\""), "blank").unwrap();
        ftpd.own();
        let first = lab.mirror(&ftpd.endpoint(), 1, proving(Proving::ServerHash)).await;
        assert!(first.complete && first.verified, "{first:?}");
        let files = assert_equal(&ftpd.root(), &lab.target()) as u64;
        assert_eq!(first.proofs, [("server-hash:sha-256".to_owned(), first.counts.files_published)].into());
        assert!(files > 12, "{files}");
        let quiet = lab.mirror(&ftpd.endpoint(), 2, proving(Proving::ServerHash)).await;
        assert_eq!(quiet.counts.files_rechecked, first.counts.files_published, "{quiet:?}");
        assert_eq!((quiet.counts.files_published, quiet.counts.files_unseen), (0, 0), "{quiet:?}");
        change_unseen(&ftpd.root().join("two words \"x\""));
        let blind = lab.mirror(&ftpd.endpoint(), 3, proving(Proving::StreamHash)).await;
        assert_eq!((blind.counts.files_rechecked, blind.counts.files_published), (0, 0), "{blind:?}");
        assert!(blind.proofs.is_empty(), "nothing was looked at: {blind:?}");
        let found = lab.mirror(&ftpd.endpoint(), 4, proving(Proving::ServerHash)).await;
        assert_eq!((found.counts.files_unseen, found.counts.files_published), (1, 1), "{found:?}");
        assert_equal(&ftpd.root(), &lab.target());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_without_hashes_are_said_and_a_second_read_finds_what_they_hide() {
    for server in [Server::Vsftpd, Server::PureFtpd] {
        let (lab, ftpd) = (Lab::new().await, Ftpd::start(server));
        make_tree(&ftpd.root(), 2, 3);
        ftpd.own();
        let first = lab.mirror(&ftpd.endpoint(), 1, proving(Proving::ServerHash)).await;
        assert!(first.complete && first.notes.iter().any(|note| note.contains("tells no hashes")), "{first:?}");
        assert_eq!(first.proofs.keys().collect::<Vec<_>>(), ["stream-hash"]);
        let changed = fs::read_dir(ftpd.root()).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_file()).unwrap();
        change_unseen(&changed);
        for blind in [Proving::Size, Proving::ServerHash] {
            let second = lab.mirror(&ftpd.endpoint(), 2, proving(blind)).await;
            assert_eq!((second.counts.files_rechecked, second.counts.files_unseen), (0, 0), "{second:?}");
        }
        let found = lab.mirror(&ftpd.endpoint(), 3, proving(Proving::SecondRead)).await;
        assert_eq!(found.counts.files_unseen, 1, "{server:?}: {found:?}");
        assert_equal(&ftpd.root(), &lab.target());
        let methods = proofs::of_job(&lab.db, JobId(1)).await.unwrap();
        assert_eq!(methods.keys().collect::<Vec<_>>(), ["second-read"], "{server:?}");
    }
}

fn features(names: &str) -> Vec<Act> {
    let lines: String = names.split('|').map(|name| format!(" {name}\r\n")).collect();
    vec![say(format!("211-Features\r\n MLST type*;size*;modify*;\r\n REST STREAM\r\n{lines}211 End\r\n"))]
}

fn one_file() -> Script {
    Script::new().file("/a", "content")
}

#[tokio::test]
async fn a_file_whose_hash_the_server_contradicts_is_never_published() {
    let lie = "0".repeat(64);
    let server = one_file()
        .on("FEAT", features("HASH SHA-256*;"))
        .on("HASH", [say(format!("213 SHA-256 0-7 {lie} /a\r\n"))])
        .start()
        .await;
    let lab = Lab::new().await;
    let summary = lab.mirror(&server.endpoint(), 1, proving(Proving::ServerHash)).await;
    assert!(!summary.complete && summary.counts.files_failed == 1, "{summary:?}");
    let said = &summary.missing[0].fault.message;
    assert!(said.contains(&lie) && said.contains(SHA256), "{said}");
    assert!(!lab.target().join("a").exists());
    assert_eq!(server.count("HASH /a"), 2, "it is tried as often as the policy says");
    // The same file where nobody asks the server.
    let summary = lab.mirror(&server.endpoint(), 2, proving(Proving::StreamHash)).await;
    assert!(summary.complete && lab.target().join("a").exists());
}

#[tokio::test]
async fn hashes_are_asked_for_in_every_way_that_servers_have() {
    let told = |text: &str| vec![say(format!("250 {text}\r\n"))];
    let sha256 = format!("server-hash:sha-256 {}", 1);
    let cases = [
        (one_file().on("FEAT", features("XSHA256|XCRC")).on("XSHA256", told(&SHA256.to_uppercase())), sha256.clone()),
        (one_file().on("FEAT", features("MD5")).on("MD5", told(&format!("/a {MD5}"))), "server-hash:md5 1".to_owned()),
        (one_file().on("FEAT", features("SITE XMD5")).on("SITE XMD5", told(MD5)), "server-hash:md5 1".to_owned()),
        // FEAT names none, and one is there all the same.
        (one_file().on("XMD5", told(MD5)), "server-hash:md5 1".to_owned()),
        // The session keeps another algorithm than was asked for, and says which.
        (
            one_file()
                .on("FEAT", features("HASH SHA-256;MD5*;"))
                .on("OPTS HASH", [say("501 no\r\n")])
                .on("HASH", [say(format!("213 MD5 0-7 {MD5} /a\r\n"))]),
            "server-hash:md5 1".to_owned(),
        ),
        // A hash of a part, or of another length, is none.
        (
            one_file()
                .on("FEAT", features("HASH SHA-256*;"))
                .on("HASH", [say(format!("213 SHA-256 3-7 {SHA256} /a\r\n"))]),
            "stream-hash 1".to_owned(),
        ),
        (one_file().on("FEAT", features("XSHA256")).on("XSHA256", told("abc")), "stream-hash 1".to_owned()),
        (
            one_file().on("FEAT", features("XSHA256")).on("XSHA256", [say("550 too large\r\n")]),
            "stream-hash 1".to_owned(),
        ),
    ];
    for (number, (script, wanted)) in cases.into_iter().enumerate() {
        let (server, lab) = (script.start().await, Lab::new().await);
        let summary = lab.mirror(&server.endpoint(), 1, proving(Proving::ServerHash)).await;
        assert!(summary.complete, "case {number}: {summary:?}");
        let proven: Vec<_> = summary.proofs.iter().map(|(how, count)| format!("{how} {count}")).collect();
        assert_eq!(
            proven,
            [wanted],
            "case {number}: {:?}",
            server.heard().iter().map(|l| String::from_utf8_lossy(l).into_owned()).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_server_that_knows_no_hash_is_asked_once_for_each() {
    let mut script = Script::new();
    for n in 0..20 {
        script = script.file(format!("/{n}"), "content");
    }
    let (server, lab) = (script.start().await, Lab::new().await);
    for number in 1..3 {
        assert!(lab.mirror(&server.endpoint(), number, proving(Proving::ServerHash)).await.complete);
    }
    // Two runs, a connection each.
    assert_eq!(server.count("XSHA256"), 2, "one question for each way and run, not one for each file");
}

/// Each command for each algorithm, as a server that has just this one announces and answers it; and the file's name as it
/// is sent then, which has a blank in it.
#[tokio::test]
async fn every_command_for_every_hash_goes_over_the_wire() {
    let named = [("sha-256", SHA256), ("sha-512", SHA512), ("sha-1", SHA1), ("md5", MD5), ("crc32", CRC32)];
    let own = ["XSHA256", "XSHA512", "XSHA1", "XMD5", "XCRC"];
    let quoted = "\"/a b\"";
    // What FEAT says, what is heard, what is answered, what came of it.
    let mut table = vec![("MD5".to_owned(), "MD5 /a b".to_owned(), format!("251 \"/a b\" {MD5}"), "md5")];
    for ((name, hash), own) in named.into_iter().zip(own) {
        let loud = hash.to_uppercase();
        let capitals = name.to_uppercase();
        table.extend([
            (format!("HASH {capitals}*;"), "HASH /a b".to_owned(), format!("213 {capitals} 0-7 {hash} /a b"), name),
            (own.to_owned(), format!("{own} {quoted}"), format!("250 {loud}"), name),
            (
                format!("{own} filename;start;end"),
                format!("{own} {quoted}"),
                format!("250-Computing\r\n250 {hash}"),
                name,
            ),
            (format!("SITE {own}"), format!("SITE {own} {quoted}"), format!("200 {quoted} {hash}"), name),
            // Nothing announced: the first way that the server knows is found by asking.
            (String::new(), format!("SITE {own} {quoted}"), format!("214 {loud}"), name),
            (String::new(), format!("{own} {quoted}"), format!("213 {loud}"), name),
        ]);
    }
    assert_eq!(table.len(), 31);
    for (feat, command, answer, name) in table {
        let cue = command.trim_end_matches(quoted).trim_end_matches("/a b").trim_end();
        let announced = if feat.is_empty() { "UTF8" } else { &feat };
        let script = Script::new().file("/a b", "content").on("FEAT", features(announced));
        let server = script.on("OPTS HASH", [say("200 ok\r\n")]).on(cue, [say(format!("{answer}\r\n"))]).start().await;
        let lab = Lab::new().await;
        let summary = lab.mirror(&server.endpoint(), 1, proving(Proving::ServerHash)).await;
        let heard: Vec<_> = server.heard().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        assert!(summary.complete, "{feat}: {command}: {summary:?}");
        assert_eq!(summary.proofs, [(format!("server-hash:{name}"), 1)].into(), "{feat}: {command}: {heard:?}");
        assert!(heard.contains(&command), "{feat}: {command}: {heard:?}");
        let chosen = format!("OPTS HASH {}", name.to_uppercase());
        assert_eq!(heard.contains(&chosen), cue == "HASH", "{feat}: {command}: {heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_finds_what_changed_in_it_on_a_real_server() {
    let (lab, ftpd) = (Lab::new().await, Ftpd::start(Server::Vsftpd));
    make_tree(&ftpd.root(), 4, 10);
    ftpd.own();
    let first = lab.mirror(&ftpd.endpoint(), 1, proving(Proving::Sampling(100))).await;
    assert!(first.complete && first.verified, "{first:?}");
    let files = assert_equal(&ftpd.root(), &lab.target()) as u64;
    assert_eq!(first.proofs, [("second-read".to_owned(), files)].into());

    // Half of the files: always the same ones, and of those that changed just the ones among them are found.
    let half = Proving::Sampling(50);
    let names = |dir: usize| (0..10).map(move |file| format!("dir {dir:03}/file-{file:04}.dat"));
    let all: Vec<_> = (0..4).flat_map(names).chain(["big.bin".to_owned()]).collect();
    let (inside, outside): (Vec<_>, Vec<_>) =
        all.iter().partition(|name| half.rechecks(&causeway::model::RelPath::new(name.as_str()).unwrap()));
    assert_eq!(all.len() as u64, files);
    assert!(inside.len() > 8 && outside.len() > 8, "{inside:?}");
    let filled = |name: &&&String| fs::metadata(ftpd.root().join(name.as_str())).unwrap().len() > 0;
    let (one, other) = (inside.iter().find(filled).unwrap(), outside.iter().find(filled).unwrap());
    change_unseen(&ftpd.root().join(one.as_str()));
    change_unseen(&ftpd.root().join(other.as_str()));
    let sampled = lab.mirror(&ftpd.endpoint(), 2, proving(half)).await;
    // The one that is found counts as published, not as unchanged.
    assert_eq!(sampled.counts.files_rechecked + 1, inside.len() as u64, "{sampled:?}");
    assert_eq!((sampled.counts.files_unseen, sampled.counts.files_published), (1, 1), "{sampled:?}");
    let same = |name: &str| fs::read(ftpd.root().join(name)).unwrap() == fs::read(lab.target().join(name)).unwrap();
    assert!(same(one) && !same(other));

    let whole = lab.mirror(&ftpd.endpoint(), 3, proving(Proving::Sampling(100))).await;
    assert_eq!((whole.counts.files_rechecked, whole.counts.files_unseen), (files - 1, 1), "{whole:?}");
    assert_equal(&ftpd.root(), &lab.target());
}
