//! Manifests that were damaged, and trees that are not what they say.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::*;
use crate::model::{
    Algorithm, Checksum, Digest, DigestAlgorithm, Hasher, JobId, Mtime, Precision, Proof, RelPath, RunId, TimeSource,
};

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn header() -> Header {
    Header {
        format: FORMAT,
        by: "causeway test".to_owned(),
        written: moment(1_700_000_100),
        job: JobId(3),
        job_name: "nightly".to_owned(),
        run: RunId(17),
        source: "ftp://anna@old.example/".to_owned(),
        target: "file:///srv/new".to_owned(),
        started: Some(moment(1_700_000_000)),
        ended: moment(1_700_000_099),
        verdict: Verdict::Complete,
        verified: true,
        proof: "stream-hash".to_owned(),
        unchanged: "size-and-time".to_owned(),
        counts: [("files_seen".to_owned(), 3)].into(),
    }
}

fn digest(algorithm: DigestAlgorithm, content: &[u8]) -> Digest {
    let mut hasher = Hasher::of_digest(algorithm);
    hasher.update(content);
    hasher.try_into().unwrap()
}

fn entry(path: &[u8], content: &[u8]) -> Entry {
    let path = RelPath::new(path).unwrap();
    Entry {
        source: path.clone(),
        path,
        size: Some(content.len() as u64),
        mtime: Some(Mtime { at: moment(1_600_000_000), precision: Precision::Second, source: TimeSource::Mlsd }),
        digest: Some(digest(DigestAlgorithm::Sha256, content)),
        proof: Proof::StreamHash,
        proof_run: RunId(17),
        proof_at: moment(1_700_000_050),
    }
}

/// Three files, one of them with a name in GBK.
fn files() -> Vec<(&'static [u8], &'static [u8])> {
    vec![(b"a-b", b"first"), (b"a/x.txt", b"second"), (b"\xd6\xd0", b"")]
}

struct Lab {
    folder: tempfile::TempDir,
    manifests: Manifests,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { manifests: Manifests::new(folder.path()), folder }
    }

    fn write(&self, entries: &[Entry]) -> PathBuf {
        let mut writer = self.manifests.begin(&header()).unwrap();
        entries.iter().for_each(|entry| writer.add(entry).unwrap());
        writer.finish().unwrap().path
    }

    fn usual(&self) -> PathBuf {
        self.write(&files().iter().map(|(path, content)| entry(path, content)).collect::<Vec<_>>())
    }

    fn tree(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt as _;
        let root = self.folder.path().join("tree");
        for (path, content) in files() {
            let at = root.join(std::ffi::OsStr::from_bytes(path));
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::fs::write(at, content).unwrap();
        }
        root
    }
}

fn findings(manifest: &Path, root: &Path) -> (Check, Vec<Finding>) {
    let mut all = Vec::new();
    let counts = check::<ManifestError>(&Sealed::open(manifest, None).unwrap(), root, |finding| {
        all.push(finding.clone());
        Ok(())
    });
    (counts.unwrap(), all)
}

#[test]
fn what_is_written_is_read_and_verified() {
    let lab = Lab::new();
    let sum = Checksum::from_hex(Algorithm::Md5, "d41d8cd98f00b204e9800998ecf8427e").unwrap();
    let mut gbk = entry(b"\xd6\xd0", b"");
    gbk.proof = Proof::ServerHash(sum);
    let mut renamed = entry("中.txt".as_bytes(), b"x");
    renamed.source = RelPath::new(b"\xd6\xd0.txt").unwrap();
    renamed.mtime = None;
    let all = [entry(b"a", b"1"), entry(b"b\"\\\n", b"2"), gbk, renamed];
    let mut sorted = all.to_vec();
    sorted.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    let path = lab.write(&sorted);
    let key = lab.manifests.key().unwrap().public();
    let sealed = Sealed::open(&path, Some(&key)).unwrap();
    let mut reader = sealed.entries().unwrap();
    assert_eq!(*reader.header(), header());
    let mut back = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        back.push(entry);
    }
    assert_eq!(back, sorted);
    let verified = sealed.verified();
    assert_eq!((verified.totals, verified.key), (Totals { files: 4, bytes: 3 }, key));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""path":"\\xd6\\xd0","path_hex":"d6d0""#), "{text}");
    assert!(text.contains(r#""md5":"d41d8cd98f00b204e9800998ecf8427e""#), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn every_changed_byte_is_noticed() {
    let lab = Lab::new();
    let path = lab.usual();
    let whole = std::fs::read(&path).unwrap();
    verify(&path, None).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(verify(&path, None).is_err(), "byte {at} ({:?}) was changed unnoticed", char::from(whole[at]));
    }
}

