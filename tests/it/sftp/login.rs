//! Logins in more than one step: OpenSSH and paramiko, which answer what they are asked.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use causeway::account::{Change, NewAppPassword};
use causeway::audit::Actor;
use causeway::model::{Access, Clock as _, ManualClock, RelPath, Secret, SystemClock};
use causeway::serve::sftp::Settings;
use jiff::SignedDuration;

use super::door::{Fixture, PASSWORD, bad, good, run};
use crate::support::totp;

/// A door whose accounts live at a time that moves on demand.
struct House {
    door: Fixture,
    clock: Arc<ManualClock>,
    secret: String,
}

impl House {
    /// anna has a second factor.
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let door = Fixture::at(&Settings::default(), clock.clone());
        let accounts = door.accounts.clone();
        let secret = door.runtime().block_on(async { accounts.begin_second_factor("anna").await.unwrap() });
        let house = Self { door, clock, secret: secret.base32.expose().to_owned() };
        let code = Secret::new(house.code());
        let confirmed = accounts.confirm_second_factor(&Actor::System, "anna", &code);
        house.door.runtime().block_on(confirmed).unwrap();
        house
    }

    /// What an app shows in the next step, whose code nobody has used yet.
    fn code(&self) -> String {
        self.clock.advance(SignedDuration::from_secs(30));
        totp::code_at(&self.secret, self.clock.now().as_second())
    }

    /// OpenSSH's `sftp`, which asks a program for what is to be typed.
    fn sftp(&self, code: &str, options: &[&str]) -> Output {
        self.sftp_with(PASSWORD, code, options)
    }

    fn sftp_with(&self, password: &str, code: &str, options: &[&str]) -> Output {
        let askpass = self.door.local("askpass");
        let script = format!("#!/bin/sh\ncase \"$1\" in *Verification*) echo '{code}';; *) echo '{password}';; esac\n");
        std::fs::write(&askpass, script).unwrap();
        std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new("sftp");
        command.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
        command.args(["-v", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oBatchMode=no"]);
        command.args(["-oNumberOfPasswordPrompts=1", "-F", "none", "-oIdentityAgent=none", "-oIdentitiesOnly=yes"]);
        command.args(options);
        command.args(["-b", "-", &format!("-oPort={}", self.door.address.port()), "anna@127.0.0.1"]);
        run(command, Some("mkdir came-in\nrmdir came-in\n"), Duration::from_secs(60))
    }

    fn require(&self, factors: &str) {
        let change = Change { required: Some(factors.parse().unwrap()), ..Change::default() };
        self.door.runtime().block_on(self.door.accounts.change(&Actor::System, "anna", &change)).unwrap();
    }

    fn key(&self) -> String {
        let path = self.door.local("key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status().unwrap();
        assert!(made.success());
        let line = std::fs::read_to_string(path.with_extension("pub")).unwrap();
        self.door.runtime().block_on(self.door.accounts.add_key(&Actor::System, "anna", &line)).unwrap();
        format!("-oIdentityFile={}", path.display())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn openssh_types_password_and_code() {
    let house = House::new();
    let code = house.code();
    let by_keyboard = ["-oPreferredAuthentications=keyboard-interactive"];
    good(&house.sftp(&code, &by_keyboard));
    // The same code again is none, and looks like a wrong password.
    let again = bad(&house.sftp(&code, &by_keyboard));
    assert!(again.contains("Permission denied (publickey,password,keyboard-interactive)"), "{again}");
    // The password is one half, and the code is asked for afterwards.
    let options = ["-oPreferredAuthentications=password,keyboard-interactive"];
    let steps = house.sftp(&house.code(), &options);
    good(&steps);
    assert!(said(&steps).contains("Authenticated using \"password\" with partial success"), "{}", said(&steps));
    let half = bad(&house.sftp("", &["-oPreferredAuthentications=password"]));
    assert!(half.contains("partial success") && half.contains("Permission denied (keyboard-interactive)"), "{half}");
}

#[test]
fn an_app_password_opens_no_sftp() {
    let house = House::new();
    let (label, folder) = ("Laptop".to_owned(), RelPath::root());
    let new = NewAppPassword { label, folder, access: Access::ReadWrite, lasts: None };
    let made = house.door.accounts.add_app_password(&Actor::System, "anna", &new);
    let secret = house.door.runtime().block_on(made).unwrap();
    for methods in ["password", "keyboard-interactive"] {
        let options = [&*format!("-oPreferredAuthentications={methods}")];
        bad(&house.sftp_with(secret.expose(), &house.code(), &options));
    }
    let code = house.code();
    good(&house.sftp(&code, &["-oPreferredAuthentications=keyboard-interactive"]));
}

#[test]
fn openssh_shows_what_an_account_requires() {
    let house = House::new();
    let key = house.key();
    good(&house.sftp("", &[&key, "-oPreferredAuthentications=publickey"]));
    house.require("key+code");
    let alone = bad(&house.sftp("", &[&key, "-oPreferredAuthentications=publickey"]));
    assert!(alone.contains("Permission denied (keyboard-interactive)"), "{alone}");
    let code = house.code();
    bad(&house.sftp(&code, &["-oPreferredAuthentications=keyboard-interactive,password"]));
    good(&house.sftp(&code, &[&key]));
    house.require("key+password");
    bad(&house.sftp(&house.code(), &["-oPreferredAuthentications=keyboard-interactive,password"]));
    good(&house.sftp("", &[&key, "-oPreferredAuthentications=publickey,password"]));
    house.require("key+password+code");
    let all = house.sftp(&house.code(), &[&key]);
    good(&all);
    assert!(said(&all).contains("using \"publickey\" with partial success"), "{}", said(&all));
}

#[test]
fn paramiko_is_asked_what_the_standard_says() {
    let house = House::new();
    let program = format!(
        "import paramiko\n\
         asked = []\n\
         def answer(title, instructions, prompts):\n\
         \x20   asked.append((title, instructions, prompts))\n\
         \x20   return [answers[text] for text, echo in prompts]\n\
         def knock(user, methods):\n\
         \x20   t = paramiko.Transport(('127.0.0.1', {port}))\n\
         \x20   t.start_client()\n\
         \x20   try:\n\
         \x20       return methods(t, user) or 'in'\n\
         \x20   except paramiko.AuthenticationException as error:\n\
         \x20       return 'no'\n\
         \x20   finally:\n\
         \x20       t.close()\n\
         typed = lambda t, user: t.auth_interactive(user, answer)\n\
         answers = {{'Password: ': '{PASSWORD}', 'Verification code: ': '000000'}}\n\
         assert knock('anna', typed) == 'no'\n\
         answers = {{'Password: ': 'wrong', 'Verification code: ': '{code}'}}\n\
         assert knock('anna', typed) == 'no'\n\
         answers = {{'Password: ': '{PASSWORD}', 'Verification code: ': '{code}'}}\n\
         assert knock('anna', typed) == 'in'\n\
         assert asked[0] == asked[2] == ('', '', [('Password: ', False), ('Verification code: ', False)]), asked\n\
         assert knock('reader', typed) == 'in'\n\
         assert knock('nobody', typed) == 'no'\n\
         assert [prompts for _, _, prompts in asked[3:]] == [[('Password: ', False)]] * 2, asked\n\
         assert knock('anna', lambda t, user: t.auth_password(user, '{PASSWORD}')) == ['keyboard-interactive']\n\
         extra = lambda t, user: t.auth_interactive(user, lambda *_: ['{PASSWORD}', '1', '2'])\n\
         assert knock('reader', extra) == 'no'\n\
         print('fine')\n",
        port = house.door.address.port(),
        code = house.code(),
    );
    let mut command = Command::new("python3");
    command.args(["-c", &program]);
    assert_eq!(good(&run(command, None, Duration::from_secs(60))).trim(), "fine");
}
