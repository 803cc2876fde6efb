//! A hand-made ClientHello, for versions of TLS that the house does not speak: what a server answers tells what it can.
//!
//! RFC 5246 section 7.4.1.2 (and RFC 2246 for 1.0, RFC 8446 section 4.1.2 for 1.3). Only the first answer is read:
//! ServerHello (handshake type 2) or an alert.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A ServerHello of this version (`0x0301` is 1.0).
    Version(u16),
    /// An alert (RFC 8446, section 6).
    Alert(u8),
    /// Something else.
    NoTls,
}

/// Versions that are offered, with their names, oldest first.
pub const VERSIONS: [(u16, &str); 3] = [(0x0301, "TLS 1.0"), (0x0302, "TLS 1.1"), (0x0303, "TLS 1.2")];

/// The name of a version.
#[must_use]
pub fn name(version: u16) -> String {
    let known = VERSIONS.iter().find(|(number, _)| *number == version).map(|(_, name)| (*name).to_owned());
    known.unwrap_or_else(|| match version {
        0x0300 => "SSL 3.0".to_owned(),
        0x0304 => "TLS 1.3".to_owned(),
        other => format!("version {other:#06x}"),
    })
}

fn put_u16(to: &mut Vec<u8>, value: usize) {
    to.extend(u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes());
}

/// One record with a ClientHello for at most `version`.
#[must_use]
pub fn client_hello(version: u16, random: [u8; 32]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend(random);
    body.push(0);
    // What servers of that time had: ECDHE and RSA with AES and 3DES.
    let suites: [u16; 14] = [
        0xc02f, 0xc030, 0xc02b, 0xc02c, 0xc013, 0xc014, 0xc009, 0xc00a, 0x009c, 0x009d, 0x002f, 0x0035, 0x000a, 0x00ff,
    ];
    put_u16(&mut body, suites.len() * 2);
    suites.iter().for_each(|suite| body.extend(suite.to_be_bytes()));
    body.extend([1, 0]);
    // supported_groups, ec_point_formats, signature_algorithms.
    let mut extensions = vec![0, 10, 0, 8, 0, 6, 0, 29, 0, 23, 0, 24, 0, 11, 0, 2, 1, 0];
    if version >= 0x0303 {
        extensions.extend([0, 13, 0, 16, 0, 14, 4, 3, 5, 3, 8, 4, 4, 1, 5, 1, 2, 1, 2, 3]);
    }
    put_u16(&mut body, extensions.len());
    body.extend(extensions);
    let mut record = vec![22, 3, 1];
    put_u16(&mut record, body.len() + 4);
    record.extend([1, 0]);
    put_u16(&mut record, body.len());
    record.extend(body);
    record
}

/// What these first bytes of an answer say; none: there are too few.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Answer> {
    match bytes {
        [22, 3, _, _, _, 2, _, _, _, major, minor, ..] => Some(Answer::Version(u16::from_be_bytes([*major, *minor]))),
        [21, 3, _, _, _, _, alert, ..] => Some(Answer::Alert(*alert)),
        [22 | 21, ..] if bytes.len() < 11 => None,
        [] => None,
        _ => Some(Answer::NoTls),
    }
}

/// Offers `version` on `stream` and reads the answer.
///
/// # Errors
/// The connection's failure.
pub async fn offer(stream: &mut TcpStream, version: u16, random: [u8; 32]) -> std::io::Result<Answer> {
    stream.write_all(&client_hello(version, random)).await?;
    let mut got = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let count = stream.read(&mut buffer).await?;
        got.extend_from_slice(buffer.get(..count).unwrap_or_default());
        match read(&got) {
            Some(answer) => return Ok(answer),
            None if count == 0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_has_its_lengths_right_and_answers_are_read() {
        for (version, _) in VERSIONS {
            let hello = client_hello(version, [7; 32]);
            let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
            let body = usize::from(u16::from_be_bytes([hello[7], hello[8]]));
            assert_eq!((record, body), (hello.len() - 5, hello.len() - 9));
            assert_eq!(hello[9..11], version.to_be_bytes());
        }
        assert_eq!(read(&[22, 3, 1, 0, 80, 2, 0, 0, 70, 3, 2, 0]), Some(Answer::Version(0x0302)));
        assert_eq!(read(&[21, 3, 1, 0, 2, 2, 70]), Some(Answer::Alert(70)));
        assert_eq!(read(b"220 hello"), Some(Answer::NoTls));
        assert_eq!(read(&[22, 3, 1]), None);
    }
}
