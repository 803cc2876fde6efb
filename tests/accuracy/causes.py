"""What is injected into FTP: a function for each cause. It gets a lab and the number of the try, which decides its
numbers."""

import os

QUICK = ("--quick",)
# Behind a stub the control connection comes from another address than the data connections.
PROMISCUOUS = "use_localtime=NO\npasv_promiscuous=YES\nport_promiscuous=YES"


def clean(lab, turn):
    lab.vsftpd("use_localtime=NO")
    return lab.doctor("--hold", "8s") if turn % 3 == 0 else lab.doctor(*QUICK)


def clean_tls(lab, _turn):
    lab.vsftpd("use_localtime=NO\n" + lab.certificate())
    return lab.doctor(*QUICK, "--ca-file", str(lab.dir / "cert.pem"), scheme="ftp+tls")


def nat_reset(lab, turn):
    lab.vsftpd("use_localtime=NO")
    lab.fault(f"idle ctl secs={4 + turn} action=rst")
    return lab.doctor("--hold", f"{8 + 2 * turn}s")


def nat_drop(lab, turn):
    lab.vsftpd("use_localtime=NO")
    lab.fault(f"idle ctl secs={4 + turn}")
    return lab.doctor("--hold", f"{8 + 2 * turn}s")


def idle_timer(lab, turn):
    lab.vsftpd(f"use_localtime=NO\nidle_session_timeout={4 + turn}")
    return lab.doctor("--hold", f"{8 + 2 * turn}s")


def lifetime(lab, turn):
    lab.vsftpd(PROMISCUOUS)
    lab.stub("brief", 2100, 8 + turn)
    return lab.doctor("--hold", f"{14 + 2 * turn}s", port=2100)


def limit(lab, turn):
    lab.vsftpd(f"use_localtime=NO\n{('max_clients', 'max_per_ip')[turn % 2]}={2 + turn % 7}")
    return lab.doctor(*QUICK)


def unspoken_limit(lab, turn):
    lab.vsftpd("use_localtime=NO")
    lab.fault(f"limit ctl max={3 + turn % 5} action={('rst', 'drop')[turn % 2]}")
    return lab.doctor(*QUICK)


def mtu_hole(lab, turn):
    lab.vsftpd("use_localtime=NO")
    lab.fault(f"maxlen any size={1280 + 20 * (turn % 10)}")
    return lab.doctor(*QUICK)


def passive_closed(lab, turn):
    lab.vsftpd("use_localtime=NO\nport_enable=NO")
    lab.fault(("refuse data", "drop data")[turn % 2])
    return lab.doctor(*QUICK)


def wrong_address(lab, turn):
    lab.vsftpd(f"use_localtime=NO\npasv_address={('192.168.1', '172.16.0', '10.1.2')[turn % 3]}.{10 + turn}")
    return lab.doctor(*QUICK)


def epsv_lost(lab, _turn):
    lab.vsftpd("use_localtime=NO\ncmds_denied=EPSV")
    return lab.doctor(*QUICK)


def closed_port(lab, turn):
    lab.vsftpd("use_localtime=NO")
    return lab.doctor(*QUICK, port=2200 + turn)


def dropped(lab, turn):
    lab.vsftpd("use_localtime=NO")
    lab.fault(("drop ctl", "drop any")[turn % 2])
    return lab.doctor(*QUICK)


def bad_login(lab, turn):
    lab.vsftpd("use_localtime=NO")
    return lab.doctor(*QUICK, password=f"wrong-{turn}")


def no_tls(lab, _turn):
    lab.vsftpd("use_localtime=NO")
    return lab.doctor(*QUICK, "--insecure", scheme="ftp+tls")


def certificate(lab, _turn):
    lab.vsftpd("use_localtime=NO\n" + lab.certificate())
    return lab.doctor(*QUICK, scheme="ftp+tls")


def clear_refused(lab, _turn):
    lab.vsftpd("use_localtime=NO\nforce_local_logins_ssl=YES\n" + lab.certificate())
    return lab.doctor(*QUICK)


def implicit_tls(lab, _turn):
    lab.vsftpd("use_localtime=NO\nimplicit_ssl=YES\n" + lab.certificate())
    return lab.doctor(*QUICK)


def explicit_only(lab, _turn):
    lab.vsftpd("use_localtime=NO\n" + lab.certificate(), port=990)
    return lab.doctor(*QUICK, "--insecure", scheme="ftps", port=990)


def old_tls(lab, turn):
    lab.certificate()
    lab.stub("oldtls", 2100, lab.dir / "both.pem", turn % 2)
    return lab.doctor(*QUICK, "--insecure", scheme="ftp+tls", port=2100)


