"""Runs one command and measures it: wall time, CPU and memory of the client, connections and bytes of the link."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import threading
import time

import trees


@dataclasses.dataclass
class Run:
    """One run of one tool."""

    seconds: float
    # User and system time of the client, its children included.
    cpu: float
    # Bytes, the most at any time.
    memory: int
    exit: int
    # It was ended at the limit.
    cut: bool = False
    # `seconds` was projected from the steady rate of a run that was cut.
    projected: bool = False
    # TCP connections, by whichever end.
    opened: int | None = None
    # Of an emulated link; the kernel does not tell one kind from the other.
    control_opened: int | None = None
    control_peak: int | None = None
    data_opened: int | None = None
    data_peak: int | None = None
    wire_bytes: int | None = None
    # The cipher suite of the last data connection, as OpenSSL calls it.
    suite: str | None = None
    # What comparing the copy with its source said; empty when there is nothing to compare.
    copy: str = ""

    @property
    def lied(self):
        """Said success over a copy that is none, or failure over one that is."""
        return bool(self.copy) and not self.cut and (self.exit == 0) != self.copy.startswith("equal")

    @property
    def abreast(self):
        """How many dialogues went on at once: no more than there were control connections, of which some tools keep
        idle ones, and, where data connections were used, than there were of those."""
        return min(self.control_peak, self.data_peak) if self.control_peak and self.data_peak else self.control_peak

    @property
    def copy_is_bad(self):
        return bool(self.copy) and not self.copy.startswith("equal")


class Progress:
    """How far a run over an emulated link is, looked at where its rate is steady: not at its start."""

    def __init__(self, tree, target, net):
        self.tree, self.target, self.net = tree, target, net

    def share(self):
        """0 to 1. Bytes are counted on the link, since some tools make files of the full size at once."""
        if self.tree.is_bulk:
            return self.net.stat()["data"]["bytes"] / self.tree.bytes
        return trees.arrived(self.tree, self.target) / max(self.tree.files, 1)


# Processes that are measured now, on any thread.
RUNNING = set()


def end_all():
    """Ends what is measured now: whoever ends the benchmark ends what it started."""
    for pid in list(RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def run(order, net, limit, progress=None, words=os.devnull):
    """Runs `order` (command, environment) at the client's end of `net`, for at most `limit` seconds. What it says goes
    into the file `words`."""
    command, environment = order
    net.restart_count()
    begin = time.monotonic()
    with open(words, "wb") as said:
        process = subprocess.Popen(
            net.command("c", [str(word) for word in command]),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    RUNNING.add(process.pid)
    watch = Watch(process, begin, limit, progress)
    watch.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        watch.end()
    RUNNING.discard(process.pid)
    seconds = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    done = Run(seconds, usage.ru_utime + usage.ru_stime, watch.memory, process.returncode, watch.cut)
    for name, number in dataclasses.asdict(net.count()).items():
        setattr(done, name, number)
    if watch.cut and (projected := watch.projected()):
        done.seconds, done.projected = projected, True
        done.cpu *= projected / seconds
    return done


class Watch(threading.Thread):
    """Ends a process at its limit, and knows how much memory it had and how fast it was in the last two thirds."""

    # Seconds between two looks at the memory. What the kernel keeps of a process that ended would do without looking,
    # but it starts from the size of this script, from which the process was forked.
    PACE = 0.03

    def __init__(self, process, begin, limit, progress):
        super().__init__(daemon=True)
        self.process, self.begin, self.limit, self.progress = process, begin, limit, progress
        self.over = threading.Event()
        self.looks = []
        self.cut = False
        self.memory = 0
        self.status = pathlib.Path("/proc", str(process.pid), "status")

    def run(self):
        for moment in (self.limit / 3, self.limit):
            while time.monotonic() < self.begin + moment:
                self.look_at_memory()
                if self.over.wait(self.PACE):
                    return
            if self.progress:
                self.looks.append((time.monotonic() - self.begin, self.progress.share()))
        self.cut = True
        os.killpg(self.process.pid, signal.SIGKILL)

    def look_at_memory(self):
        """The most that the program had until now, which it forgets when it becomes another program."""
        with contextlib.suppress(OSError):
            for line in self.status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.memory = int(line.split()[1]) * 1024

    def end(self):
        self.over.set()
        self.join()

    def projected(self):
        """The whole time at the rate of the last two thirds; none when nothing moved."""
        if len(self.looks) < 2:
            return None
        (early, before), (late, after) = self.looks
        rate = (after - before) / (late - early)
        return late + max(0, 1 - after) / rate if rate > 0 else None


def median(runs):
    """The run in the middle by time, with the worst words about its copy."""
    ordered = sorted(runs, key=lambda run: run.seconds)
    middle = dataclasses.replace(ordered[(len(ordered) - 1) // 2])
    middle.memory = max(run.memory for run in runs)
    for other in runs:
        if other.lied or (other.copy and not other.copy.startswith("equal")):
            middle.copy, middle.exit, middle.cut = other.copy, other.exit, other.cut
    return middle


def last_words(path, most=2000):
    """The end of what a tool said, for whoever asks why it failed."""
    return pathlib.Path(path).read_bytes()[-most:].decode(errors="replace")


def folder(lab, name):
    """A fresh folder; all are removed at the very end, since this file system makes files slowly after many were
    removed, and whoever comes next would pay for it."""
    path = pathlib.Path(lab, name)
    path.mkdir(parents=True)
    return path
