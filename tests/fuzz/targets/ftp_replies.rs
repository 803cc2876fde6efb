//! What an FTP server says on the control connection, cut into pieces whose length the first byte of each decides.
#![no_main]

use causeway::model::Phase;
use causeway::remote::ftp::fault;
use causeway::remote::ftp::features::{Features, pwd_path};
use causeway::remote::ftp::passive::{epsv_port, pasv_address};
use causeway::remote::ftp::reply::ReplyReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let mut reader = ReplyReader::default();
    let mut rest = stream;
    while let Some((length, tail)) = rest.split_first() {
        let (piece, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        if reader.push(piece).is_err() {
            return;
        }
        while let Some(reply) = reader.pop() {
            assert!((100..700).contains(&reply.code), "{} is no code", reply.code);
            let told = fault::of_reply(Phase::Command, "x", &reply);
            assert!(!told.message.is_empty());
            let address = pasv_address(&reply);
            assert!(address.is_none_or(|address| address.port() > 0));
            assert!(epsv_port(&reply).is_none_or(|port| port > 0));
            drop((Features::of(&reply), pwd_path(&reply)));
            let hushed = reply.without(b"secret");
            assert!(!hushed.lines.iter().any(|line| line.windows(6).any(|part| part == b"secret")));
        }
    }
});
