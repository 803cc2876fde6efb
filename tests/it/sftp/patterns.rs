//! What clients that do not run here keep in flight, packet for packet as their sources have it, over OpenSSH's `ssh`:
//! WinSCP (`TSFTPFileSystem` in its SftpFileSystem.cpp), FileZilla (fzsftp, which is PuTTY's psftp.c and sftp.c) and JSch
//! (its ChannelSftp.java). An answer is read when the client in question would read it, and not before.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, UNIX_EPOCH};

use causeway::model::{Algorithm, Hasher};

use super::door::{Fixture, good, noise};
use super::raw::Field::{L, S, U};
use super::raw::{Field, Raw, request};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const EXTENDED: u8 = 200;

const STATUS: u8 = 101;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;

/// Flags of OPEN: READ; WRITE; WRITE and CREAT; those and TRUNC; those and EXCL.
const READS: u32 = 0x01;
const CHANGES: u32 = 0x02;
const CREATES: u32 = 0x0a;
const REPLACES: u32 = 0x1a;
const IS_NEW: u32 = 0x3a;

/// Flags of ATTRS.
const SIZE: u32 = 1;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;

/// Codes of STATUS.
const OK: u32 = 0;
const EOF: u32 = 1;
const NO_SUCH_FILE: u32 = 2;
const FAILURE: u32 = 4;

const WHEN: u32 = 1_234_567_890;

/// Sends without reading, and reads late.
struct Client {
    raw: Raw,
    number: u32,
    /// Answers that came before the one that was waited for.
    early: HashMap<u32, (u8, Vec<u8>)>,
}

impl Client {
    fn new(f: &Fixture, version: u8) -> Self {
        let mut raw = Raw::ahead(f, "anna", 1);
        raw.greet(version);
        Self { raw, number: 0, early: HashMap::new() }
    }

