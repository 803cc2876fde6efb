//! Where the data connection goes: EPSV (RFC 2428) and PASV (RFC 959, RFC 1123 section 4.1.2.6).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::reply::Reply;

/// The port in `229 … (|||6446|)`; any delimiter.
#[must_use]
pub fn epsv_port(reply: &Reply) -> Option<u16> {
    let text = reply.last();
    let open = text.iter().rposition(|b| *b == b'(')?;
    let inner = text.get(open + 1..)?;
    let mark = *inner.first()?;
    let mut fields = inner.split(|b| *b == mark);
    let port = fields.nth(3)?;
    std::str::from_utf8(port).ok()?.trim().parse().ok().filter(|port| *port != 0)
}

/// Address and port in the reply to PASV: six numbers from the first digit on, parentheses or not, blanks
/// or not.
#[must_use]
pub fn pasv_address(reply: &Reply) -> Option<SocketAddr> {
    let text = String::from_utf8_lossy(reply.last()).into_owned();
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text
        .get(start..)?
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map_while(|part| part.parse::<u8>().ok());
    let mut next = || numbers.next();
    let ip = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    let port = u16::from_be_bytes([next()?, next()?]);
    (port != 0).then_some(SocketAddr::new(IpAddr::V4(ip), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { code: 227, lines: vec![text.as_bytes().to_vec()] }
    }

    #[test]
    fn reads_every_spelling() {
        for text in [
            "Entering Passive Mode (10,0,0,1,4,210).",
            "Entering Passive Mode 10,0,0,1,4,210",
            "Entering Passive Mode =10,0,0,1,4,210",
            "Passive (10, 0, 0, 1, 4, 210)",
        ] {
            assert_eq!(pasv_address(&reply(text)), Some("10.0.0.1:1234".parse().unwrap()), "{text}");
        }
        assert_eq!(pasv_address(&reply("Entering Passive Mode (10,0,0,1,999,1)")), None);
        assert_eq!(epsv_port(&reply("Entering Extended Passive Mode (|||6446|)")), Some(6446));
        assert_eq!(epsv_port(&reply("ok (!!!6446!)")), Some(6446));
        assert_eq!(epsv_port(&reply("ok (|||0|)")), None);
    }
}
