//! App passwords: what they open, how they end, and what they count for.

use super::*;
use crate::audit::{LoginMethod, LoginRefusal};
use crate::tree::Tree;

const HERE: &str = "192.0.2.1:4000";

fn at(door: Door, peer: &str) -> LoginContext {
    LoginContext { door, peer: peer.parse::<SocketAddr>().unwrap() }
}

fn wanted(label: &str) -> NewAppPassword {
    NewAppPassword { label: label.to_owned(), folder: RelPath::root(), access: Access::ReadWrite, lasts: None }
}

impl House {
    async fn app(&self, new: &NewAppPassword) -> Secret {
        self.accounts.add_app_password(&Actor::System, "anna", new).await.unwrap()
    }

    async fn show(&self, secret: &Secret) -> Result<Grant, LoginError> {
        self.accounts.login_request("anna", secret, &at(Door::Dav, HERE)).await
    }

    async fn remove_app(&self, label: &str) {
        self.accounts.remove_app_password(&Actor::System, "anna", label).await.unwrap();
    }

    async fn only_app(&self) -> AppPassword {
        self.accounts.get("anna").await.unwrap().unwrap().app_passwords.remove(0)
    }

    /// The events of one kind, the newest first.
    async fn events(&self, action: &str) -> Vec<Event> {
        let filter = Filter { action: Some(action.to_owned()), ..Filter::default() };
        self.log.page(&filter).await.unwrap().into_iter().map(|record| record.event.unwrap()).collect()
    }

    /// The reason of the last refusal, and the label that it names.
    async fn refused(&self) -> (LoginRefusal, Option<String>) {
        let Event::LoginFailed { method: LoginMethod::AppPassword, reason, app_password, .. } =
            self.events("login-failed").await.remove(0)
        else {
            panic!("no app password")
        };
        (reason, app_password)
    }
}

#[track_caller]
fn is_refused(result: &Result<Grant, LoginError>) {
    assert!(matches!(result, Err(LoginError::Refused)), "{result:?}");
}

#[tokio::test]
async fn opens_the_doors_of_http_and_no_other() {
    let house = house().await;
    let secret = house.app(&wanted("Laptop")).await;
    let shared = house.accounts.begin_second_factor("anna").await.unwrap();
    let code = second::code_at(&shared.base32, house.clock.now());
    house.accounts.confirm_second_factor(&Actor::System, "anna", &code).await.unwrap();
    let required = Change { required: Some("password+code".parse().unwrap()), admin: Some(true), ..Change::default() };
    house.accounts.change(&Actor::System, "anna", &required).await.unwrap();

    let password = house.show(&Secret::new("correct horse")).await;
    assert!(matches!(password, Err(LoginError::Incomplete)), "{password:?}");
    assert!(password.unwrap_err().to_string().contains("make an app password"));
    for door in [Door::Dav, Door::Files] {
        let grant = house.accounts.login_request("anna", &secret, &at(door, HERE)).await.unwrap();
        assert_eq!((grant.name(), grant.is_admin()), ("anna", false), "it administers nothing");
        house.accounts.login_bearer(&secret, &at(door, HERE)).await.unwrap();
    }
    // SFTP and the dashboard ask for the password of the account.
    is_refused(&house.try_password("anna", secret.expose(), HERE).await);
    for door in [Door::Sftp, Door::Web, Door::Cli] {
        is_refused(&house.accounts.login_request("anna", &secret, &at(door, HERE)).await);
    }
    for wrong in ["bert", "", "Anna"] {
        is_refused(&house.accounts.login_request(wrong, &secret, &at(Door::Dav, HERE)).await);
    }
}

#[tokio::test]
async fn is_never_wider_than_its_account() {
    let house = house().await;
    let (folder, access) = (RelPath::new("reports/2026").unwrap(), Access::ReadOnly);
    let narrow = house.app(&NewAppPassword { folder, access, ..wanted("Report") }).await;
    let wide = house.app(&wanted("Laptop")).await;
    let scope = |grant: &Grant| (grant.scope().home.display().into_owned(), grant.scope().access);
    let grant = house.show(&narrow).await.unwrap();
    assert_eq!(scope(&grant), ("teams/anna/reports/2026".to_owned(), Access::ReadOnly));
    assert_eq!(grant.in_tree(&RelPath::new("a").unwrap()), RelPath::new("teams/anna/reports/2026/a").unwrap());
    assert_eq!(scope(&house.show(&wide).await.unwrap()), ("teams/anna".to_owned(), Access::ReadWrite));

    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::open(folder.path()).unwrap();
    let missing = grant.view(&tree).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound, "only homes are made");
    std::fs::create_dir_all(folder.path().join("teams/anna/reports")).unwrap();
    std::fs::create_dir_all(folder.path().join("teams/bert/2026")).unwrap();
    std::os::unix::fs::symlink("../../bert/2026", folder.path().join("teams/anna/reports/2026")).unwrap();
    let led_out = grant.view(&tree).unwrap_err();
    assert_eq!(led_out.kind(), std::io::ErrorKind::PermissionDenied);
    std::fs::remove_file(folder.path().join("teams/anna/reports/2026")).unwrap();
    std::fs::create_dir(folder.path().join("teams/anna/reports/2026")).unwrap();
    assert_eq!(grant.view(&tree).unwrap().access(), Access::ReadOnly);

    // What the account may no longer do, its app passwords may not, from the next request on.
    let less =
        Change { access: Some(Access::ReadOnly), home: Some(RelPath::new("teams/bert").unwrap()), ..Change::default() };
    house.accounts.change(&Actor::System, "anna", &less).await.unwrap();
    assert_eq!(scope(&house.show(&wide).await.unwrap()), ("teams/bert".to_owned(), Access::ReadOnly));
    let off = Change { disabled: Some(true), ..Change::default() };
    house.accounts.change(&Actor::System, "anna", &off).await.unwrap();
    is_refused(&house.show(&wide).await);
    assert_eq!(house.refused().await, (LoginRefusal::Disabled, Some("Laptop".to_owned())));
}