#[test]
fn every_cut_is_noticed_and_said() {
    let lab = Lab::new();
    let path = lab.usual();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = verify(&path, None).unwrap_err();
        assert!(
            matches!(error, ManifestError::Cut { .. }) || (length == 0 && error.to_string().contains("empty")),
            "{length}: {error}"
        );
    }
    std::fs::write(&path, [&whole[..], b"\n"].concat()).unwrap();
    assert!(verify(&path, None).unwrap_err().to_string().contains("behind the signature"));
}

#[test]
fn a_manifest_signed_by_somebody_else_is_refused() {
    let (lab, other) = (Lab::new(), Lab::new());
    let path = lab.usual();
    let (mine, theirs) = (lab.manifests.key().unwrap().public(), other.manifests.key().unwrap().public());
    assert_ne!(mine, theirs);
    assert_eq!(mine.to_string().parse::<PublicKey>().unwrap(), mine);
    verify(&path, Some(&mine)).unwrap();
    let error = verify(&path, Some(&theirs)).unwrap_err();
    assert!(matches!(error, ManifestError::OtherKey { .. }), "{error}");
    // Its lines and hash made anew, under the name of the key, without having it.
    let forged = other.usual();
    let text = std::fs::read_to_string(&forged).unwrap().replace(&theirs.to_string(), &mine.to_string());
    std::fs::write(&forged, text).unwrap();
    assert!(matches!(verify(&forged, Some(&mine)).unwrap_err(), ManifestError::Signature(key) if key == mine));
    assert!("ed25519:00".parse::<PublicKey>().is_err());
}

#[test]
fn the_key_is_made_once_and_kept_private() {
    let lab = Lab::new();
    let first = lab.manifests.key().unwrap().public();
    assert_eq!(lab.manifests.key().unwrap().public(), first);
    let path = lab.folder.path().join("manifest-key.pem");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "rubbish").unwrap();
    let error = lab.manifests.key().unwrap_err().to_string();
    assert!(error.contains("put it back from the backup"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"rubbish");
}

#[test]
fn a_tree_that_is_as_the_manifest_says() {
    let lab = Lab::new();
    let (manifest, root) = (lab.usual(), lab.tree());
    std::fs::create_dir(root.join(".causeway-trash")).unwrap();
    std::fs::write(root.join(".causeway-trash/old"), "kept").unwrap();
    let (counts, all) = findings(&manifest, &root);
    assert_eq!((counts, all), (Check { equal: 3, ..Check::default() }, vec![]));
}

#[test]
fn missing_extra_and_different_files_are_named() {
    let lab = Lab::new();
    let (manifest, root) = (lab.usual(), lab.tree());
    std::fs::remove_file(root.join("a-b")).unwrap();
    std::fs::write(root.join("a/x.txt"), b"secret").unwrap();
    std::fs::write(root.join("a/y"), b"new").unwrap();
    std::os::unix::fs::symlink("a/y", root.join("link")).unwrap();
    let (counts, all) = findings(&manifest, &root);
    assert_eq!(counts, Check { equal: 1, missing: 1, extra: 2, different: 1, ..Check::default() });
    assert!(!counts.is_clean());
    let named: Vec<_> = all.iter().map(|f| f.path().display().into_owned()).collect();
    assert_eq!(named, ["a-b", "a/x.txt", "a/y", "link"]);
    assert!(matches!(&all[1], Finding::Different { what, .. } if what.contains("SHA-256")), "{all:?}");
    std::fs::write(root.join("a/x.txt"), b"longer than it was").unwrap();
    let (_, all) = findings(&manifest, &root);
    assert!(matches!(&all[1], Finding::Different { what, .. } if what.contains("18 bytes, 6 in")), "{all:?}");
}

