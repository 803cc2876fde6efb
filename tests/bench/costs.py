"""What a server costs: the processor time and the memory of its processes."""

import contextlib
import math
import os
import pathlib
import threading

import links


def cpu(door):
    """CPU seconds of a server and its sessions, those that ended too."""
    ticks = 0
    for pid in links.family(door.process.pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(door):
    """Bytes of a server and its sessions; pages that several processes share are counted once. What the kernel keeps
    for their sockets is not in it."""
    total = 0
    for pid in links.family(door.process.pid):
        with contextlib.suppress(OSError):
            total += pss(pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text())
    return total


def pss(said):
    """Bytes of one process, from its smaps_rollup, without those of mapped files: the client may run the same
    interpreter, and would take over a part of them."""
    own = ("Pss_Anon:", "Pss_Shmem:")
    return sum(int(line.split()[1]) * 1024 for line in said.splitlines() if line.startswith(own))


def restart_peak(door):
    """Lets the kernel forget how much each process once had; bytes that they have now."""
    for pid in links.family(door.process.pid):
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
    return status(door, "VmRSS:")


def status(door, name):
    """The sum of one figure of all processes, in bytes: `VmRSS:` now, `VmHWM:` the most since the last restart."""
    total = 0
    for pid in links.family(door.process.pid):
        with contextlib.suppress(OSError):
            lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
    return total


class Peak(threading.Thread):
    """Looks at the memory of a server while the block runs, and remembers the most. Where it is more than `bound` bytes
    above what it was, `burst` is called, once."""

    def __init__(self, door, bound=None, burst=None, pace=0.1):
        super().__init__(daemon=True)
        self.door, self.bound, self.burst, self.pace = door, bound, burst, pace
        self.over = threading.Event()

    def __enter__(self):
        self.before = self.most = memory(self.door)
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(self.pace):
            self.most = max(self.most, memory(self.door))
            if self.bound and self.grown > self.bound:
                self.burst()
                return

    @property
    def grown(self):
        """Bytes more than before."""
        return self.most - self.before


def percentile(values, share):
    """The value that `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
