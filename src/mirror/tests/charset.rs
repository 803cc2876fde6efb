//! Names in character sets that nobody told.

use encoding_rs::{BIG5, EUC_KR, Encoding, GBK, SHIFT_JIS, WINDOWS_1251};

use super::*;

const CHINESE: [&str; 5] = ["财务报表2024.xls", "会议纪要.doc", "合同扫描件.pdf", "客户名单.txt", "新建文件夹说明"];
const JAPANESE: [&str; 4] = ["売上報告書.xls", "会議議事録.doc", "契約書スキャン.pdf", "新しいフォルダ"];

fn auto() -> Policy {
    Policy { charset: Some("auto".to_owned()), ..quick() }
}

fn raw(folder: &[u8], charset: &'static Encoding, name: &str) -> RelPath {
    let name = charset.encode(name).0;
    let joined = if folder.is_empty() { name.into_owned() } else { [folder, b"/", &name].concat() };
    RelPath::new(joined).unwrap()
}

fn put_all(source: &Memory, folder: &[u8], charset: &'static Encoding, names: &[&str]) {
    for name in names {
        source.put(&raw(folder, charset, name), *name);
    }
}

/// One tree of many sets: each folder in its own, and a folder of a Chinese name in the Chinese one.
fn mixed() -> Memory {
    let source = Memory::new();
    let chinese = raw(b"cn", GBK, "子文件夹的备份");
    put_all(&source, b"cn", GBK, &CHINESE);
    put_all(&source, chinese.as_bytes(), GBK, &["照片"]);
    put_all(&source, b"jp", SHIFT_JIS, &JAPANESE);
    put_all(&source, b"tw", BIG5, &["財務報表2024.xls", "會議紀錄.doc", "合約掃描檔.pdf", "客戶名單.txt"]);
    put_all(&source, b"kr", EUC_KR, &["매출보고서.xls", "회의록 최종본.doc", "계약서 스캔.pdf", "고객명단.txt"]);
    put_all(&source, b"ru", WINDOWS_1251, &["Отчёт о продажах.xls", "Протокол собрания", "Список клиентов"]);
    put_all(&source, b"modern", encoding_rs::UTF_8, &["早上好.txt", "naïve", "plain"]);
    source.put(&raw(b"lone", SHIFT_JIS, "写真"), "lone");
    source.put(&path("plain.txt"), "plain");
    source
}

fn paths(memory: &Memory) -> Vec<String> {
    memory
        .tree()
        .keys()
        .map(|path| String::from_utf8(path.as_bytes().to_vec()).unwrap_or_else(|_| path.display().into_owned()))
        .collect()
}

#[tokio::test]
async fn each_folder_is_read_in_its_own_set_and_stays_so() {
    let (lab, source, target) = (Lab::new().await, mixed(), Memory::new());
    let first = lab.go((1, 1), &source, &target, auto()).await;
    assert!(first.complete && first.verified, "{first:?}");
    let shown = paths(&target);
    for expected in [
        "cn/财务报表2024.xls",
        "cn/子文件夹的备份/照片",
        "jp/契約書スキャン.pdf",
        "tw/會議紀錄.doc",
        "kr/매출보고서.xls",
        "ru/Отчёт о продажах.xls",
        "modern/早上好.txt",
        "modern/naïve",
        "plain.txt",
    ] {
        assert!(shown.iter().any(|path| path == expected), "no {expected} in {shown:#?}");
    }
    // Too little to tell: the bytes are kept, and it is said.
    assert!(target.tree().contains_key(&raw(b"lone", SHIFT_JIS, "写真")), "{shown:#?}");
    let said = |summary: &Summary, words: &str| summary.notes.iter().any(|note| note.contains(words));
    assert!(said(&first, "GBK in 2 folders") && said(&first, "Shift_JIS in 1 folder"), "{:?}", first.notes);
    assert!(said(&first, "1 folder cannot be told, the first is 'lone'"), "{:?}", first.notes);

    // Later names that would tell something else change nothing that was carried over.
    put_all(&source, b"lone", SHIFT_JIS, &JAPANESE);
    for name in CHINESE {
        source.put(&raw(b"jp", GBK, name), name);
    }
    let before = content(&target);
    let second = lab.go((1, 2), &source, &target, auto()).await;
    assert!(second.complete, "{second:?}");
    assert_eq!(second.counts.files_published, u64::try_from(JAPANESE.len() + CHINESE.len()).unwrap(), "{second:?}");
    let after = content(&target);
    let files = |(path, node): (&RelPath, &(EntryKind, Vec<u8>, i64))| {
        node.0 != EntryKind::File || after.get(path) == Some(node)
    };
    assert!(before.iter().all(files), "a name flipped: {:#?}", paths(&target));
    assert!(
        target.tree().contains_key(&raw(b"lone", SHIFT_JIS, "新しいフォルダ")),
        "remembered: {:#?}",
        paths(&target)
    );
    lab.agree(2).await;

    // Somebody says what it is: that counts.
    let named = Policy { charset: Some("shift_jis".to_owned()), ..quick() };
    let (lone, other) = (Memory::new(), Memory::new());
    put_all(&lone, b"lone", SHIFT_JIS, &["写真"]);
    lab.go((2, 3), &lone, &other, auto()).await;
    assert!(other.tree().contains_key(&raw(b"lone", SHIFT_JIS, "写真")), "{:#?}", paths(&other));
    let third = lab.go((2, 4), &lone, &other, named).await;
    assert!(third.complete && paths(&other).contains(&"lone/写真".to_owned()), "{:#?}", paths(&other));
}

#[tokio::test]
async fn a_run_cut_off_before_its_end_decides_the_same_when_it_goes_on() {
    let lab = Lab::new().await;
    // Listing and deciding are the first steps.
    for k in [2, 6, 9, 13, 20, 30] {
        let (source, target) = (mixed(), Memory::new());
        source.script(|s| s.fail_from = Some((k, Fault::new(Phase::Connect, FaultKind::Reset, "on cue"))));
        let ids = (1000 + i64::try_from(k).unwrap(), 1000 + i64::try_from(k).unwrap());
        let cut =
            run(lab.order(ids, &source, &target, auto()), Arc::new(Progress::new()), CancellationToken::new()).await;
        assert!(cut.is_err() || !cut.unwrap().complete, "step {k}");
        source.script(|s| s.fail_from = None);
        let again = lab.go(ids, &source, &target, auto()).await;
        assert!(again.complete, "step {k}: {again:?}");
        assert!(paths(&target).contains(&"cn/子文件夹的备份/照片".to_owned()), "step {k}: {:#?}", paths(&target));
    }
}

#[tokio::test]
async fn two_folders_that_become_one_name_are_not_poured_together() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    put_all(&source, b"", GBK, &CHINESE);
    let (old, new) = (raw(b"", GBK, "照片存档"), raw(b"", encoding_rs::UTF_8, "照片存档"));
    source.put(&old.concat(&path("old.txt")), "old");
    // The folder is there from before the other one came.
    assert!(lab.go((1, 1), &source, &target, auto()).await.complete);
    source.put(&new.concat(&path("new.txt")), "new");
    source.put(&path("more.txt"), "more");
    let second = lab.go((1, 2), &source, &target, auto()).await;
    assert!(!second.complete && !second.missing.is_empty(), "{second:?}");
    let shown = paths(&target);
    assert!(!shown.iter().any(|at| at.contains("new.txt")), "{shown:?}");
    assert!(shown.iter().any(|at| at.contains("old.txt")), "what is there stays: {shown:?}");
    assert!(shown.contains(&"more.txt".to_owned()), "the others are mirrored: {shown:?}");
}