    fn send(&mut self, kind: u8, fields: &[Field<'_>]) -> u32 {
        // As WinSCP counts.
        self.number += 1;
        let id = self.number << 8 | u32::from(kind);
        self.raw.send(&request(kind, id, fields));
        id
    }

    /// Type and body of the answer to `id`.
    fn answer(&mut self, id: u32) -> (u8, Vec<u8>) {
        loop {
            if let Some(answer) = self.early.remove(&id) {
                return answer;
            }
            let packet = self.raw.packet();
            let number = u32::from_be_bytes(packet[1..5].try_into().unwrap());
            assert!(self.early.insert(number, (packet[0], packet[5..].to_vec())).is_none(), "{number} came twice");
        }
    }

    fn ask(&mut self, kind: u8, fields: &[Field<'_>]) -> (u8, Vec<u8>) {
        let id = self.send(kind, fields);
        self.answer(id)
    }

    #[track_caller]
    fn is(&mut self, id: u32, code: u32) {
        let (kind, body) = self.answer(id);
        assert_eq!((kind, code_of(&body)), (STATUS, code), "{}", String::from_utf8_lossy(&body));
    }

    fn status(&mut self, kind: u8, fields: &[Field<'_>], code: u32) {
        let id = self.send(kind, fields);
        self.is(id, code);
    }

    fn handle(&mut self, kind: u8, fields: &[Field<'_>]) -> Vec<u8> {
        let (kind, body) = self.ask(kind, fields);
        assert_eq!(kind, 102, "{}", String::from_utf8_lossy(&body));
        body[4..].to_vec()
    }

    /// The content of a DATA answer; nothing at the end of the file.
    #[track_caller]
    fn data(&mut self, id: u32) -> Vec<u8> {
        match self.answer(id) {
            (DATA, body) => body[4..].to_vec(),
            (kind, body) => {
                assert_eq!((kind, code_of(&body)), (STATUS, EOF), "{}", String::from_utf8_lossy(&body));
                Vec::new()
            }
        }
    }

    /// How many names there are, asked in one READDIR after the other, each before the last answer is looked at.
    fn count(&mut self, path: &[u8]) -> usize {
        let folder = self.handle(OPENDIR, &[S(path)]);
        let (mut names, mut asked) = (0, self.send(READDIR, &[S(&folder)]));
        while let (NAME, body) = self.answer(asked) {
            asked = self.send(READDIR, &[S(&folder)]);
            names += code_of(&body) as usize;
        }
        self.status(CLOSE, &[S(&folder)], OK);
        names
    }
}

/// The number that a body begins with.
fn code_of(body: &[u8]) -> u32 {
    u32::from_be_bytes(body[..4].try_into().unwrap())
}

/// Everything has been answered once, and what is in the tree is what was sent.
fn ends(f: &Fixture, client: &Client, name: &str, content: &[u8]) {
    assert!(client.early.is_empty(), "{:?}", client.early.keys());
    assert!(std::fs::read(f.served(name)).unwrap() == content, "{name}");
    let modified = std::fs::metadata(f.served(name)).unwrap().modified().unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(u64::from(WHEN)), "{name}");
}

// ---- WinSCP ---------------------------------------------------------------------------------------------------------

/// `SFTPUploadQueue` and `SFTPDownloadQueue`.
const QUEUE: usize = 32;

/// `TransferBlockSize`: 32 KiB, then by the speed that was seen, up to what fits into a packet.
fn winscp_block(block: usize, most: usize) -> usize {
    (block * 5 / 4).min(most)
}

/// `Source`, by way of a `.filepart`.
fn winscp_puts(client: &mut Client, name: &[u8], content: &[u8], replaced: bool) {
    let part = [name, b".filepart"].concat();
    assert_eq!(client.ask(LSTAT, &[S(name)]).0, if replaced { ATTRS } else { STATUS });
    client.status(LSTAT, &[S(&part)], NO_SUCH_FILE);
    // It tells how long the file will be.
    let file = client.handle(OPEN, &[S(&part), U(REPLACES), U(SIZE), L(content.len() as u64)]);
    let (mut at, mut block, mut asked) = (0, 32_768 - 20, VecDeque::new());
    while at < content.len() {
        let piece = &content[at..content.len().min(at + block)];
        asked.push_back(client.send(WRITE, &[S(&file), L(at as u64), S(piece)]));
        at += piece.len();
        block = winscp_block(block, 200_000);
        while asked.len() >= QUEUE {
            client.is(asked.pop_front().unwrap(), OK);
        }
    }
    // "send close request before waiting for pending read responses".
    let closed = client.send(CLOSE, &[S(&file)]);
    asked.into_iter().for_each(|id| client.is(id, OK));
    client.is(closed, OK);
    if replaced {
        client.status(REMOVE, &[S(name)], OK);
    }
    client.status(RENAME, &[S(&part), S(name)], OK);
    client.status(SETSTAT, &[S(name), U(PERMISSIONS | TIMES), U(0o640), U(WHEN), U(WHEN)], OK);
}

/// `Source` of a file that is too small to be resumed: whether it is there is asked by EXCL, and its time is set before
/// the answer to CLOSE has come.
fn winscp_puts_small(client: &mut Client, name: &[u8], content: &[u8]) {
    let opened = client.send(OPEN, &[S(name), U(IS_NEW), U(SIZE), L(content.len() as u64)]);
    client.is(opened, FAILURE);
    assert_eq!(client.ask(LSTAT, &[S(name)]).0, ATTRS);
    let file = client.handle(OPEN, &[S(name), U(REPLACES), U(SIZE), L(content.len() as u64)]);
    let written = client.send(WRITE, &[S(&file), L(0), S(content)]);
    let closed = client.send(CLOSE, &[S(&file)]);
    let set = client.send(SETSTAT, &[S(name), U(TIMES), U(WHEN), U(WHEN)]);
    for id in [written, set, closed] {
        client.is(id, OK);
    }
}

/// `Sink`: it asks for more than an answer holds, and fills each gap before it goes on.
fn winscp_gets(client: &mut Client, name: &[u8]) -> Vec<u8> {
    let file = client.handle(OPEN, &[S(name), U(READS), U(0)]);
    let (mut content, mut asked, mut end, mut block) = (Vec::new(), VecDeque::new(), 0, 32_768);
    loop {
        while asked.len() < QUEUE {
            asked.push_back((client.send(READ, &[S(&file), L(end as u64), U(block as u32)]), end + block));
            end += block;
            block = winscp_block(block, 1_000_000);
        }
        let (id, until) = asked.pop_front().unwrap();
        let data = client.data(id);
        let is_over = data.is_empty();
        content.extend_from_slice(&data);
        while !is_over && content.len() < until {
            let gap = client.send(READ, &[S(&file), L(content.len() as u64), U((until - content.len()) as u32)]);
            let data = client.data(gap);
            if data.is_empty() {
                break;
            }
            content.extend_from_slice(&data);
        }
        if is_over {
            break;
        }
    }
    let closed = client.send(CLOSE, &[S(&file)]);
    for (id, _) in asked {
        assert!(client.data(id).is_empty(), "behind the end");
    }
    client.is(closed, OK);
    content
}

#[test]
fn as_winscp_does() {
    let f = Fixture::new();
    let (first, second) = (noise(7_654_321), noise(5_000_000));
    (0..250).for_each(|number| std::fs::write(f.served(format!("f{number}")), format!("{number}")).unwrap());
    // It offers version 6 and speaks what it gets.
    let mut client = Client::new(&f, 6);
    for (asked, told) in [(&b"."[..], &b"/"[..]), (b"/", b"/"), (b"/none/../dir", b"/dir")] {
        let (kind, body) = client.ask(REALPATH, &[S(asked)]);
        assert_eq!((kind, code_of(&body)), (NAME, 1));
        assert_eq!(body[8..].get(..told.len()), Some(told));
    }
    assert_eq!(client.count(b"/"), 252);
    winscp_puts(&mut client, b"/big", &first, false);
    ends(&f, &client, "big", &first);
    assert!(winscp_gets(&mut client, b"/big") == first);
    winscp_puts(&mut client, b"/big", &second, true);
    ends(&f, &client, "big", &second);
    winscp_puts_small(&mut client, b"/f0", b"small");
    ends(&f, &client, "f0", b"small");
    // `CalculateFilesChecksum` has five in flight.
    let mut asked = VecDeque::new();
    for number in 0..250 {
        let path = format!("/f{number}");
        let fields = [S(b"check-file-name"), S(path.as_bytes()), S(b"sha256"), L(0), L(0), U(0)];
        asked.push_back((number, client.send(EXTENDED, &fields)));
        if asked.len() == 5 || number == 249 {
            let (number, id) = asked.pop_front().unwrap();
            let content = if number == 0 { "small".to_owned() } else { number.to_string() };
            let mut hash = Hasher::new(Algorithm::Sha256);
            hash.update(content.as_bytes());
            let digest = hash.finish().unwrap();
            let (kind, body) = client.answer(id);
            assert!(kind == 201 && body.ends_with(digest.as_bytes()), "{number}: {body:?}");
        }
    }
    // `Idle` keeps the session alive.
    assert_eq!(client.ask(REALPATH, &[S(b"/")]).0, NAME);
    assert!(f.names("").iter().all(|name| !name.starts_with('.') && !name.ends_with("part")));
}

/// WinSCP skips one word of the answer to `check-file-name`, the algorithm, and takes the rest for the digest; paramiko
/// wants the extension's name before that. Here one plays the other, as far as its name goes.
#[test]
fn digests_come_as_the_client_reads_them() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "content").unwrap();
    let program = format!(
        "from paramiko.sftp import CMD_EXTENDED, int64\n\
         def ask(s):\n    \
             kind, msg = s._request(CMD_EXTENDED, 'check-file-name', 'a', 'sha256', int64(0), int64(0), 0)\n    \
             return [msg.get_text() for _ in range(words)] + [msg.get_remainder().hex()]\n\
         words = 2\n\
         print(*ask(s))\n\
         w = paramiko.Transport(('127.0.0.1', {port}))\n\
         w.local_version = 'SSH-2.0-WinSCP_release_6.3.5'\n\
         w.connect(username='anna', password='{password}')\n\
         words = 1\n\
         print(*ask(paramiko.SFTPClient.from_transport(w)))\n\
         w.close()\n",
        port = f.address.port(),
        password = super::door::PASSWORD,
    );
    let digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
    let told = good(&f.paramiko(&program));
    assert_eq!(told, format!("check-file sha256 {digest}\nsha256 {digest}\n"));
}

// ---- FileZilla ------------------------------------------------------------------------------------------------------

/// `sftp_put_file`: pieces of 16 KiB for as long as the socket takes them; answers are read one by one when some wait.
fn filezilla_puts(client: &mut Client, name: &[u8], content: &[u8], flags: u32) {
    let file = client.handle(OPEN, &[S(name), U(flags), U(PERMISSIONS), U(0o644)]);
    let from = if flags == REPLACES {
        0
    } else {
        let (kind, body) = client.ask(FSTAT, &[S(&file)]);
        assert_eq!((kind, code_of(&body) & SIZE), (ATTRS, SIZE));
        u64::from_be_bytes(body[4..12].try_into().unwrap()) as usize
    };
    let mut asked = VecDeque::new();
    for (number, piece) in content[from..].chunks(16_384).enumerate() {
        asked.push_back(client.send(WRITE, &[S(&file), L((from + number * 16_384) as u64), S(piece)]));
        if number % 5 == 4 {
            client.is(asked.pop_front().unwrap(), OK);
        }
    }
    assert!(from > 0 || asked.len() > 300, "most are in flight");
    asked.into_iter().for_each(|id| client.is(id, OK));
    client.status(CLOSE, &[S(&file)], OK);
    // "chmtime".
    client.status(SETSTAT, &[S(name), U(TIMES), U(WHEN), U(WHEN)], OK);
}

/// `xfer_download_queue`: pieces of 32 KiB, 1 MiB of them in flight, also behind the end until it is seen.
fn filezilla_gets(client: &mut Client, name: &[u8], from: usize) -> Vec<u8> {
    assert_eq!(client.ask(STAT, &[S(name)]).0, ATTRS);
    let file = client.handle(OPEN, &[S(name), U(READS), U(0)]);
    let (mut content, mut asked, mut at, mut is_over) = (Vec::new(), VecDeque::new(), from, false);
    while !(is_over && asked.is_empty()) {
        while !is_over && asked.len() < (1 << 20) / 32_768 {
            asked.push_back(client.send(READ, &[S(&file), L(at as u64), U(32_768)]));
            at += 32_768;
        }
        let data = client.data(asked.pop_front().unwrap());
        // It gives up when a short piece is not the last one.
        assert!(data.is_empty() || !is_over, "data behind a short answer");
        is_over |= data.len() < 32_768;
        content.extend_from_slice(&data);
    }
    client.status(CLOSE, &[S(&file)], OK);
    content
}

#[test]
fn as_filezilla_does() {
    let f = Fixture::new();
    let content = noise(7_654_321);
    let mut client = Client::new(&f, 3);
    assert_eq!(client.ask(REALPATH, &[S(b".")]).0, NAME);
    assert_eq!(client.count(b"/"), 2);
    filezilla_puts(&mut client, b"/big", &content, REPLACES);
    ends(&f, &client, "big", &content);
    assert!(filezilla_gets(&mut client, b"/big", 0) == content);
    assert!(filezilla_gets(&mut client, b"/big", 3_000_000) == content[3_000_000..], "reget");
    std::fs::write(f.served("half"), &content[..3_000_001]).unwrap();
    filezilla_puts(&mut client, b"/half", &content, CHANGES);
    ends(&f, &client, "half", &content);
}

// ---- JSch -----------------------------------------------------------------------------------------------------------

/// What is left of its 32 KiB for a READ, and for a WRITE.
const JSCH_READ: usize = 32_768 - 13;
const JSCH_WRITE: usize = 32_768 - (5 + 13 + 21 + 4) - 128;

/// `put`: a stream (`put(dst)`) reads no answer before it is flushed; a source (`put(src, dst)`) keeps 16 in flight.
fn jsch_puts(client: &mut Client, name: &[u8], content: &[u8], (flags, in_flight): (u32, usize)) {
    let from = match client.ask(STAT, &[S(name)]) {
        (ATTRS, body) if flags == CREATES => u64::from_be_bytes(body[4..12].try_into().unwrap()) as usize,
        _ => 0,
    };
    let file = client.handle(OPEN, &[S(name), U(flags), U(0)]);
    let mut asked = VecDeque::new();
    for (number, piece) in content[from..].chunks(JSCH_WRITE).enumerate() {
        while asked.len() >= in_flight {
            client.is(asked.pop_front().unwrap(), OK);
        }
        asked.push_back(client.send(WRITE, &[S(&file), L((from + number * JSCH_WRITE) as u64), S(piece)]));
    }
    asked.into_iter().for_each(|id| client.is(id, OK));
    client.status(CLOSE, &[S(&file)], OK);
    client.status(SETSTAT, &[S(name), U(TIMES), U(WHEN), U(WHEN)], OK);
}

/// `_get`: one more in flight with each answer, up to `most` (`setBulkRequests`; 16). After a short answer all that is
/// in flight is thrown away, and asked for again.
fn jsch_gets(client: &mut Client, name: &[u8], most: usize) -> Vec<u8> {
    assert_eq!(client.ask(STAT, &[S(name)]).0, ATTRS);
    let file = client.handle(OPEN, &[S(name), U(READS), U(0)]);
    let (mut content, mut asked, mut at, mut in_flight) = (Vec::new(), VecDeque::new(), 0, 1);
    loop {
        while asked.len() < in_flight {
            asked.push_back((client.send(READ, &[S(&file), L(at as u64), U(JSCH_READ as u32)]), JSCH_READ));
            at += JSCH_READ;
        }
        let (id, length) = asked.pop_front().unwrap();
        let data = client.data(id);
        if data.is_empty() {
            break;
        }
        content.extend_from_slice(&data);
        if data.len() < length {
            for (id, _) in asked.drain(..) {
                client.answer(id);
            }
            let rest = length - data.len();
            asked.push_back((client.send(READ, &[S(&file), L(content.len() as u64), U(rest as u32)]), rest));
            at = content.len() + rest;
        }
        in_flight = (in_flight + 1).min(most);
    }
    for (id, _) in asked {
        assert!(client.data(id).is_empty(), "behind the end");
    }
    client.status(CLOSE, &[S(&file)], OK);
    content
}

#[test]
fn as_jsch_does() {
    let f = Fixture::new();
    let content = noise(7_654_321);
    let mut client = Client::new(&f, 3);
    assert_eq!(client.ask(REALPATH, &[S(b"")]).0, NAME);
    for (name, in_flight) in [("source", 16), ("stream", usize::MAX)] {
        jsch_puts(&mut client, name.as_bytes(), &content, (REPLACES, in_flight));
        ends(&f, &client, name, &content);
    }
    std::fs::write(f.served("half"), &content[..3_000_001]).unwrap();
    jsch_puts(&mut client, b"half", &content, (CREATES, 16));
    ends(&f, &client, "half", &content);
    for most in [16, 200] {
        assert!(jsch_gets(&mut client, b"source", most) == content, "{most}");
        assert!(client.early.is_empty(), "{:?}", client.early.keys());
    }
}
