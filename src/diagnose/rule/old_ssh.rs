//! The server offers only what is given up.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

/// Ways to agree on keys that rest on SHA-1 or on short groups (RFC 9142, section 4).
const OLD_KEX: [&str; 4] =
    ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1", "rsa1024-sha1"];
/// Signatures with SHA-1, and DSA (RFC 8332, RFC 9142).
const OLD_HOST_KEYS: [&str; 2] = ["ssh-rsa", "ssh-dss"];

/// Not a way to agree on keys, but a word beside them.
fn is_a_word(name: &str) -> bool {
    name.starts_with("ext-info-") || name.starts_with("kex-strict-")
}

fn is_old_cipher(name: &str) -> bool {
    name.ends_with("-cbc") || name.starts_with("arcfour") || name.ends_with("-cbc@lysator.liu.se")
}

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let (id, old) = view.all().iter().find_map(|seen| {
        let Fact::Algorithms { kex, host_keys, ciphers, .. } = &seen.fact else { return None };
        let all = |names: &[String], old: &dyn Fn(&str) -> bool| {
            let mut names = names.iter().filter(|name| !is_a_word(name)).peekable();
            names.peek().is_some() && names.all(|name| old(name))
        };
        let mut old = Vec::new();
        if all(kex, &|name| OLD_KEX.contains(&name)) {
            old.push("key exchange");
        }
        if all(host_keys, &|name| OLD_HOST_KEYS.contains(&name)) {
            old.push("host keys");
        }
        if all(ciphers, &is_old_cipher) {
            old.push("ciphers");
        }
        (!old.is_empty()).then_some((seen.id, old.join(" and ")))
    })?;
    Some(
        Finding::new(
            super::OLD_SSH,
            Confidence::Shown,
            format!(
                "the server offers only {old} that are given up (SHA-1, short groups, CBC): today's clients refuse them"
            ),
            vec![id],
        )
        .here("nothing: a copy does not fall back to what is given up")
        .there(
            "OpenSSH",
            "a version of this decade; KexAlgorithms, HostKeyAlgorithms and Ciphers without a list of their own",
        )
        .there("SFTPGo", "sftpd: host_key_algorithms, kex_algorithms, ciphers"),
    )
}
