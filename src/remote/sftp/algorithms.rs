//! What we offer a server, in our order: in SSH the client's first choice that the server has is taken.

use std::borrow::Cow;
use std::time::Duration;

use russh::client::Config;
use russh::{Preferred, SshId, cipher, compression, kex, mac};

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

/// By measured speed.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_128_CTR];

const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM, mac::HMAC_SHA512, mac::HMAC_SHA256];

/// The greeting of SSH (RFC 4253, section 4.2).
const GREETING: &str = "SSH-2.0-Causeway";

/// What may be on its way to us, in bytes: bandwidth × delay. It costs memory only while it is.
const WINDOW: u32 = 16 << 20;

/// russh's configuration for our side.
pub(super) fn config() -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed(GREETING)),
        window_size: WINDOW,
        maximum_packet_size: 65_535,
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::default()
        },
        // A NAT that forgets is kept awake, and a server that is gone is noticed within a minute.
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}
