"""Awkward requests, and what a server does with them: what a broken connection leaves, what readers see while others
write, what leads out of the folder, and what is told about files. Each looks at the answer and at the disk."""

import contextlib
import itertools
import os
import threading
import time

import wire
from wire import DAV, case, found, hrefs, same, until, want

MIB = 1 << 20
OLD, NEW = b"a" * 300_000, b"b" * 1_000_000
WIN32 = "urn:schemas-microsoft-com:"
QUOTA = (f"{DAV}quota-available-bytes", f"{DAV}quota-used-bytes")


# ---- what is broken off ---------------------------------------------------------------------------------------------

def cut(door, name, head, body):
    """Sends so much and hangs up."""
    stream = door.connect()
    stream.sendall(door.head("PUT", door.path(name), head) + body)
    # So that it has begun with the file.
    time.sleep(0.3)
    wire.reset(stream)


def stays_old(door, name):
    # The server learns of it when it reads: what it then does wrong, it does soon.
    for _ in range(20):
        path = door.there(name)
        want(path.exists(), "the old file is gone")
        same(path.read_bytes() == OLD, True, f"the old file is there, now {path.stat().st_size} bytes of {len(OLD)}")
        time.sleep(0.05)


def never_there(door, name):
    until(lambda: not door.there(name).exists(), f"a part of {name} stays under its name")
    for _ in range(10):
        want(not door.there(name).exists(), f"a part of {name} appears under its name")
        time.sleep(0.05)


@case("PUT cut / a new file")
def put_cut_new(door):
    cut(door, "cut-new", {"Content-Length": len(NEW)}, NEW[:300_000])
    never_there(door, "cut-new")


@case("PUT cut / over an old file")
def put_cut_old(door):
    door.put("cut-old", OLD)
    cut(door, "cut-old", {"Content-Length": len(NEW)}, NEW[:300_000])
    stays_old(door, "cut-old")


@case("PUT cut / chunked, a new file")
def put_cut_chunked_new(door):
    cut(door, "cut-chunked", {"Transfer-Encoding": "chunked"}, wire.chunk(NEW[:300_000]))
    never_there(door, "cut-chunked")


@case("PUT cut / chunked, over an old file")
def put_cut_chunked_old(door):
    door.put("cut-chunked-old", OLD)
    cut(door, "cut-chunked-old", {"Transfer-Encoding": "chunked"}, wire.chunk(NEW[:300_000]))
    stays_old(door, "cut-chunked-old")


@case("PUT cut / nothing else is left in the folder")
def put_cut_litter(door):
    door.made("litter")
    cut(door, "litter/file", {"Content-Length": len(NEW)}, NEW[:300_000])
    until(lambda: not list(door.there("litter").iterdir()), "something is left of it")


# ---- what others see meanwhile --------------------------------------------------------------------------------------

@case("whole files / while others overwrite them by PUT")
def torn(door):
    contents = [letter * MIB for letter in (b"1", b"2")]
    door.put("torn", contents[0])
    over = threading.Event()
    wrong, count = [], itertools.count()

    def look():
        while not over.is_set():
            try:
                body = door.ask("GET", "torn").body
                if body not in contents:
                    wrong.append(f"{len(body)} bytes of {len(set(body))} versions")
            except Exception as error:
                wrong.append(type(error).__name__)
            next(count)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for number in range(60):
            door.put("torn", contents[number % 2])
    finally:
        over.set()
        reader.join()
    looks = next(count)
    want(looks > 3, f"only {looks} reads in that time")
    want(not wrong, f"{len(wrong)} of {looks} reads were wrong: {wrong[:1]}")


@case("whole files / while others overwrite them by MOVE")
def moved_over(door):
    door.put("moving", b"x" * 1000)
    over = threading.Event()
    wrong, count = [], itertools.count()

    def look():
        while not over.is_set():
            try:
                answer = door.ask("GET", "moving")
                if (answer.status, len(answer.body)) != (200, 1000):
                    wrong.append(answer.status)
            except Exception as error:
                wrong.append(type(error).__name__)
            next(count)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(200):
            door.put("moving-new", b"y" * 1000)
            answer = door.ask("MOVE", "moving-new", Destination=f"{door.url}moving", Overwrite="T")
            want(answer.status in (201, 204), f"MOVE is answered {answer.status}")
    finally:
        over.set()
        reader.join()
    looks = next(count)
    want(looks > 10, f"only {looks} reads in that time")
    want(not wrong, f"{len(wrong)} of {looks} reads failed: {wrong[:1]}")


