//! What can be set about the door.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::net::{AdmissionLimits, Network};

/// Which ciphers are offered. In SSH the client's first choice that the server has is taken (RFC 4253, section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ciphers {
    /// All that are safe.
    #[default]
    Compatible,
    /// AES-GCM only, for clients that know it and would choose something slower: OpenSSH's begins with ChaCha20.
    Fast,
}

/// Settings of the SFTP door. Limits are per process unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Connections at a time: in all and from one address.
    pub connections: AdmissionLimits,
    /// Of these, how many may be on their way to a login: strangers get a budget of their own.
    pub strangers: AdmissionLimits,
    /// Connections of one account at a time.
    pub per_account: usize,
    /// Let in clients that know nothing newer than SHA-1, CBC and groups of 2048 bits, too. Each such login is in the
    /// audit log.
    pub legacy: bool,
    /// Which ciphers are offered.
    pub ciphers: Ciphers,
    /// Proxies that say in a PROXY header whose connection they pass on. From them it must come, and from nobody else.
    pub proxies: Vec<Network>,
    /// Seconds that a login may take, key exchange included. As many as OpenSSH gives: people look for their code.
    pub login_seconds: u64,
    /// Seconds that open files may go on after the stop.
    pub grace_seconds: u64,
    /// Seconds of silence after which a client is asked whether it is there; after the third question without an answer
    /// its connection ends.
    pub keepalive_seconds: u64,
    /// Bytes between two key exchanges, in each direction; at most 1 GiB.
    pub rekey_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2022),
            connections: AdmissionLimits::default(),
            strangers: AdmissionLimits { total: 256, per_address: 64 },
            per_account: 256,
            legacy: false,
            ciphers: Ciphers::default(),
            proxies: Vec::new(),
            login_seconds: 120,
            grace_seconds: 20,
            keepalive_seconds: 30,
            rekey_bytes: 1 << 30,
        }
    }
}
