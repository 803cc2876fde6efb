"""What the file managers of Windows and macOS and LibreOffice send when somebody works with a file, request by request.
None of them runs here: each trace was written down from what is public about it, which stands beside it. A step names
the statuses with which the client goes on."""

import base64
import dataclasses
import datetime
import re
import zlib

import wire
from wire import DAV, case, same, want

WINDOWS = {"User-Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045", "translate": "f", "Connection": "Keep-Alive",
           "Cache-Control": "no-cache", "Pragma": "no-cache"}
FINDER = {"User-Agent": "WebDAVFS/3.0.0 (03008000) Darwin/19.6.0 (x86_64)", "Accept": "*/*",
          "Connection": "keep-alive"}
OFFICE = {"User-Agent": "LibreOffice 7.4.7.2 curl/7.88.1", "Accept": "*/*", "Accept-Encoding": "deflate, gzip"}
XML = {"Content-Type": 'text/xml; charset="utf-8"'}
CONTENT = bytes(range(256)) * 300
MADE, PATCHED = (207,), (200, 201, 204)
TIME = "Thu, 09 Oct 2025 17:54:43 GMT"


@dataclasses.dataclass
class Client:
    """One with its headers, that remembers the tokens of its locks. Its connection stays open, as theirs do."""

    door: wire.Door
    headers: dict
    tokens: dict = dataclasses.field(default_factory=dict)

    def __enter__(self):
        self.stream = self.door.connect()
        return self

    def __exit__(self, *_):
        self.stream.close()

    def send(self, method, name, expected, body=b"", **more):
        headers = {key.replace("_", "-"): value for key, value in more.items()}
        return self.send_as(method, self.door.path(name), expected, body, headers)

    def send_as(self, method, path, expected, body, headers):
        headers = {**self.headers, **headers}
        if "Transfer-Encoding" not in headers and (body or method in ("PUT", "PROPFIND", "LOCK")):
            headers["Content-Length"] = len(body)
        self.stream.sendall(self.door.head(method, path, headers) + body)
        answer = wire.read(self.stream, method)
        answer.body = plain(answer)
        want(answer.status in expected, f"{method} {path} is answered {answer.status}, expected {expected}")
        if answer["Connection"] == "close":
            self.stream.close()
            self.stream = self.door.connect()
        return answer

    def lock(self, name, body, expected=(200, 201), **more):
        answer = self.send("LOCK", name, expected, body, **more)
        token = re.search(r"<[^>]*locktoken[^>]*>\s*<[^>]*href[^>]*>([^<]+)<", answer.body.decode())
        want(token, "the answer to LOCK tells no token")
        want((answer["Lock-Token"] or "").strip("<>") == token[1], "Lock-Token is not the token of the body")
        self.tokens[name] = token[1]

    def unlock(self, name):
        self.send("UNLOCK", name, (204,), Lock_Token=f"<{self.tokens.pop(name)}>")

    def held(self, name):
        return {"If": f"(<{self.tokens[name]}>)"}


def plain(answer):
    """The content without a coding that the client offered to take."""
    coding = answer["Content-Encoding"]
    return zlib.decompress(answer.body, zlib.MAX_WBITS | 32) if coding in ("gzip", "deflate") else answer.body


def lockinfo(owner):
    return ('<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/>'
            f"</D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>{owner}</D:href></D:owner>"
            "</D:lockinfo>").encode()


# ---- Windows --------------------------------------------------------------------------------------------------------
# The order of a copied file: https://github.com/mar10/wsgidav/issues/112; LOCK, which has no Depth:
# https://github.com/swisspol/GCDWebServer/issues/319; PROPPATCH: https://github.com/9001/copyparty/issues/910;
# what a drive asks first, and `Win32…`: [MS-WDVME] sections 2.2 and 4, and https://sabre.io/dav/clients/windows/.

def windows_times(**times):
    props = "".join(f"<Z:Win32{name}>{value}</Z:Win32{name}>" for name, value in times.items())
    return ('<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" '
            f'xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>{props}</D:prop></D:set></D:propertyupdate>').encode()


