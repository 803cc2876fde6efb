use std::net::SocketAddr;

use super::*;
use crate::account::{HashCost, LoginError, NewAccount, Settings};
use crate::audit::AuditLog;
use crate::db::Vault;
use crate::digests::Digests;
use crate::drive::{Junk, Packing, Trash};
use crate::model::{ManualClock, Scope};
use crate::net::Counters;
use crate::reliability::Recorder;
use crate::task::Tasks;

struct House {
    shares: Shares,
    clock: Arc<ManualClock>,
    grant: Grant,
    folder: tempfile::TempDir,
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
    (settings.limits.peer_failures, settings.limits.account_failures) = (3, 5);
    let accounts = Accounts::with(
        db.clone(),
        Arc::new(Vault::new(&[7; 32]).unwrap()),
        Arc::<ManualClock>::clone(&clock),
        settings,
    );
    let new = NewAccount { name: "anna".into(), password: None, scope: Scope::whole(), admin: false };
    let id = accounts.create(&Actor::System, &new).await.unwrap();
    let grant = accounts.lender(id).await.unwrap().unwrap();
    let tree = Tree::open(&folder.path().join("tree")).unwrap();
    let books = Books {
        audit: AuditLog::new(db.clone(), Arc::<ManualClock>::clone(&clock)),
        recorder: Recorder::discard(),
        digests: Digests::new(db.clone()),
        clock: Arc::<ManualClock>::clone(&clock),
        max_upload: u64::MAX,
        junk: Junk::default(),
        trash: Trash::new(db.clone(), Arc::clone(&tree), None),
        packing: Packing::new(1, Counters::default()),
        tasks: Tasks::new(),
        spot: Arc::default(),
    };
    House { shares: Shares::new(db, accounts, tree, books), clock, grant, folder }
}

fn wanted(path: &str) -> NewShare {
    let path = RelPath::new(path).unwrap();
    NewShare { path, kind: ShareKind::File, password: None, lasts: None, most: None, room: None }
}

#[tokio::test]
async fn it_ends_at_its_time_also_for_who_has_opened_it() {
    let house = house().await;
    let new = NewShare { lasts: Some(SignedDuration::from_hours(48)), ..wanted("f") };
    let secret = house.shares.make(&house.grant, new).await.unwrap();
    let visit = house.shares.enter(&secret, None, None, peer()).await.unwrap();
    house.clock.advance(SignedDuration::from_secs(48 * 3600 - 1));
    let opened = house.shares.take(&secret, Some(&visit), peer()).await.unwrap().opened;
    assert_eq!(opened.guest.view.stat(&RelPath::new("f").unwrap()).unwrap().size, 1);
    house.clock.advance(SignedDuration::from_secs(1));
    let looked = house.shares.look(&secret, Some(&visit), peer()).await.map(|_| ());
    let taken = house.shares.take(&secret, Some(&visit), peer()).await.map(|_| ());
    for over in [looked, taken] {
        assert!(matches!(over, Err(ShareError::Over(Standing::Expired))), "{over:?}");
    }
    assert_eq!(house.shares.list(None, None, 10).await.unwrap().len(), 1);
    // In the end it is forgotten.
    house.clock.advance(SignedDuration::from_secs(91 * 24 * 3600));
    house.shares.make(&house.grant, wanted("f")).await.unwrap();
    assert_eq!(house.shares.list(None, None, 10).await.unwrap().len(), 1);
    assert!(matches!(house.shares.find(&secret).await, Err(ShareError::Missing)));
}

#[tokio::test]
async fn a_use_is_a_day_of_one_browser() {
    let house = house().await;
    let secret = house.shares.make(&house.grant, wanted("f")).await.unwrap();
    let first = house.shares.take(&secret, None, peer()).await.unwrap();
    assert_eq!(first.opened.share.used, 1);
    let take = |visit| {
        let (shares, secret) = (&house.shares, &secret);
        async move { shares.take(secret, visit, peer()).await.unwrap().opened.share.used }
    };
    assert_eq!(take(Some(&first.visit)).await, 1, "its cookie makes it the same use");
    house.clock.advance(SignedDuration::from_secs(24 * 3600 + 1));
    assert_eq!((take(Some(&first.visit)).await, take(Some(&first.visit)).await), (2, 2));
    assert_eq!(take(None).await, 3, "without a cookie");
}

