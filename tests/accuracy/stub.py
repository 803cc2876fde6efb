"""Odd servers and things in between: stub.py KIND PORT [MORE]."""

import datetime
import re
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

KIND, PORT, MORE = sys.argv[1], int(sys.argv[2]), sys.argv[3:]


def cut(sock):
    """Ends with a reset instead of a farewell."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def copy(source, target, watch=None, change=None):
    try:
        while data := source.recv(65536):
            if change:
                data = change(data)
            verdict = watch(data) if watch else None
            if verdict == "end":
                return
            if verdict != "swallow":
                target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        getattr(self, KIND)()

    def greet(self):
        """Says its words and waits."""
        self.request.sendall(" ".join(MORE).encode() + b"\r\n")
        self.request.recv(100)

    def close(self):
        """Accepts and closes."""

    def late(self):
        """In front of the real server, after a pause."""
        time.sleep(float(MORE[0]))
        self.relay()

    def brief(self):
        """In front of the real server; nobody stays for longer."""
        threading.Timer(float(MORE[0]), cut, [self.request]).start()
        self.relay()

    def inspect(self):
        """In front of the real server; cuts when TLS is asked for."""

        def watch(data):
            if data.upper().startswith(b"AUTH"):
                cut(self.request)
                return "end"
            return None

        self.relay(watch)

    def noreuse(self):
        """In front of the real server; speaks of session reuse when something is to be listed."""

        def watch(data):
            if data[:4].upper() in (b"LIST", b"NLST", b"RETR"):
                self.request.sendall(b"522 SSL connection failed: session reuse required\r\n")
                return "swallow"
            return None

        self.relay(watch)

    def ports(self):
        """In front of the real server; after some data connections of a session no port is left."""
        left = int(MORE[0])

        def watch(data):
            nonlocal left
            if data[:4].upper() in (b"EPSV", b"PASV"):
                left -= 1
                if left < 0:
                    self.request.sendall(b"425 No free passive port.\r\n")
                    return "swallow"
            return None

        self.relay(watch)

    def short(self):
        """In front of the real server; listings end with an admission."""
        self.relay(change=lambda data: data.replace(b"226 Directory send OK.", b"226 Output truncated to 3 matches"))

    def mute(self):
        """In front of the real server; no closing reply of a file comes, nor anything after it."""
        said = []

        def change(data):
            said.append(b"226 Transfer complete" in data)
            return b"" if any(said) else data

        self.relay(change=change)

    def shift(self):
        """In front of the real server; exact times are some hours off."""

        def later(match):
            at = datetime.datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S")
            at -= datetime.timedelta(hours=float(MORE[0]))
            return b"213 " + at.strftime("%Y%m%d%H%M%S").encode()

        self.relay(change=lambda data: re.sub(rb"213 (\d{14})", later, data))

    def oldtls(self):
        """Speaks FTP up to AUTH TLS, and then only TLS that is given up."""
        self.request.sendall(b"220 old\r\n")
        if not self.request.recv(100).upper().startswith(b"AUTH"):
            return
        self.request.sendall(b"234 go on\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1 if MORE[1] == "1" else ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(MORE[0])
        try:
            context.wrap_socket(self.request, server_side=True).recv(100)
        except OSError:
            self.request.close()

    def relay(self, watch=None, change=None):
        with socket.create_connection(("10.9.0.2", 21)) as server:
            back = {"target": copy, "args": (server, self.request), "kwargs": {"change": change}}
            threading.Thread(**back, daemon=True).start()
            copy(self.request, server, watch)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


Server(("", PORT), Handler).serve_forever()