@case("Windows / a drive is connected")
def windows_connects(door):
    with Client(door, WINDOWS) as client:
        answer = client.send("OPTIONS", "", (200,))
        want("2" in (answer["DAV"] or ""), "the drive would be one for reading only")
        want((answer["MS-Author-Via"] or "DAV").upper() == "DAV", "MS-Author-Via is not DAV")
        client.send("PROPFIND", "", (207,), Depth="0")
        answer = client.send("PROPFIND", "", (207,), Depth="1")
        root = answer.xml.find(f"{DAV}response")
        for name in ("creationdate", "getlastmodified", "resourcetype"):
            want(root.find(f".//{DAV}{name}") is not None, f"a listing of all has no {name}")
        client.send("PROPFIND", "desktop.ini", (404,), Depth="0")


@case("Windows / a file is copied onto it")
def windows_copies(door):
    name = "Chrysanthemum big.jpg"
    with Client(door, WINDOWS) as client:
        client.send("PROPFIND", name, (404,), Depth="0")
        client.send("PUT", name, (201,))
        client.lock(name, lockinfo("DESKTOP\\anna"), Timeout="Second-3600", **XML)
        client.send("PROPPATCH", name, MADE, windows_times(
            CreationTime=TIME, LastAccessTime=TIME, LastModifiedTime=TIME, FileAttributes="00000020"),
            **client.held(name), **XML)
        client.send("HEAD", name, (200,), **client.held(name))
        client.send("PUT", name, PATCHED, CONTENT, **client.held(name))
        client.send("PROPPATCH", name, MADE, windows_times(LastModifiedTime=TIME, FileAttributes="00000020"),
                    **client.held(name), **XML)
        client.unlock(name)
    same(door.there(name).read_bytes() == CONTENT, True, "the file is the one that was copied")


@case("Windows / a copied file keeps its time")
def windows_time(door):
    name = "dated.txt"
    with Client(door, WINDOWS) as client:
        client.send("PUT", name, (201,), CONTENT)
        client.lock(name, lockinfo("anna"), Timeout="Second-3600", **XML)
        answer = client.send("PROPPATCH", name, MADE, windows_times(LastModifiedTime=TIME), **client.held(name), **XML)
        want(b" 200 " in answer.body, "the property is not taken")
        client.unlock(name)
    expected = datetime.datetime.strptime(TIME, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=datetime.UTC)
    same(int(door.there(name).stat().st_mtime), int(expected.timestamp()), "its time on the disk")


@case("Windows / a file is opened, saved, renamed and deleted")
def windows_works(door):
    door.put("letter.docx", b"old")
    with Client(door, WINDOWS) as client:
        client.send("PROPFIND", "letter.docx", (207,), Depth="0")
        same(client.send("GET", "letter.docx", (200,)).body, b"old", "GET")
        client.lock("letter.docx", lockinfo("anna"), Timeout="Second-3600", **XML)
        client.send("PUT", "letter.docx", PATCHED, CONTENT, **client.held("letter.docx"))
        # A lock is prolonged by a LOCK without a body.
        client.send("LOCK", "letter.docx", (200,), Timeout="Second-3600", **client.held("letter.docx"))
        client.unlock("letter.docx")
        client.send("PROPFIND", "letter 2.docx", (404,), Depth="0")
        client.send("MOVE", "letter.docx", (201,), Destination=f"{door.url}letter%202.docx", Overwrite="F")
        same(door.there("letter 2.docx").read_bytes() == CONTENT, True, "the renamed file is what was saved")
        client.send("DELETE", "letter 2.docx", (204,))
        client.send("MKCOL", "New folder", (201,))
        client.send("MOVE", "New folder", (201,), Destination=f"{door.url}Reports", Overwrite="F")
        client.send("DELETE", "Reports", (204,))


