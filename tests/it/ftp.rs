//! FTP against servers that nobody here wrote, and against a scripted one that says odd things.

use crate::support::ftpd::{Ftpd, Server, Tls};

#[test]
fn every_server_answers_and_comes_back() {
    for server in Server::ALL {
        for tls in [Tls::None, Tls::V12, Tls::V13] {
            let mut ftpd = Ftpd::start_tls(server, tls);
            assert!(ftpd.endpoint().url().contains("anna@localhost"));
            ftpd.start_again();
        }
    }
}
