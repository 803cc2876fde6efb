//! Logins, lock-outs, sessions and changes over a real database.

mod app_password;
mod factors;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::*;
use crate::audit::{Actor, AuditLog, Event, Filter};
use crate::db::{Db, Vault};
use crate::model::{Access, Clock, Door, ManualClock, RelPath, Scope, Secret};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMGehDU+r7CITpshUtSc5bczaYKr5h3AdCe8b4cIOEh3 anna@laptop";

struct House {
    _folder: tempfile::TempDir,
    db: Db,
    clock: Arc<ManualClock>,
    accounts: Accounts,
    sessions: Sessions,
    log: AuditLog,
}

fn quick() -> Settings {
    let limits = Limits { delay: Duration::ZERO, longest_delay: Duration::ZERO, ..Limits::DEFAULT };
    Settings { hash: HashCost::CHEAP, limits }
}

fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(&[9; 32]).unwrap())
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
    let clock = Arc::new(ManualClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
    let shared: Arc<dyn Clock> = clock.clone();
    let accounts = Accounts::with(db.clone(), vault(), shared.clone(), quick());
    let anna = NewAccount {
        name: "anna".to_owned(),
        password: Some(Secret::new("correct horse")),
        scope: Scope::of(RelPath::new("teams/anna").unwrap(), Access::ReadWrite),
        admin: false,
    };
    accounts.create(&Actor::System, &anna).await.unwrap();
    House {
        _folder: folder,
        sessions: Sessions::new(db.clone(), shared.clone()),
        log: AuditLog::new(db.clone(), shared),
        db,
        clock,
        accounts,
    }
}

fn from(peer: &str) -> LoginContext {
    LoginContext { door: Door::Sftp, peer: peer.parse::<SocketAddr>().unwrap() }
}

impl House {
    async fn try_password(&self, name: &str, password: &str, peer: &str) -> Result<Grant, LoginError> {
        self.accounts.login_password(name, &Secret::new(password), &from(peer)).await
    }

    async fn actions(&self) -> Vec<String> {
        let mut records = self.log.page(&Filter::default()).await.unwrap();
        records.reverse();
        records.into_iter().map(|record| record.action).collect()
    }
}