@case("Windows / a program keeps its lock file, and another user is told")
def windows_two(door):
    """https://github.com/OpenMarshal/npm-WebDAV-Server/issues/37"""
    door.put("shared.docx", b"old")
    with Client(door, WINDOWS) as one, Client(door, WINDOWS) as other:
        one.lock("shared.docx", lockinfo("anna"), Timeout="Second-3600", **XML)
        one.send("PUT", "~$shared.docx", (201,))
        one.lock("~$shared.docx", lockinfo("anna"), Timeout="Second-3600", **XML)
        one.send("HEAD", "~$shared.docx", (200,), **one.held("~$shared.docx"))
        one.send("PUT", "~$shared.docx", PATCHED, b"anna", **one.held("~$shared.docx"))
        one.unlock("~$shared.docx")
        other.send("LOCK", "shared.docx", (423,), lockinfo("bert"), Timeout="Second-3600", **XML)
        same(other.send("GET", "shared.docx", (200,)).body, b"old", "what the other may read")
        other.send("PUT", "shared.docx", (423,), b"bert's")
        one.send("PUT", "shared.docx", PATCHED, CONTENT, **one.held("shared.docx"))
        one.send("DELETE", "~$shared.docx", (204,))
        one.unlock("shared.docx")
    same(door.there("shared.docx").read_bytes() == CONTENT, True, "the file is what its owner saved")


# ---- macOS ----------------------------------------------------------------------------------------------------------
# The order: https://github.com/owncloud/core/issues/24753, https://github.com/pydio/pydio-core/issues/581 and
# https://github.com/ModeShape/modeshape/pull/841; the properties that it asks for:
# https://github.com/robbiehanson/CocoaHTTPServer/issues/8; chunked PUT and X-Expected-Entity-Length:
# https://sabre.io/dav/clients/finder/ and https://evertpot.com/260/.

APPLE = "http://www.apple.com/webdav_fs/props/"
ASKED = wire.propfind([f"{DAV}{name}" for name in ("getlastmodified", "getcontentlength", "creationdate",
                                                   "resourcetype")])
ASKED_DRIVE = wire.propfind([f"{DAV}{name}" for name in (
    "quota-available-bytes", "quota-used-bytes", "quota", "quotaused")])
ASKED_DOUBLE = wire.propfind([f"{{{APPLE}}}appledoubleheader", f"{DAV}getlastmodified", f"{DAV}getcontentlength",
                              f"{DAV}resourcetype"])


def finder_put(client, name, content):
    """A length that is not known beforehand, as it reads from its cache."""
    pieces = b"".join(wire.chunk(content[at : at + 32768]) for at in range(0, len(content), 32768))
    headers = {"Transfer-Encoding": "chunked", "X-Expected-Entity-Length": str(len(content)), **client.held(name)}
    client.send_as("PUT", client.door.path(name), PATCHED, pieces + b"0\r\n\r\n", headers)


def finder_writes(client, name, content):
    client.send("PROPFIND", name, (404,), ASKED, Depth="0", **XML)
    client.send("PUT", name, (201,))
    client.lock(name, lockinfo("http://www.apple.com/webdav_fs/"), Timeout="Second-600", Depth="0", **XML)
    finder_put(client, name, content)
    client.send("PROPFIND", name, (207,), ASKED, Depth="0", **XML)
    client.unlock(name)


@case("Finder / a drive is connected and looked at")
def finder_connects(door):
    with Client(door, FINDER) as client:
        want("2" in (client.send("OPTIONS", "", (200,))["DAV"] or ""), "the drive would be one for reading only")
        client.send("PROPFIND", "", (207,), ASKED_DRIVE, Depth="0", **XML)
        client.send("PROPFIND", "", (207,), ASKED, Depth="1", **XML)
        client.send("PROPFIND", "", (207,), ASKED_DOUBLE, Depth="1", **XML)
        for name in ("._.", ".DS_Store", "._.DS_Store", ".hidden", ".metadata_never_index", ".Spotlight-V100"):
            client.send("PROPFIND", name, (404,), ASKED, Depth="0", **XML)
        client.send("GET", "._.", (404,))