@case("whole files / that become shorter during GET")
def shrunk(door):
    size, left = 64 * MIB, 8 * MIB
    with open(door.there("shrinks"), "wb") as file:
        for _ in range(64):
            file.write(b"x" * MIB)
    door.noticed("shrinks")
    with door.connect() as stream:
        stream.sendall(door.head("GET", door.path("shrinks"), {"Connection": "close"}))
        got = stream.recv(65536)
        want(got.startswith(b"HTTP/1.1 200"), f"answered {got[:30]}")
        os.truncate(door.there("shrinks"), left)
        data, zeros = len(got), 0
        try:
            while piece := stream.recv(1 << 18):
                data += len(piece)
                zeros += piece.count(0)
        except OSError:
            pass
    want(data < size, f"{size} bytes were announced and {data} came, {zeros} of them zeros")
    want(not zeros, f"{zeros} zeros came that are in no version")


# ---- ranges and conditions ------------------------------------------------------------------------------------------

@case("ranges / a hundred that overlap are not a hundred files")
def many_ranges(door):
    door.put("ranged", b"r" * 1_000_000)
    answer = door.ask("GET", "ranged", Range="bytes=" + ",".join(["0-"] * 100))
    want(len(answer.body) < 3_000_000, f"{answer.status} with {len(answer.body)} bytes for a file of 1000000")


@case("ranges / one, a suffix, and a suffix longer than the file")
def one_range(door):
    door.put("digits", b"0123456789")
    for asked, expected in (("2-4", b"234"), ("-3", b"789"), ("-100", b"0123456789"), ("8-", b"89")):
        answer = door.ask("GET", "digits", Range=f"bytes={asked}")
        same((answer.status, answer.body), (206, expected), f"bytes={asked}")
    same(door.ask("GET", "digits", Range="bytes=20-30").status, 416, "a range behind the end")


