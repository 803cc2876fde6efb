//! HTTP/2 frames by hand (RFC 9113), for what no well-behaved client sends.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::https::{Https, PASSWORD};
use super::tls::tls;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Flags: of DATA and HEADERS, of HEADERS and CONTINUATION, of SETTINGS and PING.
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;

/// Error codes (section 7).
pub const NO_ERROR: u32 = 0;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Of RST_STREAM, or GOAWAY, where it stands behind the last stream.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// Of the first HEADERS on a connection: later ones refer to it (RFC 7541).
    pub fn status(&self) -> u16 {
        const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        let first = self.payload[0];
        if first & 0x80 != 0 {
            return INDEXED[usize::from(first & 0x7f) - 8];
        }
        assert_eq!(first & 0x0f, 8, "':status' comes first: {:?}", self.payload);
        let (length, text) = (self.payload[1], &self.payload[2..]);
        let text = &text[..usize::from(length & 0x7f)];
        if length & 0x80 == 0 { String::from_utf8_lossy(text).parse().unwrap() } else { digits(text) }
    }
}

/// Three digits in the Huffman code of RFC 7541, appendix B: 0 to 2 have five bits, the others six.
fn digits(text: &[u8]) -> u16 {
    let bits: Vec<u8> = text.iter().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1)).collect();
    let value = |bits: &[u8]| bits.iter().fold(0, |all, bit| all * 2 + u16::from(*bit));
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let five = value(&bits[at..at + 5]);
        let digit = if five < 3 { five } else { value(&bits[at..at + 6]) - 0b01_1001 + 3 };
        at += if five < 3 { 5 } else { 6 };
        number = number * 10 + digit;
    }
    number
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The header block of a request by `anna`, none of it huffman-coded or remembered (RFC 7541, section 6.2.2).
pub fn request(method: &str, path: &str) -> Vec<u8> {
    let auth = data_encoding::BASE64.encode(format!("anna:{PASSWORD}").as_bytes());
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    let (auth, method) = (text(&format!("Basic {auth}")), text(method));
    // ':method', ':scheme https', ':path', ':authority' and 'authorization' by their numbers in the static table.
    [&[0x02][..], &method, &[0x87, 0x04], &text(path), &[0x01], &text("localhost"), &[0x0f, 0x08], &auth].concat()
}

/// A whole GET on a stream.
pub fn get(path: &str, stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &request("GET", path))
}

/// A connection to the door, begun with these settings (numbers and values of section 6.5.2).
pub struct Raw {
    pub write: WriteHalf<TlsStream<TcpStream>>,
    pub read: ReadHalf<TlsStream<TcpStream>>,
}

impl Raw {
    pub async fn open(door: &Https, settings: &[(u16, u32)]) -> Self {
        let (read, write) = tokio::io::split(tls(door).await);
        let mut raw = Self { write, read };
        let settings: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.send(&frame(SETTINGS, 0, 0, &settings)).await;
        raw
    }

    /// What the peer does not want any more is lost.
    pub async fn send(&mut self, bytes: &[u8]) {
        if self.write.write_all(bytes).await.is_ok() {
            let _gone = self.write.flush().await;
        }
    }

    /// The next frame; none at the end, with a goodbye or without.
    pub async fn next(&mut self) -> Option<Frame> {
        next(&mut self.read).await
    }

    /// The next frame of this kind; what comes before it is left unread.
    pub async fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection ended");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Sends `flood` over and over while it reads, until the peer ends the connection; the code of its goodbye.
    pub async fn flooded(self, flood: Vec<u8>) -> Option<u32> {
        let Self { mut write, mut read } = self;
        let sending = async {
            while write.write_all(&flood).await.is_ok() && write.flush().await.is_ok() {}
            std::future::pending::<()>().await;
        };
        let reading = async {
            let mut code = None;
            while let Some(frame) = next(&mut read).await {
                if frame.kind == GOAWAY {
                    code = Some(frame.code());
                }
            }
            code
        };
        tokio::select! {
            code = reading => code,
            () = sending => unreachable!(),
        }
    }
}

async fn next(read: &mut ReadHalf<TlsStream<TcpStream>>) -> Option<Frame> {
    let mut head = [0; 9];
    read.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    read.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
    Some(Frame { kind: head[3], stream, payload })
}
