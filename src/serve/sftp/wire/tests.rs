//! The codec against damage, and against itself.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use russh_sftp::protocol::OpenFlags;

use super::*;

fn string(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

#[test]
fn names_pass_unchanged() {
    let mut body = BytesMut::new();
    body.put_u8(3);
    body.put_u32(77);
    string(&mut body, b"/\xd6\xd0\xce\xc4.txt");
    body.put_u32(0x1a);
    body.put_u32(0x8000_0004);
    body.put_u32(0o644);
    body.put_u32(1);
    string(&mut body, b"x@y");
    string(&mut body, b"z");
    let packet = Packet::read(body.freeze()).unwrap();
    assert_eq!(packet.id, 77);
    let Request::Open { path, flags, attributes } = packet.request else { panic!("not OPEN") };
    assert_eq!(&path[..], b"/\xd6\xd0\xce\xc4.txt");
    assert_eq!(flags.bits(), (OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE).bits());
    assert_eq!(attributes.permissions, Some(0o644));
}

#[test]
fn symlink_has_the_order_of_openssh() {
    let mut body = BytesMut::new();
    body.put_u8(20);
    body.put_u32(1);
    string(&mut body, b"target");
    string(&mut body, b"link");
    let Request::Symlink { target, path } = Packet::read(body.freeze()).unwrap().request else { panic!("not SYMLINK") };
    assert_eq!((&target[..], &path[..]), (&b"target"[..], &b"link"[..]));
}

#[test]
fn damage_is_said() {
    let mut frames = Frames::default();
    frames.feed(&300_000_u32.to_be_bytes());
    assert_eq!(frames.take(), Err(Malformed::Length(300_000)));
    let mut frames = Frames::default();
    frames.feed(&[0; 4]);
    assert_eq!(frames.take(), Err(Malformed::Length(0)));
    assert_eq!(Packet::read(Bytes::from_static(&[5, 0, 0, 0, 1, 0, 0, 0, 9, 1])).unwrap_err(), Malformed::Short(5));
    assert!(matches!(Packet::read(Bytes::from_static(&[99, 0, 0, 0, 1])).unwrap().request, Request::Unknown(99)));
}

#[test]
fn a_data_header_is_whole() {
    let mut out = BytesMut::new();
    out.extend_from_slice(&data_header(7, 3));
    out.extend_from_slice(b"abc");
    assert_eq!(&out[..], b"\0\0\0\x0c\x67\0\0\0\x07\0\0\0\x03abc");
}

proptest! {
    /// No bytes make it panic, and what is read lies inside the packet.
    #[test]
    fn any_packet_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 1..300)) {
        if let Ok(packet) = Packet::read(Bytes::from(body.clone())) {
            prop_assert!(packet.cost() < body.len() + 2048);
        }
    }

    /// As before, with a type that exists.
    #[test]
    fn any_known_packet_is_read_or_refused(kind in prop_oneof![1u8..21, Just(200)], body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let whole = [&[kind][..], &body].concat();
        drop(Packet::read(Bytes::from(whole)));
    }

    /// However the stream is cut, the same packets come out.
    #[test]
    fn cuts_do_not_matter(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 1..12),
        cuts in proptest::collection::vec(1usize..70, 1..40),
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        let (mut frames, mut seen, mut at) = (Frames::default(), Vec::new(), 0);
        let mut cuts = cuts.iter().cycle();
        while at < stream.len() {
            let end = (at + cuts.next().unwrap()).min(stream.len());
            frames.feed(&stream[at..end]);
            at = end;
            while let Some(frame) = frames.take().unwrap() {
                seen.push(frame.to_vec());
            }
        }
        prop_assert_eq!(seen, bodies);
    }
}
