//! Sizes and offsets beyond 32 bits, as real servers tell and take them.

use std::fs;
use std::os::unix::fs::FileExt as _;

use super::{content, context, listing, open, path};
use crate::mirror::huge::make_huge;
use crate::support::ftpd::{Ftpd, Server, Tls};

const BORDER: u64 = 1 << 32;
const LENGTH: u64 = BORDER + (24 << 20);

/// What lies in the file from `from` on.
fn tail(file: &fs::File, from: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(LENGTH - from).unwrap()];
    file.read_exact_at(&mut bytes, from).unwrap();
    bytes
}

#[tokio::test]
async fn a_file_beyond_four_gib_is_told_and_gone_on_with() {
    for server in Server::ALL {
        for tls in [Tls::None, Tls::V13] {
            let ftpd = Ftpd::start_tls(server, tls);
            let at = ftpd.root().join("huge");
            make_huge(&at, LENGTH);
            ftpd.own();
            let remote = open(&ftpd.endpoint(), &context()).await.unwrap();
            let (found, _) = listing(&*remote, "").await;
            assert_eq!(found[&b"huge"[..]].size, Some(LENGTH), "{server:?} {tls:?}");
            let told = remote.stat(&path("huge")).await.unwrap().unwrap();
            assert_eq!(told.size, Some(LENGTH), "{server:?} {tls:?}");
            let file = fs::File::open(&at).unwrap();
            for from in [BORDER - (1 << 20), BORDER - 1, BORDER, BORDER + 1, LENGTH - 1000, LENGTH] {
                let read = content(&*remote, &path("huge"), from).await;
                assert!(read == tail(&file, from), "{server:?} {tls:?} from byte {from}");
            }
            remote.close().await;
        }
    }
}
