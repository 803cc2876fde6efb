//! What all connections of one endpoint share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::RETRY_AFTER;

use super::entry::text;
use super::learned::Learned;
use super::login::Login;
use crate::model::{Deadlines, Endpoint, Fault, FaultKind, Phase, Protocol, RelPath};
use crate::net::TlsClient;
use crate::net::http::date;
use crate::reliability::{Detail, FileId, What};
use crate::remote::{Context, place};

/// A server may ask to be left alone so long at most before the next request; who asks for longer gets a fault.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The endpoint, its login, and what was learned about it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) ctx: Context,
    pub(super) tls: Option<TlsClient>,
    /// Host and port, as requests name them.
    pub(super) authority: String,
    pub(super) learned: Learned,
    login: Mutex<Option<Arc<Login>>>,
    /// A wrong password is never sent twice.
    refused: Mutex<Option<Fault>>,
    rest_until: Mutex<Option<Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(endpoint: Endpoint, ctx: Context, tls: Option<TlsClient>) -> Arc<Self> {
        let host = if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
        let authority =
            if endpoint.port == endpoint.protocol.default_port() { host } else { format!("{host}:{}", endpoint.port) };
        let (login, refused, rest_until) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { endpoint, ctx, tls, authority, learned: Learned::default(), login, refused, rest_until })
    }

    pub(super) fn deadlines(&self) -> Deadlines {
        self.endpoint.options.deadlines
    }

    /// `http` or `https`.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// How to log in, as far as the server has asked for it.
    ///
    /// # Errors
    /// The refusal that there was.
    pub(super) fn login(&self) -> Result<Option<Arc<Login>>, Fault> {
        match &*lock(&self.refused) {
            Some(refused) => Err(refused.clone()),
            None => Ok(lock(&self.login).clone()),
        }
    }

    /// A request with the login `used` was answered with 401: whoever asks again finds a login that may help.
    ///
    /// # Errors
    /// That none will.
    pub(super) fn challenged(&self, used: Option<&Arc<Login>>, headers: &HeaderMap) -> Result<(), Fault> {
        let mut login = lock(&self.login);
        if let (Some(now), Some(used)) = (&*login, used)
            && !Arc::ptr_eq(now, used)
        {
            // Somebody else has heard of the new one before.
            return Ok(());
        }
        if used.is_some_and(|used| !used.is_stale(headers)) {
            let (user, host) = (&self.endpoint.user, &self.endpoint.host);
            let why = format!("{host} does not let {user} in: check user and password");
            let refused = Fault::new(Phase::Login, FaultKind::Auth, why).reply(401, "Unauthorized");
            *lock(&self.refused) = Some(refused.clone());
            return Err(refused);
        }
        if login.is_none() && self.tls.is_none() && self.endpoint.protocol == Protocol::Dav {
            tracing::debug!(endpoint = %self.endpoint, "a login in the clear");
        }
        *login = Some(Arc::new(Login::choose(&self.endpoint, self.tls.is_some(), headers)?));
        Ok(())
    }

    /// The server asks to be left alone (`Retry-After`, RFC 9110, section 10.2.3): for how long. The next requests wait,
    /// up to a bound.
    pub(super) fn note_rest(&self, headers: &HeaderMap) -> Option<Duration> {
        let told = text(headers, &RETRY_AFTER)?;
        let rest = match told.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => date::parse(told)?.duration_since(self.ctx.clock.now()).try_into().ok()?,
        };
        *lock(&self.rest_until) = Some(Instant::now() + rest.min(LONGEST_REST));
        Some(rest)
    }

    /// Waits until the server may be asked again.
    pub(super) async fn rested(&self) {
        let until = *lock(&self.rest_until);
        if let Some(left) = until.and_then(|until| until.checked_duration_since(Instant::now())) {
            tokio::time::sleep(left).await;
        }
    }

    /// Records something about this endpoint.
    pub(super) fn record(&self, what: What, detail: Detail) {
        self.ctx.record(&self.endpoint, what, detail);
    }

    /// What is known of a transfer beside its bytes. Which connection carried it is the pool's business.
    pub(super) fn moved(&self, path: &RelPath, fault: Option<&Fault>) -> Detail {
        let file = FileId::of(&place(&self.endpoint), path.as_bytes());
        Detail { encrypted: Some(self.tls.is_some()), ..Detail::default() }.ended(fault).file(file)
    }
}
