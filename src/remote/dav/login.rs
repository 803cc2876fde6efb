//! Logging in: Digest (RFC 7616) and Basic (RFC 7617). Inside TLS Basic is preferred, as it costs no questions; in the
//! clear Digest, as it does not tell the password. A login that was refused is not tried again: some servers lock the
//! account.

use std::sync::atomic::{AtomicU32, Ordering};

use data_encoding::{BASE64, HEXLOWER};
use http::{HeaderMap, HeaderValue, Method};

use super::challenge::{Challenge, challenges};
use crate::model::{Algorithm, Endpoint, Fault, FaultKind, Hasher, Phase};

/// How we log in, as the server wants it.
#[derive(Debug)]
pub(super) enum Login {
    Basic(HeaderValue),
    Digest(Digest),
}

impl Login {
    /// The way to answer what a 401 offers.
    ///
    /// # Errors
    /// [`FaultKind::Auth`] that says what is missing.
    pub(super) fn choose(endpoint: &Endpoint, in_tls: bool, headers: &HeaderMap) -> Result<Self, Fault> {
        let (host, offers) = (&endpoint.host, challenges(headers));
        let refused = |why: String| Fault::new(Phase::Login, FaultKind::Auth, why);
        if endpoint.user.is_empty() {
            let scheme = endpoint.protocol.scheme();
            return Err(refused(format!("{host} wants a login: write {scheme}://user@{host}/…")));
        }
        if endpoint.password.is_none() {
            return Err(refused(format!("{host} wants the password of {}", endpoint.user)));
        }
        let digest = offers.iter().filter_map(Digest::of).max_by_key(|digest| digest.algorithm.length());
        let basic = offers.iter().any(|offer| offer.scheme == "basic");
        match digest {
            Some(digest) if !(basic && in_tls) => Ok(Self::Digest(digest)),
            _ if basic => Self::basic(endpoint),
            _ => {
                let schemes: Vec<_> = offers.iter().map(|offer| offer.scheme.as_str()).collect();
                let asked = if schemes.is_empty() { "nothing that has a name".to_owned() } else { schemes.join(", ") };
                Err(refused(format!("{host} asks for {asked} to log in: Basic and Digest are what is spoken here")))
            }
        }
    }

    fn basic(endpoint: &Endpoint) -> Result<Self, Fault> {
        let password = endpoint.password.as_ref().map(|secret| secret.expose()).unwrap_or_default();
        let pair = BASE64.encode(format!("{}:{password}", endpoint.user).as_bytes());
        HeaderValue::from_str(&format!("Basic {pair}")).map(sensitive).map(Self::Basic).map_err(unfit)
    }

    /// The header of a request.
    ///
    /// # Errors
    /// A user name that no header can hold.
    pub(super) fn authorization(&self, endpoint: &Endpoint, method: &Method, path: &str) -> Result<HeaderValue, Fault> {
        match self {
            Self::Basic(value) => Ok(value.clone()),
            Self::Digest(digest) => {
                HeaderValue::from_str(&digest.answer(endpoint, method, path, &cnonce())).map(sensitive).map_err(unfit)
            }
        }
    }

    /// Is a 401 behind this login no refusal, but the wish for another nonce?
    pub(super) fn is_stale(&self, headers: &HeaderMap) -> bool {
        let Self::Digest(ours) = self else { return false };
        challenges(headers).iter().any(|offer| {
            let stale = offer.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
            offer.scheme == "digest"
                && (stale || offer.get("nonce").is_some_and(|nonce| nonce != ours.nonce && ours.worked()))
        })
    }
}

/// Never printed, and never kept in the tables of a compressed header.
fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

fn unfit<E>(_: E) -> Fault {
    Fault::new(Phase::Login, FaultKind::Auth, "the user or the password has characters that no header can hold")
}

fn cnonce() -> String {
    let mut random = [0; 12];
    match crate::random::fill(&mut random) {
        Ok(()) | Err(_) => HEXLOWER.encode(&random),
    }
}

/// What a server wants of a Digest login.
#[derive(Debug)]
pub(super) struct Digest {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As the server wrote it; none when it did not.
    named: Option<String>,
    /// The server knows `qop=auth`.
    counted: bool,
    count: AtomicU32,
}