def ssh_there(lab, turn):
    lab.stub("greet", 2100, f"SSH-2.0-OpenSSH_{7 + turn % 3}.4")
    return lab.doctor(*QUICK, port=2100)


def not_ftp(lab, turn):
    words = ("* OK IMAP4 ready", "HTTP/1.0 400 Bad request", "+OK POP3 ready")
    lab.stub("greet", 2100, words[turn % 3])
    return lab.doctor(*QUICK, port=2100)


def turned_away(lab, _turn):
    lab.stub("close", 2100)
    return lab.doctor(*QUICK, port=2100)


def slow_greeting(lab, turn):
    lab.vsftpd(PROMISCUOUS)
    lab.stub("late", 2100, 4.5 + turn % 5)
    return lab.doctor(*QUICK, port=2100)


def inspection(lab, _turn):
    lab.vsftpd("use_localtime=NO\n" + lab.certificate())
    lab.stub("inspect", 2100)
    return lab.doctor(*QUICK, "--insecure", scheme="ftp+tls", port=2100)


def session_reuse(lab, _turn):
    lab.vsftpd(PROMISCUOUS)
    lab.stub("noreuse", 2100)
    return lab.doctor(*QUICK, port=2100)


def resets(lab, turn):
    lab.vsftpd("use_localtime=NO")
    lab.fault(f"rst data after={20_000 + 9_000 * turn}")
    return lab.doctor(*QUICK)


def exhausted_ports(lab, turn):
    lab.vsftpd(PROMISCUOUS)
    lab.stub("ports", 2100, 5 + turn)
    return lab.doctor("--hold", "1s", port=2100)


def odd_names(lab, turn):
    (lab.dir / "root").joinpath(f"m{turn}").write_bytes(b"x")
    os.rename(bytes(lab.dir / "root" / f"m{turn}"), bytes(lab.dir / "root") + b"/m\xfcller%d.txt" % turn)
    lab.vsftpd("use_localtime=NO")
    return lab.doctor(*QUICK)


def no_name(lab, turn):
    return lab.doctor(*QUICK, host=f"old-{turn}.invalid")


def denied_folder(lab, _turn):
    for path in (lab.dir / "root").iterdir():
        path.chmod(0)
    lab.vsftpd("use_localtime=NO")
    return lab.doctor(*QUICK)


def other_source(lab, _turn):
    lab.vsftpd("use_localtime=NO")
    lab.stub("late", 2100, 0)
    return lab.doctor(*QUICK, port=2100)


def short_listing(lab, _turn):
    lab.vsftpd(PROMISCUOUS)
    lab.stub("short", 2100)
    return lab.doctor(*QUICK, port=2100)


def lost_closing(lab, _turn):
    lab.vsftpd(PROMISCUOUS)
    lab.stub("mute", 2100)
    return lab.doctor(*QUICK, port=2100)


def shifted_clock(lab, turn):
    lab.files_of_today()
    lab.vsftpd(PROMISCUOUS)
    lab.stub("shift", 2100, (turn + 1) / 2)
    return lab.doctor(*QUICK, port=2100)


def close_notify(lab, _turn):
    lab.vsftpd("use_localtime=NO\npasv_promiscuous=YES\n" + lab.certificate().replace("reuse=YES", "reuse=NO"))
    lab.stub("strict", 2100, lab.dir / "both.pem")
    return lab.doctor(*QUICK, "--ca-file", str(lab.dir / "cert.pem"), scheme="ftp+tls", port=2100)


# What is injected, and what the first finding must be called.
CAUSES = {
    clean: None,
    clean_tls: None,
    nat_reset: "nat-ageing",
    nat_drop: "nat-ageing",
    idle_timer: "idle-timer",
    lifetime: "lifetime",
    limit: "limit",
    unspoken_limit: "unspoken-limit",
    mtu_hole: "mtu-hole",
    passive_closed: "passive-closed",
    wrong_address: "wrong-address",
    epsv_lost: "epsv-lost",
    closed_port: "closed-port",
    dropped: "dropped",
    bad_login: "bad-login",
    no_tls: "no-tls",
    certificate: "certificate",
    clear_refused: "clear-refused",
    implicit_tls: "implicit-tls",
    explicit_only: "explicit-only",
    old_tls: "old-tls",
    ssh_there: "ssh-there",
    not_ftp: "not-ftp",
    turned_away: "turned-away",
    slow_greeting: "slow-greeting",
    inspection: "inspection",
    session_reuse: "session-reuse",
    resets: "resets",
    exhausted_ports: "exhausted-ports",
    odd_names: "odd-names",
    no_name: "no-name",
    denied_folder: "denied-folder",
    other_source: "other-source",
    short_listing: "short-listing",
    lost_closing: "lost-closing",
    shifted_clock: "shifted-clock",
    close_notify: "close-notify",
}