@case("Finder / a file is copied onto it, with what macOS keeps beside it")
def finder_copies(door):
    with Client(door, FINDER) as client:
        finder_writes(client, "somefile.txt", CONTENT)
        finder_writes(client, "._somefile.txt", b"\0\5\x16\7" + CONTENT[:4092])
    same(door.there("somefile.txt").read_bytes() == CONTENT, True, "the file is the one that was copied")


@case("Finder / a file is read in parts and saved again")
def finder_saves(door):
    door.put("page.html", CONTENT)
    with Client(door, FINDER) as client:
        client.lock("page.html", lockinfo("http://www.apple.com/webdav_fs/"), Timeout="Second-600", Depth="0", **XML)
        answer = client.send("GET", "page.html", (206,), Range="bytes=0-16383")
        same(answer.body == CONTENT[:16384], True, "the first part is right")
        client.send("GET", "page.html", (200, 206), Range=f"bytes=16384-{len(CONTENT) - 1}")
        finder_put(client, "page.html", CONTENT * 2)
        client.send("LOCK", "page.html", (200,), Timeout="Second-600", **client.held("page.html"))
        client.unlock("page.html")
    same(door.there("page.html").read_bytes() == CONTENT * 2, True, "the file is what was saved")


@case("Finder / a document is saved by way of another name")
def finder_swaps(door):
    """As programs do that save safely, see the first source."""
    door.put("photo.jpg", b"old")
    with Client(door, FINDER) as client:
        finder_writes(client, "photo.jpg_tmp", CONTENT)
        client.send("PROPFIND", "._photo.jpg", (404,), ASKED, Depth="0", **XML)
        client.send("MOVE", "photo.jpg_tmp", (204,), Destination=f"{door.url}photo.jpg", Overwrite="T")
        same(client.send("GET", "photo.jpg", (200,)).body == CONTENT, True, "the new photo is there")
    want(not door.there("photo.jpg_tmp").exists(), "the other name is left")


@case("Finder / folders are made, renamed and deleted")
def finder_folders(door):
    with Client(door, FINDER) as client:
        client.send("PROPFIND", "untitled folder", (404,), ASKED, Depth="0", **XML)
        client.send("MKCOL", "untitled folder", (201,))
        client.send("PROPFIND", "untitled folder/", (207,), ASKED, Depth="0", **XML)
        # Names come decomposed (NFD).
        client.send_as("MOVE", door.path("untitled folder/"), (201,), b"", {
            "Destination": f"{door.url}Bu%CC%88ro/", "Overwrite": "F"})
        want(door.there("Bu\u0308ro").is_dir(), "the folder has another name")
        client.send("DELETE", "Bu\u0308ro/", (204,))


# ---- LibreOffice ----------------------------------------------------------------------------------------------------
# Its provider for WebDAV (ucb/source/ucp/webdav-curl/{CurlSession,webdavcontent}.cxx in
# https://github.com/LibreOffice/core): LOCK with Depth and Timeout, PUT whose `If` names the token only and no
# resource, MOVE and COPY without it, UNLOCK. A new lock holds for three minutes and is prolonged.

def office_lockinfo():
    return (b'<?xml version="1.0" encoding="UTF-8"?>\n<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
            b"<locktype><write/></locktype><owner>LibreOffice - http://www.libreoffice.org/</owner></lockinfo>")


OFFICE_XML = {"Content-Type": "application/xml"}
OFFICE_ASKED = wire.propfind([f"{DAV}{name}" for name in (
    "resourcetype", "getcontenttype", "getlastmodified", "getcontentlength", "supportedlock", "lockdiscovery")])


def office_opens(client, name):
    client.send("OPTIONS", name, (200,))
    answer = client.send("PROPFIND", name, (207,), OFFICE_ASKED, Depth="0", **OFFICE_XML)
    want(b"exclusive" in answer.body, "it would not lock the document, since supportedlock tells of no such lock")
    client.lock(name, office_lockinfo(), Depth="0", Timeout="Second-180", **OFFICE_XML)


