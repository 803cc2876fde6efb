//! What stands behind the HTTPS listener: dashboard, WebDAV, downloads, and the question after its health.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, StatusCode};

use crate::account::Sessions;
use crate::config::Config;
use crate::db::DbError;
use crate::diagnose::Diagnoses;
use crate::digests::Digests;
use crate::drive::{Books, Guest, Packing, Resumable, Shares, Trash};
use crate::job::Jobs;
use crate::model::Door;
use crate::net::Counters;
use crate::presence::Presence;
use crate::probe::Probes;
use crate::remote::Context;
use crate::serve::dav::{self, Dav};
use crate::serve::files::{self, Files};
use crate::serve::http::{Budget, Doorman, HeaderAuth, Peer, plain};
use crate::survey::Surveys;
use crate::task::{Spot, Tasks};
use crate::tree::Tree;
use crate::web::{self, DoorsAt, ReachNow, WebState};

use super::Store;
use super::watching::Watching;

/// How long the database may take to say that it is well.
const HEALTH: Duration = Duration::from_secs(5);

/// What the dashboard's scripts send with the session's cookie: no other site can know it.
const CSRF: &str = "x-csrf-token";

/// Lets in who signed in to the dashboard: to read, and with the token of its pages to change; everybody else by what is
/// shown in every request.
#[derive(Debug, Clone)]
struct SessionOrHeader {
    header: HeaderAuth,
    sessions: Sessions,
}

#[async_trait]
impl Doorman for SessionOrHeader {
    async fn admit(&self, head: &Parts, door: Door) -> Result<Guest, Response> {
        if door != Door::Files || head.headers.contains_key(AUTHORIZATION) {
            return self.header.admit(head, door).await;
        }
        // A cookie is sent by the browser, not by the person: alone it may read, and change nothing.
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        let sent = head.headers.get(CSRF).and_then(|value| value.to_str().ok());
        if let Some(token) = web::session_token(&head.headers).filter(|_| reads || sent.is_some()) {
            match self.sessions.find(&token).await {
                Ok(Some(session)) if reads || sent.is_some_and(|sent| session.csrf_matches(sent)) => {
                    return self.header.guest(&session.grant, head, door).await;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a session could not be looked up"),
            }
        }
        // A script of ours: to ask it for a password would only open a window that nobody understands.
        if sent.is_some() {
            return Err(plain(StatusCode::FORBIDDEN, "you are not signed in any more: reload the page"));
        }
        self.header.admit(head, door).await
    }
}

/// What the doors and the rest of the house share.
pub(super) struct Shared<'a> {
    pub(super) tree: &'a Arc<Tree>,
    pub(super) jobs: &'a Jobs,
    pub(super) probes: &'a Probes,
    pub(super) watching: &'a Watching,
    pub(super) context: &'a Context,
    pub(super) presence: &'a Presence,
    pub(super) counters: &'a Counters,
}

/// All routes.
pub(super) async fn router(
    store: &Store,
    Shared { tree, jobs, probes, watching, context, presence, counters }: Shared<'_>,
    (doors, reach, remark): (DoorsAt, ReachNow, Option<&'static str>),
    (config, resumable, trash): (&Config, &Resumable, &Trash),
    tasks: &Tasks,
) -> Result<Router, DbError> {
    let watched = Arc::clone(tree);
    let books = Books {
        audit: store.audit.clone(),
        recorder: context.recorder.clone(),
        digests: Digests::new(store.db.clone()),
        clock: Arc::clone(&store.clock),
        max_upload: config.limits.upload,
        junk: config.dav.junk,
        trash: trash.clone(),
        packing: Packing::new(config.limits.archives, counters.clone()),
        tasks: tasks.clone(),
        spot: Spot::watching("https mounts", move || watched.is_near(), tasks),
    };
    let budget = Budget::new(config.limits.requests_per_account, counters.clone());
    let header = HeaderAuth { accounts: store.accounts.clone(), tree: Arc::clone(tree), books: books.clone(), budget };
    let sessions = Sessions::new(store.db.clone(), Arc::clone(&store.clock));
    let doorman: Arc<dyn Doorman> = Arc::new(SessionOrHeader { header, sessions: sessions.clone() });
    let dav = Dav::open(store.db.clone(), Arc::clone(&doorman), Arc::clone(&store.clock)).await?;
    let context = Context { tasks: tasks.clone(), ..context.clone() };
    let state = WebState {
        db: store.db.clone(),
        clock: Arc::clone(&store.clock),
        accounts: store.accounts.clone(),
        sessions,
        audit: store.audit.clone(),
        presence: presence.clone(),
        counters: counters.clone(),
        jobs: jobs.clone(),
        surveys: Surveys::open(store.db.clone(), context.clone()).await?,
        diagnoses: Diagnoses::open(store.db.clone(), context).await?,
        incidents: watching.incidents.clone(),
        alarms: watching.alarms.clone(),
        objectives: config.reliability.objectives.clone(),
        probes: probes.clone(),
        tree: Arc::clone(tree),
        doors,
        reach,
        remark,
        peer_of: Arc::new(|extensions| extensions.get::<Peer>().cloned().unwrap_or_else(Peer::unknown).address),
        welcome: Arc::new(|extensions| {
            if let Some(peer) = extensions.get::<Peer>() {
                peer.welcome();
            }
        }),
        stop: tasks.token(),
        tasks: tasks.clone(),
        shares: Shares::new(store.db.clone(), store.accounts.clone(), Arc::clone(tree), books.clone()),
        books,
        claims: dav.claims(),
        naming: Arc::default(),
    };
    let resumable = resumable.clone();
    let files = Files { doorman, render: None, claims: dav.claims(), resumable };
    let door_routes = Router::new().merge(dav::router(dav)).merge(files::router(files));
    Ok(door_routes.merge(health(store)).merge(web::router(state)))
}

/// `/healthz`: 200 when the database answers, for load balancers and containers. Tells nothing else.
fn health(store: &Store) -> Router {
    let db = store.db.clone();
    let answer = move || {
        let db = db.clone();
        async move {
            match tokio::time::timeout(HEALTH, db.ping()).await {
                Ok(Ok(())) => (StatusCode::OK, "ok\n"),
                _ => (StatusCode::SERVICE_UNAVAILABLE, "the job store does not answer\n"),
            }
        }
    };
    Router::new().route("/healthz", get(answer))
}
