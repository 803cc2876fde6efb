"""The tools that are compared, and the flags of each: its best ones for a number of connections, or none at all.

Over TLS none of them looks at the certificate: what is compared is the encryption."""

import dataclasses
import os
import pathlib
import subprocess

import links
import servers

RCLONE = links.TESTS / ".cache" / "venv" / "bin" / "rclone"
NAMES = ("causeway", "lftp", "rclone", "wget")


@dataclasses.dataclass
class Ask:
    """What a tool is to do."""

    net: object
    target: pathlib.Path
    # Where a tool keeps what it remembers from run to run.
    home: pathlib.Path
    # None: the tool's own choice.
    connections: int | None
    # The tree is one file: it is to be fetched in parts.
    one_file: bool = False
    # There is a copy already.
    again: bool = False
    # List and plan only.
    dry: bool = False
    program: pathlib.Path | None = None


def causeway(ask):
    scheme = "ftp+tls" if ask.net.link.tls else "ftp"
    command = [ask.program, "mirror", f"{scheme}://{servers.USER}@{ask.net.host}:{ask.net.port}/", ask.target]
    command += ["--state", ask.home, "--progress", "never"]
    command += ["--insecure"] if ask.net.link.tls else []
    command += ["--connections", ask.connections] if ask.connections else []
    command += ["--dry-run"] if ask.dry else []
    return command, {"CAUSEWAY_SOURCE_PASSWORD": servers.PASSWORD}


def lftp(ask):
    """Best: commands sent ahead, directories in parallel, one file by several connections; STAT instead of LIST where
    only listings are asked for. Its own choice is one connection."""
    best = "set ftp:sync-mode off; set mirror:parallel-directories yes; "
    if ask.again or ask.dry:
        best += "set ftp:use-stat-for-list on; "
    encrypted = "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:verify-certificate no; "
    always = encrypted if ask.net.link.tls else ""
    options = "--dry-run " if ask.dry else ""
    if ask.connections:
        options += f"--parallel={ask.connections} "
        options += f"--use-pget-n={ask.connections} " if ask.one_file else ""
    source = f"open --env-password -u {servers.USER} ftp://{ask.net.host}:{ask.net.port}"
    script = always + (best if ask.connections else "") + f"{source}; mirror {options}/ {ask.target}"
    return ["lftp", "-c", script], {
        "LFTP_PASSWORD": servers.PASSWORD,
        "HOME": str(ask.home),
    }


def rclone(ask):
    encrypted = ",explicit_tls=true,no_check_certificate=true" if ask.net.link.tls else ""
    source = f":ftp,host={ask.net.host},port={ask.net.port},user={servers.USER}{encrypted}:"
    command = [RCLONE, "sync", source, ask.target]
    if ask.connections:
        command += ["--transfers", ask.connections, "--checkers", ask.connections, "--ftp-concurrency", 0]
        command += ["--multi-thread-streams", ask.connections] if ask.one_file else []
    command += ["--dry-run"] if ask.dry else []
    return command, {"RCLONE_CONFIG": str(ask.home / "none"), "RCLONE_FTP_PASS": obscured(), "HOME": str(ask.home)}


def wget(ask):
    """It has one connection, and no other choice. The password stays out of the list of processes."""
    rc = ask.home / "wgetrc"
    rc.touch(mode=0o600)
    rc.write_text(f"ftp_user = {servers.USER}\nftp_password = {servers.PASSWORD}\n")
    tls = ask.net.link.tls
    address = f"{'ftps' if tls else 'ftp'}://{ask.net.host}:{ask.net.port}/"
    options = ["-q", "-m", "-nH", *(["--no-check-certificate"] if tls else [])]
    return ["wget", *options, "-P", ask.target, address], {"WGETRC": str(rc), "HOME": str(ask.home)}


ORDERS = {"causeway": causeway, "lftp": lftp, "rclone": rclone, "wget": wget}


def order(tool, ask):
    """Command and environment."""
    command, environment = ORDERS[tool](ask)
    return command, {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), **environment}


def can(tool, connections, dry):
    """Does the tool have this?"""
    return not (tool == "wget" and (dry or connections not in (None, 1)))


_obscured = None


def obscured():
    """rclone takes passwords only in its own disguise."""
    global _obscured
    if _obscured is None:
        done = subprocess.run(
            [RCLONE, "obscure", "-"], input=servers.PASSWORD, capture_output=True, text=True, check=True
        )
        _obscured = done.stdout.strip()
    return _obscured


def versions(program):
    """The first line of what each says of itself."""
    asked = {"causeway": [program, "--version"], "lftp": ["lftp", "--version"], "rclone": [RCLONE, "version"],
             "wget": ["wget", "--version"]}
    said = {}
    for tool, command in asked.items():
        output = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        said[tool] = output.splitlines()[0] if output else "does not start"
    return said
