//! How SSH is spoken: algorithms, sizes and times.

use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::Config;
use russh::{MethodSet, kex};

use super::{Settings, auth};
use crate::net::ssh;

/// Post-quantum hybrid first; group 16 for clients without elliptic curves. Group exchange and the
/// larger groups are left out: they let strangers burn our processor.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::DH_G16_SHA512,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// The largest amount under one key that keeps nonces unique.
const MAX_REKEY: usize = 1 << 30;

/// russh's configuration for this door.
pub(super) fn config(settings: &Settings, keys: Vec<PrivateKey>) -> Config {
    let rekey = settings.rekey_bytes.clamp(1 << 16, MAX_REKEY);
    Config {
        server_id: ssh::greeting(),
        methods: MethodSet::from(auth::METHODS),
        auth_rejection_time: Duration::from_secs(1),
        // OpenSSH's first question ("none") is not a guess.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys,
        limits: russh::Limits::new(rekey, rekey, Duration::from_secs(3600)),
        // Bandwidth × delay: 2 MiB would cap uploads at 20 MiB/s over 100 ms.
        window_size: 8 << 20,
        maximum_packet_size: 65_535,
        event_buffer_size: 8,
        preferred: ssh::preferred(KEX),
        max_auth_attempts: 6,
        inactivity_timeout: Some(Duration::from_secs(15 * 60)),
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}
