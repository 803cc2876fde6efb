use std::net::SocketAddr;

use super::*;
use crate::account::{HashCost, LoginError, NewAccount, Settings};
use crate::audit::AuditLog;
use crate::db::Vault;
use crate::digests::Digests;
use crate::model::{ManualClock, Scope};
use crate::reliability::Recorder;
use crate::task::Tasks;

struct House {
    shares: Shares,
    clock: Arc<ManualClock>,
    grant: Grant,
    _folder: tempfile::TempDir,
}

fn peer() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tree")).unwrap();
    std::fs::write(folder.path().join("tree/f"), "x").unwrap();
    let clock = Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
    let db = Db::open(&folder.path().join("db")).await.unwrap();
    let mut settings = Settings { hash: HashCost::CHEAP, ..Settings::default() };
    settings.limits.peer_failures = 3;
    let accounts = Accounts::with(
        db.clone(),
        Arc::new(Vault::new(&[7; 32]).unwrap()),
        Arc::<ManualClock>::clone(&clock),
        settings,
    );
    let new = NewAccount { name: "anna".into(), password: None, scope: Scope::whole(), admin: false };
    let id = accounts.create(&Actor::System, &new).await.unwrap();
    let grant = accounts.lender(id).await.unwrap().unwrap();
    let books = Books {
        audit: AuditLog::new(db.clone(), Arc::<ManualClock>::clone(&clock)),
        recorder: Recorder::discard(),
        digests: Digests::new(db.clone()),
        clock: Arc::<ManualClock>::clone(&clock),
        max_upload: u64::MAX,
        tasks: Tasks::new(),
        spot: Arc::default(),
    };
    let tree = Tree::open(&folder.path().join("tree")).unwrap();
    House { shares: Shares::new(db, accounts, tree, books), clock, grant, _folder: folder }
}

fn wanted(path: &str) -> NewShare {
    let path = RelPath::new(path).unwrap();
    NewShare { path, kind: ShareKind::File, password: None, lasts: None, most: None }
}

#[tokio::test]
async fn it_ends_at_its_time_also_for_who_has_opened_it() {
    let house = house().await;
    let new = NewShare { lasts: Some(SignedDuration::from_hours(48)), ..wanted("f") };
    let secret = house.shares.make(&house.grant, new).await.unwrap();
    let visit = house.shares.enter(&secret, None, None, peer()).await.unwrap();
    house.clock.advance(SignedDuration::from_secs(48 * 3600 - 1));
    let opened = house.shares.take(&secret, Some(&visit), peer()).await.unwrap();
    assert_eq!(opened.guest.view.stat(&RelPath::new("f").unwrap()).unwrap().size, 1);
    house.clock.advance(SignedDuration::from_secs(1));
    for opened in
        [house.shares.look(&secret, Some(&visit), peer()).await, house.shares.take(&secret, Some(&visit), peer()).await]
    {
        assert!(matches!(opened, Err(ShareError::Over(Standing::Expired))), "{opened:?}");
    }
    assert_eq!(house.shares.list(None).await.unwrap().len(), 1);
    // In the end it is forgotten.
    house.clock.advance(SignedDuration::from_secs(91 * 24 * 3600));
    house.shares.make(&house.grant, wanted("f")).await.unwrap();
    assert_eq!(house.shares.list(None).await.unwrap().len(), 1);
    assert!(matches!(house.shares.find(&secret).await, Err(ShareError::Missing)));
}

#[tokio::test]
async fn a_use_is_a_day_of_one_browser() {
    let house = house().await;
    let secret = house.shares.make(&house.grant, wanted("f")).await.unwrap();
    let visit = house.shares.enter(&secret, None, None, peer()).await.unwrap();
    let take = || async { house.shares.take(&secret, Some(&visit), peer()).await.unwrap().share.used };
    assert_eq!((take().await, take().await), (1, 1));
    house.clock.advance(SignedDuration::from_secs(24 * 3600 + 1));
    assert_eq!((take().await, take().await), (2, 2));
    assert_eq!(house.shares.take(&secret, None, peer()).await.unwrap().share.used, 3, "without a cookie");
}

#[tokio::test]
async fn guesses_at_a_password_lock_the_address_out() {
    let house = house().await;
    let right = Secret::new("open sesame");
    let new = NewShare { password: Some(right.clone()), ..wanted("f") };
    let secret = house.shares.make(&house.grant, new).await.unwrap();
    assert!(matches!(house.shares.look(&secret, None, peer()).await, Err(ShareError::Closed)));
    let forged = Secret::new("made up");
    assert!(matches!(house.shares.take(&secret, Some(&forged), peer()).await, Err(ShareError::Closed)));
    for _ in 0..3 {
        let wrong = house.shares.enter(&secret, Some(&Secret::new("open barley")), None, peer()).await;
        assert!(matches!(wrong, Err(ShareError::Login(LoginError::Refused))), "{wrong:?}");
    }
    let locked = house.shares.enter(&secret, Some(&right), None, peer()).await;
    assert!(matches!(locked, Err(ShareError::Login(LoginError::PeerLocked(_)))), "{locked:?}");
    let elsewhere = house.shares.enter(&secret, Some(&right), None, "192.0.2.2:1".parse().unwrap()).await.unwrap();
    assert_eq!(house.shares.take(&secret, Some(&elsewhere), peer()).await.unwrap().share.used, 1);
}
