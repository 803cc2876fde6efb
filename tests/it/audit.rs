//! The operation log and the accounts on a real database file, attacked from outside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use causeway::account::{
    Accounts, HashCost, Limits, LoginContext, LoginError, NewAccount, NewAppPassword, Sessions, Settings,
};
use causeway::audit::{Actor, AuditLog, Checkpoint, DamageKind, Event, Filter, Verification};
use causeway::db::{Db, DbError, Vault};
use causeway::model::{Access, Clock, Door, JobId, ManualClock, RelPath, RunId, Scope, Secret, SystemClock};
use jiff::SignedDuration;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

struct Log {
    folder: tempfile::TempDir,
    db: Db,
    log: AuditLog,
}

impl Log {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let log = AuditLog::new(db.clone(), Arc::new(SystemClock));
        Self { folder, db, log }
    }

    async fn of(entries: i64) -> Self {
        let log = Self::new().await;
        for number in 0..entries {
            log.log.record(&Actor::Job(JobId(1)), &event(number)).await.unwrap();
        }
        log
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("causeway.db")
    }

    async fn verify(&self, checkpoint: Option<&Checkpoint>) -> Verification {
        self.log.verify(checkpoint).await.unwrap()
    }

    /// What an attacker with the file does: the triggers are no obstacle to him.
    async fn attack(&self, sql: &'static str) {
        let mut conn = raw(&self.path()).await;
        sqlx::raw_sql("DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete;")
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(20));
    SqliteConnection::connect_with(&options).await.unwrap()
}

fn event(number: i64) -> Event {
    let path = RelPath::new(format!("in/file {number} \u{4f60}").as_bytes()).unwrap();
    Event::FileTrashed { run: RunId(number), path, batch: "2026-01-02".to_owned() }
}

fn found(verification: &Verification) -> Vec<(i64, DamageKind)> {
    assert_eq!(verification.damaged as usize, verification.damages.len());
    verification.damages.iter().map(|damage| (damage.seq, damage.kind.clone())).collect()
}

#[tokio::test]
async fn rows_cannot_be_changed_by_accident() {
    let log = Log::of(3).await;
    let mut conn = raw(&log.path()).await;
    for sql in ["UPDATE audit SET actor = 'x' WHERE seq = 2", "DELETE FROM audit WHERE seq = 2"] {
        let error = sqlx::raw_sql(sql).execute(&mut conn).await.unwrap_err();
        assert!(error.to_string().contains("audit rows are never"), "{error}");
    }
    assert!(log.verify(None).await.is_sound());
}

#[tokio::test]
async fn a_flipped_bit_is_found_wherever_it_is() {
    let log = Log::of(5).await;
    log.attack("SELECT 1").await;
    let mut conn = raw(&log.path()).await;
    let entry: Vec<u8> =
        sqlx::query_scalar("SELECT CAST(entry AS BLOB) FROM audit WHERE seq = 3").fetch_one(&mut conn).await.unwrap();
    for (index, byte) in entry.iter().enumerate() {
        let mut changed = entry.clone();
        changed[index] = byte ^ (1 << (index % 7));
        sqlx::query("UPDATE audit SET entry = CAST(? AS TEXT) WHERE seq = 3")
            .bind(changed)
            .execute(&mut conn)
            .await
            .unwrap();
        let found = found(&log.verify(None).await);
        assert!(matches!(found[..], [(3, DamageKind::Changed | DamageKind::Unreadable)]), "byte {index}: {found:?}");
    }
    sqlx::query("UPDATE audit SET entry = CAST(? AS TEXT) WHERE seq = 3").bind(entry).execute(&mut conn).await.unwrap();
    assert!(log.verify(None).await.is_sound());
    for (column, sql, undo) in [
        ("at", "UPDATE audit SET at = at + 1 WHERE seq = 4", "UPDATE audit SET at = at - 1 WHERE seq = 4"),
        ("actor", "UPDATE audit SET actor = 'job:9' WHERE seq = 4", "UPDATE audit SET actor = 'job:1' WHERE seq = 4"),
        (
            "action",
            "UPDATE audit SET action = 'dir-made' WHERE seq = 4",
            "UPDATE audit SET action = 'file-trashed' WHERE seq = 4",
        ),
    ] {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        assert_eq!(found(&log.verify(None).await), [(4, DamageKind::Column(column))]);
        sqlx::raw_sql(undo).execute(&mut conn).await.unwrap();
    }
    sqlx::raw_sql("UPDATE audit SET hash = randomblob(32) WHERE seq = 4").execute(&mut conn).await.unwrap();
    assert_eq!(found(&log.verify(None).await), [(4, DamageKind::Changed)]);
}

