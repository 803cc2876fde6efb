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
