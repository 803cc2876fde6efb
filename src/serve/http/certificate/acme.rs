//! Certificates from an authority that speaks ACME (RFC 8555), Let's Encrypt or one's own: ordered when there is none,
//! when a name is missing, or when a third of its time is left. The authority asks us to show that the names lead here
//! ([`super::challenge`]). A failure costs nothing but time: what is there is served on, and the next try waits longer
//! each time, also over a restart, because authorities count failures.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, LetsEncrypt, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::challenge::Challenges;
use super::client::Client;
use super::schedule::{LAST, Last, REST, last, pause, renewal, third, to_replace};
use super::{CertificateError, Identity, MAX_PEM, Settings, read};
use crate::net::Trust;
use crate::task::{self, Tasks};
use crate::tree::file;

/// How long an authority may take to look at our names, and to sign.
const POLICY: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));
/// Of an order that was begun: how it ended is not known, or not yet.
const UNDER_WAY: &str = "is under way, or did not come to its end";
/// Where an authority tells what it can do (RFC 8555, section 7.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory(String);

impl FromStr for Directory {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "letsencrypt" => Ok(Self(LetsEncrypt::Production.url().to_owned())),
            "letsencrypt-staging" => Ok(Self(LetsEncrypt::Staging.url().to_owned())),
            url if url.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https")) => {
                Ok(Self(url.to_owned()))
            }
            _ => Err(()),
        }
    }
}

impl std::fmt::Display for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// From whom a certificate is ordered, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeSettings {
    /// The authority.
    pub directory: Directory,
    /// The names, which must lead here from the whole net.
    pub names: Vec<String>,
    /// Whom the authority writes to.
    pub contact: Option<String>,
    /// PEM certificates to trust beside the system's, for an authority of one's own.
    pub ca: Option<PathBuf>,
}

/// An account with its authority: keys of one are nothing to another.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: Directory,
    credentials: AccountCredentials,
}

/// Orders certificates and keeps them.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    settings: AcmeSettings,
    folder: PathBuf,
    challenges: Challenges,
    /// Is there a plain listener, for a text? Otherwise a certificate is shown.
    by_text: bool,
    tasks: Tasks,
}

fn folder(data: &Path) -> PathBuf {
    data.join("tls").join("acme")
}

/// Chain and key in one file: no crash can part them.
fn bundle(folder: &Path) -> PathBuf {
    folder.join("certificate.pem")
}

/// The certificate that was ordered last, if there is one. What cannot be read is as good as none: it is ordered again.
pub(super) fn stored(data: &Path) -> Option<Identity> {
    let bundle = bundle(&folder(data));
    match read(&bundle, &bundle) {
        Ok(identity) => Some(identity),
        Err(CertificateError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::error!(%error, "the certificate that was ordered cannot be used: another one is");
            None
        }
    }
}

/// What happens with the certificate, for people.
#[must_use]
pub fn plan(settings: &Settings, data: &Path, now: Timestamp) -> Option<String> {
    let acme = settings.acme.as_ref()?;
    let names = acme.names.join(", ");
    let how = match settings.plain {
        Some(plain) => {
            format!("asks for http://NAME/.well-known/acme-challenge/, and port 80 of NAME must lead to {plain}")
        }
        None => format!("connects to port 443 of NAME, which must lead to {}", settings.listen),
    };
    let last = last(&folder(data));
    let when = match stored(data) {
        Some(there) => match to_replace(&there, acme, last.as_ref(), now) {
            Some(why) => format!("at the next start, since the one that is there {why}"),
            None => format!("on {}: until then the one that is there is served", renewal(&there)),
        },
        None => "at the next start; until it is there, a self-signed one is served".to_owned(),
    };
    let mut text = format!("a certificate for {names} is ordered from {} {when}. The authority {how}", acme.directory);
    if let Some(Last { failures: failures @ 1.., why, next, .. }) = last.filter(|last| last.is_for(acme)) {
        let how = if why == UNDER_WAY { why } else { format!("failed (failures: {failures}): {why}") };
        text.push_str(&format!(". The last order {how}; the next one is made after {next}"));
    }
    Some(text)
}

