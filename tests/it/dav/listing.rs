//! PROPFIND: whole, or it says that it is not.

use crate::support::https::Https;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_folder_is_listed_whole_and_at_once() {
    let door = Https::start().await;
    for number in 0..20_000 {
        std::fs::write(door.root.join(format!("file & {number}")), "").unwrap();
    }
    std::fs::create_dir_all(door.root.join("deep/er")).unwrap();
    std::fs::write(door.root.join("deep/er/f"), "").unwrap();
    let started = std::time::Instant::now();
    let answer = door.curl(&["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/").stdout;
    println!("20,001 entries, {} bytes in {:?}", answer.len(), started.elapsed());
    let parsed = xmltree::Element::parse(answer.as_slice()).unwrap();
    assert_eq!(parsed.children.len(), 20_002);
    let answer =
        String::from_utf8(door.curl(&["-X", "PROPFIND", "-H", "Depth: infinity"], "/dav/deep").stdout).unwrap();
    assert!(answer.contains("<D:href>/dav/deep/er/f</D:href>"));
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/deep"), 204);
    assert!(!door.root.join("deep").exists());
}

/// Runs `test` with a door that may read what its files' modes say, also when root runs the tests: the thread gives
/// up its right to read everything, and the door's threads come from it.
fn under_modes<F: Future<Output = ()>>(test: F) {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let mut own = capabilities(None).unwrap();
    own.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    set_capabilities(None, own).unwrap();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_cannot_be_read_does_not_look_empty() {
    under_modes(async {
        let door = Https::start().await;
        let shut = door.root.join("shut");
        std::fs::create_dir(&shut).unwrap();
        set_mode(&shut, 0o311);
        let status = door.status(&["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/shut");
        let answer = door.curl(&["-X", "PROPFIND", "-H", "Depth: infinity"], "/dav/").stdout;
        set_mode(&shut, 0o755);
        assert_eq!(status, 403);
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.matches("<D:href>/dav/shut/</D:href>").count(), 1, "{answer}");
        assert!(answer.contains("403 Forbidden"), "{answer}");
    });
}

#[test]
fn a_listing_of_a_broken_folder_is_never_a_complete_207() {
    under_modes(async {
        let door = Https::start().await;
        std::fs::create_dir_all(door.root.join("d/broken")).unwrap();
        // Names can be read there, but nothing can be looked at.
        for number in 0..2000 {
            std::fs::write(door.root.join(format!("d/{number}")), "").unwrap();
        }
        std::fs::write(door.root.join("d/broken/f"), "").unwrap();
        let asked = ["-X", "PROPFIND", "-H", "Depth: infinity"];
        let whole = door.curl(&asked, "/dav/d");
        assert!(whole.status.success() && xmltree::Element::parse(whole.stdout.as_slice()).is_ok());
        set_mode(&door.root.join("d/broken"), 0o644);
        let broken: Vec<_> = [(&asked, "/dav/d"), (&["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/d/broken")]
            .map(|(asked, path)| {
                ["--http1.1", "--http2"].map(|version| {
                    let output = door.curl(&[&asked[..], &[version, "-w", "\n%{http_code}"]].concat(), path);
                    (path, version, output)
                })
            })
            .into_iter()
            .flatten()
            .collect();
        set_mode(&door.root.join("d/broken"), 0o755);
        for (path, version, output) in broken {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let (body, status) = said.rsplit_once('\n').unwrap();
            let complete =
                output.status.success() && status == "207" && xmltree::Element::parse(body.as_bytes()).is_ok();
            let named = body.contains("<D:href>/dav/d/broken/</D:href><D:status>HTTP/1.1 403");
            assert!(!complete || named, "{path} {version} looks complete");
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_hundred_thousand_is_listed_with_little_memory() {
    const ENTRIES: usize = 100_000;
    let door = Https::start().await;
    for number in 0..ENTRIES {
        std::fs::File::create(door.root.join(format!("file number {number}"))).unwrap();
    }
    let listing = tempfile::NamedTempFile::new().unwrap();
    let list = || {
        let to = listing.path().to_str().unwrap();
        assert!(door.curl(&["-f", "-X", "PROPFIND", "-H", "Depth: 1", "-o", to], "/dav/").status.success());
    };
    // The first one warms everything up; the peak is that of the second.
    list();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let resident = memory("VmRSS:");
    list();
    let grown = memory("VmHWM:").saturating_sub(resident);
    let text = std::fs::read(listing.path()).unwrap();
    println!("{} bytes for {ENTRIES} entries; the memory grew by {grown}", text.len());
    assert!(text.ends_with(b"</D:multistatus>\n"));
    let count = text.windows(12).filter(|twelve| twelve == b"<D:response>").count();
    assert_eq!(count, ENTRIES + 1);
    assert!(grown < 16 << 20, "{grown}");
}

/// Bytes, of this process.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_is_as_deep_as_was_asked() {
    let door = Https::start().await;
    std::fs::create_dir_all(door.root.join("a/b")).unwrap();
    std::fs::write(door.root.join("a/b/f"), "x").unwrap();
    let hrefs = |depth: Option<&str>, path: &str| {
        let depth = depth.map(|depth| format!("Depth: {depth}"));
        let header: Vec<&str> = depth.iter().flat_map(|depth| ["-H", depth.as_str()]).collect();
        let answer = door.curl(&[&["-X", "PROPFIND"], header.as_slice()].concat(), path).stdout;
        let answer = String::from_utf8(answer).unwrap();
        let hrefs = answer.split("<D:response><D:href>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        hrefs.collect::<Vec<_>>()
    };
    assert_eq!(hrefs(Some("0"), "/dav/a"), ["/dav/a/"]);
    assert_eq!(hrefs(Some("1"), "/dav/a/"), ["/dav/a/", "/dav/a/b/"]);
    assert_eq!(hrefs(Some("1,noroot"), "/dav/a/"), ["/dav/a/b/"]);
    assert_eq!(hrefs(Some("1,NoRoot"), "/dav/a/b/f"), Vec::<String>::new());
    // RFC 4918, 9.1: who names no depth wants all of it.
    for depth in [Some("infinity"), Some("Infinity"), None] {
        assert_eq!(hrefs(depth, "/dav/a"), ["/dav/a/", "/dav/a/b/", "/dav/a/b/f"], "{depth:?}");
    }
    assert_eq!(door.status(&["-X", "PROPFIND", "-H", "Depth: 2"], "/dav/a"), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_more_than_4_gib_is_told_and_read_to_its_end() {
    use std::os::unix::fs::FileExt as _;
    const SIZE: u64 = (5 << 30) + 3;
    let door = Https::start().await;
    let file = std::fs::File::create(door.root.join("large")).unwrap();
    file.set_len(SIZE).unwrap();
    file.write_all_at(b"end", SIZE - 3).unwrap();
    file.write_all_at(b"edge", (4 << 30) - 2).unwrap();
    let listing = door.curl(&["-X", "PROPFIND", "-H", "Depth: 0"], "/dav/large").stdout;
    assert!(String::from_utf8(listing).unwrap().contains(&format!("<D:getcontentlength>{SIZE}</")));
    for mount in ["/dav", "/files"] {
        let path = format!("{mount}/large");
        let (head, _) = door.exchange(&["-I"], &path);
        assert!(head.contains(&format!("content-length: {SIZE}")), "{head}");
        assert_eq!(door.curl(&["-r", "-3"], &path).stdout, b"end");
        assert_eq!(door.curl(&["-r", &format!("{}-{}", (4_u64 << 30) - 2, (4_u64 << 30) + 1)], &path).stdout, b"edge");
        let (head, tail) = door.exchange(&["-r", &format!("{}-", SIZE - 1)], &path);
        let range = format!("content-range: bytes {}-{}/{SIZE}", SIZE - 1, SIZE - 1);
        assert!(head.starts_with("http/2 206") && head.contains(&range) && tail == b"d", "{head}");
    }
}
