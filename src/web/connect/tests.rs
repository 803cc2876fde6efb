//! What stands in the files, byte for byte where a client is particular about it.

use axum::http::HeaderMap;

use super::*;
use crate::web::state::SftpReach;

fn reach(own: bool) -> Reach {
    let sftp = SftpReach { port: 2022, host_keys: vec!["ssh-ed25519 AAAA".into()], fingerprint: "SHA256:x".into() };
    Reach { own_certificate: own.then(|| "PEM\n".to_owned()), fingerprint: "AB:CD".into(), sftp: Some(sftp) }
}

fn place(authority: &str, account: &str) -> Place {
    Place::new(&authority.parse().unwrap(), account, reach(true)).unwrap()
}

#[test]
fn the_system_is_told_from_what_browsers_say() {
    let of = |agent: &str, hint: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", agent.parse().unwrap());
        hint.map(|hint| headers.insert("sec-ch-ua-platform", hint.parse().unwrap()));
        System::of(&headers)
    };
    let mozilla = |system: &str| of(&format!("Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko)"), None);
    assert_eq!(mozilla("Windows NT 10.0; Win64; x64"), System::Windows);
    assert_eq!(mozilla("Macintosh; Intel Mac OS X 10_15_7"), System::Mac);
    assert_eq!(mozilla("X11; Linux x86_64; rv:140.0"), System::Linux);
    assert_eq!(mozilla("X11; FreeBSD amd64"), System::Linux);
    assert_eq!(mozilla("iPhone; CPU iPhone OS 18_0 like Mac OS X"), System::Iphone);
    assert_eq!(mozilla("iPad; CPU OS 12_2 like Mac OS X"), System::Iphone);
    assert_eq!(mozilla("Linux; Android 10; K"), System::Android);
    assert_eq!(mozilla("X11; CrOS x86_64 14541.0.0"), System::Other);
    assert_eq!(of("curl/7.88.1", None), System::Other);
    for (hint, system) in [
        ("\"Windows\"", System::Windows),
        ("\"macOS\"", System::Mac),
        ("\"Linux\"", System::Linux),
        ("\"Android\"", System::Android),
        ("\"Chrome OS\"", System::Other),
        ("\"iOS\"", System::Iphone),
    ] {
        assert_eq!(of("Mozilla/5.0 (X11; Linux x86_64)", Some(hint)), system, "{hint}");
    }
    for &system in System::ALL {
        assert_eq!(System::of_word(system.word()), Some(system));
    }
}

#[test]
fn addresses_fit_each_client() {
    let near = place("files.example:8443", "anna@example.org");
    assert_eq!(near.dav(), "https://files.example:8443/dav/");
    assert_eq!(near.dav_as("davs"), "davs://anna%40example.org@files.example:8443/dav/");
    assert_eq!(place("files.example:443", "a").dav(), "https://files.example/dav/");
    let drive = |authority: &str| {
        let way = windows::way(&place(authority, "a"));
        way.steps.into_iter().filter_map(|step| step.code).find(|code| code.starts_with(r"\\")).unwrap()
    };
    assert_eq!(drive("files.example:8443"), r"\\files.example@SSL@8443\dav");
    assert_eq!(drive("files.example"), r"\\files.example@SSL\dav");
    let six = place("[2001:db8::1]:8443", "anna");
    assert_eq!(file("causeway.known_hosts", &six).unwrap(), "[2001:db8::1]:2022 ssh-ed25519 AAAA\n");
    assert!(file("causeway.ssh_config", &six).unwrap().contains("HostName 2001:db8::1\n"));
}

/// The files go into scripts and settings of other programs.
#[test]
fn names_that_are_none_make_no_file() {
    for bad in ["a$(x)", "a&b", "a;b", "a'b", "a%20b", "-x", "[::1%25a]", "[v1.x]"] {
        let Ok(authority) = bad.parse() else { continue };
        assert!(Place::new(&authority, "anna", reach(false)).is_none(), "{bad}");
    }
}

#[test]
fn windows_files_end_their_lines_as_windows_does() {
    let near = place("files.example:8443", "anna");
    for name in ["causeway.reg", "causeway-drive.cmd"] {
        let text = file(name, &near).unwrap();
        assert!(text.is_ascii() && text.ends_with("\r\n"), "{text}");
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text}");
    }
    assert!(file("causeway-drive.cmd", &near).unwrap().contains("net use * \"https://files.example:8443/dav/\" "));
}

#[test]
fn every_file_is_offered_somewhere_and_nothing_else_is() {
    for own in [true, false] {
        let near = Place::new(&"files.example:8443".parse().unwrap(), "anna", reach(own)).unwrap();
        let mut offered: Vec<_> = System::ALL
            .iter()
            .flat_map(|&system| ways(system, &near))
            .flat_map(|way| way.files)
            .map(|file| file.name)
            .collect();
        offered.sort_unstable();
        offered.dedup();
        let mut made: Vec<_> = FILES.iter().filter(|file| (file.make)(&near).is_some()).map(|file| file.name).collect();
        made.sort_unstable();
        assert_eq!(offered, made);
        let trusted = FILES.iter().filter_map(|file| (file.make)(&near)).any(|text| text.contains(CERTIFICATE));
        assert_eq!(trusted, own, "only a certificate that nobody vouches for has to be trusted by hand");
    }
    assert_eq!(file("../causeway.reg", &place("a", "a")), None);
}

#[test]
fn without_the_sftp_door_nothing_is_said_of_it() {
    let shut = Reach { sftp: None, ..reach(true) };
    let near = Place::new(&"files.example".parse().unwrap(), "anna", shut).unwrap();
    assert_eq!(file("causeway.ssh_config", &near), None);
    assert_eq!(file("causeway.known_hosts", &near), None);
    let said = System::ALL.iter().flat_map(|&system| ways(system, &near)).any(|way| way.id.starts_with("sftp"));
    assert!(!said);
}
