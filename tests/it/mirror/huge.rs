//! A file that is longer than 32 bits can count, over a real server, in a whole mirror: several connections read it in
//! pieces, behind and before the border. 64 MiB in every test run; `CAUSEWAY_TEST_BYTES=5368709120 tests/run
//! huge_file` takes five GiB.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::process::Command;

use super::*;
use crate::ftp::bytes;

fn length() -> u64 {
    std::env::var("CAUSEWAY_TEST_BYTES").map_or(64 << 20, |count| count.parse().expect("a number"))
}

/// A file of `length` bytes, with holes that read as zeros; what lies before and behind each GiB is noise.
pub fn make_huge(at: &Path, length: u64) {
    let mut file = fs::File::create_new(at).unwrap();
    file.set_len(length).unwrap();
    let noise = bytes(2 << 20, length);
    let borders = (0..=length >> 30).map(|gib| gib << 30).chain([length]);
    for border in borders {
        let from = border.saturating_sub(1 << 20);
        let count = noise.len().min(usize::try_from(length - from).unwrap());
        file.seek(SeekFrom::Start(from)).unwrap();
        file.write_all(&noise[..count]).unwrap();
    }
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400 * 30)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_file_arrives_heavy() {
    let (lab, ftpd) = (Lab::new().await, Ftpd::start(Server::Vsftpd));
    let source = ftpd.root().join("huge");
    make_huge(&source, length());
    ftpd.own();
    let started = Instant::now();
    let first = lab.mirror(&ftpd.endpoint(), 1, Policy::default()).await;
    assert!(first.complete && first.verified && first.counts.retries == 0, "{first:?}");
    assert_eq!(first.counts.bytes_published, length());
    println!("{} bytes in {:.1?}", length(), started.elapsed());
    let same = Command::new("cmp").arg(&source).arg(lab.target().join("huge")).status().unwrap();
    assert!(same.success(), "the copy differs");
    let second = lab.mirror(&ftpd.endpoint(), 2, Policy::default()).await;
    assert_eq!((second.counts.files_unchanged, second.counts.files_published), (1, 0), "{second:?}");
}
