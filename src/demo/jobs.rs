//! The demo's jobs: the whole old server, and its one folder with GBK names.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::app::Service;
use crate::audit::Actor;
use crate::job::{EndpointRef, JobError, NewEndpoint, NewJob, Schedule, Zone};
use crate::mirror::Policy;
use crate::model::{Endpoint, EndpointOptions, Protocol, Secret};

use super::{USER, sample};

/// One job of the demo.
struct Plan {
    name: &'static str,
    endpoint: &'static str,
    folder: &'static str,
    target: &'static str,
    charset: Option<&'static str>,
    exclude: Option<String>,
}

fn plans() -> [Plan; 2] {
    [
        Plan {
            name: "Legacy server",
            endpoint: "Legacy FTP server",
            folder: "",
            target: "legacy",
            charset: None,
            // Its names are in another character set: they have a job of their own.
            exclude: Some(format!("/{}/", sample::GBK_FOLDER)),
        },
        Plan {
            name: "Beijing office",
            endpoint: "Legacy FTP server, GBK names",
            folder: sample::GBK_FOLDER,
            target: sample::GBK_FOLDER,
            charset: Some("gbk"),
            exclude: None,
        },
    ]
}

/// Makes the jobs that are missing and starts them; points the endpoints at where the old server is now.
pub(super) async fn ensure(
    service: &Service,
    tree: &Path,
    legacy: SocketAddr,
    password: &Secret,
    every: u8,
) -> Result<(), JobError> {
    let jobs = service.jobs();
    let known = jobs.endpoints().await?;
    for plan in plans() {
        let endpoint = NewEndpoint { name: Some(plan.endpoint.to_owned()), endpoint: source(&plan, legacy, password) };
        if let Some(stored) = known.iter().find(|stored| stored.name == plan.endpoint) {
            if stored.endpoint.url() != endpoint.endpoint.url() {
                jobs.update_endpoint(&Actor::System, stored.id, &endpoint).await?;
            }
            continue;
        }
        let source = EndpointRef::Stored(jobs.create_endpoint(&Actor::System, &endpoint).await?);
        let folder = std::path::absolute(tree.join(plan.target)).unwrap_or_else(|_| tree.join(plan.target));
        let target = NewEndpoint {
            name: Some(format!("Served tree: {}", plan.target)),
            endpoint: Endpoint::local(folder.as_os_str().as_bytes()),
        };
        let zone = Zone::utc();
        let new = NewJob {
            name: plan.name.to_owned(),
            source,
            target: EndpointRef::Inline(target),
            policy: Policy {
                exclude: plan.exclude.into_iter().collect(),
                charset: plan.charset.map(str::to_owned),
                ..Policy::default()
            },
            schedule: Schedule::parse(&format!("*/{every} * * * *"), &zone, jobs.now())?,
            zone,
            paused: false,
        };
        let job = jobs.create(&Actor::System, &new).await?;
        jobs.run_now(&Actor::System, job).await?;
    }
    Ok(())
}

/// The old server's root.
pub(super) fn whole_server(legacy: SocketAddr, password: &Secret) -> Endpoint {
    let [whole, _] = plans();
    source(&whole, legacy, password)
}

fn source(plan: &Plan, legacy: SocketAddr, password: &Secret) -> Endpoint {
    Endpoint {
        protocol: Protocol::Ftp,
        host: legacy.ip().to_string(),
        port: legacy.port(),
        user: USER.to_owned(),
        password: Some(password.clone()),
        root: plan.folder.as_bytes().to_vec(),
        options: EndpointOptions {
            connections: Some(4),
            charset: plan.charset.map(str::to_owned),
            ..EndpointOptions::default()
        },
    }
}