@case("ranges / several, as multipart")
def multipart(door):
    door.put("digits", b"0123456789" * 20_000)
    answer = door.ask("GET", "digits", Range="bytes=0-1,100000-100001")
    same(answer.status, 206, "status")
    kind = answer["Content-Type"] or ""
    want(kind.startswith("multipart/byteranges"), f"Content-Type: {kind}")
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    parts = answer.body.split(b"--" + boundary)[1:-1]
    same([part.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") for part in parts], [b"01", b"01"], "parts")


@case("ranges / If-Range with an old tag gives the whole file")
def if_range(door):
    tag = etag(door, "if-range", b"0123456789")
    same(door.ask("GET", "if-range", Range="bytes=0-1", If_Range=tag).status, 206, "the tag that it has")
    same(door.ask("GET", "if-range", Range="bytes=0-1", If_Range='"other"').status, 200, "another tag")


@case("ranges / a PUT of a part never shortens the file")
def partial_put(door):
    door.put("partial", b"0123456789")
    answer = door.ask("PUT", "partial", b"xy", Content_Range="bytes 2-3/10")
    expected = b"01xy456789" if answer.status in (200, 201, 204) else b"0123456789"
    same(door.there("partial").read_bytes(), expected, f"after {answer.status}")


def etag(door, name, body=b"content"):
    """A strong tag; Apache's is weak for some time after a change."""
    door.put(name, body)
    tag = door.ask("HEAD", name)["ETag"]
    want(tag, "no ETag")
    if tag.startswith("W/"):
        past = time.time() - 100
        os.utime(door.there(name), (past, past))
        tag = door.ask("HEAD", name)["ETag"]
    want(not tag.startswith("W/"), f"the ETag is weak: {tag}")
    return tag


@case("conditions / If-Match, If-None-Match and what they protect")
def conditions(door):
    tag = etag(door, "conditional")
    for headers, status in (({"If_Match": '"other"'}, 412), ({"If_None_Match": "*"}, 412),
                            ({"If_None_Match": tag}, 412)):
        same(door.ask("PUT", "conditional", b"other", **headers).status, status, f"PUT with {headers}")
        same(door.there("conditional").read_bytes(), b"content", "the file")
    same(door.ask("GET", "conditional", If_None_Match=tag).status, 304, "GET of what one has")
    same(door.ask("PUT", "conditional", b"other", If_Match=tag).status in (200, 204), True, "PUT with its tag")
    same(door.ask("DELETE", "conditional", If_Match=tag).status, 412, "DELETE with the tag of before")


@case("conditions / a change within the same second has another tag")
def same_second(door):
    tags = set()
    for letter in b"abcde":
        door.put("quick", bytes([letter]) * 10)
        tags.add(door.ask("HEAD", "quick")["ETag"])
    same(len(tags), 5, "different tags of five contents")


@case("conditions / Expect: 100-continue is answered before the content")
def expect(door):
    door.put("expected", b"old")
    head = {"Expect": "100-continue", "Content-Length": 5}
    with door.connect() as stream:
        stream.sendall(door.head("PUT", door.path("expected"), {**head, "If-None-Match": "*"}))
        want(stream.recv(100).startswith(b"HTTP/1.1 412"), "a PUT that cannot be is not refused at once")
    with door.connect(5) as stream:
        stream.sendall(door.head("PUT", door.path("expected"), {**head, "Connection": "close"}))
        want(stream.recv(100).startswith(b"HTTP/1.1 100"), "no 100")
        stream.sendall(b"fresh")
        want(wire.read(stream, "PUT").status in (200, 201, 204), "it is not kept")
    same(door.there("expected").read_bytes(), b"fresh", "the file")


# ---- what is told of a file -----------------------------------------------------------------------------------------

@case("properties / getetag is the ETag")
def getetag(door):
    tag = etag(door, "tagged")
    told = found(door.properties("tagged", [f"{DAV}getetag"]), f"{DAV}getetag")
    want(200 in told, "no getetag")
    same(told[200].text, tag, "getetag")


@case("properties / one that is not there is said to be missing (404)")
def missing(door):
    door.put("lacks")
    name = "{urn:none}none"
    same(list(found(door.properties("lacks", [f"{DAV}getcontentlength", name]), name)), [404], "its statuses")


@case("properties / dead ones are kept, copied and moved")
def dead(door):
    door.put("dead")
    name = "{urn:x}colour"
    answer = door.ask("PROPPATCH", "dead", wire.proppatch("colour", "urn:x", "red &amp; blue"))
    same((answer.status, list(found(answer.xml, name))), (207, [200]), "PROPPATCH")
    for method, source, target in (("COPY", "dead", "dead-copy"), ("MOVE", "dead-copy", "dead-moved")):
        want(door.ask(method, source, Destination=door.url + target).status == 201, f"{method} fails")
        told = found(door.properties(target, [name]), name)
        same(told[200].text if 200 in told else list(told), "red & blue", f"after {method}")


@case("properties / quota (RFC 4331)")
def quota(door):
    door.put("quota", b"q" * 100_000)
    told = door.properties("", QUOTA)
    values = {name: found(told, name).get(200) for name in QUOTA}
    want(None not in values.values(), "not told")
    disk = os.statvfs(door.root)
    available, used = (int(values[name].text) for name in QUOTA)
    # It changes while one looks, and some take away what only root may use.
    room = (disk.f_bavail * disk.f_frsize * 0.9, disk.f_bfree * disk.f_frsize * 1.1)
    want(room[0] <= available <= room[1], f"{available} bytes are told to be free, and {room} are")
    want(used >= 100_000, f"{used} bytes are told to be used")


@case("times / X-OC-Mtime is kept")
def oc_mtime(door):
    door.put("oc", X_OC_Mtime="1000000000")
    same(int(door.there("oc").stat().st_mtime), 10**9, "its time")


def set_time(door, name, prop, space, value):
    """The status that was told for the property, or of the whole, and the time that the file then has."""
    door.put(name)
    answer = door.ask("PROPPATCH", name, wire.proppatch(prop, space, value))
    told = list(found(answer.xml, f"{{{space}}}{prop}")) if answer.status == 207 else [answer.status]
    return told, int(door.there(name).stat().st_mtime)


TIMES = {"Win32LastModifiedTime": (WIN32, "Sun, 09 Sep 2001 01:46:40 GMT"),
         "getlastmodified": ("DAV:", "Sun, 09 Sep 2001 01:46:40 GMT"), "lastmodified": ("DAV:", "1000000000")}


def time_is_set(prop):
    def check(door):
        same(set_time(door, f"time-{prop}", prop, *TIMES[prop]), ([200], 10**9), "status and time")
    return check


for one in TIMES:
    case(f"times / PROPPATCH of {one} sets it")(time_is_set(one))


@case("times / getlastmodified and Last-Modified are the file's")
def told_time(door):
    door.put("timed")
    os.utime(door.there("timed"), (10**9, 10**9))
    # Some remember for a moment what they saw.
    expected = "Sun, 09 Sep 2001 01:46:40 GMT"
    until(lambda: found(door.properties("timed", [f"{DAV}getlastmodified"]), f"{DAV}getlastmodified")[200].text
          == expected, "getlastmodified is another")
    same(door.ask("HEAD", "timed")["Last-Modified"], expected, "Last-Modified")


@case("digests / Want-Repr-Digest is answered")
def digests(door):
    door.put("digest", b"content")
    said = door.ask("HEAD", "digest", Want_Repr_Digest="sha-256=1")["Repr-Digest"]
    same(said, "sha-256=:7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=:", "Repr-Digest")


@case("digests / a PUT whose OC-Checksum is wrong is refused")
def wrong_checksum(door):
    answer = door.ask("PUT", "checked", b"content", OC_Checksum="SHA1:" + "0" * 40)
    want(answer.status >= 400, f"answered {answer.status}")
    want(not door.there("checked").exists(), "the file is there")


# ---- locks ----------------------------------------------------------------------------------------------------------

LOCK = (b'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
        b"<D:locktype><D:write/></D:locktype><D:owner>interop</D:owner></D:lockinfo>")


def lock(door, name, timeout="Second-600", depth="0"):
    """The token, in angle brackets."""
    answer = door.ask("LOCK", name, LOCK, Timeout=timeout, Depth=depth, Content_Type="application/xml")
    want(answer.status in (200, 201), f"LOCK is answered {answer.status}")
    want(answer["Lock-Token"], "LOCK tells no token")
    return answer["Lock-Token"]


@case("locks / one keeps others out, and its owner in")
def lock_holds(door):
    door.put("locked", b"old")
    token = lock(door, "locked")
    same(door.ask("PUT", "locked", b"new").status, 423, "PUT without the token")
    same(door.ask("DELETE", "locked").status, 423, "DELETE without the token")
    same(door.there("locked").read_bytes(), b"old", "the file")
    want(door.ask("PUT", "locked", b"new", If=f"({token})").status in (200, 204), "PUT with the token is refused")
    want(door.ask("UNLOCK", "locked", Lock_Token="<opaquelocktoken:none>").status >= 400, "UNLOCK with no such token")
    same(door.ask("UNLOCK", "locked", Lock_Token=token).status, 204, "UNLOCK")
    want(door.ask("PUT", "locked", b"free").status in (200, 204), "PUT after UNLOCK is refused")


@case("locks / one ends in its time")
def lock_ends(door):
    door.put("lapses")
    lock(door, "lapses", "Second-2")
    same(door.ask("PUT", "lapses", b"new").status, 423, "PUT while it holds")
    until(lambda: door.ask("PUT", "lapses", b"new").status in (200, 204), "it holds ten times as long", 20)


@case("locks / one is prolonged")
def lock_prolonged(door):
    door.put("prolonged")
    token = lock(door, "prolonged", "Second-60")
    answer = door.ask("LOCK", "prolonged", If=f"({token})", Timeout="Second-600")
    same(answer.status, 200, "LOCK without a body")
    want(token.strip("<>").encode() in answer.body, "the answer does not name the lock")


@case("locks / of a folder hold for what is put into it")
def lock_deep(door):
    want(door.ask("MKCOL", "deep").status == 201, "MKCOL fails")
    token = lock(door, "deep", depth="infinity")
    answer = door.ask("PUT", "deep/new", b"x")
    want(answer.status == 423 or answer.status == 207 and b" 423 " in answer.body, "PUT of a new member is taken")
    answer = door.ask("PUT", "deep/new", b"x", If=f"<{door.url}deep/> ({token})")
    want(answer.status == 201, f"PUT with the folder's token is answered {answer.status}")
    same(door.ask("UNLOCK", "deep", Lock_Token=token).status, 204, "UNLOCK")


@case("locks / of a name that is free make an empty file")
def lock_null(door):
    answer = door.ask("LOCK", "null", LOCK, Timeout="Second-600", Depth="0")
    want(answer.status in (200, 201), f"LOCK is answered {answer.status}")
    same(door.ask("GET", "null").body, b"", "its content")
    same(door.ask("PUT", "null", b"x").status, 423, "PUT by another")


@case("locks / end with what they lock")
def lock_deleted(door):
    door.put("doomed")
    token = lock(door, "doomed")
    same(door.ask("DELETE", "doomed", If=f"({token})").status, 204, "DELETE with the token")
    want(door.ask("PUT", "doomed", b"x").status == 201, "the name is still locked")


@case("locks / what takes the place of something locked is under its lock (RFC 4918, 7.7)")
def lock_replaced(door):
    for method in ("MOVE", "COPY"):
        door.put(f"{method}-new", b"new")
        door.put(f"{method}-old", b"old")
        token = lock(door, f"{method}-old")
        held = f"<{door.url}{method}-old> ({token})"
        answer = door.ask(method, f"{method}-new", Destination=f"{door.url}{method}-old", Overwrite="T", If=held)
        same(answer.status, 204, f"{method} onto it with the token")
        same(door.ask("PUT", f"{method}-old", b"other").status, 423, f"PUT by another after {method}")
        same(door.ask("UNLOCK", f"{method}-old", Lock_Token=token).status, 204, f"UNLOCK after {method}")


# ---- what leads out of the folder -----------------------------------------------------------------------------------

def outside(door, name):
    """A folder beside the served one, with a secret."""
    folder = door.root.parent / name
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "secret").write_text("secret")
    (folder / "secret").chmod(0o666)
    return folder


@case("links / are not followed out of the folder by GET")
def link_read(door):
    folder = outside(door, "out-read")
    door.there("link-file").symlink_to(folder / "secret")
    door.there("link-folder").symlink_to(folder)
    door.noticed("link-folder")
    for name in ("link-file", "link-folder/secret"):
        want(b"secret" not in door.ask("GET", name).body, f"GET {name} leads out")
    answer = door.ask("PROPFIND", "link-folder/", Depth="1")
    want(b"secret" not in answer.body, "PROPFIND leads out")


@case("links / are not followed out of the folder by PUT and DELETE")
def link_write(door):
    folder = outside(door, "out-write")
    door.there("link-write").symlink_to(folder / "secret")
    door.there("link-into").symlink_to(folder)
    door.noticed("link-into")
    door.ask("PUT", "link-write", b"changed")
    door.ask("PUT", "link-into/new", b"new")
    door.ask("DELETE", "link-into/secret")
    same(sorted(path.name for path in folder.iterdir()), ["secret"], "what is outside")
    same((folder / "secret").read_text(), "secret", "the file outside")


@case("links / dots lead nowhere")
def dots(door):
    outside(door, "out-dots")
    for path in ("../out-dots/secret", "%2e%2e/out-dots/secret", "..%2fout-dots/secret", "x/../../out-dots/secret"):
        answer = door.raw("GET", door.mount + path)
        want(answer.body != b"secret", f"GET {path} leads out")
        door.raw("PUT", door.mount + path, {}, b"changed")
    same((door.root.parent / "out-dots" / "secret").read_text(), "secret", "the file outside")


@case("links / no MOVE or COPY to another host")
def elsewhere(door):
    door.put("stays")
    for method in ("COPY", "MOVE"):
        status = door.ask(method, "stays", Destination="https://elsewhere.example/dav/went").status
        want(status >= 400, f"{method} is answered {status}")
    want(door.there("stays").exists() and not door.there("went").exists(), "it was moved all the same")


@case("odd files / a FIFO holds nobody up")
def fifo(door):
    os.mkfifo(door.there("fifo"))
    door.there("fifo").chmod(0o666)
    door.noticed("fifo")
    try:
        answer = door.raw("GET", door.path("fifo"), patience=5)
        want(answer.status >= 400, f"answered {answer.status}")
    finally:
        # Whoever waits for a writer, waits no longer.
        with contextlib.suppress(OSError):
            os.close(os.open(door.there("fifo"), os.O_WRONLY | os.O_NONBLOCK))


# ---- names ----------------------------------------------------------------------------------------------------------

NAMES = {"of 255 bytes": "n" * 255, "that are not UTF-8": b"\xe9t\xe9", "with a line break": "a\nb",
         "with signs": "a %#?+&<>\"'", "beyond ASCII": "größe 猫", "with a backslash and a colon": "a\\b:c"}


def round_trip(name):
    def check(door):
        door.put(name, b"named")
        same(door.there(os.fsdecode(name)).read_bytes(), b"named", "on the disk")
        listed = door.properties("", [f"{DAV}getcontentlength"], "1")
        want(door.path(name) in map(normal, hrefs(listed)), "the listing has it under no name that leads back")
        same(door.ask("GET", name).body, b"named", "GET")
        back = f"https://{door.host}:{door.port}{door.path(name)}"
        for source, target in ((name, f"{door.url}plain-name"), ("plain-name", back)):
            answer = door.ask("MOVE", source, Destination=target)
            want(answer.status in (201, 204), f"MOVE to {target[-40:]} is answered {answer.status}")
        same(door.ask("DELETE", name).status, 204, "DELETE")
    return check


def normal(path):
    """A path with every letter in the form that we use."""
    return wire.urllib.parse.quote(wire.urllib.parse.unquote_to_bytes(path))


for one, text in NAMES.items():
    case(f"names / {one}")(round_trip(text))


@case("names / of 256 bytes are refused")
def too_long(door):
    answer = door.ask("PUT", "n" * 256, b"x")
    want(400 <= answer.status < 500, f"answered {answer.status}")


# ---- listings -------------------------------------------------------------------------------------------------------

@case("listings / Depth: infinity is the whole tree, or refused as RFC 4918 says")
def infinity(door):
    for path in ("inf", "inf/a", "inf/a/b"):
        door.made(path)
        door.put(f"{path}/file", b"x")
    for headers in ({"Depth": "infinity"}, {}):
        answer = door.ask("PROPFIND", "inf/", wire.propfind([f"{DAV}resourcetype"]), **headers)
        if answer.status == 403:
            continue
        same(answer.status, 207, f"with {headers}")
        same(len(hrefs(answer.xml)), 6, f"entries with {headers}")


@case("listings / Depth: 1,noroot, as old Windows clients ask")
def noroot(door):
    door.made("noroot")
    door.put("noroot/file", b"x")
    answer = door.ask("PROPFIND", "noroot/", Depth="1,noroot")
    same(answer.status, 207, "status")
    want(any(path.endswith("/file") for path in hrefs(answer.xml)), "the file is not listed")


@case("listings / a body of 500 kB is answered")
def large_body(door):
    names = [f"{{urn:x}}p{number}" for number in range(16_000)]
    answer = door.ask("PROPFIND", "", wire.propfind(names), Depth="0")
    want(answer.status in (207, 400, 413), f"answered {answer.status}")


@case("listings / XML that grows by entities is refused")
def bomb(door):
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    body = (f'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY e0 "bomb">{entities}]>'
            "<propfind xmlns='DAV:'><prop><x>&e9;</x></prop></propfind>")
    answer = door.raw("PROPFIND", door.mount, {"Depth": "0"}, body.encode())
    want(answer.status in (400, 403, 413, 422), f"answered {answer.status}")
    same(door.ask("PROPFIND", "", Depth="0").status, 207, "the next request")


@case("listings / an outer entity is not read")
def outer_entity(door):
    secret = outside(door, "out-entity") / "secret"
    body = (f'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY e SYSTEM "file://{secret}">]><propertyupdate xmlns="DAV:">'
            "<set><prop><x xmlns='urn:x'>&e;</x></prop></set></propertyupdate>")
    door.put("entity")
    door.ask("PROPPATCH", "entity", body.encode())
    answer = door.ask("PROPFIND", "entity", wire.propfind(["{urn:x}x"]), Depth="0")
    want(b"secret" not in answer.body, "its content is told")


@case("listings / 20,000 entries are told whole")
def many(door):
    folder = door.made("many")
    for number in range(20_000):
        (folder / f"f{number}").touch()
    door.noticed("many/f19999")
    told = hrefs(door.properties("many/", [f"{DAV}getcontentlength"], "1"))
    same(len(set(told)), 20_001, "entries")


# ---- uploads and folders --------------------------------------------------------------------------------------------

@case("uploads / empty, chunked, and as the Finder sends them")
def uploads(door):
    door.put("zero", b"")
    same(door.there("zero").read_bytes(), b"", "an empty file")
    body = wire.chunk(b"one") + wire.chunk(b"two") + b"0\r\n\r\n"
    for headers in ({}, {"X-Expected-Entity-Length": "6"}):
        answer = door.raw("PUT", door.path("chunked"), {"Transfer-Encoding": "chunked", **headers}, body)
        want(answer.status in (200, 201, 204), f"answered {answer.status}")
        same(door.there("chunked").read_bytes(), b"onetwo", "the file")


@case("uploads / shorter than X-Expected-Entity-Length are refused")
def expected_length(door):
    head = {"Transfer-Encoding": "chunked", "X-Expected-Entity-Length": "100"}
    answer = door.raw("PUT", door.path("expected-length"), head, wire.chunk(b"short") + b"0\r\n\r\n")
    want(answer.status >= 400, f"answered {answer.status}")
    want(not door.there("expected-length").exists(), "the file is there")


@case("folders / each refusal has its status")
def refusals(door):
    door.made("full")
    door.put("full/file")
    for method, name, body, status in (
            ("MKCOL", "full", b"", {405}), ("MKCOL", "none/new", b"", {409}), ("PUT", "none/new", b"x", {409, 404}),
            ("PUT", "full/", b"x", {405, 409}), ("GET", "none", b"", {404}), ("DELETE", "none", b"", {404}),
            ("MKCOL", "body", b"what is this", {415})):
        got = door.ask(method, name, body, **({"Content_Type": "text/plain"} if body else {})).status
        want(got in status, f"{method} {name} is answered {got}, expected {sorted(status)}")
    want(not door.there("none").exists() and door.there("full").is_dir(), "something changed")


@case("folders / are moved and copied whole, over others only when asked")
def trees(door):
    door.made("tree")
    door.made("tree/sub")
    door.put("tree/sub/file", b"deep")
    door.made("other")
    target = f"{door.url}other/"
    same(door.ask("MOVE", "tree/", Destination=target, Overwrite="F").status, 412, "Overwrite: F")
    same(door.ask("COPY", "tree/", Destination=f"{door.url}shallow/", Depth="0").status, 201, "COPY with Depth: 0")
    same(list(door.there("shallow").iterdir()), [], "what is in the shallow copy")
    same(door.ask("COPY", "tree/", Destination=target, Overwrite="T").status, 204, "Overwrite: T")
    same((door.there("other") / "sub" / "file").read_bytes(), b"deep", "the copy")
    same(door.ask("MOVE", "tree/", Destination=f"{door.url}moved/").status, 201, "MOVE")
    want(not door.there("tree").exists() and (door.there("moved") / "sub" / "file").exists(), "MOVE left something")
    want(door.ask("MOVE", "moved/", Destination=f"{door.url}moved/sub/in/").status >= 400, "MOVE into itself")
    same((door.there("moved") / "sub" / "file").read_bytes(), b"deep", "after MOVE into itself")


@case("folders / OPTIONS tells classes 1 and 2")
def classes(door):
    told = [word.strip() for word in (door.ask("OPTIONS", "")["DAV"] or "").split(",")]
    want({"1", "2"} <= set(told), f"DAV: {told}")


if __name__ == "__main__":
    wire.main()
