//! Whose server is it? Load goes to this machine, or to where somebody says that it is theirs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

use crate::model::{Endpoint, Fault, FaultKind, Phase};

/// Any port: nothing goes there (RFC 863).
const DISCARD: u16 = 9;
/// How long a look-up may take.
const LOOK_UP: Duration = Duration::from_secs(10);

/// Refuses a host of which an address is not one of this machine.
///
/// # Errors
/// [`FaultKind::Permission`] with what to do about it; what the look-up failed of.
pub async fn refuse_foreign(endpoint: &Endpoint) -> Result<(), Fault> {
    let host = &*endpoint.host;
    let broken =
        |why: String| Fault::new(Phase::Resolve, FaultKind::Unreachable, format!("cannot look up '{host}': {why}"));
    let found = timeout(LOOK_UP, lookup_host((host, endpoint.port)));
    let found = found.await.map_err(|_| broken("no answer".to_owned()))?.map_err(|error| broken(error.to_string()))?;
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    if addresses.is_empty() {
        return Err(broken("it has no address".to_owned()));
    }
    for address in addresses {
        if !is_own(address).await {
            let why = format!(
                "'{host}' ({address}) is another machine: load is only sent to those who want it. \
                 Say --i-own-this-host when it is yours"
            );
            return Err(Fault::new(Phase::Connect, FaultKind::Permission, why));
        }
    }
    Ok(())
}

/// Who speaks from the very address that is spoken to is on this machine. Nothing is sent: a UDP socket only chooses its way.
async fn is_own(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let any = if address.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let chosen = async {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
        socket.connect(SocketAddr::new(address, DISCARD)).await?;
        socket.local_addr()
    };
    address.is_loopback() || chosen.await.is_ok_and(|chosen| chosen.ip().to_canonical() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_this_machine_is_asked_without_a_word() {
        for own in ["ftp://127.0.0.1/", "sftp://127.3.2.1/", "davs://[::1]/", "ftp://localhost/"] {
            refuse_foreign(&Endpoint::parse(own).unwrap()).await.unwrap();
        }
        for foreign in ["ftp://192.0.2.1/", "davs://[2001:db8::1]/", "sftp://255.255.255.255/", "sftp://0.0.0.0/"] {
            let fault = refuse_foreign(&Endpoint::parse(foreign).unwrap()).await.unwrap_err();
            assert!(fault.message.contains("--i-own-this-host"), "{fault}");
        }
    }
}
