"""The links that are measured, and the FTP server at the other end of one.

A link is the loopback interface, or a lab of tests/netlab: two network namespaces with a wire between them that has a
delay, a rate and a loss."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
TOP = TESTS.parent
VSFTPD = TESTS / ".cache" / "peers" / "usr" / "sbin" / "vsftpd"
NETLAB = TOP / "target" / "netlab" / "release" / "netlab"
USER, PASSWORD = "anna", "open-sesame"
# Payload of a packet of 1,500 bytes with timestamps.
PAYLOAD = 1448 / 1500
# So many seconds a server may take until it greets.
START = 15


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

    @property
    def limit(self):
        """The most payload that it carries, in bytes a second; 0: not limited by the link."""
        return self.rate * 1e6 / 8 * PAYLOAD

    def settings(self):
        return [f"delay={self.rtt / 2}", f"rate={self.rate}", f"loss={self.loss}"]

    def describe(self):
        if not self.rtt:
            return "loopback"
        loss = f", {self.loss} % loss" if self.loss else ""
        passive = ", passive mode only" if self.passive else ""
        return f"{self.rtt:g} ms RTT, {self.rate:g} Mbit/s{loss}{passive}"


LINKS = {
    link.name: link
    for link in (
        Link("loopback"),
        Link("rtt20", 20, 200),
        Link("rtt20passive", 20, 200, passive=True),
        Link("rtt80loss", 80, 200, 0.5),
        Link("rtt80losspassive", 80, 200, 0.5, passive=True),
    )
}
FAULTY = Link("faults", 20, 8)


def build_netlab():
    """Compiles the emulator, which does nothing when it is compiled."""
    command = ["cargo", "build", "--quiet", "--release", "--manifest-path", "tests/netlab/Cargo.toml"]
    subprocess.run([*command, "--target-dir", "target/netlab"], cwd=TOP, check=True)


class Loopback:
    """No lab: client and server are neighbours."""

    host = "127.0.0.1"

    def __init__(self, link):
        self.link = link
        self.greeting = "the machine's own congestion control"
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port = probe.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def command(self, _side, command):
        return command

    def stat(self, reset=False):
        return None

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

    def unhindered(self):
        return self


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
    count = 0

    def __init__(self, link):
        self.link = link
        Lab.count += 1
        self.name = f"bench-{os.getpid()}-{Lab.count}"

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

    def stat(self, reset=False):
        return json.loads(self.ask("stat", *(["reset"] if reset else [])))

    def end(self, process):
        """Ends a server and all its sessions at once, as a machine that crashes does."""
        self.ask("kill", "s")
        process.wait()

    def unhindered(self):
        """The link without delay, rate and loss, for work that is not measured."""
        return Unhindered(self)


class Unhindered:
    def __init__(self, lab):
        self.lab = lab

    def __enter__(self):
        self.lab.ask("set", "delay=0", "rate=0", "loss=0")
        return self.lab

    def __exit__(self, *_):
        self.lab.ask("set", *self.lab.link.settings())


def bring_up(link):
    return Lab(link) if link.rtt else Loopback(link)


class Server:
    """vsftpd over one tree, at the server's end of a link; ended when the block is left."""

    def __init__(self, net, root, extra=""):
        self.net, self.root, self.extra = net, root, extra

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="causeway-bench-server-")
        folder = pathlib.Path(self.scratch.name)
        os.chmod(folder, 0o755)
        (folder / "empty").mkdir()
        self.conf = folder / "vsftpd.conf"
        self.conf.write_text(
            f"listen=YES\nlisten_ipv6=NO\nlisten_address={self.net.host}\nlisten_port={self.net.port}\nbackground=NO\n"
            "anonymous_enable=NO\nlocal_enable=YES\nguest_enable=YES\nguest_username=daemon\n"
            f"virtual_use_local_privs=YES\npam_service_name=causeway-peers\nlocal_root={self.root}\n"
            f"chroot_local_user=YES\nallow_writeable_chroot=YES\nsecure_chroot_dir={folder}/empty\n"
            "write_enable=NO\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nuse_localtime=NO\n"
            f"nopriv_user=nobody\nport_enable={'NO' if self.net.link.passive else 'YES'}\n{self.extra}\n"
        )
        self.process = None
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self.scratch.cleanup()

    def start(self):
        command = self.net.command("s", [VSFTPD, self.conf])
        self.process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        probe = (
            "import socket, sys\n"
            "with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as one: sys.exit(one.recv(3) != b'220')"
        )
        asking = self.net.command("s", ["python3", "-c", probe, self.net.host, str(self.net.port)])
        end = time.monotonic() + START
        while subprocess.run(asking, stderr=subprocess.DEVNULL).returncode != 0:
            if time.monotonic() > end or self.process.poll() is not None:
                self.kill()
                raise SystemExit("vsftpd does not answer: run tests/run setup")
            time.sleep(0.05)

    def kill(self):
        """Ends the server and all its sessions at once, as a machine that crashes does."""
        if self.process is not None:
            self.net.end(self.process)
            self.process = None
