//! What an SSH server offers before anything is encrypted (RFC 4253, sections 4.2 and 7.1).

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What we call ourselves.
const OURS: &[u8] = b"SSH-2.0-Causeway_doctor\r\n";
/// Lines that may stand before the identification, in bytes.
const MOST_WORDS: usize = 8 << 10;
/// The longest packet that is read.
const MOST_PACKET: usize = 35_000;
/// `SSH_MSG_KEXINIT`.
const KEXINIT: u8 = 20;
/// Packet type and cookie.
const BEFORE_LISTS: usize = 17;

/// The names that a server offers, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// How it calls itself.
    pub greeting: String,
    /// Ways to agree on keys.
    pub kex: Vec<String>,
    /// Kinds of host keys.
    pub host_keys: Vec<String>,
    /// Ciphers from us to it.
    pub ciphers: Vec<String>,
}

/// What came instead of an offer.
#[derive(Debug)]
pub enum Broken {
    /// The connection.
    Io(std::io::Error),
    /// Something that is no SSH; holds it, or what is wrong with it.
    NotSsh(String),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Says who we are, and reads what the server offers.
///
/// # Errors
/// [`Broken`].
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<Offer, Broken> {
    let greeting = greeting(stream).await?;
    stream.write_all(OURS).await?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(BEFORE_LISTS..=MOST_PACKET).contains(&length) {
        return Err(Broken::NotSsh(format!("a first packet of {length} bytes")));
    }
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await?;
    let offer = parse(&packet).ok_or_else(|| Broken::NotSsh("a first packet that cannot be read".to_owned()))?;
    Ok(Offer { greeting, ..offer })
}

/// The line that begins with `SSH-`, behind whatever the server wants to say before it.
async fn greeting<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String, Broken> {
    let mut said = Vec::new();
    let shown = |said: &[u8]| {
        let text: String = String::from_utf8_lossy(said).chars().filter(|c| !c.is_control()).take(200).collect();
        text
    };
    loop {
        let byte = match stream.read_u8().await {
            Ok(byte) => byte,
            // What it said before it left tells why.
            Err(_) if !said.is_empty() => return Err(Broken::NotSsh(shown(&said))),
            Err(error) => return Err(error.into()),
        };
        said.push(byte);
        if byte == b'\n' {
            let start =
                said.iter().rev().skip(1).position(|byte| *byte == b'\n').map_or(0, |back| said.len() - 1 - back);
            let line = said.get(start..).unwrap_or_default();
            if line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-") {
                return Ok(shown(line));
            }
        }
        if said.len() > MOST_WORDS {
            return Err(Broken::NotSsh(shown(&said)));
        }
    }
}

/// The name-lists of a packet without its length: padding length, type, cookie, lists.
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Offer> {
    let payload = packet.get(1..)?;
    if payload.first() != Some(&KEXINIT) {
        return None;
    }
    let mut rest = payload.get(BEFORE_LISTS..)?;
    let mut list = || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (names, behind) = behind.split_at_checked(length)?;
        rest = behind;
        let names = std::str::from_utf8(names).ok()?;
        Some(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>())
    };
    let (kex, host_keys, ciphers) = (list()?, list()?, list()?);
    Some(Offer { greeting: String::new(), kex, host_keys, ciphers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(lists: &[&str]) -> Vec<u8> {
        let mut packet = vec![4, KEXINIT];
        packet.extend([9; 16]);
        for list in lists {
            packet.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            packet.extend(list.as_bytes());
        }
        packet
    }

    #[test]
    fn the_lists_are_read_in_their_order() {
        let offer = parse(&packet(&["curve25519-sha256,sntrup761x25519-sha512", "ssh-ed25519", "aes128-ctr"])).unwrap();
        assert_eq!(offer.kex, ["curve25519-sha256", "sntrup761x25519-sha512"]);
        assert_eq!((offer.host_keys.len(), offer.ciphers.len()), (1, 1));
    }

    #[test]
    fn a_damaged_packet_is_none() {
        let whole = packet(&["a", "b", "c"]);
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(parse(&[4, 21, 0, 0]), None);
        let mut long = packet(&[]);
        long.extend([0xff; 4]);
        assert_eq!(parse(&long), None);
    }

    #[tokio::test]
    async fn words_before_the_greeting_are_passed_over_and_a_refusal_is_told() {
        let mut said = server(b"hello there\r\nSSH-2.0-x\r\n", &packet(&["a", "b", "c"]));
        assert_eq!(ask(&mut said).await.unwrap().greeting, "SSH-2.0-x");
        let mut refused = server(b"Exceeded MaxStartups\r\n", &[]);
        match ask(&mut refused).await {
            Err(Broken::NotSsh(words)) => assert_eq!(words, "Exceeded MaxStartups"),
            other => panic!("{other:?}"),
        }
    }

    /// A server that says `words` and a packet, and hangs up.
    fn server(words: &[u8], packet: &[u8]) -> impl AsyncRead + AsyncWrite + Unpin + use<> {
        let mut all = words.to_vec();
        if !packet.is_empty() {
            all.extend(u32::try_from(packet.len()).unwrap().to_be_bytes());
            all.extend(packet);
        }
        tokio::io::join(std::io::Cursor::new(all), tokio::io::sink())
    }
}