#[tokio::test]
async fn one_that_another_process_removes_opens_nothing_a_second_later() {
    let house = house().await;
    let secret = house.app(&wanted("Phone")).await;
    let command_line = Accounts::with(house.db.clone(), vault(), house.clock.clone(), quick());
    house.show(&secret).await.unwrap();
    house.accounts.login_bearer(&secret, &at(Door::Dav, HERE)).await.unwrap();
    command_line.remove_app_password(&Actor::System, "anna", "Phone").await.unwrap();
    house.clock.advance(SignedDuration::from_secs(1));
    is_refused(&house.show(&secret).await);
    is_refused(&house.accounts.login_bearer(&secret, &at(Door::Dav, HERE)).await);
}

#[tokio::test]
async fn a_removed_one_opens_nothing_and_everything_else_goes_on() {
    let house = house().await;
    let (lost, kept) = (house.app(&wanted("Phone")).await, house.app(&wanted("Laptop")).await);
    let by_password = house.try_password("anna", "correct horse", HERE).await.unwrap();
    let session = house.sessions.create(&by_password, HERE.parse().unwrap()).await.unwrap();
    let grant = house.show(&lost).await.unwrap();
    assert!(house.accounts.is_current(&grant).await.unwrap());
    let before = house.accounts.logins().await.unwrap();

    house.remove_app("Phone").await;
    is_refused(&house.show(&lost).await);
    assert_eq!(house.refused().await, (LoginRefusal::AppPasswordRemoved, Some("Phone".to_owned())));
    assert!(!house.accounts.is_current(&grant).await.unwrap());
    assert_ne!(house.accounts.logins().await.unwrap(), before);
    house.show(&kept).await.unwrap();
    assert!(house.sessions.find(session.expose()).await.unwrap().is_some());
    assert!(house.accounts.is_current(&by_password).await.unwrap());

    // It goes on trying, from where its owner is, too.
    for _ in 0..200 {
        is_refused(&house.show(&lost).await);
    }
    assert_eq!(house.events("login-failed").await.len(), 1);
    house.try_password("anna", "correct horse", HERE).await.unwrap();
    house.clock.advance(SignedDuration::from_mins(10));
    is_refused(&house.show(&lost).await);
    assert_eq!(house.events("login-failed").await.len(), 2, "the log has it again after ten minutes");
    assert!(house.accounts.get("anna").await.unwrap().unwrap().locked_until.is_none());

    // Another of the same name is another one.
    let next = house.app(&wanted("Phone")).await;
    house.show(&next).await.unwrap();
    is_refused(&house.show(&lost).await);
    let twice = house.accounts.remove_app_password(&Actor::System, "anna", "Tablet").await;
    assert!(matches!(twice, Err(AccountError::AppPassword(AppPasswordError::Missing(_)))), "{twice:?}");
    assert!(house.log.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn ends_when_it_says() {
    let house = house().await;
    let lasts = Some(SignedDuration::from_hours(24 * 30));
    let secret = house.app(&NewAppPassword { lasts, ..wanted("Report") }).await;
    let grant = house.show(&secret).await.unwrap();
    house.clock.advance(SignedDuration::from_hours(24 * 30) - SignedDuration::from_secs(1));
    house.show(&secret).await.unwrap();
    assert!(!house.only_app().await.is_over(house.clock.now()));
    house.clock.advance(SignedDuration::from_secs(1));
    is_refused(&house.show(&secret).await);
    assert!(house.only_app().await.is_over(house.clock.now()));
    assert!(!house.accounts.is_current(&grant).await.unwrap());
    assert_eq!(house.refused().await, (LoginRefusal::AppPasswordExpired, Some("Report".to_owned())));
}

#[tokio::test]
async fn wrong_ones_lock_their_address_out_and_not_the_owner() {
    let house = house().await;
    let right = house.app(&wanted("Laptop")).await;
    house.remove_app("Laptop").await;
    let kept = house.app(&wanted("Phone")).await;
    // Never made: of the right form, and known to nobody.
    let unknown = Secret::new(format!("cway_{}", "a2".repeat(16)));
    for number in 0..50 {
        let result = match number % 2 {
            0 => house.show(&unknown).await,
            _ => house.accounts.login_bearer(&Secret::new("x"), &at(Door::Files, HERE)).await,
        };
        is_refused(&result);
    }
    let locked = house.show(&unknown).await;
    assert!(matches!(locked, Err(LoginError::PeerLocked(_))), "{locked:?}");
    assert_eq!(house.events("login-failed").await.len(), 50, "and no more is written down");
    assert_eq!(house.events("peer-locked").await.len(), 1);
    assert_eq!(house.events("account-locked").await.len(), 0);
    house.show(&kept).await.expect("the right one was not found by trying");
    is_refused(&house.show(&right).await);
    let elsewhere = "198.51.100.1:22";
    house.try_password("anna", "correct horse", elsewhere).await.expect("the owner comes in from elsewhere");
}

#[tokio::test]
async fn its_use_is_seen_and_logged_now_and_then() {
    let house = house().await;
    let secret = house.app(&wanted("Laptop")).await;
    assert_eq!(house.only_app().await.last_used, None);
    let begin = house.clock.now();
    let used = async || {
        let app = house.only_app().await;
        (app.last_used.unwrap().duration_since(begin).as_secs(), app.last_peer.unwrap())
    };
    house.show(&secret).await.unwrap();
    assert_eq!(used().await, (0, "192.0.2.1".to_owned()));
    house.clock.advance(SignedDuration::from_secs(59));
    house.show(&secret).await.unwrap();
    assert_eq!(used().await, (0, "192.0.2.1".to_owned()), "it is not worth a write yet");
    house.clock.advance(SignedDuration::from_secs(1));
    house.accounts.login_bearer(&secret, &at(Door::Dav, HERE)).await.unwrap();
    assert_eq!(used().await, (60, "192.0.2.1".to_owned()));
    assert_eq!(house.events("login-succeeded").await.len(), 1);
    house.accounts.login_request("anna", &secret, &at(Door::Dav, "[2001:db8::7]:1")).await.unwrap();
    assert_eq!(used().await, (60, "2001:db8::7".to_owned()), "another address is news");
    house.clock.advance(SignedDuration::from_mins(10));
    house.show(&secret).await.unwrap();
    let logged = house.events("login-succeeded").await;
    assert_eq!(logged.len(), 3);
    for event in logged {
        let Event::LoginSucceeded { account, door: Door::Dav, method, app_password, .. } = event else { panic!() };
        let label = app_password.as_deref();
        assert_eq!((account.as_str(), method, label), ("anna", LoginMethod::AppPassword, Some("Laptop")));
    }
    assert_eq!(house.accounts.get("anna").await.unwrap().unwrap().last_login, Some(house.clock.now()));
}

#[tokio::test]
async fn labels_and_numbers_are_bounded() {
    let house = house().await;
    let add = async |new: &NewAppPassword| house.accounts.add_app_password(&Actor::System, "anna", new).await;
    for label in ["", "  ", "a\nb", &"x".repeat(65)] {
        let refused = add(&wanted(label)).await;
        assert!(matches!(refused, Err(AccountError::AppPassword(AppPasswordError::Label))), "{label:?}: {refused:?}");
    }
    let reserved = NewAppPassword { folder: RelPath::new(".causeway-x").unwrap(), ..wanted("x") };
    let refused = add(&reserved).await;
    assert!(matches!(refused, Err(AccountError::AppPassword(AppPasswordError::Folder))), "{refused:?}");
    add(&wanted("0")).await.unwrap();
    let again = add(&wanted("0")).await.unwrap_err();
    assert!(again.to_string().contains("there is an app password '0' already"), "{again}");
    for number in 1..64 {
        add(&wanted(&number.to_string())).await.unwrap();
    }
    let full = add(&wanted("64")).await;
    assert!(matches!(full, Err(AccountError::AppPassword(AppPasswordError::Full))), "{full:?}");
    // Those that were removed are known for a while, and not for ever.
    for round in 0..70 {
        house.remove_app("0").await;
        add(&wanted("0")).await.unwrap_or_else(|error| panic!("{round}: {error}"));
    }
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM app_passwords").fetch_one(house.db.read()).await;
    assert_eq!(count.unwrap(), 128);
    house.accounts.remove(&Actor::System, "anna").await.unwrap();
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM app_passwords").fetch_one(house.db.read()).await;
    assert_eq!(count.unwrap(), 0);
}
