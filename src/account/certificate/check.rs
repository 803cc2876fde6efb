//! Does a certificate open an account? Everything that PROTOCOL.certkeys asks to be looked at.

use std::net::IpAddr;

use russh::keys::ssh_key::certificate::{CertType, OptionsMap};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey as SshKey};
use sqlx::SqliteConnection;

use super::{Seen, store};
use crate::account::login::LoginContext;
use crate::account::store::AccountRow;
use crate::account::{PublicKey, key};
use crate::audit::LoginRefusal;
use crate::db::DbError;

/// The certificate is for one command only.
pub(super) const FORCE_COMMAND: &str = "force-command";
/// The certificate holds from these addresses only.
const SOURCE_ADDRESS: &str = "source-address";
/// The one command that we have, by OpenSSH's name.
const SFTP: &str = "internal-sftp";

/// The key of who signed it, and that key's fingerprint.
pub(super) fn authority(certificate: &Certificate) -> (Vec<u8>, String) {
    let blob = SshKey::from(certificate.signature_key().clone()).to_bytes().unwrap_or_default();
    let fingerprint = key::fingerprint(&blob);
    (blob, fingerprint)
}

/// Why the certificate does not open the account; none when it does. That the key's owner signed must have been checked
/// before.
pub(in crate::account) async fn check(
    conn: &mut SqliteConnection,
    row: Option<&AccountRow>,
    certificate: &Certificate,
    (context, second): (&LoginContext, i64),
) -> Result<Option<LoginRefusal>, DbError> {
    let Some(row) = row else { return Ok(Some(LoginRefusal::Unknown)) };
    let (blob, fingerprint) = authority(certificate);
    if !store::knows(conn, &fingerprint, Some(&blob)).await? {
        return Ok(Some(LoginRefusal::CertificateAuthority));
    }
    if store::is_revoked(conn, &Seen::of(certificate)).await? {
        return Ok(Some(LoginRefusal::CertificateRevoked));
    }
    Ok(judge(certificate, &row.name, context.peer.ip(), second)
        .err()
        .or(row.disabled.then_some(LoginRefusal::Disabled)))
}

/// What can be seen of the certificate itself, for a login as `name` from `peer` at a `second` since 1970.
fn judge(certificate: &Certificate, name: &str, peer: IpAddr, second: i64) -> Result<(), LoginRefusal> {
    let second = u64::try_from(second).unwrap_or_default();
    if second < certificate.valid_after() || second >= certificate.valid_before() {
        return Err(LoginRefusal::CertificateExpired);
    }
    let usable = certificate.cert_type() == CertType::User && is_strong(certificate.public_key());
    // A signature with SHA-1 can be forged (as OpenSSH since 8.2).
    let signed_well = !matches!(certificate.signature().algorithm(), Algorithm::Dsa | Algorithm::Rsa { hash: None });
    let signed_by = certificate.signature_key().fingerprint(HashAlg::Sha256);
    if !usable || !signed_well || certificate.validate_at(second, [&signed_by]).is_err() {
        return Err(LoginRefusal::CertificateKind);
    }
    // Without names it would open every account.
    if !certificate.valid_principals().iter().any(|principal| principal == name) {
        return Err(LoginRefusal::CertificatePrincipal);
    }
    options(certificate.critical_options(), peer)
}

fn is_strong(key: &KeyData) -> bool {
    PublicKey::of(&SshKey::from(key.clone())).is_ok()
}

/// The critical options: whoever does not know one must refuse the certificate.
fn options(options: &OptionsMap, peer: IpAddr) -> Result<(), LoginRefusal> {
    options.iter().try_for_each(|(option, value)| match (option.as_str(), value.as_str()) {
        (SOURCE_ADDRESS, list) if is_among(peer, list) => Ok(()),
        (SOURCE_ADDRESS, _) => Err(LoginRefusal::CertificateAddress),
        (FORCE_COMMAND, SFTP) => Ok(()),
        _ => Err(LoginRefusal::CertificateOption),
    })
}

/// Is `peer` among the addresses and networks of a list such as `192.0.2.0/24,2001:db8::1`? What cannot be read has
/// nobody in it.
fn is_among(peer: IpAddr, list: &str) -> bool {
    let (peer, width) = bits(peer.to_canonical());
    list.split(',').any(|entry| {
        let (network, length) = match entry.split_once('/') {
            Some((network, length)) => (network, length.parse().ok()),
            None => (entry, Some(width)),
        };
        let Ok(network) = network.parse().map(bits) else { return false };
        // The bits behind the network's are anybody's.
        let rest = length.and_then(|length: u32| width.checked_sub(length));
        network.1 == width && rest.is_some_and(|rest| (network.0 ^ peer).checked_shr(rest).unwrap_or_default() == 0)
    })
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (v6.into(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let among = |peer: &str, list: &str| is_among(peer.parse().unwrap(), list);
        for (peer, list) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7", "198.51.100.0/24,192.0.2.0/29"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7", "0.0.0.0/0"),
            ("2001:db8::7", "2001:db8::/32"),
            ("2001:db8::7", "::/0"),
        ] {
            assert!(among(peer, list), "{peer} in {list}");
        }
        for (peer, list) in [
            ("192.0.2.8", "192.0.2.0/29"),
            ("192.0.2.7", ""),
            ("192.0.2.7", "192.0.2.0/33"),
            ("192.0.2.7", "192.0.2.*"),
            ("192.0.2.7", "::/0"),
            ("2001:db8::7", "0.0.0.0/0"),
            ("2001:db9::7", "2001:db8::/32"),
            ("2001:db8::7", "2001:db8::/129"),
        ] {
            assert!(!among(peer, list), "{peer} not in {list}");
        }
    }
}
