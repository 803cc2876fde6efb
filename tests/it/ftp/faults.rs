//! Whole mirrors through a proxy that breaks connections: the tree ends right, and little is sent twice.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use causeway::mirror::{Policy, Summary};
use causeway::model::{Deadlines, Retry};

use super::{bytes, open_with};
use crate::mirror::{Lab, assert_equal};
use crate::support::ftpd::{Ftpd, Server, Tls};
use crate::support::proxy::{Harm, Proxy, Rule};

const BIG: usize = 1_500_000;
const FILES: u64 = 4 + 30;
/// A fault costs the overlap that is compared again, and what was on its way.
const COST: u64 = 192 << 10;

/// Four big files and thirty small ones, old enough to be settled.
fn tree(root: &Path) -> u64 {
    fs::create_dir(root.join("small")).unwrap();
    let big = (0..4).map(|n| (format!("big-{n}"), bytes(BIG, n)));
    let small = (0..30).map(|n| (format!("small/{n:02}"), bytes(500 * n, 100 + n as u64)));
    let mut total = 0;
    for (name, content) in big.chain(small) {
        total += content.len() as u64;
        fs::write(root.join(&name), content).unwrap();
        let file = fs::File::options().write(true).open(root.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(86_400 * 30)).unwrap();
    }
    total
}

fn short() -> Deadlines {
    let deadline = Duration::from_secs;
    Deadlines {
        connect: deadline(3),
        banner: deadline(4),
        command: deadline(3),
        stall: Duration::from_millis(1200),
        closing: Duration::from_millis(1200),
        listing: deadline(4),
    }
}

async fn mirror(lab: &Lab, proxy: &Proxy, ftpd: &Ftpd, number: i64) -> Summary {
    let policy = Policy { attempts: 8, patience_seconds: 60, ..Policy::default() };
    let endpoint = proxy.endpoint(&ftpd.endpoint());
    // As the job's engine does: a first connection that breaks is opened again.
    for _ in 0..8 {
        match open_with(&endpoint, &lab.context, short()).await {
            Ok(source) => return lab.mirror_from(source, number, policy).await,
            Err(fault) => assert!(fault.retry != Retry::Never, "{fault:?}"),
        }
    }
    panic!("the source cannot be opened");
}

/// The tree is there and right, another run finds nothing to do, and what was sent is bounded.
async fn is_right(lab: &Lab, proxy: &Proxy, ftpd: &Ftpd, total: u64, summary: &Summary, faults: usize, what: &str) {
    assert!(summary.complete && summary.verified, "{what}: {summary:?}");
    assert_eq!(summary.counts.files_published, FILES, "{what}");
    assert_eq!(assert_equal(&ftpd.root(), &lab.target()), FILES as usize, "{what}");
    let moved = proxy.moved();
    // The listings come over data connections too.
    let most = total + faults as u64 * COST + (64 << 10);
    println!("{what}: {faults} faults, {moved} bytes for {total}, {} control connections", proxy.controls());
    assert!((total..most).contains(&moved), "{what}: {moved} bytes for {total}, at most {most}");
    let again = mirror(lab, proxy, ftpd, 2).await;
    assert_eq!((again.counts.files_published, again.complete), (0, true), "{what}: {again:?}");
}

async fn survives(server: Server, rules: &[Rule]) {
    let (lab, ftpd) = (Lab::new().await, Ftpd::start(server));
    let total = tree(&ftpd.root());
    ftpd.own();
    let proxy = Proxy::start(ftpd.address(), rules).await;
    let what = format!("{server:?} {rules:?}");
    let summary = mirror(&lab, &proxy, &ftpd, 1).await;
    let fired = proxy.fired();
    assert!(!fired.is_empty() && fired.iter().all(|count| *count > 0), "{what}: {fired:?}");
    is_right(&lab, &proxy, &ftpd, total, &summary, fired.iter().sum(), &what).await;
}

