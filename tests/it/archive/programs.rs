//! What programs find in an archive is what was there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{fetched, python, run, said};
use crate::support::https::Https;

/// Bytes that nothing makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

/// Large and small, empty, compressed and not, with long names and spaces, and at an old time.
fn planted(root: &Path) {
    let long = "long name of a folder ".repeat(5);
    std::fs::create_dir_all(root.join("t/sub/empty")).unwrap();
    std::fs::create_dir_all(root.join("t").join(&long).join(&long)).unwrap();
    let files: [(&str, Vec<u8>); 9] = [
        ("empty.txt", Vec::new()),
        ("small.txt", b"hello ".repeat(1000)),
        ("small.jpg", noise(1000)),
        ("incompressible", noise(100_000)),
        ("large.txt", b"hello, world\n".repeat(200_000)),
        ("large.jpg", noise(3_000_000)),
        ("sub/bl\u{e4}tter \u{4e2d}\u{6587}.txt", b"text".to_vec()),
        ("block.jpg", noise(65_535 * 5)),
        ("at the border.bin", noise(256 * 1024 + 1)),
    ];
    for (name, bytes) in files {
        std::fs::write(root.join("t").join(name), bytes).unwrap();
    }
    std::fs::write(root.join("t").join(&long).join(&long).join("f"), "deep").unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_001);
    std::fs::File::options().write(true).open(root.join("t/small.txt")).unwrap().set_modified(old).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_unpack_what_was_there() {
    let door = Https::start().await;
    planted(&door.root);
    let there = door.data().join("there");
    for (query, extension, programs) in [
        (
            "?zip",
            "zip",
            &[
                ("unzip", &["-q", "-o"][..]),
                ("7z", &["x", "-y", "-bd"]),
                ("bsdtar", &["-xf"]),
                ("python3", &["-m", "zipfile", "-e"]),
            ][..],
        ),
        ("?tar.zst", "tar.zst", &[("tar", &["--zstd", "-xf"][..]), ("bsdtar", &["-xf"])]),
    ] {
        let archive = fetched(&door, "anna", &format!("/files/t/{query}"), &format!("t.{extension}"));
        for (program, args) in programs {
            std::fs::create_dir(&there).unwrap();
            let mut args = [*args, &[archive.to_str().unwrap()]].concat();
            if *program == "python3" {
                args.push(".");
            }
            said(program, &args, &there);
            said("diff", &["-r", door.root.join("t").to_str().unwrap(), "t"], &there);
            if *program != "python3" {
                let time = said("stat", &["-c", "%Y", "t/small.txt"], &there);
                assert_eq!(time.trim(), "1000000001", "{program}");
            }
            std::fs::remove_dir_all(&there).unwrap();
        }
    }
    let zip = door.data().join("t.zip");
    assert!(said("unzip", &["-tqq", zip.to_str().unwrap()], door.data()).is_empty());
    said("zstd", &["-tq", door.data().join("t.tar.zst").to_str().unwrap()], door.data());
    // Read from front to back, without the list at the end: what is in front of the bytes must be right, too.
    std::fs::create_dir(&there).unwrap();
    said("sh", &["-c", "cat ../t.zip | bsdtar -xf - && diff -r ../tree/t t"], &there);
    let sizes = python(
        "import sys, zipfile\nfor i in zipfile.ZipFile(sys.argv[1]).infolist():\n print(i.filename, i.file_size, i.compress_size, sep=':')",
        &zip,
    );
    let packed = |name: &str| {
        let line = sizes.lines().find_map(|line| line.strip_prefix(&format!("t/{name}:"))).unwrap();
        let (size, packed) = line.split_once(':').unwrap();
        (size.parse::<u64>().unwrap(), packed.parse::<u64>().unwrap())
    };
    assert!(packed("large.txt").1 < 100_000, "{sizes}");
    // Only the heads of stored blocks are added.
    assert_eq!(packed("large.jpg"), (3_000_000, 3_000_000 + 5 * 46));
    assert_eq!(packed("small.jpg"), (1000, 1000));
    assert_eq!(packed("incompressible"), (100_000, 100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_their_bytes_in_an_archive() {
    let door = Https::start().await;
    // 中文 and 誠 (whose second byte is a backslash) in GBK, and a name that would lead out on Windows.
    let names = [&b"\xd6\xd0\xce\xc4.txt"[..], b"\xd5\x5c.txt", "\u{e9}.txt".as_bytes()];
    std::fs::create_dir(door.root.join("t")).unwrap();
    for name in names {
        std::fs::write(door.root.join("t").join(OsStr::from_bytes(name)), name).unwrap();
    }
    let (zip, tar) =
        (fetched(&door, "anna", "/files/t/?zip", "t.zip"), fetched(&door, "anna", "/files/t/?tar.zst", "t.tar.zst"));
    let there = door.data().join("there");
    for (program, args, archive) in
        [("unzip", &["-q"][..], &zip), ("tar", &["--zstd", "-xf"], &tar), ("bsdtar", &["-xf"], &tar)]
    {
        std::fs::create_dir(&there).unwrap();
        run(program, &[args, &[archive.to_str().unwrap()]].concat(), &there);
        for name in names {
            let file = there.join("t").join(OsStr::from_bytes(name));
            assert_eq!(std::fs::read(&file).ok().as_deref(), Some(name), "{program} {}", name.escape_ascii());
        }
        std::fs::remove_dir_all(&there).unwrap();
    }
    let hex = python(
        "import sys, zipfile\nfor i in zipfile.ZipFile(sys.argv[1]).infolist():\n print((i.filename.encode('cp437') if not i.flag_bits & 2048 else i.filename.encode()).hex())",
        &zip,
    );
    for name in names {
        let whole = data_encoding::HEXLOWER.encode(&[b"t/", name].concat());
        assert!(hex.lines().any(|line| line == whole), "{whole}: {hex}");
    }
    std::fs::write(door.root.join("t/..\\..\\evil"), "x").unwrap();
    let listed =
        said("unzip", &["-Z1", fetched(&door, "anna", "/files/t/?zip", "t.zip").to_str().unwrap()], door.data());
    assert!(listed.contains("t/.._.._evil\n"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_names_than_sixteen_bits_count() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("t")).unwrap();
    for number in 0..70_000_u32 {
        std::fs::write(door.root.join(format!("t/{number}")), "").unwrap();
    }
    let zip = fetched(&door, "anna", "/files/t/?zip", "t.zip");
    assert_eq!(
        python("import sys, zipfile\nprint(len(zipfile.ZipFile(sys.argv[1]).namelist()))", &zip).trim(),
        "70001"
    );
    let zip = zip.to_str().unwrap();
    assert_eq!(said("unzip", &["-Z1", zip], door.data()).lines().count(), 70_001);
    assert!(said("7z", &["t", "-bd", zip], door.data()).contains("Files: 70000"));
    assert_eq!(said("bsdtar", &["-tf", zip], door.data()).lines().count(), 70_001);
    let tar = fetched(&door, "anna", "/files/t/?tar.zst", "t.tar.zst");
    assert_eq!(said("tar", &["--zstd", "-tf", tar.to_str().unwrap()], door.data()).lines().count(), 70_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_files_above_four_and_eight_gib_are_whole() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("t")).unwrap();
    std::fs::write(door.root.join("t/last.txt"), "behind it").unwrap();
    let size = (4_u64 << 30) + 100_003;
    std::fs::File::create(door.root.join("t/huge")).unwrap().set_len(size).unwrap();
    let zip = fetched(&door, "anna", "/files/t/?zip", "t.zip");
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nprint(z.getinfo('t/huge').file_size)";
    assert_eq!(python(script, &zip).trim(), size.to_string());
    let path = zip.to_str().unwrap();
    assert!(said("unzip", &["-tqq", path], door.data()).is_empty());
    assert!(said("7z", &["t", "-bd", path], door.data()).contains("Everything is Ok"));
    let through = format!("cat {path} | bsdtar -xOf - t/huge | wc -c");
    assert_eq!(said("sh", &["-c", &through], door.data()).trim(), size.to_string());
    std::fs::remove_file(&zip).unwrap();
    // Eleven octal digits end at 8 GiB.
    let size = (8_u64 << 30) + 513;
    std::fs::File::options().write(true).open(door.root.join("t/huge")).unwrap().set_len(size).unwrap();
    let tar = fetched(&door, "anna", "/files/t/?tar.zst", "t.tar.zst");
    let path = tar.to_str().unwrap();
    for program in ["tar --zstd", "bsdtar"] {
        let listed = said("sh", &["-c", &format!("{program} -tvf {path}")], door.data());
        assert!(listed.contains(&size.to_string()) && listed.contains("t/last.txt"), "{program}: {listed}");
    }
    let through = format!("tar --zstd -xOf {path} t/last.txt");
    assert_eq!(said("sh", &["-c", &through], door.data()), "behind it");
}
