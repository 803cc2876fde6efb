"""The FTP server at the far end of a link: vsftpd, in the clear or with TLS."""

import os
import pathlib
import re
import subprocess
import tempfile
import time

import links

VSFTPD = links.TESTS / ".cache" / "peers" / "usr" / "sbin" / "vsftpd"
USER, PASSWORD = "anna", "open-sesame"
# So many seconds a server may take until it greets.
START = 15


class Server:
    """vsftpd over one tree, at the server's end of a link; ended when the block is left."""

    def __init__(self, net, root, extra=""):
        self.net, self.root, self.extra = net, root, extra
        # How far its log was read.
        self.read = 0

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="causeway-bench-server-")
        folder = pathlib.Path(self.scratch.name)
        os.chmod(folder, 0o755)
        (folder / "empty").mkdir()
        self.conf, self.log = folder / "vsftpd.conf", folder / "log"
        tls = encrypted(folder, self.log) if self.net.link.tls else ""
        self.conf.write_text(
            f"listen=YES\nlisten_ipv6=NO\nlisten_address={self.net.host}\nlisten_port={self.net.port}\nbackground=NO\n"
            "anonymous_enable=NO\nlocal_enable=YES\nguest_enable=YES\nguest_username=daemon\n"
            f"virtual_use_local_privs=YES\npam_service_name=causeway-peers\nlocal_root={self.root}\n"
            f"chroot_local_user=YES\nallow_writeable_chroot=YES\nsecure_chroot_dir={folder}/empty\n"
            "write_enable=NO\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nuse_localtime=NO\n"
            f"nopriv_user=nobody\nport_enable={'NO' if self.net.link.passive else 'YES'}\n{tls}{self.extra}\n"
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

    def suite(self):
        """The cipher suite of the last TLS connection since this was asked before, in OpenSSL's words."""
        if not self.log.exists():
            return None
        with open(self.log, errors="replace") as log:
            log.seek(self.read)
            said = log.read()
            self.read = log.tell()
        return last_suite(said)


def last_suite(said):
    found = re.findall(r"SSL cipher: ([\w-]+)", said)
    return found[-1] if found else None


def encrypted(folder, log):
    """The lines that make vsftpd insist on TLS, and log which cipher each connection has."""
    cert = folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subject = ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "9"]
    done = subprocess.run([*command, *subject, "-keyout", cert], check=True, capture_output=True, text=True)
    with open(cert, "a") as both:
        both.write(done.stdout)
    return (
        f"ssl_enable=YES\nrsa_cert_file={cert}\nrequire_ssl_reuse=YES\nssl_ciphers=HIGH\nforce_local_logins_ssl=YES\n"
        f"force_local_data_ssl=YES\ndebug_ssl=YES\nxferlog_enable=YES\nvsftpd_log_file={log}\n"
    )