#[tokio::test]
async fn removed_entries_are_named() {
    let log = Log::of(9).await;
    log.attack("DELETE FROM audit WHERE seq = 1").await;
    log.attack("DELETE FROM audit WHERE seq BETWEEN 4 AND 6").await;
    let verification = log.verify(None).await;
    let expected = [(1, DamageKind::Removed { last: 1 }), (4, DamageKind::Removed { last: 6 })];
    assert_eq!(found(&verification), expected);
    assert_eq!(verification.damages[1].to_string(), "entries 4 to 6 were removed");
}

#[tokio::test]
async fn a_removed_entry_with_the_rest_moved_up_is_found() {
    let log = Log::of(6).await;
    log.attack("DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3").await;
    let found = found(&log.verify(None).await);
    assert_eq!(found[0], (3, DamageKind::Moved { from: 4 }));
}

#[tokio::test]
async fn reordered_entries_are_found() {
    let log = Log::of(6).await;
    log.attack(
        "UPDATE audit SET seq = 100 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; \
         UPDATE audit SET seq = 4 WHERE seq = 100",
    )
    .await;
    let found = found(&log.verify(None).await);
    assert!(found.contains(&(3, DamageKind::Moved { from: 4 })), "{found:?}");
    assert!(found.contains(&(4, DamageKind::Moved { from: 3 })), "{found:?}");
}

#[tokio::test]
async fn a_forged_entry_is_found_although_its_own_hash_is_right() {
    let log = Log::of(6).await;
    log.attack("SELECT 1").await;
    let mut conn = raw(&log.path()).await;
    let entry: String = sqlx::query_scalar("SELECT entry FROM audit WHERE seq = 3").fetch_one(&mut conn).await.unwrap();
    let forged = entry.replace("file 2", "file 7");
    assert_ne!(forged, entry);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, forged.as_bytes());
    sqlx::query("UPDATE audit SET entry = ?, hash = ? WHERE seq = 3")
        .bind(forged)
        .bind(hash.as_ref().to_vec())
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(found(&log.verify(None).await), [(4, DamageKind::Unlinked)]);
}

#[tokio::test]
async fn a_cut_off_end_and_a_rewritten_log_are_found_by_the_checkpoint() {
    let log = Log::of(8).await;
    let file = log.folder.path().join("checkpoint");
    let checkpoint = log.log.checkpoint(&Actor::System, &file).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap().parse(), Ok(checkpoint.clone()));
    assert_eq!(AuditLog::read_checkpoint(&file).unwrap(), Some(checkpoint.clone()));
    let sound = log.verify(Some(&checkpoint)).await;
    assert!(sound.is_sound() && sound.anchored && sound.head.seq == checkpoint.seq);
    for number in 0..3 {
        log.log.record(&Actor::System, &event(number)).await.unwrap();
    }
    assert!(log.verify(Some(&checkpoint)).await.anchored, "what comes later does not matter");

    log.attack("DELETE FROM audit WHERE seq > 5").await;
    let cut = log.verify(None).await;
    assert!(cut.is_sound(), "alone the log cannot know");
    let cut = log.verify(Some(&checkpoint)).await;
    assert_eq!(found(&cut), [(6, DamageKind::Truncated { checkpoint: checkpoint.seq })]);
    assert!(!cut.anchored);

    // The attacker goes on logging until the numbers fit: the chain is sound, but it is another one.
    for number in 100..110 {
        log.log.record(&Actor::System, &event(number)).await.unwrap();
    }
    assert!(log.verify(None).await.is_sound());
    assert_eq!(found(&log.verify(Some(&checkpoint)).await), [(checkpoint.seq, DamageKind::Rewritten)]);
    // And the evidence is not overwritten by the next checkpoint.
    let refused = log.log.checkpoint(&Actor::System, &file).await.unwrap_err().to_string();
    assert!(refused.contains("does not agree"), "{refused}");
    assert_eq!(AuditLog::read_checkpoint(&file).unwrap(), Some(checkpoint));
}

