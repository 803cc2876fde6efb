//! What a mirror finds out about a server is used by the next one, and told.

use std::fs;
use std::path::Path;

use super::causeway;
use crate::support::ftpd::{Ftpd, PASSWORD, Server, Tls};

/// Small files that are copied.
const FILES: usize = 24;
/// So many of them come by chains before the server is asked to connect to us.
const PROVEN: usize = 16;

/// Every command that the server wrote down.
fn commands(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once("FTP command: Client \"")?.1.split_once(", \""));
    lines.map(|(_, command)| command.trim_end_matches('"').to_owned()).collect()
}

fn count(commands: &[String], verb: &str) -> usize {
    commands.iter().filter(|command| command.split(' ').next() == Some(verb)).count()
}

#[test]
fn the_second_mirror_of_a_real_server_needs_fewer_commands() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("vsftpd.log");
    let file = format!("vsftpd_log_file={}", log.display());
    let lines = ["xferlog_enable=YES", "xferlog_std_format=NO", "log_ftp_protocol=YES", file.as_str()];
    let server = Ftpd::start_with(Server::Vsftpd, Tls::None, &lines);
    for n in 0..FILES {
        fs::write(server.root().join(format!("file-{n:02}")), vec![b'x'; 1000 + n]).unwrap();
    }
    server.own();
    fs::write(folder.path().join("word"), PASSWORD).unwrap();
    let url = server.url();
    let mut runs = Vec::new();
    for target in ["one", "two"] {
        let before = commands(&log).len();
        let said = ["mirror", &url, target, "--password-file", "word", "--connections", "1", "--active", "on"];
        let (code, stdout, stderr) = causeway(folder.path(), &said);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert_eq!(fs::read_dir(folder.path().join(target)).unwrap().count(), FILES);
        runs.push(commands(&log).split_off(before));
    }
    let [first, second] = runs.as_slice() else { panic!("two runs") };
    assert_eq!((count(first, "RETR"), count(second, "RETR")), (FILES, FILES));
    assert!(second.len() < first.len(), "{} commands, then {}: {second:?}", first.len(), second.len());
    assert_eq!(count(second, "NOOP") + 1, count(first, "NOOP"), "the probe of batches");
    assert_eq!((count(first, "EPRT"), count(second, "EPRT")), (FILES - PROVEN, FILES));

    let job = ["job", "add", "legacy", &url, "three", "--password-file", "word", "--active", "off"];
    assert_eq!(causeway(folder.path(), &job).0, 0);
    let (code, shown, _) = causeway(folder.path(), &["job", "show", "legacy"]);
    assert_eq!(code, 0);
    let bears = "the source's server bears: commands in batches, the next data port asked for ahead, data connections that \
                 it opens, folders listed by STAT\n";
    assert!(shown.contains(bears) && shown.contains("active: false"), "{shown}");
    let (_, shown, _) = causeway(folder.path(), &["job", "show", "legacy", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["manners"][0]["manner"], "batches", "{shown}");
}
