"""SFTP servers at the far end of a link: those of Causeway, OpenSSH, rclone and asyncssh, each over a folder and with
the same key for whoever comes."""

import os
import pathlib
import pwd
import re
import subprocess

import links
import served
import tools

PORT = 2022
HERE = pathlib.Path(__file__).resolve().parent
# What is measured is never a limit that somebody set.
CAUSEWAY = """data = "{folder}/data"
tree = "{root}"
[https]
listen = "127.0.0.1:0"
[sftp]
listen = "{host}:{port}"
connections-per-account = 4096
[limits]
connections = 4096
connections-per-address = 4096
"""
SSHD = """ListenAddress {host}
Port {port}
HostKey {folder}/host
PidFile none
UsePAM no
StrictModes no
AuthorizedKeysFile {folder}/key.pub
PasswordAuthentication no
PermitRootLogin yes
AllowUsers {user}
Subsystem sftp internal-sftp -d {root}
UseDNS no
MaxStartups 4096
MaxSessions 10
PrintMotd no
"""
class Door(served.Served):
    """An SFTP server."""

    user = "anna"
    # What names the served folder in paths that begin with a slash.
    top = ""
    port = PORT
    greeting = "SSH-"

    def equip(self):
        for key in ("key", "host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key], check=True)
        host = " ".join((self.folder / "host.pub").read_text().split()[:2])
        self.known_hosts = self.folder / "known_hosts"
        self.known_hosts.write_text(f"[{self.net.host}]:{PORT} {host}\n")

    def fill_in(self, text):
        return text.format(folder=self.folder, root=self.root, host=self.net.host, port=PORT, user=self.user)

    @property
    def key(self):
        return self.folder / "key"

    def environment(self):
        """How those who come with Python hear where it is."""
        return {"DOOR_HOST": self.net.host, "DOOR_PORT": str(PORT), "DOOR_USER": self.user, "DOOR_KEY": str(self.key),
                "DOOR_ROOT": str(self.root), "DOOR_TOP": self.top, "DOOR_KNOWN_HOSTS": str(self.known_hosts)}


class Causeway(Door):
    name = "causeway"

    def prepare(self):
        (self.folder / "causeway.toml").write_text(self.fill_in(CAUSEWAY))
        # It makes host keys of its own, which are taken as they are.
        self.known_hosts.write_text("")
        config = [self.program, "-c", self.folder / "causeway.toml"]
        for words in (["add", self.user, "--no-password"], ["key", "add", self.user, self.folder / "key.pub"]):
            subprocess.run([*config, "account", *words], check=True, capture_output=True)

    def command(self):
        return [self.program, "-c", self.folder / "causeway.toml", "serve"]

    def start(self):
        super().start()
        asking = ["ssh-keyscan", "-p", str(PORT), self.net.host]
        done = subprocess.run(self.net.command("s", asking), check=True, capture_output=True, text=True)
        self.known_hosts.write_text(done.stdout)


class OpenSsh(Door):
    name = "openssh"

    def __init__(self, net, root, program=None):
        super().__init__(net, root, program)
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.top = str(self.root)

    def prepare(self):
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        text = self.fill_in(SSHD)
        # Newer versions shut out an address whose connections end too early.
        said = subprocess.run(["/usr/sbin/sshd", "-V"], capture_output=True, text=True)
        if version(said.stderr + said.stdout) >= (9, 8):
            text += "PerSourcePenalties no\n"
        (self.folder / "conf").write_text(text)

    def command(self):
        return ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "conf"]


class Rclone(Door):
    name = "rclone"

    def command(self):
        return [tools.RCLONE, "serve", "sftp", self.root, "--addr", f"{self.net.host}:{PORT}", "--key",
                self.folder / "host", "--authorized-keys", self.folder / "key.pub", "--config", self.folder / "none",
                "--vfs-cache-mode", "off", "--dir-cache-time", "1s"]


class AsyncSsh(Door):
    name = "asyncssh"

    def command(self):
        return [links.SFTP_PYTHON, HERE / "asyncssh_door.py", self.net.host, PORT, self.folder / "host",
                self.folder / "key.pub", self.root]


def version(said):
    """The version of OpenSSH in what it says of itself."""
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


DOORS = {door.name: door for door in (Causeway, OpenSsh, Rclone, AsyncSsh)}
