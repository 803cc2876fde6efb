//! Looks at the certificate again and again, so that a renewed one is served without a restart.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::{ACME_TLS, Challenges, Identity, Orders, Settings, load};
use crate::model::Clock;
use crate::task::{self, Tasks};

/// When it is time to say every day that an operator's certificate ends.
const WARN_DAYS: i64 = 14;

/// The certificate that is served now; borrow it anew every time.
pub type Served = watch::Receiver<Arc<Identity>>;

/// The two ends of what is served, beginning with `identity`.
pub(crate) fn served(identity: Identity) -> (watch::Sender<Arc<Identity>>, Served) {
    watch::channel(Arc::new(identity))
}

/// Gives every handshake the certificate of that moment, and to an authority that asks what it is to see.
pub(crate) fn resolver(served: Served, challenges: Challenges) -> Arc<dyn ResolvesServerCert> {
    Arc::new(Current { served, challenges })
}

#[derive(Debug)]
struct Current {
    served: Served,
    challenges: Challenges,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == ACME_TLS)) {
            return self.challenges.certificate(hello.server_name()?);
        }
        Some(Arc::clone(&self.served.borrow().certified))
    }
}

/// Keeps the certificate up to date.
pub(crate) struct Keeper {
    pub(crate) current: watch::Sender<Arc<Identity>>,
    pub(crate) settings: Settings,
    pub(crate) data: PathBuf,
    /// Orders certificates, where that is wanted.
    pub(crate) orders: Option<Orders>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
}

impl Keeper {
    /// Loads the certificate again after every pause and when one was ordered, until the tasks stop. What cannot be used
    /// (half a renewal, a key of another certificate) changes nothing and is said once.
    pub(crate) async fn run(self) {
        let Self { current, settings, data, orders, clock, tasks } = self;
        let (mut complaint, mut warning) = (String::new(), String::new());
        loop {
            let there = Arc::clone(&current.borrow());
            if let Some(text) = there.about_its_end(clock.now()).filter(|text| is_new(&mut warning, text)) {
                tracing::warn!("{text}");
            }
            let pause = async {
                let ordered = match &orders {
                    Some(orders) => orders.renew(&there, clock.now()).await,
                    None => false,
                };
                if !ordered {
                    tokio::time::sleep(settings.look_again).await;
                }
            };
            tokio::select! {
                () = tasks.stopped() => return,
                () = pause => {}
            }
            let (wanted, folder, now) = (settings.clone(), data.clone(), clock.now());
            let Ok(loaded) = task::blocking(move || load(&wanted, &folder, now)).await else { return };
            match loaded {
                Ok(new) => take(&current, new),
                Err(error) if is_new(&mut complaint, &error.to_string()) => {
                    tracing::error!(%error, "the certificate on the disk cannot be used: the old one is served on");
                }
                Err(_) => {}
            }
        }
    }
}

fn take(current: &watch::Sender<Arc<Identity>>, new: Identity) {
    if new.fingerprint != current.borrow().fingerprint {
        tracing::info!(tls.sha256 = new.fingerprint, tls.ends = %new.ends, "a new certificate is served from now on");
        current.send_replace(Arc::new(new));
    }
}

/// Was something else said last?
fn is_new(said: &mut String, text: &str) -> bool {
    let new = said != text;
    text.clone_into(said);
    new
}

impl Identity {
    /// What must be said about its end at `now`, if anything.
    #[must_use]
    pub fn about_its_end(&self, now: Timestamp) -> Option<String> {
        let (left, file) = (self.ends.duration_since(now), self.file.display());
        match left.as_hours() / 24 {
            _ if !left.is_positive() => {
                Some(format!("the certificate in {file} ended on {}: clients refuse it until it is renewed", self.ends))
            }
            days @ ..=WARN_DAYS => Some(format!("the certificate in {file} ends in {days} days: renew it")),
            _ => None,
        }
    }
}
