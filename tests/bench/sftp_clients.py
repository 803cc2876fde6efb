"""The clients that fetch from and send to SFTP servers, each with its own defaults and the same cipher."""

import dataclasses
import os
import pathlib
import subprocess

import doors
import links
import tools

CIPHER = "aes128-gcm@openssh.com"


@dataclasses.dataclass
class Ask:
    """What a client is to do."""

    door: doors.Door
    # `get` or `put`.
    way: str
    # A file or a folder of this machine: the source of a put, the target of a get.
    here: pathlib.Path
    # The same at the server, from the folder that is served.
    there: str
    # A folder for what the client keeps.
    home: pathlib.Path
    many: bool = False
    cipher: str = CIPHER
    # The program that is measured as a client.
    program: pathlib.Path | None = None


def ssh_options(ask):
    return ["-F", "none", "-o", f"Ciphers={ask.cipher}", "-o", f"IdentityFile={ask.door.key}", "-o",
            f"UserKnownHostsFile={ask.door.known_hosts}", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
            "-o", "Compression=no"]


def sftp(ask):
    batch = ask.home / "batch"
    many = "-r " if ask.many else ""
    pair = (ask.there, ask.here) if ask.way == "get" else (ask.here, ask.there)
    batch.write_text(f"{ask.way} {many}{pair[0]} {pair[1]}\n")
    door = ask.door
    return ["sftp", *ssh_options(ask), "-q", "-b", batch, "-P", door.port, f"{door.user}@{door.net.host}"], {}


def lftp(ask):
    """Eight files in parallel, where there are many."""
    door = ask.door
    program = " ".join(["ssh", "-a", "-x", *map(str, ssh_options(ask))])
    # Paths of lftp begin at the folder in which the server puts whoever comes.
    if ask.many:
        pair = (ask.there, ask.here) if ask.way == "get" else (ask.here, ask.there)
        work = f"mirror {'-R ' if ask.way == 'put' else ''}--parallel=8 {pair[0]} {pair[1]}"
    else:
        work = f"get {ask.there} -o {ask.here}" if ask.way == "get" else f"put {ask.here} -o {ask.there}"
    script = (f'set sftp:connect-program "{program}"; set cmd:fail-exit yes; '
              f"open -u {door.user}, -p {door.port} sftp://{door.net.host}; {work}")
    return ["lftp", "--norc", "-c", script], {"HOME": str(ask.home)}


def rclone(ask):
    door = ask.door
    there = (f":sftp,host={door.net.host},port={door.port},user={door.user},key_file='{door.key}',"
             f"known_hosts_file='{door.known_hosts}',ciphers='{ask.cipher}',disable_hashcheck=true,"
             f"shell_type=none:{ask.there}")
    pair = (there, ask.here) if ask.way == "get" else (ask.here, there)
    verb = ["copy", "--transfers", 16] if ask.many else ["copyto"]
    return [tools.RCLONE, *verb, "--config", ask.home / "none", *pair], {"HOME": str(ask.home)}


ASYNCSSH = """
import asyncio, os, sys, asyncssh
async def main(way, source, target, many, cipher):
    async with asyncssh.connect(os.environ["DOOR_HOST"], int(os.environ["DOOR_PORT"]), config=None,
            username=os.environ["DOOR_USER"], client_keys=[os.environ["DOOR_KEY"]],
            known_hosts=os.environ["DOOR_KNOWN_HOSTS"], encryption_algs=[cipher]) as connection:
        async with connection.start_sftp_client() as client:
            await getattr(client, way)(source, target, recurse=many == "True")
asyncio.run(main(*sys.argv[1:]))
"""


def asyncssh(ask):
    pair = (ask.there, ask.here) if ask.way == "get" else (ask.here, ask.there)
    command = [links.SFTP_PYTHON, "-c", ASYNCSSH, ask.way, *pair, ask.many, ask.cipher]
    return command, {**ask.door.environment(), "HOME": str(ask.home)}