impl Digest {
    fn of(offer: &Challenge) -> Option<Self> {
        if offer.scheme != "digest" {
            return None;
        }
        let named = offer.get("algorithm").map(str::to_owned);
        let algorithm = Algorithm::of(named.as_deref().unwrap_or("MD5"))?;
        let qop = offer.get("qop");
        let counted = qop.is_some_and(|qop| qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")));
        // Protecting the body as well ("auth-int" alone) would take it twice.
        let able = matches!(algorithm, Algorithm::Md5 | Algorithm::Sha256) && (counted || qop.is_none());
        able.then(|| Self {
            realm: offer.get("realm").unwrap_or_default().to_owned(),
            nonce: offer.get("nonce").unwrap_or_default().to_owned(),
            opaque: offer.get("opaque").map(str::to_owned),
            algorithm,
            named,
            counted,
            count: AtomicU32::new(0),
        })
    }

    /// Was more than one request answered with this nonce?
    fn worked(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }

    fn hash(&self, text: &str) -> String {
        let mut hasher = Hasher::new(self.algorithm);
        hasher.update(text.as_bytes());
        hasher.finish().map(|sum| sum.hex()).unwrap_or_default()
    }

    /// RFC 7616, section 3.4.
    fn answer(&self, endpoint: &Endpoint, method: &Method, path: &str, cnonce: &str) -> String {
        let password = endpoint.password.as_ref().map(|secret| secret.expose()).unwrap_or_default();
        let (user, realm, nonce) = (&endpoint.user, &self.realm, &self.nonce);
        let who = self.hash(&format!("{user}:{realm}:{password}"));
        let what = self.hash(&format!("{method}:{path}"));
        let count = format!("{:08x}", self.count.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let response = if self.counted {
            self.hash(&format!("{who}:{nonce}:{count}:{cnonce}:auth:{what}"))
        } else {
            self.hash(&format!("{who}:{nonce}:{what}"))
        };
        let mut header = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{path}\", response=\"{response}\"",
            quoted(user),
            quoted(realm),
            quoted(nonce)
        );
        if let Some(named) = &self.named {
            header += &format!(", algorithm={named}");
        }
        if self.counted {
            header += &format!(", qop=auth, nc={count}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            header += &format!(", opaque=\"{}\"", quoted(opaque));
        }
        header
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;

    use super::*;
    use crate::model::Secret;

    fn endpoint(user: &str, password: &str) -> Endpoint {
        let mut endpoint = Endpoint::parse(&format!("davs://{user}@h/x")).unwrap();
        endpoint.password = Some(Secret::new(password));
        endpoint
    }

    fn offer(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(WWW_AUTHENTICATE, text.parse().unwrap())])
    }

    /// The examples of RFC 7616, section 3.9.1.
    #[test]
    fn digest_answers_as_the_standard_does() {
        let endpoint = endpoint("Mufasa", "Circle of Life");
        for (algorithm, wanted) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let headers = offer(&format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            ));
            let Ok(Login::Digest(digest)) = Login::choose(&endpoint, false, &headers) else { panic!("{algorithm}") };
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let answer = digest.answer(&endpoint, &Method::GET, "/dir/index.html", cnonce);
            assert!(answer.contains(&format!("response=\"{wanted}\"")), "{answer}");
            assert!(answer.contains("nc=00000001") && answer.contains("qop=auth,"), "{answer}");
        }
    }

    #[test]
    fn the_better_way_is_taken() {
        let endpoint = endpoint("anna", "open \"sesame\"");
        let both = offer("Basic realm=\"x\", Digest realm=\"x\", nonce=\"n\", qop=\"auth\"");
        assert!(matches!(Login::choose(&endpoint, true, &both), Ok(Login::Basic(_))));
        assert!(matches!(Login::choose(&endpoint, false, &both), Ok(Login::Digest(_))));
        let basic = Login::choose(&endpoint, false, &offer("Basic realm=\"x\"")).unwrap();
        let header = basic.authorization(&endpoint, &Method::GET, "/").unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic YW5uYTpvcGVuICJzZXNhbWUi");
        assert!(header.is_sensitive() && !format!("{basic:?}").contains("YW5u"));
    }

    #[test]
    fn what_is_not_spoken_is_named() {
        let anna = endpoint("anna", "x");
        let fault = |endpoint: &Endpoint, text| Login::choose(endpoint, true, &offer(text)).unwrap_err();
        let ntlm = fault(&anna, "Negotiate, NTLM");
        assert!(ntlm.message.contains("negotiate, ntlm") && ntlm.kind == FaultKind::Auth, "{ntlm}");
        assert!(fault(&anna, "Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\"").message.contains("digest"));
        assert!(fault(&Endpoint::parse("davs://h/").unwrap(), "Basic").message.contains("davs://user@h/"));
        assert!(fault(&Endpoint::parse("davs://anna@h/").unwrap(), "Basic").message.contains("password of anna"));
    }
}
