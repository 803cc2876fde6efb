//! What is observed of connections and transfers that break.

use std::fs;
use std::time::Duration;

use causeway::model::FaultKind;
use causeway::reliability::{End, Recorder, What};
use causeway::remote::Context;

use super::{calm, context, open_with, path};
use crate::support::ftpd::{Ftpd, Server};
use crate::support::proxy::{Harm, Proxy, Rule};

/// What breaks a data connection fails the transfer, once, and is no loss of the control connection, which goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_data_connection_is_seen_of_the_transfer() {
    let server = Ftpd::start(Server::Vsftpd);
    fs::write(server.root().join("f"), vec![7; 300_000]).unwrap();
    server.own();
    // The second time neither EPSV nor PASV leads anywhere.
    for (rules, refused, expected) in
        [(vec![Rule::data(Harm::Reset, 100_000)], 0, FaultKind::Reset), (vec![], 2, FaultKind::Refused)]
    {
        let proxy = Proxy::start_with(server.address(), &rules, usize::MAX, refused).await;
        let (recorder, mut seen) = Recorder::channel(10);
        let context = Context { recorder, ..context() };
        let mut endpoint = proxy.endpoint(&server.endpoint());
        endpoint.options.active = Some(false);
        let remote = open_with(&endpoint, &context, calm()).await.unwrap();
        let read = async {
            let mut source = remote.read(&path("f"), 0, None).await?;
            while source.next().await?.is_some() {}
            source.finish().await
        };
        assert_eq!(read.await.unwrap_err().kind, expected);
        remote.close().await;
        drop((remote, context));
        let (mut transfers, mut connections) = (Vec::new(), Vec::new());
        while let Ok(Some(observation)) = tokio::time::timeout(Duration::from_secs(2), seen.recv()).await {
            match observation.what {
                What::Transfer { end, .. } => transfers.push(end),
                What::Connection { end, .. } => connections.push(end),
                What::Check { .. } => {}
            }
        }
        assert!(matches!(transfers[..], [End::Failed(_, kind)] if kind == expected), "{transfers:?}");
        assert_eq!(connections.len(), 1, "{connections:?}");
        assert!(!matches!(connections[0], End::Failed(_, FaultKind::Reset)), "{connections:?}");
    }
}
