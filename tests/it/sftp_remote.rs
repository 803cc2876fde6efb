//! SFTP as a remote: against OpenSSH's server, and against our own door.

mod login;
pub mod mirror;
mod transfer;
mod way;

use std::sync::Arc;

use causeway::manners::Manners;
use causeway::model::{Algorithm, Endpoint, FaultKind, Hasher, RelPath, Secret, SystemClock};
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

/// So that what was written there is proven without reading it back.
#[test]
fn our_own_door_tells_digests() {
    let door = Fixture::new();
    std::fs::write(door.served("a.txt"), "content of a").unwrap();
    std::fs::create_dir(door.served("d")).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let remote = open(&door_endpoint(&door), &context()).await.unwrap();
        assert!(remote.capabilities().digest && remote.capabilities().checksum);
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha1, Algorithm::Md5, Algorithm::Crc32] {
            let mut here = Hasher::new(algorithm);
            here.update(b"content of a");
            let told = remote.checksum(&path("a.txt"), &[Algorithm::Blake3, algorithm]).await;
            assert_eq!(told, Ok(Some(here.finish().unwrap())), "{algorithm}");
        }
        assert_eq!(remote.checksum(&path("a.txt"), &[Algorithm::Blake3]).await, Ok(None), "it has no BLAKE3");
        assert_eq!(remote.checksum(&path("d"), Algorithm::ALL).await, Ok(None), "a folder has no digest");
        let missing = remote.checksum(&path("none"), Algorithm::ALL).await.unwrap_err();
        assert_eq!(missing.kind, FaultKind::Missing);
        remote.close().await;
    });
}
