//! SFTP as a remote: against OpenSSH's server, and against our own door.

mod login;
pub mod mirror;
mod transfer;

use std::sync::Arc;

use causeway::manners::Manners;
use causeway::model::{Endpoint, RelPath, Secret, SystemClock};
use causeway::reliability::Recorder;
use causeway::remote::{Context, Remote, contract, open};
use causeway::task::Tasks;

use crate::sftp::door::{Fixture, PASSWORD};
use crate::support::rclone::{Rclone, Speaks};
use crate::support::sshd::Sshd;

fn context() -> Context {
    let (recorder, manners) = (Recorder::discard(), Manners::forgetful());
    Context { recorder, manners, clock: Arc::new(SystemClock), tasks: Tasks::new() }
}

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

/// The whole tree of our own door.
fn door_endpoint(door: &Fixture) -> Endpoint {
    let mut endpoint = Endpoint::parse(&format!("sftp://anna@127.0.0.1:{}/", door.address.port())).unwrap();
    endpoint.password = Some(Secret::new(PASSWORD));
    endpoint.options.insecure = true;
    endpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_keeps_the_contract() {
    let sshd = Sshd::start();
    let remote = open(&sshd.endpoint(), &context()).await.unwrap();
    assert!(remote.capabilities().reads_ahead, "a big file is read in one flow");
    contract::check(&remote, true).await.unwrap();
    remote.close().await;
}

/// Without names that are no UTF-8: it loses them as its WebDAV does, see there.
#[tokio::test(flavor = "multi_thread")]
async fn rclone_keeps_the_contract() {
    let rclone = Rclone::start_speaking(Speaks::Sftp);
    let remote = open(&rclone.endpoint(), &context()).await.unwrap();
    contract::check(&remote, false).await.unwrap();
    remote.close().await;
}

#[test]
fn our_own_door_keeps_the_contract() {
    let door = Fixture::new();
    let endpoint = door_endpoint(&door);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let remote: Arc<dyn Remote> = open(&endpoint, &context()).await.unwrap();
        contract::check(&remote, true).await.unwrap();
        remote.close().await;
    });
}
