"""The clients that fetch from and send to SFTP servers, each with its own defaults and the same cipher."""

import dataclasses
import os
import pathlib

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


ORDERS = {"sftp": sftp, "lftp": lftp, "rclone": rclone, "asyncssh": asyncssh}


def order(client, ask):
    """Command and environment."""
    command, environment = ORDERS[client](ask)
    return command, {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), **environment}
