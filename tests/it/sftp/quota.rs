//! Quotas as SFTP clients meet them.

use causeway::audit::Actor;
use causeway::model::{Access, Quota, RelPath, Scope};

use super::door::{Fixture, bad, good, noise};

const HOME: &str = "home/anna";

/// `anna` may hold so much.
fn door(bytes: u64, files: u64) -> Fixture {
    let f = Fixture::new();
    let quota = Quota { bytes: Some(bytes), files: Some(files) };
    let scope = Scope { home: RelPath::new(HOME).unwrap(), access: Access::ReadWrite, quota };
    f.runtime().block_on(f.accounts.set_scope(&Actor::System, "anna", &scope)).unwrap();
    f
}

#[test]
fn what_is_too_much_is_refused_with_a_reason() {
    let f = door(1_000_000, 4);
    std::fs::write(f.local("small"), noise(600_000)).unwrap();
    std::fs::write(f.local("large"), noise(600_001)).unwrap();
    let (small, large) = (f.local("small"), f.local("large"));
    good(&f.sftp("anna", &[], &format!("put {} old", small.display())));
    // OpenSSH's client has words of its own for a status; rclone shows the server's.
    let said = bad(&f.sftp("anna", &[], &format!("put {} new", large.display())));
    assert!(said.contains("write remote \"/new\": Failure"), "{said}");
    assert_eq!(f.names(HOME), ["old"], "nothing of it is there");
    // In place of the old one there is room for it.
    good(&f.sftp("anna", &[], &format!("put {} old", large.display())));
    assert_eq!(std::fs::read(f.served(HOME).join("old")).unwrap(), noise(600_001));
    let said = bad(&f.sftp("anna", &[], "mkdir a\nmkdir b\nmkdir c\nmkdir d"));
    assert!(said.contains("\"/d\": Failure"), "{said}");
    assert_eq!(f.names(HOME), ["a", "b", "c", "old"]);
    good(&f.sftp("anna", &[], "rmdir a\nrename old b/old"));
    bad(&f.lftp(&format!("put {} -o new", large.display())));
    let said = bad(&f.rclone(&["copyto", large.to_str().unwrap(), "door:new"]));
    assert!(said.contains("quota is used up"), "{said}");
    assert_eq!(f.names(HOME), ["b", "c"], "and nobody left anything");
    good(&f.sftp("anna", &[], "rm b/old"));
    good(&f.rclone(&["copyto", large.to_str().unwrap(), "door:new"]));
}

#[test]
fn clients_see_how_much_room_is_left() {
    let f = door(50 << 20, 100);
    std::fs::write(f.local("ten"), vec![1; 10 << 20]).unwrap();
    good(&f.sftp("anna", &[], &format!("put {} ten", f.local("ten").display())));
    let shown = good(&f.sftp("anna", &[], "df\ndf -i"));
    let numbers: Vec<Vec<u64>> =
        shown.lines().map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect()).collect();
    // Size, used, available, as root sees it, in KiB; then the same of inodes.
    assert!(numbers.contains(&vec![50 << 10, 10 << 10, 40 << 10, 40 << 10]), "{shown}");
    assert!(numbers.contains(&vec![100, 1, 99, 99]), "{shown}");
    let about = good(&f.rclone(&["about", "--json", "door:"]));
    let about: serde_json::Value = serde_json::from_str(&about).unwrap();
    assert_eq!(
        (&about["total"], &about["used"], &about["free"]),
        (&(50 << 20).into(), &(10 << 20).into(), &(40 << 20).into())
    );
}

/// Eight uploads at once, for half of which there is room.
#[test]
fn uploads_side_by_side_do_not_get_more_together() {
    let f = door(4 << 20, 100);
    let folder = f.local("many");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..8 {
        std::fs::write(folder.join(number.to_string()), noise(1 << 20)).unwrap();
    }
    bad(&f.rclone(&["copy", "--transfers", "8", folder.to_str().unwrap(), "door:"]));
    let names = f.names(HOME);
    assert!(!names.is_empty() && names.len() <= 4, "{names:?}");
    for name in &names {
        assert_eq!(std::fs::read(f.served(HOME).join(name)).unwrap(), noise(1 << 20));
    }
    let rest = 4 - names.len();
    let program = format!(
        "for i in range({rest}):\n    s.open('rest%d' % i, 'w').write(b'x' * (1 << 20))\n\
         try:\n    s.open('more', 'w').write(b'x'); sys.exit('more than the quota')\n\
         except IOError as error:\n    assert 'quota' in str(error), error\n"
    );
    good(&f.paramiko(&program));
}
