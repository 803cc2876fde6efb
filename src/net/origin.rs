//! Whose connection a proxy passes on: the header of the PROXY protocol, versions 1 and 2 (HAProxy's
//! `doc/proxy-protocol.txt`, sections 2.1 and 2.2), which comes before everything else.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// How version 1 begins.
const WORD: &[u8] = b"PROXY ";

/// The longest line of version 1, its end included.
const MAX_LINE: usize = 107;

/// Signature, version and command, family, length.
const HEAD: usize = 16;

/// The most behind the head of version 2: addresses take 216 bytes at most, and what a proxy tells beside them is not
/// read.
const MAX_REST: usize = 4096;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Somebody's whose address is this.
    Client(SocketAddr),
    /// Somebody's of whom the proxy does not say an address.
    Unknown,
    /// The proxy's own, to see whether we are there.
    Proxy,
}

/// Why a header cannot be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// It begins in another way.
    #[error("there is no PROXY header")]
    Missing,
    /// A line of version 1 that says something else.
    #[error("a PROXY header of version 1 is damaged")]
    Line,
    /// A header of version 2 that says something else.
    #[error("a PROXY header of version 2 is damaged")]
    Binary,
    /// Longer than any that is needed.
    #[error("a PROXY header is too long")]
    Length,
}

/// How far the header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// At least so many bytes more belong to it.
    More(usize),
    /// It is whole.
    Whole(Origin),
}

/// What `read`, the beginning of a connection and no byte more than [`Step::More`] asked for, says.
///
/// # Errors
/// As soon as it cannot become a header.
pub fn step(read: &[u8]) -> Result<Step, Damaged> {
    // The shortest header of either version is longer than the signature.
    if let Some(missing) = SIGNATURE.len().checked_sub(read.len()).filter(|missing| *missing > 0) {
        return Ok(Step::More(missing));
    }
    match read.strip_prefix(SIGNATURE) {
        Some(rest) => binary(rest),
        None if read.starts_with(WORD) => line(read),
        None => Err(Damaged::Missing),
    }
}

/// Reads the header from `stream`, and nothing of what is behind it.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] with [`Damaged`] inside, or when the stream breaks or ends.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Origin> {
    let mut read = Vec::with_capacity(HEAD);
    loop {
        match step(&read).map_err(|damaged| io::Error::new(io::ErrorKind::InvalidData, damaged))? {
            Step::Whole(origin) => return Ok(origin),
            Step::More(count) => {
                let before = read.len();
                read.resize(before + count, 0);
                stream.read_exact(read.get_mut(before..).unwrap_or_default()).await?;
            }
        }
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 50000 22\r\n`.
fn line(read: &[u8]) -> Result<Step, Damaged> {
    let Some(line) = read.strip_suffix(b"\r\n") else {
        return match read {
            _ if read.contains(&b'\n') => Err(Damaged::Line),
            _ if read.len() >= MAX_LINE => Err(Damaged::Length),
            [.., b'\r'] => Ok(Step::More(1)),
            _ => Ok(Step::More(2.min(MAX_LINE - read.len()))),
        };
    };
    let text = line.strip_prefix(WORD).and_then(|text| std::str::from_utf8(text).ok()).ok_or(Damaged::Line)?;
    let fields: Vec<_> = text.split(' ').collect();
    let (source, target, [from, to]) = match *fields.as_slice() {
        ["UNKNOWN", ..] => return Ok(Step::Whole(Origin::Unknown)),
        ["TCP4", source, target, from, to] => (v4(source), v4(target), [from, to]),
        ["TCP6", source, target, from, to] => (v6(source), v6(target), [from, to]),
        _ => return Err(Damaged::Line),
    };
    match (source, target, port(from), port(to)) {
        (Some(source), Some(_), Some(from), Some(_)) => Ok(Step::Whole(Origin::Client(client(source, from)))),
        _ => Err(Damaged::Line),
    }
}

fn v4(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(IpAddr::V4)
}

fn v6(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(IpAddr::V6)
}

/// Digits without a sign or leading zeros.
fn port(text: &str) -> Option<u16> {
    let port = text.parse::<u16>().ok()?;
    (port.to_string() == text).then_some(port)
}

fn client(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

/// What stands behind the signature.
fn binary(rest: &[u8]) -> Result<Step, Damaged> {
    let Some((&[version, family, high, low], block)) = rest.split_first_chunk::<4>() else {
        return Ok(Step::More(HEAD.saturating_sub(SIGNATURE.len() + rest.len())));
    };
    let is_local = match version {
        0x20 => true,
        0x21 => false,
        _ => return Err(Damaged::Binary),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_REST {
        return Err(Damaged::Length);
    }
    if let Some(missing) = length.checked_sub(block.len()).filter(|missing| *missing > 0) {
        return Ok(Step::More(missing));
    }
    // Of such a connection the rest says nothing.
    if is_local {
        return Ok(Step::Whole(Origin::Proxy));
    }
    // The high half is the family, the low half the transport.
    Ok(Step::Whole(match family {
        0x11 => Origin::Client(source::<4>(block, 8).ok_or(Damaged::Binary)?),
        0x21 => Origin::Client(source::<16>(block, 32).ok_or(Damaged::Binary)?),
        // Unspecified, datagrams, sockets of the proxy's own machine.
        0x00 | 0x01 | 0x02 | 0x10 | 0x12 | 0x20 | 0x22 | 0x30 | 0x31 | 0x32 => Origin::Unknown,
        _ => return Err(Damaged::Binary),
    }))
}

/// The first of two addresses of `N` bytes, which with the first of two ports behind them make `ports` + 4 bytes.
fn source<const N: usize>(block: &[u8], ports: usize) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let address = IpAddr::from(*block.first_chunk::<N>()?);
    let ports = block.get(ports..)?.first_chunk::<4>()?;
    let [high, low, ..] = *ports;
    Some(client(address, u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests;
