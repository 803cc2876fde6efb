//! WebDAV as a remote: against Apache, `rclone serve`, our own door, and a server that plays what a test says.

mod faults;
mod login;
mod mirror;
mod transfer;

use std::sync::Arc;

use causeway::manners::Manners;
use causeway::model::{Endpoint, RelPath, Secret, SystemClock};
use causeway::reliability::Recorder;
use causeway::remote::{Context, contract, open_or_create};
use causeway::task::Tasks;

use crate::support::apache::{Apache, Door};
use crate::support::https::{Https, PASSWORD};
use crate::support::rclone::Rclone;

fn context() -> Context {
    let (recorder, manners) = (Recorder::discard(), Manners::forgetful());
    Context { recorder, manners, clock: Arc::new(SystemClock), tasks: Tasks::new() }
}

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

/// The whole tree of our own door.
fn door_endpoint(door: &Https) -> Endpoint {
    let mut endpoint = Endpoint::parse(&format!("davs://anna@localhost:{}/dav", door.port)).unwrap();
    endpoint.password = Some(Secret::new(PASSWORD));
    endpoint.options.pin = Some(door.fingerprint.clone());
    endpoint
}

async fn keeps_the_contract(endpoint: &Endpoint, raw_names: bool, times: bool) {
    let remote = open_or_create(endpoint, &context()).await.unwrap();
    let able = remote.capabilities();
    assert_eq!((able.set_mtime, able.set_mode, able.resume_write), (times, false, false), "{able:?}");
    contract::check(&remote, raw_names).await.unwrap();
    remote.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_keeps_the_contract() {
    let apache = Apache::start(Door::Basic);
    keeps_the_contract(&apache.endpoint(), true, false).await;
    let asked = apache.asked();
    assert!(asked.contains("HTTP/1.1 MOVE") && !asked.contains("HTTP/2"), "{asked}");
    let left = std::fs::read_dir(apache.root()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| name == ".DAV"), "nothing of the trial is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_keeps_the_contract_over_http2() {
    let apache = Apache::start(Door::Tls);
    keeps_the_contract(&apache.endpoint(), true, false).await;
    let asked = apache.asked();
    assert!(asked.contains("HTTP/2.0 MOVE") && !asked.contains("HTTP/1"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_door_keeps_the_contract() {
    let door = Https::start().await;
    keeps_the_contract(&door_endpoint(&door), true, true).await;
    // But for what the contract deleted itself.
    let mut left = std::fs::read_dir(&door.root).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| name == ".causeway-trash"), "nothing of the trial is left");
    let batches = std::fs::read_dir(door.root.join(".causeway-trash")).unwrap().map(|batch| batch.unwrap().path());
    let names = batches.flat_map(|batch| std::fs::read_dir(batch).unwrap()).map(|name| name.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(!names.is_empty() && names.iter().all(|name| !name.starts_with(".causeway")), "{names:?}");
}

/// Without names that are no UTF-8: it takes one and keeps its bytes on the disk, but when it reads the folder again
/// ("Replacing invalid UTF-8 characters") it has another name for it, and the file is not there any more. It takes a time by PROPPATCH and forgets it: only those that come with a file are kept.
#[tokio::test(flavor = "multi_thread")]
async fn rclone_keeps_the_contract() {
    keeps_the_contract(&Rclone::start().endpoint(), false, false).await;
}
