//! A tree that is full, or that may not be written: every door says so, and what was there stays.

use std::fs;

use crate::cli::with_mounts;

const PASSWORD: &str = "correct horse battery";

#[test]
fn a_full_and_a_read_only_tree_are_said_at_every_door() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tree")).unwrap();
    fs::write(folder.path().join("large"), vec![7; 8 << 20]).unwrap();
    fs::write(folder.path().join("note"), "new").unwrap();
    let script = format!(
        r#"
        export CAUSEWAY_TREE=$PWD/tree CAUSEWAY_HTTPS_LISTEN=127.0.0.1:0 CAUSEWAY_SFTP_LISTEN=127.0.0.1:0
        mount -t tmpfs -o size=4m none tree
        echo old > tree/f
        CAUSEWAY_PASSWORD='{PASSWORD}' causeway account add anna
        causeway serve > served 2>&1 & serving=$!
        trap 'kill $serving; wait $serving || :' EXIT
        port() {{ sed -n "s/.*\"$1\": \"127.0.0.1:\([0-9]*\)\".*/\1/p" data/running.json; }}
        for try in $(seq 600); do [ -n "$(port sftp)" ] && break; sleep 0.1; done
        printf 'machine localhost login anna password %s\n' '"{PASSWORD}"' > netrc; chmod 600 netrc
        put() {{
            for door in dav files; do
                curl -s -o said -w "$1 $door %{{http_code}}\n" --cacert data/tls/certificate.pem --netrc-file netrc \
                    -T "$2" "https://localhost:$(port https)/$door/f"
                cat said
            done
            printf 'put %s f\n' "$2" | SSHPASS='{PASSWORD}' sshpass -e sftp -q -oBatchMode=no \
                -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -P "$(port sftp)" -b - anna@127.0.0.1 > said 2>&1 \
                && echo "$1 sftp went well?" || sed "s/^/$1 sftp /" said
        }}
        put full large
        mount -o remount,ro tree
        put read-only note
        cat tree/f; ls -A tree | wc -l
    "#
    );
    let (code, stdout, stderr) = with_mounts(folder.path(), &script);
    let log = fs::read_to_string(folder.path().join("served")).unwrap_or_default();
    let said = format!("{stdout}{stderr}\n{log}");
    assert_eq!(code, 0, "{said}");
    for line in ["full dav 507", "full files 507", "read-only dav 403", "read-only files 403"] {
        assert!(stdout.lines().any(|is| is == line), "'{line}': {said}");
    }
    // OpenSSH shows the status alone; the sentence beside it is for clients that show sentences.
    for line in ["full sftp write remote \"/f\": Failure", "read-only sftp dest open \"/f\": Permission denied"] {
        assert!(stdout.lines().any(|is| is == line), "'{line}': {said}");
    }
    assert!(stdout.ends_with("old\n1\n"), "what was there stays, and nothing beside it: {said}");
}
