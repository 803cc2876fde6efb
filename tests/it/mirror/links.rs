//! Symbolic links of real servers.

use std::os::unix::fs::symlink;

use causeway::mirror::Links;

use super::*;

fn by(links: Links) -> Policy {
    Policy { links, ..Policy::default() }
}

/// Folders and files that are old enough to be settled, and the links between them.
pub fn plant(root: &Path) {
    let old = SystemTime::now() - Duration::from_secs(86_400 * 30);
    for (at, text) in [("releases/1/app", "one"), ("releases/2/app", "two, longer"), ("common/logo", "logo")] {
        fs::create_dir_all(root.join(at).parent().unwrap()).unwrap();
        fs::write(root.join(at), text).unwrap();
        fs::File::options().write(true).open(root.join(at)).unwrap().set_modified(old).unwrap();
    }
    for (at, to) in [("current", "releases/2"), ("app", "current/app"), ("releases/2/shared", "../../common")] {
        symlink(to, root.join(at)).unwrap();
    }
}

/// What the links lead to lies in their place.
pub fn assert_followed(target: &Path) {
    let read = |at: &str| fs::read_to_string(target.join(at)).unwrap();
    for (at, text) in [
        ("app", "two, longer"),
        ("current/app", "two, longer"),
        ("current/shared/logo", "logo"),
        ("releases/2/shared/logo", "logo"),
        ("releases/1/app", "one"),
    ] {
        assert_eq!(read(at), text, "{at}");
        assert!(!fs::symlink_metadata(target.join(at)).unwrap().is_symlink(), "{at}");
    }
    assert!(fs::symlink_metadata(target.join("current")).unwrap().is_dir());
}

/// The links themselves lie there.
pub fn assert_recreated(target: &Path) {
    for (at, to) in [("current", "releases/2"), ("app", "current/app"), ("releases/2/shared", "../../common")] {
        assert_eq!(fs::read_link(target.join(at)).unwrap(), Path::new(to), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ftp_servers_have_their_links_followed_and_none_leads_out() {
    for server in Server::ALL {
        let (lab, ftpd) = (Lab::new().await, Ftpd::start(server));
        plant(&ftpd.root());
        ftpd.own();
        for (number, published) in [(1, 7), (2, 0)] {
            let summary = lab.mirror(&ftpd.endpoint(), number, by(Links::Follow)).await;
            assert!(summary.complete && summary.verified, "{server:?}: {summary:?}");
            assert_eq!(summary.counts.files_published, published, "{server:?}: {summary:?}");
        }
        assert_followed(&lab.target());
        for (at, to) in [("out", "../empty"), ("hop", "out"), ("up", "releases/.."), ("gone", "nowhere")] {
            symlink(to, ftpd.root().join(at)).unwrap();
        }
        let summary = lab.mirror(&ftpd.endpoint(), 3, by(Links::Follow)).await;
        let missing: Vec<_> = summary.missing.iter().map(|item| item.path.display().into_owned()).collect();
        // proftpd's MLSD does not show links to what it may not show.
        let (refused, dangling) =
            if server == Server::Proftpd { (vec!["up"], 0) } else { (vec!["hop", "out", "up"], 1) };
        assert_eq!(missing, refused, "{server:?}: {summary:?}");
        assert_eq!(summary.counts.links_dangling, dangling, "{server:?}: {summary:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_ftp_servers_are_made_anew() {
    for server in Server::ALL {
        let (lab, ftpd) = (Lab::new().await, Ftpd::start(server));
        plant(&ftpd.root());
        ftpd.own();
        for (number, made) in [(1, 3), (2, 0)] {
            let summary = lab.mirror(&ftpd.endpoint(), number, by(Links::Recreate)).await;
            assert!(summary.complete && summary.verified, "{server:?}: {summary:?}");
            assert_eq!(summary.counts.links_made, made, "{server:?}: {summary:?}");
        }
        assert_recreated(&lab.target());
    }
}
