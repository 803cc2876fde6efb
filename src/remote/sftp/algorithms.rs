//! What we offer a server, in our order: in SSH the client's first choice that the server has is taken.

use std::time::Duration;

use russh::client::Config;
use russh::kex;

use crate::net::ssh;

/// Post-quantum first. Debian 12's OpenSSH has only sntrup761, which russh lacks: there it is curve25519.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::DH_G16_SHA512,
    // For appliances of old.
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// What may be on its way to us, in bytes: bandwidth × delay. It costs memory only while it is.
const WINDOW: u32 = 16 << 20;

/// russh's configuration for our side.
pub(super) fn config() -> Config {
    Config {
        client_id: ssh::greeting(),
        window_size: WINDOW,
        maximum_packet_size: 65_535,
        preferred: ssh::preferred(KEX),
        // A NAT that forgets is kept awake, and a server that is gone is noticed within a minute.
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}
