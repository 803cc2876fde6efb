"""The links that are measured.

A link is a loopback interface of its own, or a lab of tests/netlab: two network namespaces with a wire between them
that has a delay, a rate and a loss."""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import signal
import subprocess
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
TOP = TESTS.parent
# The Python that has the SFTP peers, which tests/interop/peers.py installs.
SFTP_PYTHON = TESTS / ".cache" / "sftp" / "bin" / "python"
NETLAB = TOP / "target" / "netlab" / "release" / "netlab"
# Payload of a packet of 1,500 bytes with timestamps.
PAYLOAD = 1448 / 1500


@dataclasses.dataclass(frozen=True)
class Link:
    """What a link is like."""

    name: str
    # Milliseconds there and back; 0: the loopback interface, without a lab.
    rtt: float = 0
    # Mbit/s each way.
    rate: float = 0
    # Percent of packets.
    loss: float = 0
    # The server may not connect to the client, as behind a firewall.
    passive: bool = False
    # Both channels are encrypted (AUTH TLS), and the server insists that data connections resume the session.
    tls: bool = False

    @property
    def limit(self):
        """The most payload that it carries, in bytes a second; 0: not limited by the link."""
        return self.rate * 1e6 / 8 * PAYLOAD

    def settings(self):
        return [f"delay={self.rtt / 2}", f"rate={self.rate}", f"loss={self.loss}"]

    def describe(self):
        if not self.rtt:
            return "loopback, FTPS" if self.tls else "loopback"
        loss = f", {self.loss} % loss" if self.loss else ""
        passive = ", passive mode only" if self.passive else ""
        return f"{self.rtt:g} ms RTT, {self.rate:g} Mbit/s{loss}{passive}"


LINKS = {
    link.name: link
    for link in (
        Link("loopback"),
        Link("loopbacktls", tls=True),
        Link("rtt20", 20, 200),
        Link("rtt20passive", 20, 200, passive=True),
        Link("rtt50", 50, 200),
        Link("rtt80loss", 80, 200, 0.5),
        Link("rtt80losspassive", 80, 200, 0.5, passive=True),
    )
}
FAULTY = Link("faults", 20, 8)


def build_netlab():
    """Compiles the emulator, which does nothing when it is compiled."""
    command = ["cargo", "build", "--quiet", "--release", "--manifest-path", "tests/netlab/Cargo.toml"]
    subprocess.run([*command, "--target-dir", "target/netlab"], cwd=TOP, check=True)


@dataclasses.dataclass(frozen=True)
class Count:
    """What a link counted of one run. Of control and data connections apart, of the most at once and of
    bytes only an emulator knows."""

    # TCP connections, by whichever end.
    opened: int
    control_opened: int | None = None
    control_peak: int | None = None
    data_opened: int | None = None
    data_peak: int | None = None
    # Bytes in both directions with their headers, sent again or not.
    wire_bytes: int | None = None


class Loopback:
    """No lab: client and server are neighbours in a network namespace of their own, whose counters know of nobody
    else's connections. It ends with this process: its holder's standard input is the leash."""

    host, port = "127.0.0.1", 21

    def __init__(self, link):
        self.link = link
        self.greeting = "the machine's own congestion control"

    def __enter__(self):
        command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && read leash"]
        self.holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline().strip() != "up":
            self.holder.wait()
            raise SystemExit("no network namespace: that needs root")
        self.begun = self.active_opens()
        return self

    def __exit__(self, *_):
        self.holder.communicate()

    def command(self, _side, command):
        """`command` in the namespace; it becomes the process, as in a lab."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *command]

    def active_opens(self):
        """Connections that were asked for here since the namespace exists, by whichever end."""
        names, values = [
            line.split() for line in pathlib.Path(f"/proc/{self.holder.pid}/net/snmp").read_text().splitlines()
            if line.startswith("Tcp:")
        ]
        return int(values[names.index("ActiveOpens")])

    def restart_count(self):
        self.begun = self.active_opens()

    def count(self):
        """What the kernel counts of connections; it does not tell one kind from the other."""
        return Count(opened=self.active_opens() - self.begun)

    def ask(self, *words):
        raise NotImplementedError(f"the loopback interface has no {words[0]}")

    def end(self, process):
        """Ends a server and all its sessions at once; they have process groups of their own."""
        while left := family(process.pid):
            for one in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            time.sleep(0.01)
        process.wait()

    @contextlib.contextmanager
    def unhindered(self):
        yield self


def family(ancestor):
    """A process that lives and all that descend from it."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # Behind the name, which may hold anything: state and parent.
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    found = [ancestor] if ancestor in parents else []
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


class Lab:
    """A lab of tests/netlab. It ends with this process, even when that is killed: its standard input is the leash."""

    host, port = "10.9.0.2", 21
    numbers = itertools.count(1)

    def __init__(self, link):
        self.link = link
        self.name = f"bench-{os.getpid()}-{next(Lab.numbers)}"

    def __enter__(self):
        command = [NETLAB, "up", self.name, "until=eof", *self.link.settings()]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.greeting = self.process.stdout.readline().strip()
        if "is up" not in self.greeting:
            self.process.wait()
            raise SystemExit("the link emulator does not start: it needs root and /dev/net/tun")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def command(self, side, command):
        """`command` in the client's (`c`) or the server's (`s`) namespace; it becomes the process, so that what is
        measured of the process is the command's."""
        return [NETLAB, "exec", self.name, side, *command]

    def ask(self, *words):
        done = subprocess.run([NETLAB, words[0], self.name, *words[1:]], capture_output=True, text=True, check=True)
        return done.stdout

    def stat(self):
        return json.loads(self.ask("stat"))

    def restart_count(self):
        self.ask("stat", "reset")

    def count(self):
        stat = self.stat()
        control, data = stat["ctl"], stat["data"]
        return Count(control["opened"] + data["opened"], control["opened"], control["peak"], data["opened"],
                     data["peak"], stat["c2s"]["bytes"] + stat["s2c"]["bytes"])

    def end(self, process):
        """Ends a server and all its sessions at once, as a machine that crashes does."""
        self.ask("kill", "s")
        process.wait()

    @contextlib.contextmanager
    def unhindered(self):
        """The link without delay, rate and loss, for work that is not measured."""
        self.ask("set", "delay=0", "rate=0", "loss=0")
        try:
            yield self
        finally:
            self.ask("set", *self.link.settings())


def bring_up(link):
    return Lab(link) if link.rtt else Loopback(link)
