//! The clock that a real server's listings show. proftpd tells exact times in UTC beside them, vsftpd by the same clock.

use super::*;
use crate::support::causeway::{command, run as run_program};
use crate::support::ftpd::{PASSWORD, Tls};

/// proftpd without MLSD, as old ones are, in this zone, written as POSIX has it: hours behind UTC.
fn proftpd(zone: &str) -> Ftpd {
    let old = ["TimesGMT off", "FactsAdvertise off", "<Limit MLSD MLST>", "DenyAll", "</Limit>"];
    start(Server::Proftpd, &old, zone)
}

fn start(server: Server, extra: &[&str], zone: &str) -> Ftpd {
    let mut ftpd = Ftpd::start_with(server, Tls::None, extra);
    move_to(&mut ftpd, zone);
    ftpd
}

fn move_to(ftpd: &mut Ftpd, zone: &str) {
    ftpd.zone = Some(zone.to_owned());
    ftpd.start_again();
}

fn said<'a>(summary: &'a Summary, words: &str) -> Vec<&'a String> {
    summary.notes.iter().filter(|note| note.contains(words)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_proftpd_is_learned_and_times_are_right_to_the_minute() {
    let (lab, ftpd) = (Lab::new().await, proftpd("IST-5:30"));
    make_tree(&ftpd.root(), 3, 5);
    ftpd.own();
    let first = lab.mirror(&ftpd.endpoint(), 1, Policy::default()).await;
    assert!(first.complete && first.verified, "{first:?}");
    assert_eq!(said(&first, "listing times are read as 330: learned from").len(), 1, "{first:?}");
    // Of folders only the listing tells the time.
    let files = assert_equal(&ftpd.root(), &lab.target()) as u64;
    let second = lab.mirror(&ftpd.endpoint(), 2, Policy::default()).await;
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, files), "{second:?}");
    assert_eq!(said(&second, "listing times are read as 330: learned from").len(), 1, "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn summer_time_begins_between_two_runs_and_nothing_is_transferred() {
    let (lab, mut ftpd) = (Lab::new().await, proftpd("CET-1"));
    make_tree(&ftpd.root(), 3, 5);
    ftpd.own();
    let first = lab.mirror(&ftpd.endpoint(), 1, Policy::default()).await;
    assert_eq!(said(&first, "listing times are read as 60: learned from").len(), 1, "{first:?}");
    let files = assert_equal(&ftpd.root(), &lab.target()) as u64;

    move_to(&mut ftpd, "CEST-2");
    let second = lab.mirror(&ftpd.endpoint(), 2, Policy::default()).await;
    assert!(second.complete && second.verified, "{second:?}");
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, files), "{second:?}");
    assert_eq!(said(&second, "all moved by +60 minutes").len(), 1, "{second:?}");
    assert_eq!(said(&second, "listing times are read as 120: learned from").len(), 1, "{second:?}");
    assert_equal(&ftpd.root(), &lab.target());

    fs::write(ftpd.root().join("new"), "new").unwrap();
    ftpd.own();
    let third = lab.mirror(&ftpd.endpoint(), 3, Policy { settle_seconds: 0, ..Policy::default() }).await;
    assert_eq!((third.counts.files_published, third.counts.files_unchanged), (1, files), "{third:?}");
    assert_eq!(said(&third, "all moved by").len(), 0, "{third:?}");
}

#[test]
fn what_somebody_says_of_the_zone_counts_and_copies_nothing_anew() {
    let (ftpd, folder) = (proftpd("EST5"), tempfile::tempdir().unwrap());
    make_tree(&ftpd.root(), 2, 4);
    ftpd.own();
    let mirror = |more: &[&str]| {
        let mut line = command(folder.path());
        line.args(["mirror", &ftpd.url(), "there", "--state", "state"]).args(more);
        line.env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD);
        let (code, out, err) = run_program(&mut line);
        assert_eq!(code, 0, "{more:?}: {out}{err}");
        out
    };
    let files = 9;
    let learned = mirror(&[]);
    assert!(learned.contains("listing times are read as -300: learned from 3 files, of one season only"), "{learned}");
    assert_eq!(assert_equal(&ftpd.root(), &folder.path().join("there")), files);
    for zone in ["America/New_York", "UTC", "-300"] {
        let told = mirror(&["--zone", zone]);
        assert!(!told.contains("learned from"), "{told}");
        assert!(told.contains("nothing is copied because of that"), "{told}");
        assert!(told.contains(&format!("{files} unchanged")), "{told}");
    }
}

/// vsftpd shows all files by the distance from UTC of the moment, and its MDTM does so, too: there is nothing to learn from,
/// and all of its times move when summer time begins.
#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_in_summer_time_transfers_nothing_anew() {
    let (lab, mut ftpd) = (Lab::new().await, start(Server::Vsftpd, &["use_localtime=YES"], "CET-1"));
    make_tree(&ftpd.root(), 3, 5);
    ftpd.own();
    let first = lab.mirror(&ftpd.endpoint(), 1, Policy::default()).await;
    assert!(first.complete && first.counts.files_published == 16, "{first:?}");
    move_to(&mut ftpd, "CEST-2");
    let second = lab.mirror(&ftpd.endpoint(), 2, Policy::default()).await;
    assert!(second.complete && second.verified, "{second:?}");
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, 16), "{second:?}");
    assert_eq!(said(&second, "all moved by +60 minutes").len(), 1, "{second:?}");
}
