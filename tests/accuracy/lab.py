"""A lab with one server in it: two namespaces, a link with faults, `causeway doctor` at the other end."""

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
NETLAB = TOP / "target/netlab/release/netlab"
PEERS = TOP / "tests/.cache/peers"
CAUSEWAY = pathlib.Path(os.environ.get("CAUSEWAY", TOP / "target/debug/causeway"))
SERVER = "10.9.0.2"
USER, PASSWORD = "anna", "open-sesame"
# No look at one server takes longer, in seconds.
PATIENCE = 240


class Lab:
    """One link and what runs at its ends; all of it ends with the `with` block."""

    def __init__(self, name, settings="delay=2 rate=100"):
        self.name = name
        self.settings = settings
        self.servers = []
        self.folder = None
        # Namespaces behind the server's end, and the file of names that the client is shown.
        self.behind = []
        self.names = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="causeway-accuracy-")
        self.dir = pathlib.Path(self.folder.name)
        self.dir.chmod(0o755)
        for name in ("root", "empty"):
            (self.dir / name).mkdir()
        command = [NETLAB, "up", self.name, "until=eof", *self.settings.split()]
        self.emulator = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        greeting = self.emulator.stdout.readline()
        if "is up" not in greeting:
            raise RuntimeError(f"no lab: {greeting}")
        return self

    def __exit__(self, *_):
        self.emulator.stdin.close()
        self.emulator.wait()
        for server in self.servers:
            server.kill()
            server.wait()
        for space in self.behind:
            for process in ip("netns", "pids", space).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            ip("netns", "del", space)
        self.folder.cleanup()

    def files(self, sizes=(("small.txt", 700), ("middle.dat", 90_000), ("large.dat", 5_000_000))):
        old = time.time() - 40 * 86_400
        for name, size in sizes:
            path = self.dir / "root" / name
            path.write_bytes(random.Random(size).randbytes(size))
            os.utime(path, (old, old))

    def files_of_today(self):
        """Their times are listed to the minute."""
        for path in (self.dir / "root").iterdir():
            os.utime(path, (time.time() - 86_400, time.time() - 86_400))

    def say(self, verb, words):
        subprocess.run([NETLAB, verb, self.name, *words.split()], check=True, capture_output=True)

    def fault(self, rule):
        self.say("fault", rule)

    def inside(self, where):
        """What a command begins with that runs at an end of the link, or on the `host` behind its routers."""
        return ["ip", "netns", "exec", self.behind[-1]] if where == "host" else [NETLAB, "exec", self.name, where]

    def start(self, command, environment=None, where="s"):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, **(environment or {})}
        self.servers.append(subprocess.Popen([*self.inside(where), *command], env=environment, **quiet))

    def two_families(self, client=True):
        """The server's end gets fd09::2, and the client's fd09::1 if it is to have any."""
        for end, address in (("c", "fd09::1"), ("s", "fd09::2")):
            if end == "s" or client:
                ip("-n", f"{self.name}-{end}", "addr", "add", f"{address}/64", "dev", "tun0", "nodad")

    def hosts(self, name, *addresses):
        """The addresses of a name, as the client finds them."""
        self.names = self.dir / "hosts"
        self.names.write_text("".join(f"{address} {name}\n" for address in addresses))

    def routers(self, count):
        """The server's end becomes the first of so many routers, and behind the last is a host. Its address."""
        before = f"{self.name}-s"
        last = f"10.9.{count}.2"
        for number in range(1, count + 1):
            space = f"{self.name}-{number}"
            ip("netns", "add", space)
            self.behind.append(space)
            ip("-n", before, "link", "add", "back", "type", "veth", "peer", "name", "front", "netns", space)
            ip("-n", before, "addr", "add", f"10.9.{number}.1/24", "dev", "back")
            ip("-n", space, "addr", "add", f"10.9.{number}.2/24", "dev", "front")
            for where, link in ((before, "back"), (space, "front"), (space, "lo")):
                ip("-n", where, "link", "set", link, "up")
            ip("-n", space, "route", "add", "default", "via", f"10.9.{number}.1")
            if number < count:
                ip("-n", before, "route", "add", f"10.9.{count}.0/24", "via", f"10.9.{number}.2")
            ip("netns", "exec", before, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            before = space
        ip("-n", f"{self.name}-c", "route", "add", "10.9.0.0/16", "via", SERVER)
        return last

    @contextlib.contextmanager
    def restarting(self, up, down):
        """What runs at the server's end dies as by a power cut after so many seconds, and comes back after so many."""
        again, over = self.servers[-1].args, threading.Event()

        def run():
            while not over.wait(up):
                self.say("kill", "s")
                over.wait(down)
                quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                self.servers.append(subprocess.Popen(again, **quiet))

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def vsftpd(self, options="", port=21, environment=None, at="127.0.0.1", where="s"):
        conf = self.dir / f"vsftpd-{port}.conf"
        conf.write_text(
            f"listen=YES\nlisten_ipv6=NO\nlisten_port={port}\nbackground=NO\nanonymous_enable=NO\nlocal_enable=YES\n"
            "guest_enable=YES\nguest_username=daemon\nvirtual_use_local_privs=YES\npam_service_name=causeway-peers\n"
            f"local_root={self.dir}/root\nchroot_local_user=YES\nallow_writeable_chroot=YES\n"
            f"secure_chroot_dir={self.dir}/empty\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n"
            f"xferlog_enable=NO\nnopriv_user=nobody\n{options}\n"
        )
        conf.chmod(0o600)
        self.start([PEERS / "usr/sbin/vsftpd", conf], environment, where)
        self.wait_for(port, at, where)

    def certificate(self):
        both = self.dir / "both.pem"
        key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={SERVER}"]
        more = ["-addext", f"subjectAltName=IP:{SERVER}", "-addext", "basicConstraints=critical,CA:FALSE"]
        more += ["-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem"]
        subprocess.run([*key, *more], check=True, capture_output=True)
        both.write_text((self.dir / "key.pem").read_text() + (self.dir / "cert.pem").read_text())
        both.chmod(0o600)
        return f"ssl_enable=YES\nrsa_cert_file={both}\nssl_ciphers=HIGH\nrequire_ssl_reuse=YES\n"

    def stub(self, kind, port, *more, where="s"):
        stub = pathlib.Path(__file__).with_name("stub.py")
        self.start(["python3", stub, kind, str(port), *map(str, more)], where=where)
        self.wait_for(port, where=where)

    def wait_for(self, port, at="127.0.0.1", where="s"):
        end = time.monotonic() + 10
        probe = [*self.inside(where), "bash", "-c", f"exec 3<>/dev/tcp/{at}/{port}"]
        while subprocess.run(probe, capture_output=True).returncode:
            if time.monotonic() > end:
                raise RuntimeError(f"nothing listens on port {port} of {self.name}")
            time.sleep(0.05)

    def doctor(self, *options, scheme="ftp", port=None, user=USER, password=PASSWORD, host=SERVER, path="/"):
        """The report, as JSON."""
        at = host if port is None else f"{host}:{port}"
        shown = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', self.names]
        command = [*self.inside("c"), *(shown if self.names else ()), CAUSEWAY, "doctor", f"{scheme}://{user}@{at}{path}"]
        command += ["--json", "--progress", "never", "--state", self.dir / "state", *options]
        environment = {**os.environ, "CAUSEWAY_SOURCE_PASSWORD": password}
        done = subprocess.run(
            command, env=environment, cwd=self.dir, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if not done.stdout:
            raise RuntimeError(f"no report ({done.returncode}): {done.stderr[-500:]}")
        return json.loads(done.stdout)


def ip(*words):
    """Runs iproute2; what it said."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")
    return done.stdout
