//! Names in several character sets in one tree, on servers that hand on bytes as they are.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use encoding_rs::{Encoding, GBK, SHIFT_JIS, WINDOWS_1252};

use super::*;

/// A folder of plain name, the set that its names are in, and the names.
const FOLDERS: [(&str, &Encoding, &[&str]); 3] = [
    ("cn", GBK, &["财务报表2024.xls", "会议纪要.doc", "合同扫描件.pdf", "客户名单.txt", "新建文件夹说明"]),
    ("jp", SHIFT_JIS, &["売上報告書.xls", "会議議事録.doc", "契約書スキャン.pdf", "新しいフォルダ"]),
    (
        "de",
        WINDOWS_1252,
        &["Übersicht für Müller.doc", "Größe und Maße.txt", "Fußgänger an der Straße.pdf", "Prüfung im März.xls"],
    ),
];

/// Both sides of every name: as it lies on the server, and as it is to be in the target.
fn names() -> impl Iterator<Item = (&'static str, Vec<u8>, &'static str)> {
    FOLDERS.into_iter().flat_map(|(folder, charset, names)| {
        names.iter().map(move |name| (folder, charset.encode(name).0.into_owned(), *name))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_folder_of_a_real_server_is_read_in_its_own_set_and_every_name_leads_back() {
    for server in [Server::Vsftpd, Server::PureFtpd] {
        let (lab, ftpd) = (Lab::new().await, Ftpd::start(server));
        let old = SystemTime::now() - Duration::from_secs(86_400 * 30);
        for (folder, raw, text) in names() {
            fs::create_dir_all(ftpd.root().join(folder)).unwrap();
            let file = ftpd.root().join(folder).join(OsStr::from_bytes(&raw));
            fs::write(&file, text).unwrap();
            fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
        }
        ftpd.own();
        let auto = || Policy { charset: Some("auto".to_owned()), ..Policy::default() };
        let first = lab.mirror(&ftpd.endpoint(), 1, auto()).await;
        assert!(first.complete && first.verified, "{server:?}: {first:?}");
        let files = names().count() as u64;
        assert_eq!(first.counts.files_published, files, "{server:?}: {first:?}");
        for (folder, charset, all) in FOLDERS {
            let mut there: Vec<_> =
                fs::read_dir(lab.target().join(folder)).unwrap().map(|e| e.unwrap().file_name()).collect();
            let mut wanted: Vec<_> = all.iter().map(|name| OsStr::new(name).to_owned()).collect();
            there.sort();
            wanted.sort();
            assert_eq!(there, wanted, "{server:?}: {first:?}");
            let said = first.notes.iter().any(|note| note.contains(&format!("{} in 1 folder", charset.name())));
            assert!(said, "{server:?}: {:?}", first.notes);
        }
        // Back to the bytes: what is in the target under a name came from just the file that has it on the server.
        for (folder, raw, text) in names() {
            assert_eq!(fs::read_to_string(lab.target().join(folder).join(text)).unwrap(), text);
            assert!(ftpd.root().join(folder).join(OsStr::from_bytes(&raw)).exists());
        }
        let second = lab.mirror(&ftpd.endpoint(), 2, auto()).await;
        assert_eq!(
            (second.counts.files_published, second.counts.files_unchanged),
            (0, files),
            "{server:?}: {second:?}"
        );
    }
}
