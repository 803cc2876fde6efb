//! SOCKS5, as far as it takes to have somebody else connect in our place (RFC 1928), both ends of it: no password, the
//! command CONNECT, addresses and no names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const VERSION: u8 = 5;
/// The method without a password (section 3).
const NO_PASSWORD: u8 = 0;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const IPV6: u8 = 4;

/// What a relay answers (section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is connected.
    Connected,
    /// The other side, or the network before it, did not let it.
    Failed,
    /// The other side refused.
    Refused,
}

impl Answer {
    const fn code(self) -> u8 {
        match self {
            Self::Connected => 0,
            Self::Failed => 1,
            Self::Refused => 5,
        }
    }
}

/// On a fresh connection to a relay: has it connect to `address`.
///
/// # Errors
/// [`io::ErrorKind::ConnectionRefused`] and its kin when the relay says so of the other side;
/// [`io::ErrorKind::InvalidData`] for what is no SOCKS5; and those of the connection.
pub async fn ask_for<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, address: SocketAddr) -> io::Result<()> {
    stream.write_all(&[VERSION, 1, NO_PASSWORD]).await?;
    let mut method = [0; 2];
    stream.read_exact(&mut method).await?;
    if method != [VERSION, NO_PASSWORD] {
        return Err(unclear("the relay does not speak SOCKS5 without a password"));
    }
    let request = [&[VERSION, CONNECT, 0][..], &written(address)].concat();
    stream.write_all(&request).await?;
    let mut head = [0; 3];
    stream.read_exact(&mut head).await?;
    let code = match head {
        [VERSION, code, 0] => code,
        _ => return Err(unclear("the relay's answer is not of SOCKS5")),
    };
    read_address(stream).await?;
    match code {
        0 => Ok(()),
        3 => Err(io::ErrorKind::NetworkUnreachable.into()),
        4 => Err(io::ErrorKind::HostUnreachable.into()),
        5 => Err(io::ErrorKind::ConnectionRefused.into()),
        6 => Err(io::ErrorKind::TimedOut.into()),
        other => Err(io::Error::other(format!("the relay could not connect (SOCKS5 answer {other})"))),
    }
}

/// On a connection that came to a relay: where it wants to go.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for what is no SOCKS5, or more of it than is understood here.
pub async fn wanted<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<SocketAddr> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let [VERSION, count] = head else { return Err(unclear("no SOCKS5")) };
    let mut methods = vec![0; count.into()];
    stream.read_exact(&mut methods).await?;
    if !methods.contains(&NO_PASSWORD) {
        return Err(unclear("no way in without a password is offered"));
    }
    stream.write_all(&[VERSION, NO_PASSWORD]).await?;
    let mut request = [0; 3];
    stream.read_exact(&mut request).await?;
    if request != [VERSION, CONNECT, 0] {
        return Err(unclear("not the command CONNECT"));
    }
    read_address(stream).await
}

/// What the relay says to that; `at` is its own end of the connection that it made.
///
/// # Errors
/// Those of the connection.
pub async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, answer: Answer, at: SocketAddr) -> io::Result<()> {
    stream.write_all(&[&[VERSION, answer.code(), 0][..], &written(at)].concat()).await
}

fn written(address: SocketAddr) -> Vec<u8> {
    let mut bytes = match address.ip() {
        IpAddr::V4(ip) => [&[IPV4][..], &ip.octets()].concat(),
        IpAddr::V6(ip) => [&[IPV6][..], &ip.octets()].concat(),
    };
    bytes.extend(address.port().to_be_bytes());
    bytes
}

async fn read_address<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<SocketAddr> {
    let ip = match stream.read_u8().await? {
        IPV4 => {
            let mut octets = [0; 4];
            stream.read_exact(&mut octets).await?;
            IpAddr::from(Ipv4Addr::from(octets))
        }
        IPV6 => {
            let mut octets = [0; 16];
            stream.read_exact(&mut octets).await?;
            IpAddr::from(Ipv6Addr::from(octets))
        }
        _ => return Err(unclear("an address of a kind that is not understood")),
    };
    Ok(SocketAddr::new(ip, stream.read_u16().await?))
}

fn unclear(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ends_understand_each_other() {
        for (address, said) in [
            ("192.0.2.1:21", Answer::Connected),
            ("[2001:db8::1]:65535", Answer::Refused),
            ("127.0.0.1:1", Answer::Failed),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            let (mut client, mut relay) = tokio::io::duplex(64);
            let asked = async {
                let heard = wanted(&mut relay).await.unwrap();
                answer(&mut relay, said, "10.0.0.1:9".parse().unwrap()).await.unwrap();
                heard
            };
            let (heard, got) = tokio::join!(asked, ask_for(&mut client, address));
            assert_eq!(heard, address);
            match said {
                Answer::Connected => got.unwrap(),
                Answer::Refused => assert_eq!(got.unwrap_err().kind(), io::ErrorKind::ConnectionRefused),
                Answer::Failed => assert!(got.unwrap_err().to_string().contains("SOCKS5 answer 1")),
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_socks5_is_refused() {
        for bytes in [&b"\x04\x01"[..], b"\x05\x01\x02", b"\x05\x01\x00\x05\x02\x00", b"\x05\x01\x00\x05\x01\x00\x03"] {
            let (mut client, mut relay) = tokio::io::duplex(64);
            client.write_all(bytes).await.unwrap();
            assert_eq!(wanted(&mut relay).await.unwrap_err().kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
        for bytes in [&b"\x05\xff"[..], b"\x05\x00\x04\x00\x00"] {
            let (mut client, mut relay) = tokio::io::duplex(64);
            relay.write_all(bytes).await.unwrap();
            let got = ask_for(&mut client, "192.0.2.1:21".parse().unwrap()).await;
            assert_eq!(got.unwrap_err().kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
    }
}