SSHFS = """
sshfs -f "$@" &
pid=$!
until mountpoint -q "$MOUNT"; do kill -0 $pid || exit 1; sleep 0.01; done
cp -r "$FROM" "$TO"
status=$?
fusermount3 -u "$MOUNT" && wait $pid && exit $status
"""


def mount(home):
    return home / "mount"


def sshfs(ask):
    """What is written is at the server when the file system is taken away again, which counts."""
    door, there = ask.door, mount(ask.home)
    there.mkdir()
    pair = (there / ask.there, ask.here) if ask.way == "get" else (ask.here, there / ask.there)
    words = [*ssh_options(ask), "-p", door.port, f"{door.user}@{door.net.host}:", there]
    return ["sh", "-c", SSHFS, "sh", *words], {"MOUNT": str(there), "FROM": str(pair[0]), "TO": str(pair[1])}


def causeway(ask):
    """A mirror takes folders: of the one with the big file all else is left out. It has no option for the cipher and
    takes its own first choice."""
    door = ask.door
    key = subprocess.run(["ssh-keygen", "-lf", door.folder / "host.pub"], check=True, capture_output=True, text=True)
    side = "" if ask.way == "get" else "target-"
    only = [] if ask.many else ["--exclude", "/small/"]
    here, there = (ask.here, f"{door.top}/{ask.there}") if ask.many else (ask.here.parent, door.top)
    here.mkdir(exist_ok=True)
    url = f"sftp://{door.user}@{door.net.host}:{door.port}/{there}"
    pair = (url, here) if ask.way == "get" else (here, url)
    options = [f"--{side}pin", key.stdout.split()[1], f"--{side}identity", door.key, "--state", ask.home / "state"]
    return [ask.program, "mirror", "--progress", "never", "--no-manifest", *options, *only, *pair], {
        "HOME": str(ask.home)}


SERIAL = """
import os, pathlib, sys, paramiko
door = os.environ
way, here, there, cipher = sys.argv[1:]
link = paramiko.Transport((door["DOOR_HOST"], int(door["DOOR_PORT"])))
link.get_security_options().ciphers = [cipher]
link.connect(username=door["DOOR_USER"], pkey=paramiko.Ed25519Key.from_private_key_file(door["DOOR_KEY"]))
client = paramiko.SFTPClient.from_transport(link)
os.makedirs(here, exist_ok=True)
if way == "put":
    client.mkdir(there)
    for folder in sorted(os.listdir(here)):
        client.mkdir(f"{there}/{folder}")
        for name in os.listdir(f"{here}/{folder}"):
            client.put(f"{here}/{folder}/{name}", f"{there}/{folder}/{name}")
else:
    for folder in client.listdir(there):
        os.mkdir(f"{here}/{folder}")
        for name in client.listdir(f"{there}/{folder}"):
            client.get(f"{there}/{folder}/{name}", f"{here}/{folder}/{name}", prefetch=False)
link.close()
"""


def serial(ask):
    """One file after the other, each question after the answer to the last, as simple programs do it."""
    # paramiko knows AES-GCM by OpenSSH's names from version 3.5 on.
    command = [links.SFTP_PYTHON, "-c", SERIAL, ask.way, ask.here, ask.there, ask.cipher]
    return command, {**ask.door.environment(), "HOME": str(ask.home)}


ORDERS = {"sftp": sftp, "lftp": lftp, "rclone": rclone, "asyncssh": asyncssh, "sshfs": sshfs, "causeway": causeway,
          "serial": serial}
# These are compared with other clients, at the server that all of them know.
OURS, SERIAL_LINK = "causeway", "rtt50"


def can(client, server, what, link):
    """Does this cell tell something?"""
    small = what.endswith("small")
    if what == "get-null":
        return client == "sftp" and link == "loopback"
    if link == SERIAL_LINK:
        return small and server == "openssh" and client in (OURS, "serial")
    if client == "serial":
        return False
    return (client != OURS or server == "openssh") and (client != "sshfs" or small)


def order(client, ask):
    """Command and environment."""
    command, environment = ORDERS[client](ask)
    return command, {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), **environment}