#[tokio::test]
async fn what_is_rolled_back_was_never_logged() {
    let log = Log::of(2).await;
    {
        let mut tx = log.db.write().await.unwrap();
        causeway::audit::append(&mut tx, SystemClock.now(), &Actor::System, &event(9)).await.unwrap();
    }
    let events: Vec<_> = (0..1000).map(event).collect();
    let mut tx = log.db.write().await.unwrap();
    let last = causeway::audit::append_many(&mut tx, SystemClock.now(), &Actor::System, &events).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(last, 1002);
    let verification = log.verify(None).await;
    assert!(verification.is_sound() && verification.entries == 1002);
}

#[tokio::test]
async fn an_export_is_checked_with_sha256sum_alone() {
    let log = Log::of(4).await;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let count = log
        .log
        .export(|line| {
            lines.push(line.to_vec());
            Ok::<_, DbError>(())
        })
        .await
        .unwrap();
    assert_eq!(count, 4);
    let mut previous = "0".repeat(64);
    for line in &lines {
        assert!(String::from_utf8_lossy(line).contains(&format!("\"previous\":\"{previous}\"")));
        let mut child =
            Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("coreutils");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), line).unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        previous = output[..64].to_owned();
    }
    assert_eq!(previous, log.log.head().await.unwrap().hash_hex());
}

#[tokio::test]
async fn pages_filter_and_go_back() {
    let log = Log::of(30).await;
    log.log.record(&Actor::Account("anna".into()), &Event::ServiceStopped { drained: true }).await.unwrap();
    let newest = log.log.page(&Filter { limit: 10, ..Filter::default() }).await.unwrap();
    assert_eq!(newest.iter().map(|r| r.seq).collect::<Vec<_>>(), (22..=31).rev().collect::<Vec<_>>());
    let older = log.log.page(&Filter { limit: 5, before: Some(22), ..Filter::default() }).await.unwrap();
    assert_eq!(older.iter().map(|r| r.seq).collect::<Vec<_>>(), [21, 20, 19, 18, 17]);
    let anna = Filter { actor: Some("account:anna".into()), ..Filter::default() };
    let anna = log.log.page(&anna).await.unwrap();
    assert_eq!(anna.len(), 1);
    assert_eq!(anna[0].event, Some(Event::ServiceStopped { drained: true }));
    let text = Filter { text: Some("file 17 ".into()), action: Some("file-trashed".into()), ..Filter::default() };
    assert_eq!(log.log.page(&text).await.unwrap().len(), 1);
}

const CHILD: &str = "CAUSEWAY_TEST_AUDIT_CHILD";

/// Not a test: the other process of the next one.
#[test]
#[ignore = "started by two_processes_write_one_chain"]
fn writes_until_told() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Db::open(Path::new(&path)).await.unwrap();
        let log = AuditLog::new(db, Arc::new(SystemClock));
        for number in 0..100_000 {
            log.record(&Actor::Job(JobId(2)), &event(number)).await.unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_one_chain() {
    let log = Log::new().await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["audit::writes_until_told", "--exact", "--ignored", "--nocapture"])
        .env(CHILD, log.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let second = AuditLog::new(Db::open(&log.path()).await.unwrap(), Arc::new(SystemClock));
    let wait = async {
        while log
            .log
            .page(&Filter { actor: Some("job:2".into()), limit: 1, ..Filter::default() })
            .await
            .unwrap()
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("the other process writes");
    let mine = async {
        for number in 0..150 {
            log.log.record(&Actor::Job(JobId(1)), &event(number)).await.unwrap();
        }
    };
    let other_pool = async {
        for number in 0..150 {
            second.record(&Actor::Job(JobId(3)), &event(number)).await.unwrap();
        }
    };
    tokio::join!(mine, other_pool);
    // In the middle of its writing: kill -9.
    child.kill().unwrap();
    child.wait().unwrap();
    let verification = log.verify(None).await;
    assert!(verification.is_sound(), "{:?}", verification.damages);
    let mut actors = BTreeSet::new();
    let mut count = 0;
    log.log
        .export(|line| {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            actors.insert(line["actor"].as_str().unwrap().to_owned());
            count += 1;
            Ok::<_, DbError>(())
        })
        .await
        .unwrap();
    assert_eq!(actors.into_iter().collect::<Vec<_>>(), ["job:1", "job:2", "job:3"]);
    assert!(count > 300, "300 of ours, and some of the killed process: {count}");
}

fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(&[7; 32]).unwrap())
}

