//! The demo's comparison: the old FTP server, and the SFTP and WebDAV doors, by a login of its own.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::account::{AccountError, NewAccount, readable_password};
use crate::app::{Service, Store};
use crate::audit::Actor;
use crate::job::{JobError, NewEndpoint};
use crate::model::{Access, Endpoint, EndpointId, RelPath, Scope, Secret};
use crate::probe::{Budget, Changes, Work};
use crate::task::blocking;

use super::DemoError;

/// Said on the reliability page of a demo.
pub(super) const REMARK: &str = "This is a demo. The traffic goes over the loopback of this machine, most of it comes \
                                 from the demo's own comparison, which reads the same files over each protocol again \
                                 and again, and the old FTP server is slowed down on purpose. The figures show how the \
                                 page works; they say nothing about a real network.";
/// Whose account it uses.
const VISITOR: &str = "visitor";
/// What it is called.
const NAME: &str = "Old server and new doors";
/// Rounds that follow each other at once: enough for every rate (100), and few enough to be over soon.
const AT_FIRST: usize = 120;
/// After that.
const EVERY: Duration = Duration::from_secs(60);
/// Nobody has to be spared here.
const BUDGET: Budget = Budget { logins: 10_000, bytes: 10 << 30 };
/// How often the demo looks whether the next round may begin.
const LOOK: Duration = Duration::from_millis(100);
/// What is read, below the old server's root and below the account's folder: 71 kB, and 325 kB.
const SMALL: &str = "outbound/catalogue/images/0010 readme.txt";
const MEDIUM: &str = "outbound/catalogue/images/0042 delivery note.pdf";
/// The folder that is listed.
const FOLDER: &str = "outbound/catalogue/images";
/// The folder that the job copies the old server's root to.
const HOME: &str = "legacy";

/// Makes the account when it is missing, and gives it a new password and a key: nobody else is to use it. Returns both.
pub(super) async fn account(store: &Store) -> Result<(Secret, PathBuf), DemoError> {
    let (folder, password) = (store.folder.join("clients"), readable_password()?);
    let path = folder.join("visitor_ed25519");
    let home = RelPath::new(HOME).map_err(io::Error::other)?;
    let new = NewAccount {
        name: VISITOR.to_owned(),
        password: Some(password.clone()),
        scope: Scope::of(home, Access::ReadOnly),
        admin: false,
    };
    match store.accounts.create(&Actor::System, &new).await {
        Ok(_) => {
            let key = super::ssh_key(&path)?;
            store.accounts.add_key(&Actor::System, VISITOR, &key).await?;
        }
        Err(AccountError::Exists(_)) => store.accounts.set_password(&Actor::System, VISITOR, &password).await?,
        Err(error) => return Err(error.into()),
    }
    Ok((password, path))
}

/// Begins to compare once the files are there.
pub(super) async fn start(
    service: &Service,
    ftp: &Endpoint,
    (password, key): (Secret, PathBuf),
) -> Result<(), DemoError> {
    let (Some(https), Some(certificate)) = (service.https(), service.certificate()) else { return Ok(()) };
    let wrong = |error: crate::model::EndpointError| io::Error::other(error);
    let mut members = vec![("Old FTP server", ftp.clone())];
    if let (Some(at), Some(host_key)) = (service.sftp(), service.host_keys().first()) {
        let mut door = Endpoint::parse(&format!("sftp://{VISITOR}@{at}/")).map_err(wrong)?;
        door.options.pin = Some(host_key.fingerprint.clone());
        door.options.key_file = Some(key.display().to_string());
        members.push(("SFTP door", door));
    }
    let mut door = Endpoint::parse(&format!("davs://{VISITOR}@localhost:{}/dav/", https.port())).map_err(wrong)?;
    door.password = Some(password);
    door.options.ca_file = Some(certificate.file.display().to_string());
    members.push(("WebDAV door", door));
    let mut endpoints = Vec::new();
    for (name, endpoint) in members {
        endpoints.push(stored(service, name, endpoint).await?);
    }
    let path = |text: &str| RelPath::new(text).map_err(io::Error::other);
    let work = Work { small: Some(path(SMALL)?), medium: Some(path(MEDIUM)?), folder: path(FOLDER)?, upload: None };
    let set = Changes { name: NAME.to_owned(), members: endpoints, work, every: EVERY, budget: BUDGET, on: true };
    let probes = service.probes();
    if let Some(known) = probes.list().await?.into_iter().find(|known| known.name == NAME) {
        probes.remove(&Actor::System, known.id).await?;
    }
    hurry(service, set)
}

/// The endpoint of that name as it is now.
async fn stored(service: &Service, name: &str, endpoint: Endpoint) -> Result<EndpointId, JobError> {
    let (jobs, new) = (service.jobs(), NewEndpoint { name: Some(name.to_owned()), endpoint });
    match jobs.endpoints().await?.into_iter().find(|stored| stored.name == name) {
        Some(stored) => {
            jobs.update_endpoint(&Actor::System, stored.id, &new).await?;
            Ok(stored.id)
        }
        None => jobs.create_endpoint(&Actor::System, &new).await,
    }
}

/// Makes the set when the files are there, and lets its first rounds follow each other.
fn hurry(service: &Service, set: Changes) -> Result<(), DemoError> {
    let (tasks, probes) = (service.tasks().clone(), service.probes().clone());
    let view = service.tree().view(&Scope::whole())?;
    let there = RelPath::new(format!("{HOME}/{SMALL}")).map_err(io::Error::other)?;
    service.tasks().spawn("demo: comparison", async move {
        let work = async {
            loop {
                let (view, there) = (view.clone(), there.clone());
                if matches!(blocking(move || view.stat(&there).is_ok()).await, Ok(true)) {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
            let id = probes.make(&Actor::System, &set).await.map_err(|error| error.to_string())?;
            for done in 0..AT_FIRST {
                probes.visit_now(id).await.map_err(|error| error.to_string())?;
                let most = u32::try_from(AT_FIRST).unwrap_or(u32::MAX);
                while probes.last(id, most).await.map_err(|error| error.to_string())?.len() <= done {
                    // Somebody switched it off or removed it.
                    if !probes.get(id).await.map_err(|error| error.to_string())?.on {
                        return Ok(());
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
            Ok::<_, String>(())
        };
        tokio::select! {
            () = tasks.stopped() => {}
            ended = work => {
                if let Err(error) = ended {
                    tracing::warn!(%error, "the demo compares nothing more");
                }
            }
        }
    });
    Ok(())
}
