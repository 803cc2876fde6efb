"""A lab with one FTP server in it: two namespaces, a link with faults, `causeway doctor` at the other end."""

import json
import os
import pathlib
import random
import subprocess
import tempfile
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

    def start(self, command, environment=None):
        exec_ = [NETLAB, "exec", self.name, "s", *command]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.servers.append(subprocess.Popen(exec_, env={**os.environ, **(environment or {})}, **quiet))

    def vsftpd(self, options="", port=21, environment=None):
        conf = self.dir / f"vsftpd-{port}.conf"
        conf.write_text(
            f"listen=YES\nlisten_ipv6=NO\nlisten_port={port}\nbackground=NO\nanonymous_enable=NO\nlocal_enable=YES\n"
            "guest_enable=YES\nguest_username=daemon\nvirtual_use_local_privs=YES\npam_service_name=causeway-peers\n"
            f"local_root={self.dir}/root\nchroot_local_user=YES\nallow_writeable_chroot=YES\n"
            f"secure_chroot_dir={self.dir}/empty\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n"
            f"xferlog_enable=NO\nnopriv_user=nobody\n{options}\n"
        )
        conf.chmod(0o600)
        self.start([PEERS / "usr/sbin/vsftpd", conf], environment)
        self.wait_for(port)

    def certificate(self):
        both = self.dir / "both.pem"
        key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={SERVER}"]
        more = ["-addext", f"subjectAltName=IP:{SERVER}", "-addext", "basicConstraints=critical,CA:FALSE"]
        more += ["-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem"]
        subprocess.run([*key, *more], check=True, capture_output=True)
        both.write_text((self.dir / "key.pem").read_text() + (self.dir / "cert.pem").read_text())
        both.chmod(0o600)
        return f"ssl_enable=YES\nrsa_cert_file={both}\nssl_ciphers=HIGH\nrequire_ssl_reuse=YES\n"

    def stub(self, kind, port, *more):
        stub = pathlib.Path(__file__).with_name("stub.py")
        self.start(["python3", stub, kind, str(port), *map(str, more)])
        self.wait_for(port)

    def wait_for(self, port):
        end = time.monotonic() + 10
        probe = [NETLAB, "exec", self.name, "s", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]
        while subprocess.run(probe, capture_output=True).returncode:
            if time.monotonic() > end:
                raise RuntimeError(f"nothing listens on port {port} of {self.name}")
            time.sleep(0.05)

    def doctor(self, *options, scheme="ftp", port=None, password=PASSWORD, host=SERVER):
        """The report, as JSON."""
        at = host if port is None else f"{host}:{port}"
        command = [NETLAB, "exec", self.name, "c", CAUSEWAY, "doctor", f"{scheme}://{USER}@{at}/", "--json"]
        command += ["--progress", "never", "--state", self.dir / "state", *options]
        environment = {**os.environ, "CAUSEWAY_SOURCE_PASSWORD": password}
        done = subprocess.run(
            command, env=environment, cwd=self.dir, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if not done.stdout:
            raise RuntimeError(f"no report ({done.returncode}): {done.stderr[-500:]}")
        return json.loads(done.stdout)
