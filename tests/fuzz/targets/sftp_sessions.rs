//! Whole SFTP sessions with the request loop, without SSH. An even first byte: requests on a few names and handles, up to
//! sixty in flight, whose answers a model knows. An odd one: any requests, well-formed or not, after which nothing
//! outside the served folder has changed and the loop has ended.
#![no_main]

#[path = "../sftp/model.rs"]
mod model;
#[path = "../sftp/packet.rs"]
mod packet;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use causeway::account::{Accounts, Grant, HashCost, LoginContext, NewAccount, Settings};
use causeway::audit::{Actor, AuditLog};
use causeway::db::{Db, Vault};
use causeway::model::{Clock, Door as Entrance, Scope, Secret, SystemClock};
use causeway::net::Counters;
use causeway::presence::Presence;
use causeway::reliability::Recorder;
use causeway::serve::sftp::{Door, converse};
use causeway::task::Tasks;
use causeway::tree::Tree;
use libfuzzer_sys::fuzz_target;
use model::{Chance, Line, Player};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;

/// Longer than anything takes that is asked here.
const PATIENCE: Duration = Duration::from_secs(20);

/// A door, somebody who may come in, and the folder that holds everything.
struct House {
    runtime: Runtime,
    folder: PathBuf,
    door: Door,
    grant: Grant,
}

fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = std::env::temp_dir().join(format!("causeway-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("tree")).unwrap();
        std::fs::write(folder.join("secret"), "outside").unwrap();
        let (door, grant) = runtime.block_on(async {
            let db = Db::open(&folder.join("store.db")).await.unwrap();
            let vault = Arc::new(Vault::new(&[7; 32]).unwrap());
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let settings = Settings { hash: HashCost::CHEAP, ..Settings::default() };
            let accounts = Accounts::with(db.clone(), vault, clock.clone(), settings);
            let password = Secret::new("correct horse battery");
            let new = NewAccount {
                name: "anna".to_owned(),
                password: Some(password.clone()),
                scope: Scope::whole(),
                admin: false,
            };
            accounts.create(&Actor::System, &new).await.unwrap();
            let context = LoginContext { door: Entrance::Sftp, peer: ([127, 0, 0, 1], 1).into() };
            let grant = accounts.login_password("anna", &password, &context).await.unwrap();
            let door = Door {
                tree: Tree::open(&folder.join("tree")).unwrap(),
                accounts,
                audit: AuditLog::new(db, clock.clone()),
                recorder: Recorder::discard(),
                clock,
                presence: Presence::default(),
                counters: Counters::default(),
            };
            (door, grant)
        });
        House { runtime, folder, door, grant }
    })
}

/// One session, from its greeting on.
struct Session {
    client: DuplexStream,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    tasks: Tasks,
}

impl Session {
    fn begin() -> Self {
        let house = house();
        for entry in std::fs::read_dir(house.folder.join("tree")).unwrap() {
            let path = entry.unwrap().path();
            let gone = if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
            gone.unwrap();
        }
        let (client, server) = tokio::io::duplex(1 << 20);
        let (door, grant, tasks) = (house.door.clone(), house.grant.clone(), Tasks::new());
        let own = tasks.clone();
        let served = house.runtime.spawn(async move { converse(&door, grant, server, &own).await });
        let mut session = Self { client, served, tasks };
        session.send(&[1, 0, 0, 0, 3]);
        assert_eq!(session.packet()[..5], [2, 0, 0, 0, 3]);
        session
    }

    /// The client leaves; everything must come to its end.
    fn end(self) {
        let house = house();
        drop(self.client);
        house.runtime.block_on(async {
            let served =
                tokio::time::timeout(PATIENCE, self.served).await.expect("the session goes on without a client");
            served.expect("the session was lost").ok();
            assert!(self.tasks.drain(PATIENCE).await, "work goes on without a session");
        });
        assert_eq!(std::fs::read(house.folder.join("secret")).unwrap(), b"outside");
        assert_eq!(std::fs::read_dir(&house.folder).unwrap().filter(|entry| !is_store(entry)).count(), 2);
    }
}

fn is_store(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("store.db")
}

impl Line for Session {
    fn send(&mut self, body: &[u8]) {
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        let sent = async { tokio::time::timeout(PATIENCE, self.client.write_all(&frame)).await };
        house().runtime.block_on(sent).expect("the door takes nothing").expect("the door has closed");
    }

    fn packet(&mut self) -> Vec<u8> {
        let packet = async {
            let mut body = vec![0; self.client.read_u32().await? as usize];
            self.client.read_exact(&mut body).await?;
            std::io::Result::Ok(body)
        };
        let packet = async { tokio::time::timeout(PATIENCE, packet).await };
        house().runtime.block_on(packet).expect("no answer").expect("the door has closed")
    }
}

/// The fuzzer's bytes, one or two for each decision; nothing is left at the end.
struct Bytes<'a>(&'a [u8]);

impl Chance for Bytes<'_> {
    fn below(&mut self, below: usize) -> usize {
        let taken = self.0.split_off(..self.0.len().min(if below > 256 { 2 } else { 1 })).unwrap_or_default();
        taken.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) % below
    }

    fn has_more(&self) -> bool {
        !self.0.is_empty()
    }
}

fn play(bytes: &[u8]) {
    let played = Player::new(Session::begin(), Bytes(bytes)).play();
    assert!(played.together <= 61, "more in flight than was meant");
    played.line.end();
    for (name, content) in played.files {
        assert!(std::fs::read(house().folder.join("tree").join(name)).unwrap() == content, "{name}");
    }
}

/// Names and handles that mean something, so that not every request fails at the first look.
const WORDS: [&[u8]; 12] =
    [b"a", b"b", b"d", b"d/a", b"", b"/", b"..", b"../secret", b"d/../../secret", b"l", b"\0\0\0\0", b"\0\0\0\x01"];

fn shout(mut bytes: &[u8]) {
    let mut session = Session::begin();
    let mut asked = Vec::new();
    // A kind, then fields: a word, a number, or bytes as they are.
    while let Some((kind, rest)) = bytes.split_first() {
        let mut body = vec![*kind, 0, 0, 0, 1];
        let mut fields = rest.split_inclusive(|byte| *byte == 0xff);
        let request = fields.next().unwrap_or_default();
        for byte in request.iter().copied() {
            match byte {
                0..128 => {
                    let word = WORDS[usize::from(byte) % WORDS.len()];
                    body.extend_from_slice(&(word.len() as u32).to_be_bytes());
                    body.extend_from_slice(word);
                }
                128..160 => body.extend_from_slice(&u32::from(byte & 0x1f).to_be_bytes()),
                160..192 => body.extend_from_slice(&(u64::MAX >> (2 * (byte & 0x1f))).to_be_bytes()),
                _ => body.push(byte),
            }
        }
        asked.extend_from_slice(&(body.len() as u32).to_be_bytes());
        asked.extend_from_slice(&body);
        bytes = &rest[request.len()..];
    }
    let house = house();
    let whole = async {
        let (mut from, mut to) = tokio::io::split(&mut session.client);
        let ask = async {
            // A damaged packet ends it early.
            let _ = to.write_all(&asked).await;
            let _ = to.shutdown().await;
        };
        let mut heard = Vec::new();
        let hear = from.read_to_end(&mut heard);
        tokio::time::timeout(PATIENCE, async { tokio::join!(ask, hear) }).await.is_ok()
    };
    assert!(house.runtime.block_on(whole), "the session neither ends nor answers");
    session.end();
}

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((first, rest)) if first % 2 == 0 => play(rest),
        Some((_, rest)) => shout(rest),
        None => {}
    }
});
