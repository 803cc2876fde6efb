//! What a filter leaves out in whole batches does not end a run.

use super::*;

fn without_tmp() -> Policy {
    Policy { exclude: vec!["*.tmp".into()], ..Policy::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_excluded_names_does_not_end_a_run_over_ftp() {
    let mut server = Script::new().file("/b/kept.txt", "kept");
    for n in 0..3 {
        server = server.file(format!("/a/{n}.tmp"), "x");
    }
    let first = b"type=file;size=1;modify=20240506070809; 1.tmp\r\n";
    let second = b"type=dir;modify=20240506070809; b\r\n";
    let acts = [say("150 here it comes\r\n"), data(first), pause(300), data(second), Act::EndData, say("226 done\r\n")];
    let server = server.once("MLSD", acts).start().await;
    let lab = Lab::new().await;
    let summary = lab.mirror(&server.endpoint(), 1, without_tmp()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(fs::read(lab.target().join("b/kept.txt")).unwrap(), b"kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_hold_over_vsftpd() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    for dir in 0..20 {
        let folder = ftpd.root().join(format!("{dir}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..20 {
            fs::write(folder.join(format!("{file}.tmp")), "x").unwrap();
        }
        fs::write(folder.join("kept.pdf"), "kept").unwrap();
    }
    ftpd.own();
    for (number, policy) in [(1, without_tmp()), (2, Policy { include: vec!["*.pdf".into()], ..Policy::default() })] {
        let lab = Lab::new().await;
        let summary = lab.mirror(&ftpd.endpoint(), number, policy).await;
        assert!(summary.complete && summary.counts.files_published == 20, "{summary:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_excluded_local_names_than_a_batch_holds_do_not_end_a_run() {
    let lab = Lab::new().await;
    let source = lab.folder.path().join("source");
    fs::create_dir_all(source.join("deep")).unwrap();
    for n in 0..5000 {
        fs::write(source.join(format!("deep/{n:04}.tmp")), "").unwrap();
    }
    fs::write(source.join("kept.txt"), "kept").unwrap();
    let summary = lab.mirror(&Endpoint::local(source.as_os_str().as_encoded_bytes()), 1, without_tmp()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(fs::read(lab.target().join("kept.txt")).unwrap(), b"kept");
}
