//! How SSH is spoken: algorithms, sizes and times.

use std::borrow::Cow;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::Config;
use russh::{MethodSet, Preferred, cipher, kex, mac};

use super::{Ciphers, Settings, auth};
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

/// What the host keys sign with: never SHA-1.
const HOST_KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// Behind everything else, for clients that know nothing newer. Single DES, RC4, MD5 and groups of 1024 bits are not
/// borne at all.
const LEGACY_KEX: &[kex::Name] = &[kex::DH_G14_SHA256, kex::DH_G14_SHA1];
const LEGACY_CIPHERS: &[cipher::Name] = &[cipher::AES_256_CBC, cipher::AES_128_CBC];
const LEGACY_MACS: &[mac::Name] = &[mac::HMAC_SHA1];
const LEGACY_HOST_KEYS: &[Algorithm] = &[Algorithm::Rsa { hash: None }];

/// As fast as the processor's own AES.
const FAST: &[cipher::Name] = &[cipher::AES_128_GCM, cipher::AES_256_GCM];

/// What is offered.
fn preferred(settings: &Settings) -> Preferred {
    let all = Preferred { key: Cow::Borrowed(HOST_KEYS), ..ssh::preferred(KEX) };
    let usual = match settings.ciphers {
        Ciphers::Compatible => all,
        Ciphers::Fast => Preferred { cipher: Cow::Borrowed(FAST), ..all },
    };
    if !settings.legacy {
        return usual;
    }
    Preferred {
        kex: [&*usual.kex, LEGACY_KEX].concat().into(),
        key: [&*usual.key, LEGACY_HOST_KEYS].concat().into(),
        cipher: [&*usual.cipher, LEGACY_CIPHERS].concat().into(),
        mac: [&*usual.mac, LEGACY_MACS].concat().into(),
        ..usual
    }
}

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
        preferred: preferred(settings),
        max_auth_attempts: 6,
        inactivity_timeout: Some(Duration::from_secs(15 * 60)),
        keepalive_interval: Some(Duration::from_secs(settings.keepalive_seconds)),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}