impl Orders {
    /// None where nothing is to be ordered.
    pub(crate) fn new(settings: &Settings, data: &Path, challenges: Challenges, tasks: Tasks) -> Option<Self> {
        let (acme, by_text) = (settings.acme.clone()?, settings.plain.is_some());
        Some(Self { settings: acme, folder: folder(data), challenges, by_text, tasks })
    }

    /// Orders a certificate if `there` is to be replaced at `now` and it is not too early after a failure. Tells whether
    /// there is a new one on the disk.
    pub(super) async fn renew(&self, there: &Identity, now: Timestamp) -> bool {
        let folder = self.folder.clone();
        let last = task::blocking(move || last(&folder)).await.ok().flatten();
        let Some(reason) = to_replace(there, &self.settings, last.as_ref(), now) else { return false };
        let (issuer, before) = (last.as_ref().and_then(|last| last.issuer.clone()), last);
        let before = before.filter(|last| last.is_for(&self.settings));
        if before.as_ref().is_some_and(|last| last.forbids(now)) {
            return false;
        }
        let AcmeSettings { directory, names, .. } = self.settings.clone();
        let failed = before.map_or(1, |last| last.failures.saturating_add(1));
        let after = |wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let begun = Last {
            directory: directory.clone(),
            names: names.clone(),
            issuer: issuer.clone(),
            failures: failed,
            why: UNDER_WAY.to_owned(),
            next: after(pause(failed, SignedDuration::ZERO)),
        };
        // Authorities count orders. One that nobody could remember would be made again every minute, or at every start.
        if let Err(error) = self.keep(LAST, &begun).await {
            tracing::error!(%error, "no certificate is ordered: that one was could not be kept");
            return false;
        }
        tracing::info!(tls.names = ?names, authority = %directory, "a certificate is ordered: the one that is there {reason}");
        let (client, done) = self.order().await;
        let (failures, wait) = match &done {
            Ok(life) => (0, REST.min(*life)),
            Err(_) => {
                let asked = client.and_then(|client| SignedDuration::try_from(client.asked_to_wait()?).ok());
                (failed, pause(failed, asked.unwrap_or_default()))
            }
        };
        let next = after(wait);
        if let Err(why) = &done {
            tracing::error!(why, failures, %next, "no certificate could be had: the one that is there is served on");
        }
        let ordered = done.is_ok();
        let issuer = if ordered { Some(directory.clone()) } else { issuer };
        let last = Last { directory, names, issuer, failures, why: done.err().unwrap_or_default(), next };
        if let Err(error) = self.keep(LAST, &last).await {
            tracing::error!(%error, "how the order went cannot be kept: it may be tried again too early");
        }
        ordered
    }

    /// Orders a certificate and stores it. Tells a third of its life.
    async fn order(&self) -> (Option<Client>, Result<SignedDuration, String>) {
        let roots = match self.settings.ca.clone() {
            None => None,
            Some(path) => match task::blocking(move || file::read_small(&path, MAX_PEM)).await {
                Ok(Ok(pem)) => Some(pem),
                Ok(Err(error)) => return (None, Err(format!("https.acme-ca cannot be read: {error}"))),
                Err(lost) => return (None, Err(lost.to_string())),
            },
        };
        let client = Client::new(Trust { extra_roots: roots, ..Trust::default() }, self.tasks.clone());
        let issued = self.issued(&client).await;
        self.challenges.clear();
        let done = match issued {
            Ok(pem) => self.store(pem).await.map_err(|error| format!("the new certificate cannot be stored: {error}")),
            Err(error) => Err(said(&error)),
        };
        (Some(client), done)
    }

