//! Looks at the certificate again and again, so that a renewed one is served without a restart.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::{Identity, Settings, load};
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

/// Gives every handshake the certificate of that moment.
pub(crate) fn resolver(served: Served) -> Arc<dyn ResolvesServerCert> {
    Arc::new(Current(served))
}

#[derive(Debug)]
struct Current(Served);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow().certified))
    }
}

/// Loads the certificate again after every pause, until `tasks` stop. What cannot be used (half a renewal, a
/// key of another certificate) changes nothing and is said once.
pub(crate) async fn keep(
    current: watch::Sender<Arc<Identity>>,
    settings: Settings,
    data: PathBuf,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
) {
    let (mut complaint, mut warning) = (String::new(), String::new());
    loop {
        if let Some(text) = current.borrow().about_its_end(clock.now()).filter(|text| is_new(&mut warning, text)) {
            tracing::warn!("{text}");
        }
        tokio::select! {
            () = tasks.stopped() => return,
            () = tokio::time::sleep(settings.look_again) => {}
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
