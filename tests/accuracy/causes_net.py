"""What is injected on the way: routers, two families of addresses, lost packets; and a server that restarts."""

from causes import QUICK
from lab import ip
from servers import apache, davs, sftp, sshd

V4, V6 = "10.9.0.2", "fd09::2"
# Nobody has them.
NO_V4, NO_V6 = "10.9.0.9", "fd09::9"
NAME = "files.example"
PORTS = {"ftp": 21, "sftp": 22, "davs": 443}


def clean_families(lab, turn):
    """Both work, or the client has no IPv6 at all, as half of the world."""
    lab.hosts(NAME, V4, (V6, "2001:db8::2")[turn % 2])
    lab.two_families(client=turn % 2 == 0)
    lab.vsftpd("listen=NO\nlisten_ipv6=YES\nuse_localtime=NO")
    return lab.doctor(*QUICK, host=NAME)


def broken_family(lab, turn):
    lab.two_families()
    kind = turn % 5
    listens = V6 if kind in (2, 3) else V4
    addresses = ((V4, V6), (V4, NO_V6), (V4, V6), (NO_V4, V6), (V4, NO_V6))[kind]
    lab.hosts(NAME, *addresses)
    if kind == 4:
        # Its router says that nobody is there, instead of nothing.
        ip("-n", f"{lab.name}-s", "route", "add", "unreachable", f"{NO_V6}/128")
        ip("netns", "exec", f"{lab.name}-s", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    if turn >= 5:
        return sftp(lab, sshd(lab, "MaxStartups 100", listen=listens), *QUICK, host=NAME)
    v6 = f"listen=NO\nlisten_ipv6=YES\nlisten_address6={V6}\n" if listens == V6 else ""
    lab.vsftpd(v6 + "use_localtime=NO", at=listens)
    return lab.doctor(*QUICK, host=NAME)


def rejected(lab, turn):
    """A device on the link refuses; the server with the port open is one to three routers behind it."""
    host = lab.routers(1 + turn % 3)
    kind = ("ftp", "sftp", "davs")[turn % 3]
    # What else the host has open shows how far it is.
    other = {"ftp": (22, 443, 80), "sftp": (443, 80, 443), "davs": (22, 80, 22)}[kind][turn // 3 % 3]
    lab.stub("close", other, where="host")
    lab.fault(f"refuse {PORTS[kind]}")
    if kind == "ftp":
        lab.vsftpd("use_localtime=NO", where="host")
        return lab.doctor(*QUICK, host=host)
    if kind == "sftp":
        return sftp(lab, sshd(lab, where="host"), *QUICK, host=host)
    apache(lab, where="host")
    return davs(lab, *QUICK, host=host)


def loss(lab, turn):
    lab.vsftpd("use_localtime=NO")
    lab.say("set", f"loss={2 + 2 * turn}")
    return lab.doctor(*QUICK)


def restarts(lab, turn):
    lab.vsftpd("use_localtime=NO")
    with lab.restarting(up=0.7 + turn / 10, down=0.3 + turn % 3 / 10):
        return lab.doctor(*QUICK)


CAUSES = {
    clean_families: None,
    broken_family: "broken-family",
    rejected: "rejected",
    loss: "loss",
    restarts: "restarts",
}
