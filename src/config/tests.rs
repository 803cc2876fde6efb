use std::path::Path;

use super::*;

fn inspect_text(text: &str, variables: &[(&str, &str)]) -> (Loaded, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("causeway.toml");
    std::fs::write(&path, text).unwrap();
    let (loaded, problems) = inspect(Some(&path), &Environment::of(variables.iter().copied()));
    let base = format!("{}/", folder.path().display());
    (loaded, problems.iter().map(|p| p.to_string().replace(&base, "")).collect())
}

#[test]
fn an_empty_file_is_the_default() {
    let (loaded, problems) = inspect_text("", &[]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(loaded.config.tree, Path::new("causeway-data/tree"));
    assert!(loaded.shown.iter().all(|s| s.origin == Origin::Default));
}

#[test]
fn the_example_is_read_back() {
    let (loaded, problems) = inspect_text(&example(), &[]);
    // Its tree is commented out, so that it follows the data folder.
    assert_eq!(problems, Vec::<String>::new(), "{}", example());
    assert_eq!(loaded.config.https, Config::default().https);
    assert_eq!(loaded.config.limits, Config::default().limits);
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let text = "dta = \"x\"\n[https]\nlisten = \"everywhere\"\ncertificate = \"none.pem\"\n\n[limits]\ndrain = 20\nupload = \"much\"\nconnections = 0\n[log]\nformat = \"xml\"\n";
    let (_, problems) = inspect_text(text, &[("CAUSEWAY_SFTP_LISTEN", "22"), ("CAUSEWAY_DATEN", "x")]);
    let all = problems.join("\n");
    for expected in [
        "causeway.toml:1: 'dta' is not a setting; take it away, or did you mean 'data'?",
        "causeway.toml:3: https.listen: 'everywhere' is not an address and a port; write for example",
        "causeway.toml:7: limits.drain: '20' is not a time span; write for example \"20s\"",
        "causeway.toml:8: limits.upload: 'much' is not a size",
        "causeway.toml:9: limits.connections: '0' is not possible here; write a number from 1 to 100000",
        "causeway.toml:11: log.format: 'xml' is no log format",
        "environment CAUSEWAY_SFTP_LISTEN: '22' is not an address and a port",
        "environment CAUSEWAY_DATEN: no setting has this variable; unset it, or did you mean CAUSEWAY_DATA?",
        "causeway.toml:4: the certificate has no key; set https.key as well",
        "causeway.toml:4: https.certificate: none.pem cannot be read",
    ] {
        assert!(all.contains(expected), "missing: {expected}\nin:\n{all}");
    }
    assert_eq!(problems.len(), 10, "{all}");
}

#[test]
fn several_syntax_errors_are_told_together() {
    let (_, problems) = inspect_text("data = \n[https\nlisten = \"off\n", &[]);
    assert!(problems.len() >= 2, "{problems:?}");
    assert!(problems[0].starts_with("causeway.toml:1: not TOML"), "{problems:?}");
}

#[test]
fn the_environment_wins_and_paths_are_beside_the_file() {
    let (loaded, problems) = inspect_text(
        "data = \"d\"\ntree = \"/srv/tree\"\n[sftp]\nlisten = \"127.0.0.1:1\"\n",
        &[("CAUSEWAY_SFTP_LISTEN", "off"), ("CAUSEWAY_LIMITS_DRAIN", "5m")],
    );
    assert_eq!(problems, Vec::<String>::new());
    assert!(loaded.config.data.is_absolute() && loaded.config.data.ends_with("d"));
    assert_eq!(loaded.config.sftp.listen, None);
    assert_eq!(loaded.config.limits.drain, Duration::from_secs(300));
}

#[test]
fn secrets_of_the_environment_are_never_shown() {
    let environment = Environment::of([("CAUSEWAY_PASSWORD", "hush"), ("CAUSEWAY_SOURCE_PASSWORD", "hush")]);
    assert!(!format!("{environment:?}").contains("hush"));
    let (loaded, problems) = inspect(None, &environment);
    assert!(problems.is_empty(), "{problems}");
    assert!(!format!("{loaded:?}").contains("hush"));
}

#[test]
fn a_data_folder_inside_the_tree_is_refused() {
    let (_, problems) = inspect_text("data = \"/srv/tree/data\"\ntree = \"/srv/tree\"\n", &[]);
    assert!(problems.iter().any(|p| p.contains("inside the served tree")), "{problems:?}");
    // Nor by a link or a `..` that hides it.
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir_all(at("real/data")).unwrap();
    std::os::unix::fs::symlink("real", at("link")).unwrap();
    for (data, tree) in [("real/data", "link"), ("link/data", "real"), ("not/../real/yet", "real"), ("real", "link")] {
        let text = format!("data = \"{}\"\ntree = \"{}\"\n", at(data), at(tree));
        let (_, problems) = inspect_text(&text, &[]);
        assert!(problems.iter().any(|p| p.contains("inside the served tree")), "{data} in {tree}: {problems:?}");
    }
    let text = format!("data = \"{}\"\ntree = \"{}\"\n", at("real/data"), at("real/data/tree"));
    assert!(inspect_text(&text, &[]).1.is_empty(), "the tree may lie in the data folder");
}

#[test]
fn objectives_are_read_and_written() {
    let text = "[reliability]\nobjective = \"99% over 7d\"\nobjectives = [\"old.example:21 98.5% over 30d\"]\n";
    let (loaded, problems) = inspect_text(text, &[]);
    assert_eq!(problems, Vec::<String>::new());
    let objectives = &loaded.config.reliability.objectives;
    assert_eq!(objectives.of("sftp").to_string(), "99% over 7d");
    assert_eq!(objectives.of("old.example:21").to_string(), "98.5% over 30d");
    let shown = loaded.shown.iter().find(|shown| shown.name == "reliability.objectives").unwrap();
    assert_eq!(shown.value, "[\"old.example:21 98.5% over 30d\"]");
    let (_, problems) = inspect_text("[reliability]\nobjective = \"100%\"\nobjectives = [\"a:21\"]\n", &[]);
    let all = problems.join("\n");
    assert!(all.contains("'100%' is no availability objective; write for example \"99.9% over 30d\""), "{all}");
    assert!(all.contains("'a:21' is no endpoint with its availability objective; write for example"), "{all}");
}
