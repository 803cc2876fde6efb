//! Servers whose listings are bare names: each is asked about, without a session for the question beside
//! the one of the listing.

use super::*;

/// `dirs` folders of two files each on a server that knows NLST only.
async fn names_only(dirs: usize) -> Scripted {
    let no = || [say("500 not understood\r\n")];
    let mut server = Script::new().on("FEAT", no()).on("MLSD", no()).on("MLST", no()).on("LIST", no());
    for dir in 0..dirs {
        server = server.file(format!("/{dir}/x"), "content of x").file(format!("/{dir}/leave.tmp"), "no");
    }
    server.start().await
}

async fn mirrored(connections: u16, dirs: usize) {
    let server = names_only(dirs).await;
    let mut endpoint = server.endpoint();
    endpoint.options.connections = Some(connections);
    let lab = Lab::new().await;
    let policy = Policy { exclude: vec!["*.tmp".into()], settle_seconds: 0, ..Policy::default() };
    let work = lab.mirror(&endpoint, 1, policy);
    let summary = tokio::time::timeout(Duration::from_secs(60), work).await.expect("the run does not wait for itself");
    assert!(summary.complete && summary.counts.files_published == dirs as u64, "{summary:?}");
    for dir in 0..dirs {
        assert_eq!(fs::read_dir(lab.target().join(dir.to_string())).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn one_connection_is_enough_for_bare_names() {
    mirrored(1, 3).await;
}

#[tokio::test]
async fn more_folders_of_bare_names_than_connections_come_through() {
    mirrored(8, 10).await;
}