#[tokio::test]
async fn a_flood_at_one_link_makes_no_other_forget_who_opened_it() {
    let house = house().await;
    let [flooded, other] = [
        house.shares.make(&house.grant, wanted("f")).await.unwrap(),
        house.shares.make(&house.grant, NewShare { most: Some(1), ..wanted("f") }).await.unwrap(),
    ];
    let known = house.shares.take(&other, None, peer()).await.unwrap().visit;
    for _ in 0..2_100 {
        house.clock.advance(SignedDuration::from_secs(1));
        house.shares.take(&flooded, None, peer()).await.unwrap();
    }
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM share_visits").fetch_one(house.shares.db.read()).await.unwrap();
    assert!(kept <= 2_002, "{kept}");
    assert_eq!(house.shares.take(&other, Some(&known), peer()).await.unwrap().opened.share.used, 1);
}

#[tokio::test]
async fn what_cannot_be_opened_costs_no_use() {
    let house = house().await;
    let secret = house.shares.make(&house.grant, NewShare { most: Some(1), ..wanted("f") }).await.unwrap();
    let file = house.folder.path().join("tree/f");
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    assert!(matches!(house.shares.take(&secret, None, peer()).await, Err(ShareError::Place(_))));
    std::fs::rename(file.with_extension("away"), &file).unwrap();
    assert_eq!(house.shares.take(&secret, None, peer()).await.unwrap().opened.share.used, 1);
    assert!(matches!(house.shares.take(&secret, None, peer()).await, Err(ShareError::Over(Standing::UsedUp))));
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
    assert_eq!(house.shares.take(&secret, Some(&elsewhere), peer()).await.unwrap().opened.share.used, 1);
}

#[tokio::test]
async fn guesses_from_everywhere_lock_the_link() {
    let house = house().await;
    let right = Secret::new("open sesame");
    let [guessed, other] = ["f", "f"].map(|path| NewShare { password: Some(right.clone()), ..wanted(path) });
    let guessed = house.shares.make(&house.grant, guessed).await.unwrap();
    let other = house.shares.make(&house.grant, other).await.unwrap();
    let known = house.shares.enter(&guessed, Some(&right), None, peer()).await.unwrap();
    let from = |number: u32| SocketAddr::from(([198, 51, 100, u8::try_from(number).unwrap()], 1));
    for number in 0..5 {
        let wrong = house.shares.enter(&guessed, Some(&Secret::new("open barley")), None, from(number)).await;
        assert!(matches!(wrong, Err(ShareError::Login(LoginError::Refused))), "{number}: {wrong:?}");
    }
    let locked = house.shares.enter(&guessed, Some(&right), None, from(200)).await;
    assert!(matches!(locked, Err(ShareError::Login(LoginError::LinkLocked(_)))), "{locked:?}");
    // Who has opened it goes on, and so does whoever has another link.
    house.shares.take(&guessed, Some(&known), peer()).await.unwrap();
    house.shares.enter(&other, Some(&right), None, from(200)).await.unwrap();
    house.clock.advance(SignedDuration::from_mins(16));
    house.shares.enter(&guessed, Some(&right), None, from(200)).await.unwrap();
}

#[tokio::test]
async fn a_box_takes_so_much_by_one_link() {
    let house = house().await;
    let new = NewShare { kind: ShareKind::DropBox, room: Some(100), ..wanted("") };
    let shares = &house.shares;
    let secret = shares.make(&house.grant, new).await.unwrap();
    let id = shares.find(&secret).await.unwrap().id;
    assert!(shares.fill(id, 60).await.unwrap());
    assert!(!shares.fill(id, 41).await.unwrap() && !shares.fill(id, u64::MAX).await.unwrap());
    assert_eq!(shares.room(id).await.unwrap(), Some(40));
    assert!(shares.fill(id, 40).await.unwrap());
    assert!(!shares.fill(id, 1).await.unwrap() && shares.fill(id, 0).await.unwrap());
    shares.unfill(id, 60).await.unwrap();
    assert_eq!(shares.room(id).await.unwrap(), Some(60));
    // What is on its way takes room too, until it is given up or booked.
    let (mut one, mut two) = (shares.arriving(id), shares.arriving(id));
    assert!(one.grow(40).await.unwrap() && !two.grow(21).await.unwrap());
    drop(two);
    let mut two = shares.arriving(id);
    assert!(two.grow(20).await.unwrap());
    assert!(one.book().await.unwrap());
    assert_eq!(shares.room(id).await.unwrap(), Some(20));
    assert!(!two.grow(2 << 20).await.unwrap() && !two.book().await.unwrap());
    shares.unfill(id, 40).await.unwrap();
    // Another link, of which only its account is the limit.
    let other = shares.make(&house.grant, NewShare { kind: ShareKind::DropBox, ..wanted("") }).await.unwrap();
    let other = shares.find(&other).await.unwrap().id;
    assert!(shares.fill(other, 1 << 50).await.unwrap() && shares.room(other).await.unwrap().is_none());
}