#[test]
fn a_file_in_the_place_of_a_folder_hides_what_was_below() {
    let lab = Lab::new();
    let (manifest, root) = (lab.usual(), lab.tree());
    std::fs::remove_dir_all(root.join("a")).unwrap();
    std::fs::write(root.join("a"), b"").unwrap();
    let (counts, _) = findings(&manifest, &root);
    assert_eq!(counts, Check { equal: 2, missing: 1, extra: 1, ..Check::default() });
}

#[test]
fn the_difference_of_two_manifests() {
    let (old, new) = (Lab::new(), Lab::new());
    let mut touched = entry(b"touched", b"same");
    let before = old.write(&[entry(b"changed", b"1"), entry(b"gone", b"2"), entry(b"same", b"3"), touched.clone()]);
    touched.mtime = None;
    let after = new.write(&[entry(b"added", b"4"), entry(b"changed", b"5"), entry(b"same", b"3"), touched]);
    let mut all = Vec::new();
    let [before, after] = [before, after].map(|path| Sealed::open(&path, None).unwrap());
    let counts = diff::<ManifestError>(&before, &after, |change| {
        all.push(serde_json::to_string(change).unwrap());
        Ok(())
    });
    assert_eq!(counts.unwrap(), Diff { added: 1, removed: 1, changed: 1, time: 1, same: 1, unsure: 0 });
    assert_eq!(
        all,
        [
            r#"{"change":"added","path":"added","size":1}"#,
            r#"{"change":"changed","path":"changed","before":1,"after":1}"#,
            r#"{"change":"removed","path":"gone","size":1}"#,
            r#"{"change":"time","path":"touched"}"#,
        ]
    );
}

/// Of a manifest of many blocks that is changed between the look at its signature and its use, in its last block, no
/// changed line is used.
#[test]
fn what_is_used_is_what_was_signed() {
    let lab = Lab::new();
    let names: Vec<_> = (0..3000).map(|n| format!("file-{n:04}")).collect();
    let path = lab.write(&names.iter().map(|name| entry(name.as_bytes(), b"x")).collect::<Vec<_>>());
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() > 600_000, "{}", whole.len());
    let root = lab.folder.path().join("empty");
    std::fs::create_dir(&root).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let changes = [
        text.replace("file-2999", "file-2990").into_bytes(),
        text.lines()
            .filter(|line| !line.contains("file-2999"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .into(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"\n"].concat(),
    ];
    for changed in changes {
        let sealed = Sealed::open(&path, None).unwrap();
        std::fs::write(&path, &changed).unwrap();
        let mut told = Vec::new();
        let checked = check::<ManifestError>(&sealed, &root, |finding| {
            told.push(finding.path().display().into_owned());
            Ok(())
        });
        let error = checked.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("changed after its signature was checked"), "{cause}");
        assert_eq!(told, names[..told.len()], "only what was signed is told");
        assert!(told.len() < 3000);
        assert!(diff::<ManifestError>(&sealed, &sealed, |_| Ok(())).is_err());
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(check::<ManifestError>(&sealed, &root, |_| Ok(())).unwrap().missing, 3000);
        // Another file under its name is no change of this one.
        std::fs::rename(&path, path.with_extension("old")).unwrap();
        std::fs::write(&path, "something else").unwrap();
        assert_eq!(check::<ManifestError>(&sealed, &root, |_| Ok(())).unwrap().missing, 3000);
        std::fs::rename(path.with_extension("old"), &path).unwrap();
    }
}

