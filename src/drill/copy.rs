//! One copy of the sample, by the mirror as it is, in a store and into a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::DrillError;
use crate::app::{Store, operator};
use crate::db::Db;
use crate::job::{Engine, Jobs, Layers, MirrorEngine, OnceEnd, OnceRequest, run_once};
use crate::manners::{self, Manners};
use crate::mirror::{Policy, Progress};
use crate::model::{Endpoint, EndpointOptions, RelPath, Secret};
use crate::reliability::Recorder;
use crate::remote::layer::{Room, picked, roomy};
use crate::remote::{self, Context};
use crate::task::Tasks;

/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// What is copied, from where, and the folder in which all of it happens.
#[derive(Debug, Clone)]
pub struct Leg {
    pub(super) source: Endpoint,
    pub(super) policy: Policy,
    pub(super) files: Arc<[RelPath]>,
    pub(super) place: PathBuf,
}

/// What is in its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Obstacles {
    /// Everything goes over this relay.
    pub(super) relay: Option<SocketAddr>,
    /// The target has no more room than this.
    pub(super) room: Option<Arc<Room>>,
}

impl Leg {
    /// Where its store is.
    pub(super) fn store(&self) -> PathBuf {
        self.place.join("store")
    }

    /// Where it writes to.
    pub(super) fn target(&self) -> PathBuf {
        self.place.join("target")
    }

    /// What `known` knows about the server is known in the leg's store.
    pub(super) async fn learn(&self, known: &Db) -> Result<(), DrillError> {
        let store = Store::open_at(&self.store()).await?;
        let carried = manners::carry(known, &store.db, &self.source.server()).await;
        store.db.close().await;
        Ok(carried?)
    }

    /// As text for another process, with the password: it goes through a pipe and nowhere else.
    pub(super) fn to_text(&self) -> String {
        json!({
            "source": self.source.url(),
            "password": self.source.password.as_ref().map(Secret::expose),
            "options": self.source.options,
            "policy": self.policy,
            "files": &*self.files,
            "place": self.place,
        })
        .to_string()
    }

    /// What [`Leg::to_text`] wrote.
    ///
    /// # Errors
    /// [`DrillError::Leg`].
    pub fn of_text(text: &str) -> Result<Self, DrillError> {
        fn part<T: serde::de::DeserializeOwned>(all: &Value, name: &str) -> Result<T, DrillError> {
            serde_json::from_value(all.get(name).cloned().unwrap_or_default())
                .map_err(|error| DrillError::Leg(format!("{name}: {error}")))
        }
        let all: Value = serde_json::from_str(text).map_err(|error| DrillError::Leg(error.to_string()))?;
        let url: String = part(&all, "source")?;
        let mut source = Endpoint::parse(&url).map_err(|error| DrillError::Leg(error.to_string()))?;
        source.password = part::<Option<String>>(&all, "password")?.map(Secret::new);
        source.options = part::<EndpointOptions>(&all, "options")?;
        let files: Vec<RelPath> = part(&all, "files")?;
        Ok(Self { source, policy: part(&all, "policy")?, files: files.into(), place: part(&all, "place")? })
    }

    /// Copies, with nothing in the way.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn copy(&self, progress: Arc<Progress>, stop: CancellationToken) -> Result<OnceEnd, DrillError> {
        self.copy_against(Obstacles::default(), progress, stop).await
    }

    pub(super) async fn copy_against(
        &self,
        obstacles: Obstacles,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<OnceEnd, DrillError> {
        let store = Store::open_at(&self.store()).await?;
        let tasks = Tasks::new();
        let context = Context {
            recorder: Recorder::start(store.db.clone(), &tasks),
            manners: Manners::new(store.db.clone(), &tasks),
            clock: Arc::clone(&store.clock),
            tasks: tasks.child(),
        };
        let jobs = Jobs::new(store.db.clone(), Arc::clone(&store.vault), Arc::clone(&store.clock));
        let engine = MirrorEngine::new(store.db.clone(), context).with_layers(self.layers(obstacles.room));
        let engine: Arc<dyn Engine> = Arc::new(engine);
        let mut source = self.source.clone();
        source.options.relay = obstacles.relay;
        let target = local(&self.target());
        let request = OnceRequest { source, target, policy: self.policy.clone(), actor: operator() };
        let end = run_once(&jobs, &engine, request, progress, stop).await;
        if !tasks.drain(GOODBYE).await {
            tracing::debug!("some connections did not say goodbye in time");
        }
        store.db.close().await;
        Ok(end?)
    }

    fn layers(&self, room: Option<Arc<Room>>) -> Layers {
        let files = Arc::clone(&self.files);
        Layers {
            source: Arc::new(move |source| picked(source, files.iter().cloned())),
            target: Arc::new(move |target| match &room {
                Some(room) => roomy(target, Arc::clone(room)),
                None => target,
            }),
        }
    }
}

/// A folder of this machine as an endpoint.
pub(super) fn local(folder: &Path) -> Endpoint {
    Endpoint::local(std::os::unix::ffi::OsStrExt::as_bytes(folder.as_os_str()))
}

/// Opens an endpoint to look at it, straight, and nothing is learned from that.
pub(super) async fn open(
    endpoint: &Endpoint,
    store: &Store,
    tasks: &Tasks,
) -> Result<Arc<dyn remote::Remote>, DrillError> {
    let context = Context {
        recorder: Recorder::discard(),
        manners: Manners::new(store.db.clone(), tasks),
        clock: Arc::clone(&store.clock),
        tasks: tasks.child(),
    };
    Ok(remote::open(endpoint, &context).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_comes_out_of_its_text_as_it_went_in() {
        let mut source = Endpoint::parse("ftp://anna@localhost:2121//odd%E9/x").unwrap();
        source.password = Some(Secret::new("s3cret"));
        source.options.charset = Some("gbk".to_owned());
        let leg = Leg {
            source,
            policy: Policy { bandwidth: Some(7), ..Policy::default() },
            files: [RelPath::new(b"a/\xd6\xd0").unwrap()].into(),
            place: PathBuf::from("/somewhere"),
        };
        let back = Leg::of_text(&leg.to_text()).unwrap();
        assert_eq!((&back.source, &back.policy, &back.place), (&leg.source, &leg.policy, &leg.place));
        assert_eq!(back.source.password.as_ref().unwrap().expose(), "s3cret");
        assert_eq!(back.files, leg.files);
        assert!(!format!("{leg:?}").contains("s3cret"));
        assert!(Leg::of_text("{}").is_err() && Leg::of_text("no").is_err());
    }
}