#[tokio::test]
async fn lock_out_holds_over_a_restart_and_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("causeway.db");
    let clock = Arc::new(ManualClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
    let limits = Limits { delay: Duration::ZERO, longest_delay: Duration::ZERO, ..Limits::DEFAULT };
    let settings = Settings { hash: HashCost::CHEAP, limits };
    let context = LoginContext { door: Door::Dav, peer: "192.0.2.1:40000".parse().unwrap() };
    let right = {
        let accounts = Accounts::with(Db::open(&path).await.unwrap(), vault(), clock.clone(), settings);
        let (name, password) = accounts.ensure_first_admin().await.unwrap().unwrap();
        for _ in 0..10 {
            let wrong = accounts.login_password(&name, &Secret::new("wrong one"), &context).await;
            assert!(matches!(wrong, Err(LoginError::Refused)));
        }
        password
    };
    let db = Db::open(&path).await.unwrap();
    let accounts = Accounts::with(db.clone(), vault(), clock.clone(), settings);
    let locked = accounts.login_password("admin", &right, &context).await;
    assert!(matches!(locked, Err(LoginError::Locked(_))));
    let log = AuditLog::new(db, clock.clone());
    let word = |action: &str| Filter { action: Some(action.to_owned()), ..Filter::default() };
    assert_eq!(log.page(&word("account-locked")).await.unwrap().len(), 1);
    assert_eq!(log.page(&word("login-failed")).await.unwrap().len(), 11);
    clock.advance(SignedDuration::from_mins(15));
    accounts.login_password("admin", &right, &context).await.unwrap();
    assert!(log.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn no_secret_lies_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = Settings { hash: HashCost::CHEAP, ..Settings::default() };
    let accounts = Accounts::with(db.clone(), vault(), clock.clone(), settings);
    let sessions = Sessions::new(db.clone(), clock);
    let password = Secret::new("a-very-secret-password-4711");
    let wrong = Secret::new("a-mistyped-password-4712");
    let new =
        NewAccount { name: "anna".to_owned(), password: Some(password.clone()), scope: Scope::whole(), admin: true };
    accounts.create(&Actor::System, &new).await.unwrap();
    let context = LoginContext { door: Door::Web, peer: "127.0.0.1:1".parse().unwrap() };
    assert!(accounts.login_password("anna", &wrong, &context).await.is_err());
    let grant = accounts.login_request("anna", &password, &context).await.unwrap();
    let token = sessions.create(&grant, context.peer).await.unwrap();
    let session = sessions.find(token.expose()).await.unwrap().unwrap();
    let new =
        NewAppPassword { label: "Laptop".to_owned(), folder: RelPath::root(), access: Access::ReadWrite, lasts: None };
    let app = accounts.add_app_password(&Actor::System, "anna", &new).await.unwrap();
    let at_files = LoginContext { door: Door::Files, ..context };
    accounts.login_request("anna", &app, &at_files).await.unwrap();
    accounts.remove_app_password(&Actor::System, "anna", "Laptop").await.unwrap();
    assert!(accounts.login_bearer(&app, &at_files).await.is_err());
    let secrets = [password.expose(), wrong.expose(), token.expose(), session.csrf.expose(), app.expose()]
        .map(|s| s.as_bytes().to_vec());
    let mut files = 0;
    // With the write-ahead log still there, and after it was folded in.
    for round in 0..2 {
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            files += 1;
            for secret in &secrets {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret), "round {round}");
            }
        }
        db.close().await;
    }
    assert!(files >= 2);
}