macro_rules! each_server {
    ($($name:ident: $rules:expr;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn vsftpd() {
                survives(Server::Vsftpd, &$rules).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn proftpd() {
                survives(Server::Proftpd, &$rules).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn pure_ftpd() {
                survives(Server::PureFtpd, &$rules).await;
            }
        }
    )*};
}

each_server! {
    data_resets: [Rule::data(Harm::Reset, 600_000).times(3), Rule::data(Harm::Reset, 100).skip(2).times(2)];
    data_ends: [Rule::data(Harm::End, 600_000).times(3), Rule::data(Harm::End, 2_000).skip(1).times(2)];
    data_stalls: [Rule::data(Harm::Stall(Duration::from_secs(30)), 500_000).times(2)];
    data_pauses: [Rule::data(Harm::Stall(Duration::from_millis(500)), 500_000).times(4)];
    data_black_hole: [Rule::data(Harm::BlackHole, 700_000).times(2)];
    packets_too_large_for_the_path: [Rule::data(Harm::BlackHole, 1_400).skip(3).times(3)];
    control_resets_in_transfer: [Rule::control_in_transfer(Harm::Reset, 700_000).times(3)];
    control_ends_in_transfer: [Rule::control_in_transfer(Harm::End, 700_000).times(3)];
    control_black_hole_in_transfer: [Rule::control_in_transfer(Harm::BlackHole, 700_000).times(2)];
    control_resets_between_commands: [Rule::control(Harm::Reset, 700).times(4)];
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_data_connections() {
    for server in Server::ALL {
        let (lab, ftpd) = (Lab::new().await, Ftpd::start(server));
        let total = tree(&ftpd.root());
        ftpd.own();
        let proxy = Proxy::start_with(ftpd.address(), &[], usize::MAX, 9).await;
        let summary = mirror(&lab, &proxy, &ftpd, 1).await;
        assert_eq!(proxy.refused(), 9);
        is_right(&lab, &proxy, &ftpd, total, &summary, 0, "refused").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_two_connections() {
    for server in Server::ALL {
        let (lab, ftpd) = (Lab::new().await, Ftpd::start(server));
        let total = tree(&ftpd.root());
        ftpd.own();
        let proxy = Proxy::start_with(ftpd.address(), &[], 2, 0).await;
        let summary = mirror(&lab, &proxy, &ftpd, 1).await;
        assert!(proxy.turned_away() > 0);
        // It learns: it does not knock for every file.
        assert!(proxy.turned_away() <= 16, "{server:?}: {}", proxy.turned_away());
        is_right(&lab, &proxy, &ftpd, total, &summary, 0, "limit").await;
    }
}

/// The server goes away in the middle of the transfers and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts() {
    for server in Server::ALL {
        let (lab, mut ftpd) = (Lab::new().await, Ftpd::start_with(server, Tls::None, &[]));
        let total = tree(&ftpd.root());
        ftpd.own();
        // Holds the big files back, so that the server ends while they are moved.
        let hold = Rule::data(Harm::Stall(Duration::from_secs(1)), 500_000).times(4);
        let proxy = Proxy::start(ftpd.address(), &[hold]).await;
        let endpoint = proxy.endpoint(&ftpd.endpoint());
        let source = open_with(&endpoint, &lab.context, short()).await.unwrap();
        let policy = Policy { attempts: 8, patience_seconds: 60, ..Policy::default() };
        let (summary, ()) = tokio::join!(lab.mirror_from(source, 1, policy), async {
            while proxy.fired()[0] == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::task::block_in_place(|| {
                ftpd.stop();
                std::thread::sleep(Duration::from_millis(500));
                ftpd.start_again();
            });
        });
        assert_eq!(summary.counts.files_published, FILES, "{summary:?}");
        is_right(&lab, &proxy, &ftpd, total, &summary, 8, "restart").await;
    }
}
