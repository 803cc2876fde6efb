//! What can be set about the listener.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::certificate::AcmeSettings;
use crate::net::AdmissionLimits;

/// Settings of the HTTPS listener. Limits are per process unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate chain (PEM). With `key` unset as well, a self-signed one is made at first start.
    pub certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM; PKCS#8, SEC1 or PKCS#1).
    pub key: Option<PathBuf>,
    /// More names and addresses for the self-signed certificate, beside `localhost`, the loopback
    /// addresses and the machine's own name.
    pub names: Vec<String>,
    /// From whom a certificate is ordered, when there is none of the operator's.
    pub acme: Option<AcmeSettings>,
    /// Where plain HTTP is answered, only to send everybody on to HTTPS.
    pub plain: Option<SocketAddr>,
    /// The port of `listen` as it is reached from outside, where that is another one.
    pub public_port: Option<u16>,
    /// Whether HTTP/3 is spoken, too, on the UDP port of the same number.
    pub http3: bool,
    /// How often the certificate is looked at again.
    pub look_again: Duration,
    /// How long running requests may go on after the stop.
    pub grace: Duration,
    /// Connections at a time: in all and from one address.
    pub connections: AdmissionLimits,
    /// Of these, how many may be from where nobody has logged in.
    pub strangers: AdmissionLimits,
    /// How long a connection may last on which nobody logs in.
    pub login: Duration,
    /// How long a stranger may take for the body of one request.
    pub strangers_body: Duration,
    /// Requests of one address that may be under way at once, over all its connections.
    pub streams_per_address: usize,
    /// How long a body may make no progress: a request's that does not come, an answer's that is not taken.
    pub stall: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443),
            certificate: None,
            key: None,
            names: Vec::new(),
            acme: None,
            plain: None,
            public_port: None,
            http3: true,
            look_again: Duration::from_secs(60),
            grace: Duration::from_secs(20),
            connections: AdmissionLimits::default(),
            strangers: AdmissionLimits { total: 256, per_address: 64 },
            login: Duration::from_secs(60),
            strangers_body: Duration::from_secs(15),
            streams_per_address: 2048,
            stall: Duration::from_secs(60),
        }
    }
}
