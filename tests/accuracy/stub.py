"""Odd servers and things in between: stub.py KIND PORT [MORE]."""

import datetime
import re
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

KIND, PORT, MORE = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
FTP, HTTP = ("10.9.0.2", 21), ("10.9.0.2", 80)


def tls(certificate):
    """A server's TLS, with secret key and certificate from this file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


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


def pump(client, server, watch=None, change=None, there=None):
    """Copies both ways in one thread, since a TLS connection bears no two. `change` is of what comes back."""
    ways = {client: (server, watch, there), server: (client, None, change)}
    try:
        while True:
            waiting = [one for one in ways if isinstance(one, ssl.SSLSocket) and one.pending()]
            for source in waiting or select.select(ways, [], [])[0]:
                target, judge, turn = ways[source]
                # What can be read may be TLS's own word only.
                source.settimeout(0.05)
                try:
                    data = source.recv(65536)
                except (TimeoutError, ssl.SSLWantReadError):
                    continue
                finally:
                    source.settimeout(None)
                if not data:
                    return
                data = turn(data) if turn else data
                if (judge(data) if judge else None) != "swallow":
                    target.sendall(data)
    except OSError:
        pass
    finally:
        part(client)


def part(stream):
    """Says goodbye in TLS."""
    try:
        stream.settimeout(1)
        stream.unwrap()
    except (OSError, ValueError):
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
        context = tls(MORE[0])
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1 if MORE[1] == "1" else ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
        try:
            context.wrap_socket(self.request, server_side=True).recv(100)
        except OSError:
            self.request.close()

    def strict(self):
        """In front of the real server, and itself the end of TLS on control connections; files end with a complaint."""
        self.request.sendall(b"220 ready\r\n")
        if not self.request.recv(100).upper().startswith(b"AUTH"):
            return
        self.request.sendall(b"234 go on\r\n")
        self.request = tls(MORE[0]).wrap_socket(self.request, server_side=True)
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        own.check_hostname, own.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(FTP) as plain:
            plain.recv(100)
            plain.sendall(b"AUTH TLS\r\n")
            plain.recv(100)
            server = own.wrap_socket(plain)
            pump(self.request, server, change=lambda data: re.sub(rb"^226 ", b"426 ", data, flags=re.MULTILINE))

    def https(self):
        """The end of TLS before the real server."""
        self.web()

    def hollow(self):
        """The same; of what comes in chunks it keeps so much of the beginning, and says yes."""
        kept, left = int(MORE[1]), None

        def change(data):
            nonlocal left
            if left is not None:
                data, left = data[:left], left - len(data[:left])
                return data
            head, end, body = data.partition(b"\r\n\r\n")
            if not end or b"transfer-encoding: chunked" not in head.lower():
                return data
            head = re.sub(rb"(?i)transfer-encoding: chunked", b"Content-Length: %d" % kept, head)
            left = kept
            return head + end + change(body)

        self.web(change=change)

    def fakelock(self):
        """The same; it grants every lock, and knows of none."""
        locked = False
        body = b'<D:prop xmlns:D="DAV:"><D:lockdiscovery><D:activelock/></D:lockdiscovery></D:prop>'
        head = f"HTTP/1.1 200 OK\r\nLock-Token: <{MORE[1]}>\r\nContent-Length: {len(body)}\r\n\r\n"

        def watch(data):
            nonlocal locked
            if data.startswith(b"LOCK "):
                locked = True
                self.request.sendall(head.encode() + body)
            return "swallow" if locked else None

        self.web(watch)

    def web(self, watch=None, change=None):
        self.request = tls(MORE[0]).wrap_socket(self.request, server_side=True)
        with socket.create_connection(HTTP) as server:
            pump(self.request, server, watch, there=change)

    def relay(self, watch=None, change=None):
        with socket.create_connection(FTP) as server:
            back = {"target": copy, "args": (server, self.request), "kwargs": {"change": change}}
            threading.Thread(**back, daemon=True).start()
            copy(self.request, server, watch)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


Server(("", PORT), Handler).serve_forever()