#[test]
fn files_out_of_order_are_refused() {
    let lab = Lab::new();
    let mut writer = lab.manifests.begin(&header()).unwrap();
    writer.add(&entry(b"b", b"")).unwrap();
    for path in [&b"b"[..], b"a"] {
        assert!(writer.add(&entry(path, b"")).unwrap_err().to_string().contains("out of order"));
    }
    drop(writer);
    assert_eq!(lab.manifests.list(None).unwrap(), vec![]);
    let left = std::fs::read_dir(lab.folder.path().join("manifests")).unwrap().count();
    assert_eq!(left, 0, "a manifest that was given up left something behind");
}

#[test]
fn old_manifests_go_and_the_newest_stays() {
    let lab = Lab::new();
    for run in [3, 4, 12] {
        let mut header = header();
        header.run = RunId(run);
        lab.manifests.begin(&header).unwrap().finish().unwrap();
    }
    let folder = lab.folder.path().join("manifests");
    std::fs::write(folder.join(".job-3-run-5.jsonl.00ff"), "left by a process that died").unwrap();
    let now = lab.manifests.list(None).unwrap()[0].written;
    assert_eq!(lab.manifests.prune(JobId(3), |run| run.0 < 4, now).unwrap(), 1);
    let later = now.saturating_add(jiff::SignedDuration::from_hours(25)).unwrap();
    assert_eq!(lab.manifests.prune(JobId(3), |_| true, later).unwrap(), 2);
    let kept: Vec<_> = lab.manifests.list(Some(JobId(3))).unwrap().iter().map(|kept| kept.run.0).collect();
    assert_eq!(kept, [12]);
    assert!(lab.manifests.list(Some(JobId(4))).unwrap().is_empty());
}

#[test]
fn a_newer_format_is_said() {
    let lab = Lab::new();
    let path = lab.folder.path().join("m");
    std::fs::write(&path, "{\"causeway_manifest\":2,\"other\":true}\n").unwrap();
    assert!(matches!(verify(&path, None).unwrap_err(), ManifestError::Newer(2)));
    std::fs::write(&path, "hello\n").unwrap();
    assert!(verify(&path, None).unwrap_err().to_string().starts_with("line 1 is not of a manifest"));
}

/// The same three files, hashed by BLAKE3.
fn in_blake3() -> Vec<Entry> {
    let of = |(path, content)| Entry { digest: Some(digest(DigestAlgorithm::Blake3, content)), ..entry(path, content) };
    files().into_iter().map(of).collect()
}

#[test]
fn either_digest_is_written_read_and_compared_with_a_tree() {
    let lab = Lab::new();
    let path = lab.write(&in_blake3());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""digests":{"blake3":""#) && !text.contains("sha-256"), "{text}");
    let sealed = Sealed::open(&path, None).unwrap();
    assert_eq!(sealed.entries().unwrap().next_entry().unwrap().unwrap(), in_blake3()[0]);
    let root = lab.tree();
    let (counts, all) = findings(&path, &root);
    assert_eq!((counts.equal, counts.only_size, all.len()), (3, 0, 0), "{all:?}");
    std::fs::write(root.join("a-b"), "FIRST").unwrap();
    let (_, all) = findings(&path, &root);
    assert!(matches!(&all[..], [Finding::Different { what, .. }] if what.starts_with("its BLAKE3 is ")), "{all:?}");
}

#[test]
fn digests_of_two_algorithms_are_no_difference_and_no_agreement() {
    let (lab, other) = (Lab::new(), Lab::new());
    let sealed = |path: PathBuf| Sealed::open(&path, None).unwrap();
    let (sha, blake) = (sealed(lab.usual()), sealed(other.write(&in_blake3())));
    let told = |a: &Sealed, b: &Sealed| diff::<ManifestError>(a, b, |_| Ok(())).unwrap();
    let found = told(&sha, &blake);
    assert!(found.is_empty() && (found.same, found.unsure) == (3, 3), "{found:?}");
    assert_eq!(told(&blake, &blake).unsure, 0);
}
