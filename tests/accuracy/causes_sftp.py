"""What is injected into SFTP: all of it is what OpenSSH itself does."""

import itertools

from causes import QUICK
from servers import host_key, sftp, sshd

KINDS = ("ed25519", "ecdsa", "rsa")
# Each line alone, and then in pairs.
OLD = (
    "KexAlgorithms diffie-hellman-group14-sha1",
    "KexAlgorithms diffie-hellman-group1-sha1",
    "KexAlgorithms diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha1",
    "HostKeyAlgorithms ssh-rsa",
    "Ciphers aes128-cbc",
    "Ciphers aes256-cbc,3des-cbc",
)


def clean_sftp(lab, turn):
    pin = sshd(lab, "MaxStartups 100", KINDS[turn % 3])
    return sftp(lab, pin, *QUICK, "--upload", ".")


def changed_host_key(lab, turn):
    _, before = host_key(lab, "before", KINDS[turn % 3])
    sshd(lab, kind=KINDS[turn % 2])
    return sftp(lab, before, *QUICK)


def old_ssh(lab, turn):
    pairs = [(one, other) for one, other in itertools.combinations(OLD, 2) if one.split()[0] != other.split()[0]]
    lines = (OLD[turn],) if turn < len(OLD) else pairs[3 * turn % len(pairs)]
    pin = sshd(lab, "\n".join(lines), "rsa" if any("ssh-rsa" in line for line in lines) else "ed25519")
    return sftp(lab, pin, *QUICK)


def strangers_refused(lab, turn):
    most = 2 + turn // 2
    by_source = f"PerSourceMaxStartups {most}\nMaxStartups 100"
    by_chance = f"MaxStartups {most}:{50 + 10 * (turn // 2)}:9"
    pin = sshd(lab, by_source if turn % 2 else by_chance)
    return sftp(lab, pin, *QUICK)


CAUSES = {
    clean_sftp: None,
    changed_host_key: "changed-host-key",
    old_ssh: "old-ssh",
    strangers_refused: "strangers-refused",
}
