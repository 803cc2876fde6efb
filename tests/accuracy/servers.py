"""Servers of the other schemes at a lab's far end: OpenSSH's sshd, and Apache with mod_dav."""

import os
import pathlib
import pwd
import shutil
import subprocess

from lab import PASSWORD, SERVER, USER

# Made by tests/peers; its password is the same.
SSH_USER = "causeway-peer"
MODULES = "mpm_event authn_core authn_file authz_core authz_user auth_basic dav dav_fs dir headers rewrite"
MODULES += " socache_shmcb ssl"


def host_key(lab, name, kind="ed25519"):
    """A new key. The path of its secret half and the pin of its public one."""
    path = lab.dir / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True, capture_output=True)
    shown = subprocess.run(["ssh-keygen", "-lf", f"{path}.pub"], check=True, capture_output=True, text=True)
    return path, shown.stdout.split()[1]


def sshd(lab, options="", kind="ed25519", listen="0.0.0.0", where="s"):
    """Its pin. Of most words the first counts, so those of `options` do."""
    key, pin = host_key(lab, "host", kind)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    conf = lab.dir / "sshd.conf"
    conf.write_text(
        f"{options}\nPort 22\nListenAddress {listen}\nHostKey {key}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"PasswordAuthentication yes\nAllowUsers {SSH_USER}\nSubsystem sftp internal-sftp\nUseDNS no\nPrintMotd no\n"
    )
    own(lab, pwd.getpwnam(SSH_USER))
    lab.start(["/usr/sbin/sshd", "-D", "-f", conf], where=where)
    lab.wait_for(22, "127.0.0.1" if listen == "0.0.0.0" else listen, where)
    return pin


def sftp(lab, pin, *options, **more):
    """Looks at the sshd."""
    pinned = ("--pin", pin) if pin else ()
    return lab.doctor(*options, *pinned, scheme="sftp", user=SSH_USER, path=f"{lab.dir}/root", **more)


def apache(lab, options="", dav="Dav On", locks="daemon", port=443, where="s"):
    """With TLS on its usual port only; `options` are of the folder, and `locks` owns the one of the locks."""
    lab.certificate()
    (lab.dir / "state").mkdir()
    secret = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True)
    (lab.dir / "basic").write_text(f"{USER}:{secret.stdout}")
    own(lab, pwd.getpwnam("daemon"))
    shutil.chown(lab.dir / "state", locks)
    conf = lab.dir / "apache.conf"
    lines = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES.split()]
    lines += [f"ServerRoot {lab.dir}", f"ServerName {SERVER}", f"PidFile {lab.dir}/pid", f"ErrorLog {lab.dir}/log"]
    lines += ["Mutex posixsem", "User daemon", "Group daemon", f"Listen {port}", "StartServers 1", "ServerLimit 1"]
    lines += ["ThreadsPerChild 32", "MaxRequestWorkers 32"]
    lines += [f"DocumentRoot {lab.dir}/root", f"DavLockDB {lab.dir}/state/lock"]
    if port == 443:
        lines += ["SSLEngine on", f"SSLCertificateFile {lab.dir}/cert.pem", f"SSLCertificateKeyFile {lab.dir}/key.pem"]
    lines += [f"<Directory {lab.dir}/root>", dav, "AuthType Basic", "AuthName files", f"AuthUserFile {lab.dir}/basic"]
    lines += ["Require valid-user", "Options FollowSymLinks", options, "</Directory>"]
    conf.write_text("\n".join(lines) + "\n")
    lab.start(["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", conf], where=where)
    lab.wait_for(port, where=where)


def davs(lab, *options, **more):
    """Looks at the Apache, or at what stands before it."""
    return lab.doctor(*options, "--ca-file", str(lab.dir / "cert.pem"), scheme="davs", **more)


def own(lab, user):
    """Gives the served folder to whom the server serves as."""
    for path in (lab.dir / "root", *(lab.dir / "root").iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
