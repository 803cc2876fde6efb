"""A server that is measured, at the far end of a link, over a folder."""

import pathlib
import subprocess
import sys
import tempfile
import time

# Seconds that a server may take until it greets; a debug build on a busy machine needs some.
START = 60
# Is somebody there who takes connections, and, where a greeting is named, begins with it?
GREETING = (
    "import socket, sys\n"
    "greeting = sys.argv[3].encode()\n"
    "with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as one:\n"
    "    sys.exit(greeting != (one.recv(len(greeting)) if greeting else b''))"
)


class Served:
    """A server, started when the block is entered and ended, with its sessions, when it is left."""

    name = ""
    port = 0
    # What it says first.
    greeting = ""

    def __init__(self, net, root, program=None):
        self.net, self.root, self.program = net, pathlib.Path(root), program
        self.process = None

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="causeway-door-")
        self.folder = pathlib.Path(self.scratch.name)
        try:
            self.equip()
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.net.end(self.process)
            self.process = None
        self.scratch.cleanup()

    def equip(self):
        """What all servers of a kind need."""

    def prepare(self):
        """Writes what the server reads."""

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.folder / "words", "wb") as words:
            # It does not outlive this process, even one that is killed.
            leashed = ["setpriv", "--pdeathsig", "KILL", *self.command()]
            command = [str(word) for word in self.net.command("s", leashed)]
            self.process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=words,
                                            stderr=words)
        words = [sys.executable, "-c", GREETING, self.net.host, str(self.port), self.greeting]
        asking = self.net.command("s", words)
        end = time.monotonic() + START
        while subprocess.run(asking, stderr=subprocess.DEVNULL).returncode != 0:
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"{self.name} does not answer: {self.words()}")
            time.sleep(0.05)

    def words(self):
        """The end of what it said."""
        return (self.folder / "words").read_text(errors="replace")[-2000:]