#[tokio::test]
async fn a_password_opens_its_own_folder() {
    let house = house().await;
    let grant = house.try_password("anna", "correct horse", "192.0.2.1:4000").await.unwrap();
    assert_eq!((grant.name(), grant.is_admin()), ("anna", false));
    assert_eq!(grant.in_tree(&RelPath::new("a/b").unwrap()), RelPath::new("teams/anna/a/b").unwrap());
    assert!(house.accounts.is_current(&grant).await.unwrap());
    for (name, password) in [("anna", "correct horsf"), ("anna", ""), ("bert", "correct horse"), ("", "")] {
        let refused = house.try_password(name, password, "192.0.2.1:4000").await.unwrap_err();
        assert!(matches!(refused, LoginError::Refused), "{name}/{password}: {refused:?}");
        assert_eq!(refused.to_string(), "wrong name, password or key", "the same for every reason");
    }
    let actions = house.actions().await;
    assert_eq!(actions[..2], ["account-created", "login-succeeded"]);
    assert_eq!(actions[2..], ["login-failed"; 4]);
    assert!(house.log.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn guessing_locks_the_account_for_a_while_and_for_passwords_only() {
    let house = house().await;
    house.accounts.add_key(&Actor::System, "anna", KEY).await.unwrap();
    let blob = PublicKey::parse(KEY).unwrap().blob;
    for port in 1..=10 {
        let peer = format!("192.0.2.{port}:22");
        assert!(matches!(house.try_password("anna", "guess", &peer).await, Err(LoginError::Refused)));
    }
    let locked = house.try_password("anna", "correct horse", "198.51.100.1:22").await;
    assert!(matches!(locked, Err(LoginError::Locked(until)) if until == house.clock.now() + Limits::DEFAULT.lock));
    assert!(house.accounts.get("anna").await.unwrap().unwrap().locked_until.is_some());
    assert!(house.actions().await.contains(&"account-locked".to_owned()));
    // The owner's key still opens it, and a restart does not lift the lock.
    house.accounts.login_key("anna", &blob, &from("198.51.100.7:22")).await.unwrap();
    let restarted = Accounts::with(house.db.clone(), vault(), house.clock.clone(), quick());
    let again = restarted.login_password("anna", &Secret::new("correct horse"), &from("198.51.100.1:22")).await;
    assert!(matches!(again, Err(LoginError::Locked(_))));
    house.clock.advance(SignedDuration::from_mins(14));
    assert!(house.try_password("anna", "correct horse", "198.51.100.1:22").await.is_err());
    house.clock.advance(SignedDuration::from_mins(1));
    house.try_password("anna", "correct horse", "198.51.100.1:22").await.unwrap();
    assert!(house.accounts.get("anna").await.unwrap().unwrap().locked_until.is_none());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_locked_alike() {
    let house = house().await;
    for _ in 0..10 {
        assert!(matches!(house.try_password("nobody", "guess", "192.0.2.1:22").await, Err(LoginError::Refused)));
    }
    assert!(matches!(house.try_password("nobody", "guess", "192.0.2.1:22").await, Err(LoginError::Locked(_))));
}

#[tokio::test]
async fn guessing_ever_new_names_locks_the_address() {
    let house = house().await;
    for guess in 0..50 {
        let refused = house.try_password(&format!("name{guess}"), "guess", "[2001:db8::1]:22").await;
        assert!(matches!(refused, Err(LoginError::Refused)), "{guess}");
    }
    // The whole /64 is out, others are not, and the log does not grow by those who stay out.
    let entries = house.log.head().await.unwrap().seq;
    let out = house.try_password("anna", "correct horse", "[2001:db8::2]:22").await;
    assert!(matches!(out, Err(LoginError::PeerLocked(_))));
    assert_eq!(house.log.head().await.unwrap().seq, entries);
    house.try_password("anna", "correct horse", "[2001:db8:0:1::1]:22").await.unwrap();
    house.accounts.unlock_peer(&Actor::System, "2001:db8::9".parse().unwrap()).await.unwrap();
    house.try_password("anna", "correct horse", "[2001:db8::2]:22").await.unwrap();
    let actions = house.actions().await;
    assert!(actions.contains(&"peer-locked".to_owned()) && actions.contains(&"unlocked".to_owned()));
}

#[tokio::test]
async fn a_stranger_does_not_keep_the_owner_out() {
    let house = house().await;
    let (home, cafe) = ("192.0.2.1:5000", "203.0.113.9:5000");
    house.try_password("anna", "correct horse", home).await.unwrap();
    for port in 1..=12 {
        house.try_password("anna", "guess", &format!("198.51.100.{port}:22")).await.unwrap_err();
    }
    assert!(matches!(house.try_password("anna", "correct horse", cafe).await, Err(LoginError::Locked(_))));
    house.try_password("anna", "correct horse", home).await.unwrap();
    // What fails at home is counted there, and locks only there.
    house.accounts.unlock(&Actor::System, "anna").await.unwrap();
    for _ in 0..10 {
        assert!(matches!(house.try_password("anna", "guess", home).await, Err(LoginError::Refused)));
    }
    let locked = house.try_password("anna", "correct horse", home).await.unwrap_err();
    assert!(locked.to_string().contains("causeway account unlock NAME"), "{locked}");
    assert!(house.accounts.get("anna").await.unwrap().unwrap().locked_until.is_some());
    house.try_password("anna", "correct horse", cafe).await.unwrap();
    house.accounts.unlock(&Actor::System, "anna").await.unwrap();
    house.try_password("anna", "correct horse", home).await.unwrap();
    // After a month an address is one of many again.
    house.clock.advance(SignedDuration::from_hours(31 * 24));
    for port in 1..=10 {
        house.try_password("anna", "guess", &format!("198.51.100.{port}:22")).await.unwrap_err();
    }
    assert!(matches!(house.try_password("anna", "correct horse", home).await, Err(LoginError::Locked(_))));
}

#[tokio::test]
async fn many_names_at_once_get_an_address_no_further_than_one_after_another() {
    let house = house().await;
    let guesses = (0..90).map(|i| {
        let accounts = house.accounts.clone();
        async move { accounts.login_password(&format!("name{i}"), &Secret::new("guess"), &from("192.0.2.1:22")).await }
    });
    let results = futures_util::future::join_all(guesses).await;
    let refused = results.iter().filter(|result| matches!(result, Err(LoginError::Refused))).count();
    assert_eq!(refused, 50, "fifty were told that they were wrong, the others that the address is locked");
}

#[tokio::test]
async fn what_is_counted_stays_bounded_and_keeps_its_locks() {
    let house = house().await;
    let now = house.clock.now().as_microsecond();
    let mut tx = house.db.write().await.unwrap();
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
                INSERT INTO guesses SELECT 'account', 'name' || i, 1, ?1, ?1, iif(i = 7, ?1 + 1000000, NULL) FROM n";
    sqlx::query(many).bind(now - 1_000_000).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    house.try_password("nobody", "guess", "192.0.2.1:22").await.unwrap_err();
    let count = |what: &'static str| {
        let read = house.db.read();
        async move { sqlx::query_scalar::<_, i64>(what).fetch_one(read).await.unwrap() }
    };
    let kept = count("SELECT count(*) FROM guesses").await;
    assert!((15_000..20_000).contains(&kept), "{kept}");
    assert_eq!(count("SELECT count(*) FROM guesses WHERE subject IN ('name7', 'nobody', '192.0.2.1')").await, 3);
}

#[tokio::test]
async fn an_account_is_found_in_any_case_and_its_first_use_is_seen() {
    let house = house().await;
    assert!(!house.accounts.was_used().await.unwrap());
    house.try_password("anna", "correct horse", "192.0.2.1:1").await.unwrap();
    assert!(house.accounts.was_used().await.unwrap());
    let other = NewAccount { name: "ANNA".into(), password: None, scope: Scope::whole(), admin: false };
    assert_eq!(house.accounts.spelling("Anna").await.unwrap().as_deref(), Some("anna"));
    house.accounts.create(&Actor::System, &other).await.unwrap();
    for name in ["anna", "ANNA"] {
        assert_eq!(house.accounts.spelling(name).await.unwrap().as_deref(), Some(name));
    }
    assert_eq!(house.accounts.spelling("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn many_guesses_at_once_get_no_further_than_one_after_another() {
    let house = house().await;
    let guesses = (0..40).map(|i| {
        let password = if i == 39 { "correct horse" } else { "guess" };
        let accounts = house.accounts.clone();
        async move {
            // The right one comes last, when the others have been seen.
            if i == 39 {
                tokio::time::sleep(Duration::from_millis(1500)).await;
            }
            accounts.login_password("anna", &Secret::new(password), &from("192.0.2.1:22")).await
        }
    });
    let results = futures_util::future::join_all(guesses).await;
    assert!(results.iter().all(Result::is_err), "the limit holds for guesses under way, too");
    let refused = results.iter().filter(|r| matches!(r, Err(LoginError::Refused))).count();
    assert_eq!(refused, 10, "ten were told that they were wrong, the others that it is locked");
}

#[tokio::test]
async fn an_unknown_name_costs_the_same_work() {
    let house = house().await;
    house.accounts.warm_up().await.unwrap();
    let keys_only = NewAccount {
        name: "keys-only".to_owned(),
        password: None,
        scope: Scope::of(RelPath::new("teams/keys").unwrap(), Access::ReadWrite),
        admin: false,
    };
    house.accounts.create(&Actor::System, &keys_only).await.unwrap();
    let spent = &house.accounts.hasher.spent;
    spent.lock().unwrap().clear();
    for name in ["anna", "nobody", "keys-only"] {
        assert!(house.try_password(name, "guess", "192.0.2.1:22").await.is_err());
    }
    let one = HashCost::CHEAP.memory_kib * HashCost::CHEAP.passes;
    assert_eq!(*spent.lock().unwrap(), [one; 3], "one comparison each, as dear as every other");
}

#[tokio::test]
async fn a_password_that_was_right_a_moment_ago_is_not_hashed_again() {
    let house = house().await;
    house.accounts.warm_up().await.unwrap();
    let spent = &house.accounts.hasher.spent;
    spent.lock().unwrap().clear();
    let hashed = |times: usize| assert_eq!(spent.lock().unwrap().drain(..).len(), times);
    for _ in 0..3 {
        house.try_password("anna", "correct horse", "192.0.2.1:22").await.unwrap();
    }
    hashed(1);
    let logged = house.actions().await.iter().filter(|action| *action == "login-succeeded").count();
    assert_eq!(logged, 3, "each is a login all the same");
    // Neither another password nor another address nor another door.
    assert!(house.try_password("anna", "correct horsf", "192.0.2.1:22").await.is_err());
    house.try_password("anna", "correct horse", "192.0.2.2:22").await.unwrap();
    let web = LoginContext { door: Door::Dav, ..from("192.0.2.1:22") };
    house.accounts.login_password("anna", &Secret::new("correct horse"), &web).await.unwrap();
    hashed(3);
    // Ten minutes count from when it was hashed, and requests that remember it do not count anew.
    house.clock.advance(SignedDuration::from_mins(6));
    house.try_password("anna", "correct horse", "192.0.2.1:22").await.unwrap();
    house.accounts.login_request("anna", &Secret::new("correct horse"), &web).await.unwrap();
    hashed(0);
    house.clock.advance(SignedDuration::from_mins(5));
    house.try_password("anna", "correct horse", "192.0.2.1:22").await.unwrap();
    house.accounts.login_request("anna", &Secret::new("correct horse"), &web).await.unwrap();
    hashed(2);
    // An account that was changed is another one.
    house.accounts.set_password(&Actor::System, "anna", &Secret::new("battery staple 9")).await.unwrap();
    assert!(house.try_password("anna", "correct horse", "192.0.2.1:22").await.is_err());
}

#[tokio::test]
async fn keys_open_and_are_not_counted_as_guesses() {
    let house = house().await;
    let fingerprint = house.accounts.add_key(&Actor::System, "anna", KEY).await.unwrap();
    assert!(matches!(house.accounts.add_key(&Actor::System, "anna", KEY).await, Err(AccountError::KeyExists)));
    let blob = PublicKey::parse(KEY).unwrap().blob;
    let peer = from("192.0.2.1:22");
    assert!(house.accounts.knows_key("anna", &blob).await.unwrap());
    assert!(!house.accounts.knows_key("nobody", &blob).await.unwrap());
    house.accounts.login_key("anna", &blob, &peer).await.unwrap();
    for _ in 0..60 {
        assert!(house.accounts.login_key("anna", b"another", &peer).await.is_err());
    }
    let grant = house.accounts.login_key("anna", &blob, &peer).await.unwrap();
    let anna = house.accounts.get("anna").await.unwrap().unwrap();
    assert_eq!(anna.keys[0].fingerprint, fingerprint);
    assert_eq!(anna.keys[0].last_used, Some(house.clock.now()));
    house.accounts.remove_key(&Actor::System, "anna", &fingerprint).await.unwrap();
    assert!(!house.accounts.is_current(&grant).await.unwrap(), "whoever came in with the key must go");
    assert!(house.accounts.login_key("anna", &blob, &peer).await.is_err());
    let missing = house.accounts.remove_key(&Actor::System, "anna", &fingerprint).await;
    assert!(matches!(missing, Err(AccountError::KeyMissing(_))));
}

#[tokio::test]
async fn one_login_of_many_requests_is_logged_once() {
    let house = house().await;
    let password = Secret::new("correct horse");
    let peer = from("192.0.2.1:5000");
    for _ in 0..20 {
        house.accounts.login_request("anna", &password, &peer).await.unwrap();
    }
    let logins = |actions: Vec<String>| actions.iter().filter(|a| *a == "login-succeeded").count();
    assert_eq!(logins(house.actions().await), 1);
    assert!(house.accounts.login_request("anna", &Secret::new("correct horsf"), &peer).await.is_err());
    // Another address is another login; ten minutes later it is one again.
    house.accounts.login_request("anna", &password, &from("192.0.2.2:5000")).await.unwrap();
    house.clock.advance(SignedDuration::from_mins(10));
    house.accounts.login_request("anna", &password, &peer).await.unwrap();
    assert_eq!(logins(house.actions().await), 3);
    // A change is seen at once.
    house.accounts.set_password(&Actor::System, "anna", &Secret::new("battery staple")).await.unwrap();
    assert!(house.accounts.login_request("anna", &password, &peer).await.is_err());
    let off = Change { disabled: Some(true), ..Change::default() };
    house.accounts.login_request("anna", &Secret::new("battery staple"), &peer).await.unwrap();
    house.accounts.change(&Actor::System, "anna", &off).await.unwrap();
    assert!(house.accounts.login_request("anna", &Secret::new("battery staple"), &peer).await.is_err());
}

#[tokio::test]
async fn what_was_right_a_moment_ago_is_right_without_a_look_at_the_store() {
    let house = house().await;
    let (password, peer) = (Secret::new("correct horse"), from("192.0.2.1:5000"));
    house.accounts.login_request("anna", &password, &peer).await.unwrap();
    house.db.read().close().await;
    house.accounts.login_request("anna", &password, &peer).await.unwrap();
    // Half a second later somebody has to look.
    house.clock.advance(SignedDuration::from_millis(500));
    assert!(house.accounts.login_request("anna", &password, &peer).await.is_err());
}

#[tokio::test]
async fn what_another_process_changes_holds_within_a_second() {
    let house = house().await;
    let (password, peer, second) = (Secret::new("correct horse"), from("192.0.2.1:5000"), SignedDuration::from_secs(1));
    let command_line = Accounts::with(house.db.clone(), vault(), house.clock.clone(), quick());
    let switch = |off| {
        let change = Change { disabled: Some(off), ..Change::default() };
        let command_line = command_line.clone();
        async move { command_line.change(&Actor::System, "anna", &change).await.unwrap() }
    };
    house.accounts.login_request("anna", &password, &peer).await.unwrap();
    switch(true).await;
    house.clock.advance(second);
    assert!(house.accounts.login_request("anna", &password, &peer).await.is_err());
    switch(false).await;
    house.clock.advance(second);
    house.accounts.login_request("anna", &password, &peer).await.unwrap();
    // Other rights are other rights with the next look, too.
    let scope = Scope::of(RelPath::new("teams/bert").unwrap(), Access::ReadOnly);
    command_line.set_scope(&Actor::System, "anna", &scope).await.unwrap();
    house.clock.advance(second);
    assert_eq!(house.accounts.login_request("anna", &password, &peer).await.unwrap().scope(), &scope);
}

#[tokio::test]
async fn who_was_let_in_while_something_changed_is_asked_again() {
    let house = house().await;
    let (password, peer, now) = (Secret::new("correct horse"), from("192.0.2.1:5000"), house.clock.now());
    let mark = house.accounts.mark(now).await.unwrap();
    let grant = house.accounts.login_request("anna", &password, &peer).await.unwrap();
    house.accounts.commit(house.db.write().await.unwrap()).await.unwrap();
    let until = now + SignedDuration::from_mins(1);
    house.accounts.standing.put(Some([7; 32]), mark, &grant, (now, until));
    assert!(house.accounts.standing.find(Some([7; 32]), now).is_none(), "it was read before the change");
    let mark = house.accounts.mark(now).await.unwrap();
    house.accounts.standing.put(Some([7; 32]), mark, &grant, (now, until));
    assert!(house.accounts.standing.find(Some([7; 32]), now).is_some());
    assert!(house.accounts.standing.find(Some([7; 32]), until).is_none());
}

#[tokio::test]
async fn sessions_end_by_idleness_by_age_and_by_change() {
    let house = house().await;
    let grant = house.try_password("anna", "correct horse", "192.0.2.1:1").await.unwrap();
    let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let hours = SignedDuration::from_hours;

    let token = house.sessions.create(&grant, peer).await.unwrap();
    let session = house.sessions.find(token.expose()).await.unwrap().unwrap();
    assert_eq!(session.grant.name(), "anna");
    assert!(session.csrf_matches(&session.csrf_shown()) && !session.csrf_matches(session.csrf.expose()));
    assert!(house.sessions.find("nonsense").await.unwrap().is_none());
    house.clock.advance(hours(12));
    assert!(house.sessions.find(token.expose()).await.unwrap().is_some(), "just in time");
    house.clock.advance(hours(12) + SignedDuration::from_secs(1));
    assert!(house.sessions.find(token.expose()).await.unwrap().is_none(), "idle for too long");

    let token = house.sessions.create(&grant, peer).await.unwrap();
    for _ in 0..16 {
        house.clock.advance(hours(10));
        assert!(house.sessions.find(token.expose()).await.unwrap().is_some());
    }
    house.clock.advance(hours(10));
    assert!(house.sessions.find(token.expose()).await.unwrap().is_none(), "a week is over");

    let token = house.sessions.create(&grant, peer).await.unwrap();
    house.accounts.set_password(&Actor::System, "anna", &Secret::new("battery staple")).await.unwrap();
    assert!(house.sessions.find(token.expose()).await.unwrap().is_none(), "the password is another");
    assert!(!house.accounts.is_current(&grant).await.unwrap());

    let token = house.sessions.create(&grant, peer).await.unwrap();
    assert_eq!(house.sessions.list(grant.id()).await.unwrap().len(), 1);
    house.sessions.remove(token.expose(), &grant).await.unwrap();
    assert!(house.sessions.find(token.expose()).await.unwrap().is_none());
    assert_eq!(house.actions().await.last().unwrap(), "signed-out");
}

#[tokio::test]
async fn the_first_admin_is_made_once_and_the_last_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
    let clock = Arc::new(ManualClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
    let accounts = Accounts::with(db, vault(), clock, quick());
    let (name, password) = accounts.ensure_first_admin().await.unwrap().unwrap();
    assert!(accounts.ensure_first_admin().await.unwrap().is_none());
    let grant = accounts.login_password(&name, &password, &from("127.0.0.1:1")).await.unwrap();
    assert!(grant.is_admin());
    let by = grant.actor();
    for change in
        [Change { admin: Some(false), ..Change::default() }, Change { disabled: Some(true), ..Change::default() }]
    {
        assert!(matches!(accounts.change(&by, &name, &change).await, Err(AccountError::LastAdmin)));
    }
    assert!(matches!(accounts.remove(&by, &name).await, Err(AccountError::LastAdmin)));
    let second = NewAccount { name: "root".into(), password: None, scope: Scope::whole(), admin: true };
    accounts.create(&by, &second).await.unwrap();
    assert!(matches!(accounts.create(&by, &second).await, Err(AccountError::Exists(_))));
    // Nobody can sign in as an administrator without a password: the other one stays the last.
    assert!(matches!(accounts.remove(&by, &name).await, Err(AccountError::LastAdmin)));
    accounts.set_password(&by, "root", &Secret::new("battery staple")).await.unwrap();
    accounts.remove(&by, &name).await.unwrap();
    assert!(matches!(accounts.remove(&by, &name).await, Err(AccountError::Missing(_))));
    assert_eq!(accounts.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn somebody_can_always_administer() {
    let house = house().await;
    let new = NewAccount { name: "admin".to_owned(), password: None, scope: Scope::whole(), admin: true };
    house.accounts.create(&Actor::System, &new).await.unwrap();
    let (name, _) =
        house.accounts.ensure_first_admin().await.unwrap().expect("anna may not administer, admin has no password");
    assert_eq!(name, "admin-2");
    assert!(house.accounts.get(&name).await.unwrap().unwrap().admin);
    assert!(house.accounts.ensure_first_admin().await.unwrap().is_none());
}

#[tokio::test]
async fn bad_input_is_refused_with_a_reason() {
    let house = house().await;
    let new = |name: &str, password: &str| NewAccount {
        name: name.to_owned(),
        password: Some(Secret::new(password)),
        scope: Scope::whole(),
        admin: false,
    };
    for (account, says) in [
        (new("a:b", "long enough"), "':' is none of them"),
        (new("bert", "short"), "at least 8 characters"),
        (new("bert", &"x".repeat(2000)), "at most 1024 bytes"),
        (new("bert", "line\nbreak in it"), "line break"),
        (new("anna", "long enough"), "there is an account 'anna' already"),
    ] {
        let error = house.accounts.create(&Actor::System, &account).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let change = Change { home: Some(RelPath::new(".causeway-trash/x").unwrap()), ..Change::default() };
    assert!(matches!(house.accounts.change(&Actor::System, "anna", &change).await, Err(AccountError::Home)));
}

#[tokio::test]
async fn an_older_hash_is_renewed_at_login() {
    let house = house().await;
    let dearer = Settings { hash: HashCost { memory_kib: 128, ..HashCost::CHEAP }, ..quick() };
    let accounts = Accounts::with(house.db.clone(), vault(), house.clock.clone(), dearer);
    let stored = || async {
        let mut conn = house.db.read().acquire().await.unwrap();
        store::by_name(&mut conn, "anna").await.unwrap().unwrap().password.unwrap()
    };
    assert!(stored().await.contains("m=64,"));
    let grant = accounts.login_password("anna", &Secret::new("correct horse"), &from("192.0.2.1:1")).await.unwrap();
    assert!(stored().await.contains("m=128,"));
    assert!(accounts.is_current(&grant).await.unwrap(), "nothing changed for the owner");
}
