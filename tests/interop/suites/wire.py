"""HTTP/1.1 as it is on the wire, for suites that send what no ordinary library would, and the cases of such a suite.

What there is to know of the server comes in the environment (web_doors.py). Each case says how it ended in a line of
JSON: its name → `ok`, `skip: WHY` or what was wrong."""

import base64
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import struct
import sys
import time
import traceback
import urllib.parse
import xml.etree.ElementTree as ElementTree

# Seconds that a server may take for one answer, and to have put away what was broken off.
PATIENCE, TIDY = 30, 10
DAV = "{DAV:}"


class Left(Exception):
    """A case that cannot be tried here, with its reason."""


@dataclasses.dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def __getitem__(self, name):
        return self.headers.get(name)

    @property
    def xml(self):
        return ElementTree.fromstring(self.body)


class Door:
    """The server, and its folder as it is on the disk."""

    def __init__(self, told=None):
        told = told or json.loads(os.environ["INTEROP_DOOR"])
        self.name, self.host, self.port, self.mount = (told[key] for key in ("name", "host", "port", "mount"))
        self.user, self.password, self.certificate = told["user"], told["password"], told["certificate"]
        self.root = pathlib.Path(told["root"])
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        self.login = {"Authorization": f"Basic {login}"}
        self.trust = ssl.create_default_context(cafile=self.certificate)

    @property
    def url(self):
        return f"https://{self.host}:{self.port}{self.mount}"

    def path(self, name):
        """The path of a URL for a name below the folder; names that are bytes stay them."""
        return self.mount + urllib.parse.quote(name)

    def connect(self, patience=PATIENCE):
        return self.trust.wrap_socket(socket.create_connection((self.host, self.port), patience),
                                      server_hostname=self.host)

    def head(self, method, path, headers=None):
        """The bytes of a request's head. `path` is as it goes over the wire."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in {**self.login, **(headers or {})}.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def raw(self, method, path, headers=None, body=b"", patience=PATIENCE):
        """One request on a connection of its own. Raises http.client's errors and OSError where no whole answer
        comes."""
        headers = dict(headers or {})
        if body and not {"Content-Length", "Transfer-Encoding"} & headers.keys():
            headers["Content-Length"] = len(body)
        elif method in ("PUT", "POST") and "Transfer-Encoding" not in headers:
            headers.setdefault("Content-Length", 0)
        with self.connect(patience) as stream:
            stream.sendall(self.head(method, path, {"Connection": "close", **headers}) + body)
            return read(stream, method)

    def ask(self, method, name, body=b"", **headers):
        """As `raw`, for a name below the folder; underscores of headers are hyphens."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.raw(method, self.path(name), named, body)

    def put(self, name, body=b"content", **headers):
        answer = self.ask("PUT", name, body, **headers)
        want(answer.status in (200, 201, 204), f"PUT of {name!r} is answered {answer.status}")
        return answer

    def properties(self, name, wanted, depth="0"):
        """What PROPFIND tells: the multistatus of these properties, XML names."""
        body = propfind(wanted)
        answer = self.ask("PROPFIND", name, body, Depth=depth, Content_Type="application/xml")
        want(answer.status == 207, f"PROPFIND is answered {answer.status}")
        return answer.xml

    def there(self, name):
        return self.root / name

    def made(self, name):
        """A folder in which every server may write, and this side, too."""
        answer = self.ask("MKCOL", f"{name}/")
        want(answer.status == 201, f"MKCOL of {name} is answered {answer.status}")
        self.there(name).chmod(0o777)
        return self.there(name)

    def noticed(self, name, patience=3):
        """Gives a server that remembers its folders the time to see what was changed on the disk."""
        end = time.monotonic() + patience
        while self.ask("PROPFIND", name, Depth="0").status == 404 and time.monotonic() < end:
            time.sleep(0.1)

    def named(self, prefix):
        """What is in the folder under names that begin so."""
        return sorted(path.name for path in self.root.iterdir() if path.name.startswith(prefix))


def read(stream, method):
    answer = http.client.HTTPResponse(stream, method=method)
    answer.begin()
    return Answer(answer.status, answer.headers, answer.read())


def reset(stream):
    """Ends a connection as a cable that is pulled and plugged in again: without a goodbye."""
    plain = socket.socket(fileno=os.dup(stream.fileno()))
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Nothing is sent of this, but whoever waits for data wakes up: as long as he did, the connection would stay.
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_RD)
    stream.close()
    plain.close()


def propfind(wanted):
    names = "".join(f'<x:{name.rpartition("}")[2]} xmlns:x="{name.rpartition("}")[0].lstrip("{")}"/>'
                    for name in wanted)
    return f'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>{names}</prop></propfind>'.encode()


def proppatch(name, space, value):
    return (f'<?xml version="1.0" encoding="utf-8"?><D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x:{name} '
            f'xmlns:x="{space}">{value}</x:{name}></D:prop></D:set></D:propertyupdate>').encode()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def found(multistatus, name):
    """Status → element of each answer about one property."""
    return {int(re.search(r" (\d{3})", propstat.findtext(f"{DAV}status"))[1]): propstat.find(f"{DAV}prop/{name}")
            for propstat in multistatus.iter(f"{DAV}propstat") if propstat.find(f"{DAV}prop/{name}") is not None}


def hrefs(multistatus):
    return [urllib.parse.urlsplit(one.findtext(f"{DAV}href").strip()).path
            for one in multistatus.iter(f"{DAV}response")]


def want(condition, words):
    if not condition:
        raise AssertionError(words)


def same(found, expected, what):
    want(found == expected, f"{what}: {str(found)[:80]}, expected {str(expected)[:80]}")


def until(condition, words, patience=TIDY):
    """Waits until it holds."""
    end = time.monotonic() + patience
    while not condition():
        want(time.monotonic() < end, words)
        time.sleep(0.05)


CASES = {}


def case(name):
    """Marks a function that takes the door and raises where something is wrong."""
    def keep(function):
        CASES[name] = function
        return function
    return keep


def tell(name, words):
    print(json.dumps({name: words}), flush=True)


def judge(name, function, *words):
    try:
        function(*words)
    except Left as why:
        tell(name, f"skip: {why}")
    except AssertionError as wrong:
        tell(name, str(wrong) or traceback.format_exc()[-200:])
    except Exception as wrong:
        tell(name, f"{type(wrong).__name__}: {wrong}")
    else:
        tell(name, "ok")


def main():
    """All cases, or those whose names hold the word."""
    door = Door()
    for name, function in CASES.items():
        if all(word in name for word in sys.argv[1:]):
            judge(name, function, door)
