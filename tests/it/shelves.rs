//! The map in `src/lib.rs` is a rule: a module names only modules on shelves above its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → number of its shelf, read from `src/lib.rs`.
fn shelves(src: &Path) -> BTreeMap<String, usize> {
    let mut shelf = 0;
    let mut of = BTreeMap::new();
    for line in fs::read_to_string(src.join("lib.rs")).unwrap().lines() {
        if line.starts_with("// shelf:") {
            shelf += 1;
        } else if let Some(module) = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';')) {
            of.insert(module.to_owned(), shelf);
        }
    }
    of
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The top-level modules that a line of code names as `crate::x` or inside `crate::{…}`.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("crate::")
        .flat_map(|(at, _)| {
            let rest = &code[at + "crate::".len()..];
            let list = rest.strip_prefix('{').map_or(rest, |inner| inner.split('}').next().unwrap_or(inner));
            let many = rest.starts_with('{');
            list.split(',')
                .take(if many { usize::MAX } else { 1 })
                .map(|part| part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn modules_name_only_shelves_above() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let shelf_of = shelves(&src);
    assert!(shelf_of.len() > 10, "the map in lib.rs was not understood: {shelf_of:?}");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let top = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let Some(own) = shelf_of.get(&top) else { continue };
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            for module in named(line) {
                let Some(other) = shelf_of.get(&module) else { continue };
                checked += 1;
                if module != top && other >= own {
                    wrong.push(format!("{}:{}: {top} names {module}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(checked > 10, "no names were checked");
    assert!(wrong.is_empty(), "against the shelf order of src/lib.rs:\n{}", wrong.join("\n"));
}

#[test]
fn names_in_one_line_and_in_braces_are_seen() {
    assert_eq!(named("use crate::model::{Name, RelPath};"), ["model"]);
    assert_eq!(named("use crate::{db, tree::View};"), ["db", "tree"]);
    assert_eq!(named("let x = crate::audit::append(crate::db::x); // crate::web"), ["audit", "db"]);
}
