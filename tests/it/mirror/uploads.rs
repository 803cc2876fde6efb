//! Clients that upload to vsftpd while the mirror runs.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use causeway::model::FaultKind;

use super::*;
use crate::support::ftpd::{PASSWORD, USER};

/// `curl` that uploads to `at` what it is given, with more arguments.
fn upload(ftpd: &Ftpd, at: &str, more: &[&str]) -> Child {
    Command::new("curl")
        .args(["--silent", "--show-error", "--user", &format!("{USER}:{PASSWORD}"), "--upload-file", "-"])
        .args(more)
        .arg(format!("{}{at}", ftpd.url().replace(&format!("{USER}@"), "")))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the server has some of the file.
async fn begun(at: &Path) {
    let end = Instant::now() + Duration::from_secs(20);
    while fs::metadata(at).map_or(0, |there| there.len()) == 0 {
        assert!(Instant::now() < end, "no byte of {} arrived", at.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn bytes(length: u32) -> Vec<u8> {
    (0..length).map(|n| (n / 100 % 251) as u8).collect()
}

/// Sends `pieces` with a rest behind each, and ends in good order.
async fn send(mut client: Child, pieces: Vec<Vec<u8>>, rest: Duration) {
    let mut pipe = client.stdin.take().unwrap();
    let sent = tokio::task::spawn_blocking(move || {
        for piece in pieces {
            pipe.write_all(&piece).unwrap();
            pipe.flush().unwrap();
            std::thread::sleep(rest);
        }
        drop(pipe);
        client.wait().unwrap()
    });
    assert!(sent.await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_under_a_name_of_its_own_is_named_and_waited_for() {
    let (lab, ftpd) = (Lab::new().await, Ftpd::start(Server::Vsftpd));
    make_tree(&ftpd.root(), 1, 3);
    let old = SystemTime::now() - Duration::from_secs(86_400 * 30);
    fs::write(ftpd.root().join("kept.tmp"), "data").unwrap();
    fs::File::options().write(true).open(ftpd.root().join("kept.tmp")).unwrap().set_modified(old).unwrap();
    ftpd.own();
    let rename = ["--quote", "-RNFR in.bin.filepart", "--quote", "-RNTO in.bin"];
    let client = upload(&ftpd, "in.bin.filepart", &rename);
    let whole = bytes(600_000);
    let sending = send(client, whole.chunks(200_000).map(<[u8]>::to_vec).collect(), Duration::from_secs(2));
    let looking = async {
        begun(&ftpd.root().join("in.bin.filepart")).await;
        lab.mirror(&ftpd.endpoint(), 1, Policy::default()).await
    };
    let ((), first) = tokio::join!(sending, looking);
    assert!(!first.complete && first.counts.files_failed == 0, "{first:?}");
    assert_eq!((first.counts.files_published, first.counts.files_uploading), (5, 1), "{first:?}");
    assert_eq!(first.missing[0].fault.kind, FaultKind::Unsettled, "{first:?}");
    assert_eq!(fs::read(lab.target().join("kept.tmp")).unwrap(), b"data");
    assert!(!lab.target().join("in.bin.filepart").exists());

    let second = lab.mirror(&ftpd.endpoint(), 2, Policy::default()).await;
    assert!(second.complete && second.counts.files_published == 1, "{second:?}");
    assert_eq!(assert_equal(&ftpd.root(), &lab.target()), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_pauses_where_uploads_are_slow_is_never_published_half() {
    let (lab, ftpd) = (Lab::new().await, Ftpd::start(Server::Vsftpd));
    ftpd.own();
    let whole = bytes(500_000);
    // The mirror sees the first one grow, and learns; the second stands still for longer than its time takes to tell.
    for (number, name, piece, rest) in [(1, "first.csv", 50_000, 500), (2, "second.csv", 250_000, 7000)] {
        let pieces = whole.chunks(piece).map(<[u8]>::to_vec).collect();
        let sending = send(upload(&ftpd, name, &[]), pieces, Duration::from_millis(rest));
        let looking = async {
            begun(&ftpd.root().join(name)).await;
            lab.mirror(&ftpd.endpoint(), number, Policy::default()).await
        };
        let ((), summary) = tokio::join!(sending, looking);
        match fs::read(lab.target().join(name)) {
            Ok(there) => assert!(there == whole, "{name}: {} bytes are published: {summary:?}", there.len()),
            Err(_) => assert!(summary.counts.files_uploading == 1 && !summary.complete, "{summary:?}"),
        }
    }
    let last = lab.mirror(&ftpd.endpoint(), 3, Policy::default()).await;
    assert!(last.complete, "{last:?}");
    assert_eq!(assert_equal(&ftpd.root(), &lab.target()), 2);
}