    /// Key and chain, in PEM.
    async fn issued(&self, client: &Client) -> Result<String, Error> {
        let account = self.account(client).await?;
        let names: Vec<_> = self.settings.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        self.show(&mut order).await?;
        match order.poll_ready(&POLICY).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(refused(&mut order).await.unwrap_or(Error::Str("a reason for the refusal"))),
            Err(error) => return Err(refused(&mut order).await.unwrap_or(error)),
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&POLICY).await?;
        Ok(format!("{key}{chain}"))
    }

    /// Shows what the authority wants to see, for every name of which it does not know already that it is ours.
    async fn show(&self, order: &mut Order) -> Result<(), Error> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let kind = if self.by_text { ChallengeType::Http01 } else { ChallengeType::TlsAlpn01 };
            let mut challenge = authorization.challenge(kind).ok_or(Error::Unsupported("the way to prove a name"))?;
            let proof = challenge.key_authorization();
            if self.by_text {
                self.challenges.show_text(&challenge.token, proof.as_str());
            } else {
                let name = challenge.identifier().to_string();
                let shown = self.challenges.show_certificate(&name, proof.digest().as_ref());
                shown.map_err(|error| Error::Other(Box::new(error)))?;
            }
            challenge.set_ready().await?;
        }
        Ok(())
    }

    /// The account at this authority; made when there is none. Its key is on the disk before it is used for an order.
    async fn account(&self, client: &Client) -> Result<Account, Error> {
        let path = self.folder.join("account.json");
        let kept = task::blocking(move || file::read_small(&path, MAX_PEM)).await.ok().and_then(Result::ok);
        let kept = kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        if let Some(kept) = kept.filter(|kept| kept.directory == self.settings.directory) {
            return Account::builder_with_http(Box::new(client.clone())).from_credentials(kept.credentials).await;
        }
        let contact = self.settings.contact.as_ref().map(|address| format!("mailto:{address}"));
        let contact: Vec<&str> = contact.as_deref().into_iter().collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let directory = self.settings.directory.clone();
        let builder = Account::builder_with_http(Box::new(client.clone()));
        let (account, credentials) = builder.create(&new, directory.0.clone(), None).await?;
        let kept = Kept { directory, credentials };
        self.keep("account.json", &kept).await.map_err(|error| Error::Other(Box::new(error)))?;
        Ok(account)
    }

    /// Puts a new certificate in place, if it can be served. Tells a third of its life.
    async fn store(&self, pem: String) -> io::Result<SignedDuration> {
        let folder = self.folder.clone();
        let stored = task::blocking(move || {
            file::ensure_dir(&folder, true)?;
            let new = folder.join("new.pem");
            file::write_private(&new, pem.as_bytes())?;
            let identity = read(&new, &new).map_err(io::Error::other)?;
            file::rename(&new, &bundle(&folder))?;
            Ok(third(&identity))
        });
        stored.await.map_err(io::Error::other)?
    }

    async fn keep(&self, name: &'static str, what: &impl Serialize) -> io::Result<()> {
        let (folder, bytes) = (self.folder.clone(), serde_json::to_vec_pretty(what)?);
        let kept = task::blocking(move || {
            file::ensure_dir(&folder, true)?;
            file::write_private(&folder.join(name), &bytes)
        });
        kept.await.map_err(io::Error::other)?
    }
}

/// Why the authority does not believe that a name is ours: it says so of the name, not of the order.
async fn refused(order: &mut Order) -> Option<Error> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let state = authorization.refresh().await.ok()?;
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.clone()) {
            return Some(Error::Api(problem));
        }
    }
    None
}

/// An error with its causes.
fn said(error: &Error) -> String {
    let mut text = match error {
        Error::Api(problem) => format!("the authority refused: {problem}"),
        Error::Str(what) => format!("the authority gave no {what}"),
        other => other.to_string(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        text.push_str(&format!(": {one}"));
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nothing can be kept, no authority is asked: it would be asked again every minute.
    #[tokio::test]
    async fn what_could_not_be_remembered_is_not_ordered() {
        let data = tempfile::tempdir().unwrap();
        let authority = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        authority.set_nonblocking(true).unwrap();
        let url = format!("https://{}/dir", authority.local_addr().unwrap());
        let acme = AcmeSettings {
            directory: url.parse().unwrap(),
            names: vec!["files.example".into()],
            contact: None,
            ca: None,
        };
        let settings = Settings { acme: Some(acme), ..Settings::default() };
        let orders = Orders::new(&settings, data.path(), Challenges::default(), Tasks::new()).unwrap();
        let own = super::super::own::load(&settings, &data.path().join("tls"), Timestamp::now()).unwrap();
        // A file where the folder should be.
        std::fs::write(data.path().join("tls/acme"), "").unwrap();
        assert!(!orders.renew(&own, Timestamp::now()).await);
        assert_eq!(authority.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "it was asked");
        std::fs::remove_file(data.path().join("tls/acme")).unwrap();
        assert!(!orders.renew(&own, Timestamp::now()).await, "it says nothing that is TLS");
        assert_eq!(last(&folder(data.path())).unwrap().failures, 1);
    }
}
