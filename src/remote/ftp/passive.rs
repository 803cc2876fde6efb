//! Where the data connection goes: EPSV (RFC 2428) and PASV (RFC 959, RFC 1123 section 4.1.2.6).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::reply::Reply;

/// The port in `229 … (|||6446|)`; any delimiter, parentheses or not.
#[must_use]
pub fn epsv_port(reply: &Reply) -> Option<u16> {
    let text = reply.last();
    let inner = match text.iter().rposition(|b| *b == b'(') {
        Some(open) => text.get(open + 1..)?,
        None => text.get(text.windows(3).position(is_mark)?..)?,
    };
    let mark = *inner.first()?;
    let mut fields = inner.split(|b| *b == mark);
    let port = fields.nth(3)?;
    std::str::from_utf8(port).ok()?.trim().parse().ok().filter(|port| *port != 0)
}

/// Three delimiters in a row, as before the port.
fn is_mark(three: &[u8]) -> bool {
    matches!(three, [a, b, c] if a == b && b == c && a.is_ascii_punctuation() && *a != b'.')
}

/// Address and port in the reply to PASV: six numbers with commas between them, parentheses or not, blanks
/// or not, whatever other digits the text holds.
#[must_use]
pub fn pasv_address(reply: &Reply) -> Option<SocketAddr> {
    let text = String::from_utf8_lossy(reply.last());
    // What is neither digit nor comma nor blank ends a candidate.
    let candidates = text.split(|c: char| !c.is_ascii_digit() && c != ',' && c != ' ');
    candidates.filter(|part| part.contains(',')).find_map(six_numbers)
}

fn six_numbers(text: &str) -> Option<SocketAddr> {
    let fields = text.trim().split(',').map(str::trim).filter(|field| !field.is_empty()).collect::<Vec<_>>();
    // Words before: "ok 2 10,0,0,1,4,210".
    let value = |field: &&str| field.rsplit(' ').next()?.parse::<u8>().ok();
    let numbers = fields.iter().map(value).collect::<Option<Vec<_>>>()?;
    let [a, b, c, d, high, low] = numbers.as_slice() else { return None };
    let port = u16::from_be_bytes([*high, *low]);
    (port != 0).then_some(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)), port))
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
            "Mode 2 is 10,0,0,1,4,210 for 60 s",
            "ok, 3 users, go (10,0,0,1,4,210)",
        ] {
            assert_eq!(pasv_address(&reply(text)), Some("10.0.0.1:1234".parse().unwrap()), "{text}");
        }
        assert_eq!(pasv_address(&reply("Entering Passive Mode (10,0,0,1,999,1)")), None);
        assert_eq!(epsv_port(&reply("Entering Extended Passive Mode (|||6446|)")), Some(6446));
        assert_eq!(epsv_port(&reply("ok (!!!6446!)")), Some(6446));
        assert_eq!(epsv_port(&reply("Entering Extended Passive Mode |||6446|")), Some(6446));
        assert_eq!(epsv_port(&reply("ok (|||0|)")), None);
        assert_eq!(epsv_port(&reply("wait ... no")), None);
    }
}
