"""What sessions cost an SFTP server: logging in, being there, and a question while others move data."""

import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import time

import costs
import links
import measure

LOAD = pathlib.Path(__file__).resolve().parent / "sftp_load.py"
# At full scale.
LOGINS, IDLE, MOVING = 100, 2000, 200
# Processes of the load: one alone would be busier than the server.
PROCESSES = 4
# Seconds for which nobody does anything, and for which data moves.
QUIET, BUSY = 5, 10
# Seconds that a server with all its sessions needs to settle after the last login.
SETTLE = 2


class Cut(Exception):
    """The time limit of a cell has passed, or its load has ended."""


class Load:
    """One process of tests/bench/sftp_load.py at the client's end; ended when the block is left."""

    def __init__(self, door, cipher, words, urgent=False):
        command = [str(word) for word in (links.SFTP_PYTHON, LOAD, cipher, *words)]
        # A stopwatch that waits for a processor measures the load and not the server.
        command = ["nice", "-n", "-10", *command] if urgent else command
        self.process = subprocess.Popen(
            door.net.command("c", command), env={**os.environ, **door.environment()}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True)
        measure.RUNNING.add(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        measure.RUNNING.discard(self.process.pid)
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def ask(self, text):
        self.process.stdin.write(text + "\n")

    def answer(self, end):
        """The next line, which has to be there before `end`."""
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise Cut("cut at its limit" if not ready else "the client ended")
        return json.loads(line)


def setup(door, chosen):
    """Logins one after the other; seconds of each, and what one costs either side."""
    count = max(3, int(LOGINS * chosen.scale))
    before = costs.cpu(door)
    with Load(door, chosen.cipher, ("logins", count)) as load:
        told = load.answer(time.monotonic() + chosen.limit)
    return {"login": costs.percentile(told["seconds"], 0.5), "login_p99": costs.percentile(told["seconds"], 0.99),
            "login_cpu": (costs.cpu(door) - before) / count, "client_cpu": told["client_cpu"], "logins": count}


def shares(count, parts):
    """`count` split as evenly as it goes."""
    return [count // parts + (part < count % parts) for part in range(parts)]


def crowd(door, chosen, path):
    """Idle sessions, and then some of them at work while another asks."""
    count = max(PROCESSES, int(IDLE * chosen.scale))
    moving = max(PROCESSES, int(MOVING * chosen.scale))
    end = time.monotonic() + 5 * chosen.limit
    # One login first: what the first costs is no session's.
    with Load(door, chosen.cipher, ("logins", 1)) as load:
        load.answer(end)
    before = costs.memory(door)
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(door, chosen.cipher, ("hold", share))) for share in shares(count, PROCESSES)]
        told = [load.answer(end) for load in loads]
        there = sum(one["sessions"] for one in told)
        failed = [words for one in told for words in one["failed"]]
        found = {"sessions": there, "refused": count - there, "failed": failed[:1]}
        if not there:
            return found
        time.sleep(SETTLE)
        found["memory"] = (costs.memory(door) - before) / there
        spent = costs.cpu(door)
        time.sleep(QUIET)
        found["idle_cpu"] = costs.cpu(door) - spent
        return {**found, **busy(door, chosen, path, loads, moving, end)}


def busy(door, chosen, path, loads, moving, end):
    """A STAT of an own session, timed while `moving` others read a file as fast as their client can."""
    with Load(door, chosen.cipher, ("stat", BUSY, path), urgent=True) as watch:
        watch.answer(end)
        for load, share in zip(loads, shares(moving, len(loads)), strict=True):
            load.ask(f"move {share} {BUSY} {path}")
        took = watch.answer(end)["seconds"]
        moved = [load.answer(end) for load in loads]
    return {"moving": moving, "stat_p50": costs.percentile(took, 0.5), "stat_p99": costs.percentile(took, 0.99),
            "moved": sum(one["moved"] for one in moved) / BUSY, "least": min(one["least"] for one in moved) / BUSY,
            "broken": sum(one["broken"] for one in moved)}


PARTS = {"setup": lambda door, chosen, path: setup(door, chosen), "sessions": crowd}


def run(door, part, chosen, path):
    """One part at one server: its figures, or why there are none."""
    try:
        return PARTS[part](door, chosen, path)
    except Cut as cut:
        return {"failed": [str(cut)]}
