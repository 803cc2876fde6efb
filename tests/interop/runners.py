"""How each suite is run against a door: functions that take the door and a scratch folder and return results."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import curl_cases
import links
import outcomes
import peers
import rclone_cases
import steps

SUITES = pathlib.Path(__file__).resolve().parent / "suites"
# Operations of the file-system exerciser, and the start of its random numbers.
OPERATIONS, SEED = 2000, 4
# Seconds for a suite.
LIMIT = 300


def at(door, command, folder, limit=LIMIT, **more):
    """Runs a command where the door's clients are."""
    words = [str(word) for word in door.net.command("c", command)]
    environment = {**os.environ, **door.environment(), "HOME": str(folder), **more}
    try:
        return subprocess.run(words, cwd=more.get("PWD", folder), env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=limit)
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return subprocess.CompletedProcess(words, -1, said if isinstance(said, str) else said.decode(errors="replace"),
                                           f"no end after {limit} s")


def paramiko(door, folder):
    """test_sftp.py and test_sftp_big.py of paramiko, in the served folder."""
    tests = folder / "tests"
    shutil.copytree(peers.source("paramiko") / "tests", tests)
    shutil.copy(SUITES / "paramiko_conftest.py", tests / "conftest.py")
    report = folder / "junit.xml"
    command = [links.SFTP_PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
               f"--rootdir={folder}", tests / "test_sftp.py", tests / "test_sftp_big.py"]
    done = at(door, command, folder, PWD=str(door.root))
    return read_junit(report, done)


def read_junit(report, done):
    if not report.exists():
        return {"suite": outcomes.one_line(done.stdout + done.stderr) or "said nothing"}
    return outcomes.from_junit(report.read_text())


def asyncssh(door, folder):
    """test_sftp.py of asyncssh, as far as its server may be elsewhere."""
    shutil.copytree(peers.source("asyncssh") / "tests", folder / "tests")
    script = shutil.copy(SUITES / "asyncssh_outside.py", folder)
    return read_lines(at(door, [links.SFTP_PYTHON, script], folder, limit=900))


def read_lines(done):
    """A suite that did not come to its end was not run."""
    results = outcomes.from_lines(done.stdout)
    if done.returncode != 0 or not results:
        results["suite"] = outcomes.one_line(done.stderr[-160:]) or f"exit status {done.returncode}"
    return results


def curl(door, folder):
    """The test cases that are in curl's sources."""
    return curl_cases.run(door, folder, at, peers.curl_tests())


def libssh(door, folder):
    """The functions of libssh, of which Debian has no tests that can be run."""
    done = at(door, [links.SFTP_PYTHON, SUITES / "libssh_walk.py", peers.libssh()], folder, limit=60)
    results = json.loads(done.stdout or "{}")
    return results if done.returncode == 0 else {**results, "suite": outcomes.one_line(done.stderr[-160:])}


def rclone(door, folder):
    """`rclone test`."""
    return rclone_cases.run(door, folder, at)


def audit(door, folder):
    """ssh-audit, which knows what is wrong with each algorithm."""
    done = at(door, [links.SFTP_PYTHON.with_name("ssh-audit"), "--json", "--skip-rate-test", "-p", door.port,
                     door.net.host], folder)
    try:
        return outcomes.from_audit(json.loads(done.stdout))
    except json.JSONDecodeError:
        return {"suite": outcomes.one_line(done.stdout + done.stderr)}


def clients(door, folder):
    """What ordinary clients do, step by step."""
    return steps.run(door, folder, at)


def sshfs(door, folder):
    """A mounted door, and random work in it."""
    mount = folder / "mount"
    mount.mkdir()
    (door.root / "drive").mkdir()
    options = ["-o", f"IdentityFile={door.key}", "-o", f"UserKnownHostsFile={door.known_hosts}", "-o",
               "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-p", door.port]
    # The folder is looked at from one side only, so that the client's caches are part of what is tried.
    mounted = at(door, ["sshfs", f"{door.user}@{door.net.host}:drive", mount, *options], folder, limit=30)
    if mounted.returncode != 0:
        return {"mount": outcomes.one_line(mounted.stderr)}
    try:
        done = at(door, [links.SFTP_PYTHON, SUITES / "exerciser.py", mount, SEED, OPERATIONS], folder)
    finally:
        unmount(mount)
    return {"mount": "ok", **read_lines(done)}


def unmount(mount):
    for _ in range(20):
        if subprocess.run(["fusermount3", "-u", mount], capture_output=True).returncode == 0:
            return
        time.sleep(0.2)
    subprocess.run(["fusermount3", "-u", "-z", mount], check=True, capture_output=True)


RUNNERS = {"paramiko": paramiko, "asyncssh": asyncssh, "ssh-audit": audit, "clients": clients, "rclone": rclone,
           "curl": curl, "libssh": libssh, "sshfs": sshfs}
