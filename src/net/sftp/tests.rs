//! The codec against damage, and against itself.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use russh_sftp::protocol::OpenFlags;

use super::extension::{Extension, Sums};
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

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let parts = (any::<Option<u64>>(), any::<Option<(u32, u32)>>(), any::<Option<u32>>(), any::<Option<(u32, u32)>>());
    parts.prop_map(|(size, owner, permissions, times)| Attributes { size, owner, permissions, times })
}

fn requests() -> impl Strategy<Value = Request> {
    prop_oneof![
        (bytes(40), any::<u32>(), attributes()).prop_map(|(path, flags, attributes)| Request::Open {
            path,
            flags: OpenFlags::from_bits_retain(flags),
            attributes
        }),
        (bytes(9), any::<u64>(), any::<u32>()).prop_map(|(handle, offset, length)| Request::Read {
            handle,
            offset,
            length
        }),
        (bytes(9), any::<u64>(), bytes(300)).prop_map(|(handle, offset, data)| Request::Write { handle, offset, data }),
        (bytes(40), attributes()).prop_map(|(path, attributes)| Request::Setstat { path, attributes }),
        (bytes(40), bytes(40)).prop_map(|(from, to)| Request::Rename { from, to }),
        (bytes(40), bytes(40)).prop_map(|(target, path)| Request::Symlink { target, path }),
        bytes(40).prop_map(|path| Request::Readlink { path }),
        bytes(9).prop_map(|handle| Request::Extended(Extension::Fsync { handle })),
        Just(Request::Extended(Extension::Limits)),
        (bytes(40), bytes(40)).prop_map(|(from, to)| Request::Extended(Extension::HardLink { from, to })),
        (bytes(40), any::<u64>(), any::<u32>(), any::<bool>()).prop_map(|(file, length, block, by_name)| {
            let sums = Sums { algorithms: Bytes::from_static(b"sha256"), offset: 0, length, block };
            Request::Extended(if by_name {
                Extension::CheckName { path: file, sums }
            } else {
                Extension::CheckHandle { handle: file, sums }
            })
        }),
        (bytes(40), bytes(40)).prop_map(|(users, groups)| Request::Extended(Extension::UsersGroups { users, groups })),
    ]
}

/// The packet behind the length field, which must be right.
fn unframed(mut frame: BytesMut) -> Bytes {
    let length = frame.get_u32() as usize;
    assert_eq!(length, frame.len());
    frame.freeze()
}

#[test]
fn a_client_reads_what_the_door_writes() {
    let read = |reply: &Reply| {
        let mut out = BytesMut::new();
        reply.write(7, &mut out);
        Answer::read(unframed(out)).unwrap()
    };
    let (0, Answer::Version { version: 3, extensions }) = read(&Reply::Version) else { panic!("no VERSION") };
    assert!(extensions.iter().any(|(name, version)| &name[..] == b"fsync@openssh.com" && &version[..] == b"1"));
    let name = Bytes::from_static(b"\xd6\xd0");
    let line = Reply::line(name.clone(), Bytes::from_static(b"long"), Attributes::default());
    let (7, Answer::Names(lines)) = read(&Reply::Names(vec![line])) else { panic!("no NAME") };
    assert_eq!((lines.len(), &lines[0].name), (1, &name));
    let (7, Answer::Handle(handle)) = read(&Reply::Handle { slot: 3 }) else { panic!("no HANDLE") };
    assert_eq!(&handle[..], [0, 0, 0, 3]);
    let (7, Answer::Extended(limits)) = read(&Reply::limits()) else { panic!("no limits") };
    assert_eq!(Answer::numbers(limits), [262_144, 261_120, 261_120, 1024]);
    let (7, Answer::Status { code: 0, .. }) = read(&Reply::ok()) else { panic!("no STATUS") };
    let mut data = BytesMut::from(&data_header(7, 2)[..]);
    data.extend_from_slice(b"hi");
    let (7, Answer::Data(data)) = Answer::read(unframed(data)).unwrap() else { panic!("no DATA") };
    assert_eq!(&data[..], b"hi");
}

#[test]
fn a_digest_is_read_with_and_without_the_name_of_its_extension() {
    let mut out = BytesMut::new();
    string(&mut out, b"check-file");
    string(&mut out, b"sha256");
    out.put_slice(&[9; 32]);
    let (algorithm, digest) = Answer::checksum(out.freeze()).unwrap();
    assert_eq!((&algorithm[..], &digest[..]), (&b"sha256"[..], &[9; 32][..]));
    let mut out = BytesMut::new();
    string(&mut out, b"md5");
    assert_eq!(Answer::checksum(out.freeze()).unwrap().0, "md5");
}

proptest! {
    /// What a client writes is what a server reads.
    #[test]
    fn requests_come_back(id in any::<u32>(), request in requests()) {
        let mut out = BytesMut::new();
        Packet { id, request: request.clone() }.write(&mut out);
        let read = Packet::read(unframed(out)).unwrap();
        prop_assert_eq!((read.id, format!("{:?}", read.request)), (id, format!("{request:?}")));
    }

    /// No bytes of a server make a client panic.
    #[test]
    fn any_answer_is_read_or_refused(kind in prop_oneof![Just(2u8), 101u8..106, Just(201)], body in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Answer::read(Bytes::from([&[kind][..], &body].concat())));
    }

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
