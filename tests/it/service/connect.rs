//! "Connect this computer": every file that a program here can use is downloaded and used, and the commands are run as
//! they stand on the page.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::causeway::{Causeway, run};
use crate::support::davfs2::Mount;
use crate::web::site::Curl;

const PASSWORD: &str = "correct horse battery";
/// Where a person puts the app password.
const PLACE: &str = "PUT-THE-APP-PASSWORD-HERE";

/// A service, the account `anna`, and her folder of downloads.
struct Desk {
    served: Causeway,
    base: String,
    downloads: tempfile::TempDir,
}

impl Desk {
    fn start() -> Self {
        let served = Causeway::serve();
        served.account("anna", PASSWORD, &[]);
        let base = format!("https://localhost:{}", served.https.port());
        Self { served, base, downloads: tempfile::tempdir().unwrap() }
    }

    fn browser(&self) -> Curl<'_> {
        Curl::signed_in_at(&self.base, "anna", PASSWORD)
    }

    fn app_password(&self) -> String {
        let made = ["account", "app", "add", "anna", "Desk", "--json"];
        let (code, stdout, stderr) = run(&mut self.served.command(&made));
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str::<serde_json::Value>(&stdout).unwrap()["password"].as_str().unwrap().to_owned()
    }

    /// Puts the named files where the commands look for them, with the app password in its place.
    fn download(&self, names: &[&str], secret: &str) {
        let browser = self.browser();
        for name in names {
            let answer = browser.get(&format!("/connect/{name}"));
            assert_eq!(answer.status, 200, "{name}");
            assert!(answer.head.contains(&format!("attachment; filename=\"{name}\"")), "{}", answer.head);
            assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);
            assert!(!answer.body.contains("cway_"), "a secret in a file: {}", answer.body);
            std::fs::write(self.downloads.path().join(name), answer.body.replace(PLACE, secret)).unwrap();
        }
    }

    /// The command of that page that begins so.
    fn command(&self, system: &str, begin: &str) -> String {
        let page = self.browser().get(&format!("/connect?system={system}")).body;
        let mut shown = page.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
        let found = shown.find(|code| code.starts_with(begin)).unwrap_or_else(|| panic!("no '{begin}': {page}"));
        found.replace("&#38;", "&").replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"")
    }

    fn shell(&self, command: &str) -> Output {
        let mut shell = Command::new("timeout");
        shell.args(["120", "sh", "-c", command]).current_dir(self.downloads.path());
        shell.output().unwrap()
    }

    /// Runs it and expects the best.
    fn runs(&self, command: &str) -> String {
        let output = self.shell(command);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_page_shows_the_system_that_asks_and_every_other() {
    let desk = Desk::start();
    let browser = desk.browser();
    let windows = "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let page = browser.call("/connect", &["-H", windows]).body;
    assert!(page.contains("Your browser runs on Windows") && page.contains("A drive in the Explorer"), "{page}");
    let hint = "Sec-CH-UA-Platform: \"macOS\"";
    assert!(browser.call("/connect", &["-H", hint]).body.contains("A drive in the Finder"));
    for (system, title) in [
        ("windows", "A drive in the Explorer"),
        ("macos", "A drive in the Finder"),
        ("linux", "KDE Dolphin"),
        ("ios", "Apps for iPhone and iPad"),
        ("android", "Apps for Android"),
        ("other", "curl and scripts"),
    ] {
        let to = format!("/connect?system={system}");
        assert!(page.contains(&format!("href=\"{}\"", to.replace('=', "&#61;"))) || page.contains(&to), "{to}: {page}");
        let chosen = browser.call(&to, &["-H", windows]).body;
        assert!(chosen.contains(title) && !chosen.contains("Your browser runs on"), "{chosen}");
        assert!(chosen.contains(&format!("<code>{}/dav/</code>", desk.base)), "{chosen}");
        assert!(chosen.contains("href=\"/account#apps\""), "{chosen}");
    }
    for from in ["/browse/", "/account"] {
        assert!(browser.get(from).body.contains("href=\"/connect\""), "{from} leads there");
    }
    assert_eq!(browser.get("/connect/passwd").status, 404);
    // The cookies by hand: curl keeps them for the name that it asks for.
    let jar = std::fs::read_to_string(browser.jar.path()).unwrap();
    let pairs = jar.lines().filter_map(|line| line.split('\t').skip(5).collect::<Vec<_>>().try_into().ok());
    let cookies = pairs.map(|[name, value]: [&str; 2]| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let cookies = format!("Cookie: {cookies}");
    for (host, status) in [("Host: files.example", 200), ("Host: a&calc", 400)] {
        let answer = browser.call("/connect/causeway-drive.cmd", &["--http1.1", "-H", &cookies, "-H", host]);
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
    }
    let stranger = Curl { base: &desk.base, jar: tempfile::NamedTempFile::new().unwrap() };
    for path in ["/connect", "/connect/rclone.conf"] {
        assert_eq!(stranger.get(path).status, 303, "{path}");
    }
}

#[test]
fn rclone_copies_and_compares_with_its_file() {
    let desk = Desk::start();
    desk.download(&["rclone.conf", "causeway.crt"], &desk.app_password());
    let reports = desk.downloads.path().join("reports");
    std::fs::create_dir(&reports).unwrap();
    std::fs::write(reports.join("a.txt"), "hello").unwrap();
    let rclone = "rclone --config rclone.conf --ca-cert causeway.crt";
    let command = |verb: &str| desk.command("linux", &format!("{rclone} {verb} "));
    desk.runs(&command("copy"));
    desk.runs(&command("check"));
    assert_eq!(std::fs::read(desk.served.tree().join("reports/a.txt")).unwrap(), b"hello");
    std::fs::write(desk.served.tree().join("reports/a.txt"), "jello").unwrap();
    assert!(!desk.shell(&command("check")).status.success(), "another content of the same size is seen");
}

#[test]
fn curl_trusts_the_certificate_that_is_offered() {
    let desk = Desk::start();
    desk.download(&["causeway.crt"], "");
    let login = format!("user = \"anna:{}\"\n", desk.app_password());
    std::fs::write(desk.downloads.path().join("login"), login).unwrap();
    std::fs::write(desk.downloads.path().join("report.pdf"), "a report").unwrap();
    // Nobody is here to be asked.
    let ready = |begin: &str| desk.command("other", begin).replace("-u anna", "-sSf -K login");
    let address = format!("curl --cacert causeway.crt -u anna {}/files/", desk.base);
    desk.runs(&ready("curl --cacert causeway.crt -u anna -T report.pdf"));
    assert!(desk.runs(&ready(&address)).contains("report.pdf"));
    std::fs::remove_file(desk.downloads.path().join("report.pdf")).unwrap();
    desk.runs(&ready("curl --cacert causeway.crt -u anna -O"));
    assert_eq!(std::fs::read(desk.downloads.path().join("report.pdf")).unwrap(), b"a report");
    let untrusted = ready(&address).replace("--cacert causeway.crt", "");
    assert_eq!(desk.shell(&untrusted).status.code(), Some(60), "without the file it is not trusted");
}

#[test]
fn sftp_comes_in_with_its_files_and_asks_nothing() {
    let desk = Desk::start();
    desk.download(&["causeway.ssh_config", "causeway.known_hosts"], "");
    desk.runs("ssh-keygen -q -t ed25519 -N '' -f id");
    let key = desk.downloads.path().join("id.pub");
    let (code, _, stderr) = run(&mut desk.served.command(&["account", "key", "add", "anna", key.to_str().unwrap()]));
    assert_eq!(code, 0, "{stderr}");
    std::fs::write(desk.served.tree().join("a.txt"), "hello").unwrap();
    let strict = "sftp -b - -oBatchMode=yes -oStrictHostKeyChecking=yes -oGlobalKnownHostsFile=/dev/null \
                  -oIdentitiesOnly=yes -i id ";
    let command = desk.command("linux", "sftp ").replacen("sftp ", strict, 1);
    desk.runs(&format!("echo get a.txt | {command}"));
    assert_eq!(std::fs::read(desk.downloads.path().join("a.txt")).unwrap(), b"hello");
    std::fs::write(desk.downloads.path().join("causeway.known_hosts"), "").unwrap();
    assert!(!desk.shell(&format!("echo get a.txt | {command}")).status.success(), "it was the file that made it known");
}

#[test]
fn davfs2_mounts_by_its_files() {
    let desk = Desk::start();
    let names = ["causeway.davfs2.conf", "causeway.davfs2.secrets", "causeway.fstab", "causeway.crt"];
    desk.download(&names, &desk.app_password());
    // What the page says, below a folder of the test's own; root needs no sudo.
    let install = |below: &Path| {
        let (fstab, mount) = (below.join("fstab"), below.join("mnt"));
        let moved = |text: &str| {
            let text = text.replace("/etc/davfs2", below.to_str().unwrap()).replace("sudo ", "");
            text.replace("/mnt/causeway", mount.to_str().unwrap()).replace("/etc/fstab", fstab.to_str().unwrap())
        };
        for name in names.into_iter().filter(|name| !name.ends_with(".crt")) {
            let file = desk.downloads.path().join(name);
            std::fs::write(&file, moved(&std::fs::read_to_string(&file).unwrap())).unwrap();
        }
        for begin in ["sudo install ", "sudo mkdir "] {
            desk.runs(&moved(&desk.command("linux", begin)));
        }
        fstab
    };
    std::fs::write(desk.served.tree().join("a.txt"), "hello").unwrap();
    let Some(mount) = Mount::by_fstab(install) else { return };
    let mount = mount.unwrap();
    assert_eq!(std::fs::read_to_string(mount.path().join("a.txt")).unwrap(), "hello");
    std::fs::write(mount.path().join("b.txt"), "back").unwrap();
    mount.end();
    assert_eq!(std::fs::read_to_string(desk.served.tree().join("b.txt")).unwrap(), "back");
}

/// What no program here can use is at least what its own grammar takes, read by another's parser.
#[test]
fn files_for_other_systems_are_well_formed() {
    let desk = Desk::start();
    let names =
        ["causeway.reg", "causeway.drive.plist", "causeway.desktop", "causeway.bookmarks", "causeway-drive.cmd"];
    desk.download(&names, "");
    let said = desk.runs(&format!("python3 - {} <<'PYTHON'\n{PARSE}PYTHON\n", desk.base));
    assert_eq!(said.trim(), "well formed");
}

const PARSE: &str = r#"
import configparser, plistlib, re, sys, urllib.parse
base = sys.argv[1]
host = base.removeprefix("https://")

text = open("causeway.reg", newline="").read()
assert text.startswith("Windows Registry Editor Version 5.00\r\n\r\n"), text
registry = configparser.ConfigParser(delimiters="=", interpolation=None)
registry.optionxform = str
registry.read_string(text.split("\r\n", 1)[1].replace("\r\n", "\n"))
service = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\WebClient"
words = {name: {key: value for key, value in registry[name].items()} for name in registry.sections()}
number = re.compile(r"dword:[0-9a-f]{8}")
assert all(number.fullmatch(value) for keys in words.values() for value in keys.values()), words
assert words == {
    service: {'"Start"': "dword:00000002"},
    service + r"\Parameters": {
        '"BasicAuthLevel"': "dword:00000001",
        '"FileSizeLimitInBytes"': "dword:ffffffff",
        '"FileAttributesLimitInBytes"': "dword:05f5e100",
    },
}, words

agent = plistlib.load(open("causeway.drive.plist", "rb"))
assert agent["RunAtLoad"] is True and agent["Label"] == "causeway.drive", agent
assert agent["ProgramArguments"] == ["/usr/bin/osascript", "-e", f'mount volume "{base}/dav/"'], agent

link = configparser.ConfigParser(delimiters="=", interpolation=None)
link.optionxform = str
link.read("causeway.desktop")
assert link["Desktop Entry"]["Type"] == "Link", dict(link["Desktop Entry"])
bookmark, label = open("causeway.bookmarks").read().split()
for url, scheme in [(link["Desktop Entry"]["URL"], "webdavs"), (bookmark, "davs")]:
    parts = urllib.parse.urlsplit(url)
    assert (parts.scheme, parts.username, parts.netloc, parts.path) == (scheme, "anna", f"anna@{host}", "/dav/"), url

drive = open("causeway-drive.cmd", newline="").read().split("\r\n")
assert f'net use * "{base}/dav/" /savecred /persistent:yes' in drive, drive
print("well formed")
"#;
