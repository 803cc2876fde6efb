use super::*;

fn v2(version: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[version, family], &length, block].concat()
}

const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xc3, 0x50, 0, 22];

fn v6_block(address: &str) -> Vec<u8> {
    let address: std::net::Ipv6Addr = address.parse().unwrap();
    [&address.octets()[..], &[0; 16], &[0x1f, 0x90, 0, 22]].concat()
}

fn from(text: &str) -> Origin {
    Origin::Client(text.parse().unwrap())
}

/// Reads a header as it comes over a connection: only the bytes that are asked for. Returns the rest, too.
fn take(bytes: &[u8]) -> Result<(Origin, &[u8]), Option<Damaged>> {
    let mut at = 0;
    loop {
        match step(&bytes[..at]).map_err(Some)? {
            Step::Whole(origin) => return Ok((origin, &bytes[at..])),
            Step::More(count) => {
                assert!(count > 0, "it goes on");
                at += count;
                if at > bytes.len() {
                    return Err(None);
                }
            }
        }
    }
}

#[test]
fn whole_headers_say_whose_connection_it_is() {
    let tlvs = [&V4[..], &[0x04, 0, 3, 1, 2, 3], &[0xea, 0, 1, 9]].concat();
    let long = [&v6_block("2001:db8::7")[..], &[0x04, 0x0f, 0xd9], &[0; 4057]].concat();
    assert_eq!(long.len(), MAX_REST);
    let unknown = format!("PROXY UNKNOWN {}\r\n", "f".repeat(MAX_LINE - 16));
    assert_eq!(unknown.len(), MAX_LINE);
    let cases = [
        (v2(0x21, 0x11, &V4), from("192.0.2.7:50000")),
        (v2(0x21, 0x11, &tlvs), from("192.0.2.7:50000")),
        (v2(0x21, 0x21, &v6_block("2001:db8::7")), from("[2001:db8::7]:8080")),
        (v2(0x21, 0x21, &v6_block("::ffff:192.0.2.7")), from("192.0.2.7:8080")),
        (v2(0x21, 0x21, &long), from("[2001:db8::7]:8080")),
        (v2(0x20, 0x00, &[]), Origin::Proxy),
        (v2(0x20, 0x11, &V4), Origin::Proxy),
        (v2(0x20, 0xff, &[1, 2, 3]), Origin::Proxy),
        (v2(0x21, 0x00, &[]), Origin::Unknown),
        (v2(0x21, 0x12, &V4), Origin::Unknown),
        (v2(0x21, 0x31, &[0; 216]), Origin::Unknown),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 22\r\n".to_vec(), from("192.0.2.7:50000")),
        (b"PROXY TCP6 2001:db8::7 ::1 8080 22\r\n".to_vec(), from("[2001:db8::7]:8080")),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 0 65535\r\n".to_vec(), from("192.0.2.7:0")),
        (b"PROXY UNKNOWN\r\n".to_vec(), Origin::Unknown),
        (unknown.into_bytes(), Origin::Unknown),
    ];
    for (header, expected) in cases {
        let stream = [&header[..], b"SSH-2.0-Client\r\n"].concat();
        assert_eq!(take(&stream), Ok((expected, &b"SSH-2.0-Client\r\n"[..])), "{header:?}");
        for cut in 0..header.len() {
            assert_eq!(take(&header[..cut]), Err(None), "{cut} bytes of {header:?}");
        }
    }
}

#[test]
fn damaged_headers_are_told_from_whole_ones() {
    let mut late = SIGNATURE.to_vec();
    late[11] = b'\r';
    let cases: [(&[u8], Damaged); 24] = [
        (b"SSH-2.0-OpenSSH_9.2\r\n", Damaged::Missing),
        (b"GET / HTTP/1.1\r\n", Damaged::Missing),
        (b"proxy TCP4 192.0.2.7 192.0.2.8 1 2\r\n", Damaged::Missing),
        (&late, Damaged::Missing),
        (&v2(0x11, 0x11, &V4), Damaged::Binary),
        (&v2(0x22, 0x11, &V4), Damaged::Binary),
        (&v2(0x31, 0x11, &V4), Damaged::Binary),
        (&v2(0x21, 0x11, &V4[..11]), Damaged::Binary),
        (&v2(0x21, 0x21, &V4), Damaged::Binary),
        (&v2(0x21, 0x11, &[]), Damaged::Binary),
        (&v2(0x21, 0x13, &V4), Damaged::Binary),
        (&v2(0x21, 0x41, &V4), Damaged::Binary),
        (&v2(0x21, 0x11, &[0; MAX_REST + 1]), Damaged::Length),
        (&v2(0x20, 0x00, &[0; MAX_REST + 1]), Damaged::Length),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n", Damaged::Line),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n", Damaged::Line),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n", Damaged::Line),
        (b"PROXY TCP4 192.0.2.7  192.0.2.8 1 2\r\n", Damaged::Line),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", Damaged::Line),
        (b"PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n", Damaged::Line),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n", Damaged::Line),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 +1 02\r\n", Damaged::Line),
        (b"PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n", Damaged::Line),
        (&[b"PROXY UNKNOWN ", &[b'f'; MAX_LINE][..]].concat(), Damaged::Length),
    ];
    for (header, expected) in cases {
        let stream = [header, b"SSH-2.0-Client\r\n"].concat();
        assert_eq!(take(&stream), Err(Some(expected)), "{:?}", String::from_utf8_lossy(header));
    }
}

#[tokio::test]
async fn what_is_behind_the_header_stays_in_the_stream() {
    let stream = [&v2(0x21, 0x11, &V4)[..], b"SSH-2.0-Client\r\n"].concat();
    let mut rest = stream.as_slice();
    assert_eq!(read(&mut rest).await.unwrap(), from("192.0.2.7:50000"));
    assert_eq!(rest, b"SSH-2.0-Client\r\n");
    let mut cut = &stream[..20];
    assert_eq!(read(&mut cut).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    let mut wrong = &b"SSH-2.0-Client\r\n"[..];
    assert_eq!(read(&mut wrong).await.unwrap_err().to_string(), "there is no PROXY header");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_and_never_more_than_the_bounds(
        version in 0u8..2, mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
    ) {
        let start: &[u8] = if version == 0 { WORD } else { SIGNATURE };
        bytes.splice(..0, start.iter().copied());
        if let Ok((_, rest)) = take(&bytes) {
            proptest::prop_assert!(bytes.len() - rest.len() <= HEAD + MAX_REST);
        }
    }
}