@case("LibreOffice / a document is locked, read, saved and given back")
def office_saves(door):
    old = b"PK\3\4" + CONTENT
    door.put("report.odt", old)
    with Client(door, OFFICE) as client:
        office_opens(client, "report.odt")
        same(client.send("GET", "report.odt", (200,)).body == old, True, "the document is read as it is")
        client.send("LOCK", "report.odt", (200,), Timeout="Second-180", **client.held("report.odt"))
        client.send("PUT", "report.odt", PATCHED, CONTENT, **client.held("report.odt"))
        # It saves again, and looks at the lock that it has.
        answer = client.send("PROPFIND", "report.odt", (207,), OFFICE_ASKED, Depth="0", **OFFICE_XML)
        want(client.tokens["report.odt"].encode() in answer.body, "PUT lost the lock")
        client.send("PUT", "report.odt", PATCHED, CONTENT * 2, **client.held("report.odt"))
        client.unlock("report.odt")
        client.send("PUT", "report.odt", PATCHED, b"anybody's")


@case("LibreOffice / a second one opens it for reading")
def office_second(door):
    door.put("budget.ods", CONTENT)
    with Client(door, OFFICE) as one, Client(door, OFFICE) as other:
        office_opens(one, "budget.ods")
        other.send("LOCK", "budget.ods", (423,), office_lockinfo(), Depth="0", Timeout="Second-180", **OFFICE_XML)
        answer = other.send("PROPFIND", "budget.ods", (207,), OFFICE_ASKED, Depth="0", **OFFICE_XML)
        want(b"LibreOffice" in answer.body, "lockdiscovery does not tell who has it open")
        other.send("GET", "budget.ods", (200,))
        one.unlock("budget.ods")
        other.lock("budget.ods", office_lockinfo(), Depth="0", Timeout="Second-180", **OFFICE_XML)
        other.unlock("budget.ods")


@case("LibreOffice / a new document takes its name by MOVE")
def office_new(door):
    """What the provider does with `transfer`: a file of another name that is moved."""
    door.put("plan.odt", b"old")
    with Client(door, OFFICE) as client:
        office_opens(client, "plan.odt")
        client.send("PUT", "lu1234.tmp", (201,), CONTENT)
        # Another's document, locked, is not to be taken by a MOVE that has no token.
        client.send("MOVE", "lu1234.tmp", (423,), Destination=f"{door.url}plan.odt", Overwrite="T")
        client.send("MOVE", "lu1234.tmp", (204,), Destination=f"{door.url}plan.odt", Overwrite="T", If=(
            f"<{door.url}plan.odt> (<{client.tokens['plan.odt']}>)"))
        # What takes the place of something locked is under its lock (RFC 4918, section 7.7); not everywhere.
        client.send("UNLOCK", "plan.odt", (204, 409, 400, 403), Lock_Token=f"<{client.tokens['plan.odt']}>")
    same(door.there("plan.odt").read_bytes() == CONTENT, True, "the document is the new one")


@case("LibreOffice / a name with signs, and a login that is asked for first")
def office_asked(door):
    """libcurl sends the login only when it was asked for."""
    name = "Bericht Nr. 5 (groß) #1.odt"
    with Client(door, {**OFFICE, "Authorization": "Basic " + base64.b64encode(b"nobody:wrong").decode()}) as stranger:
        answer = stranger.send("PROPFIND", name, (401,), OFFICE_ASKED, Depth="0", **OFFICE_XML)
        want("Basic" in (answer["WWW-Authenticate"] or ""), "no login is asked for")
    with Client(door, OFFICE) as client:
        client.send("PUT", name, (201,), CONTENT)
        office_opens(client, name)
        client.send("PUT", name, PATCHED, CONTENT * 3, **client.held(name))
        client.unlock(name)
    same(door.there(name).read_bytes() == CONTENT * 3, True, "the document is what was saved")


if __name__ == "__main__":
    wire.main()
