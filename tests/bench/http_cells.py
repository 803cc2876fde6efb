"""What is measured of an HTTP server: one run of one cell, by curl, by h2load or, for idle connections, by
tests/bench/http_load.py. All that is copied is compared."""

import base64
import contextlib
import dataclasses
import html
import json
import os
import pathlib
import random
import re
import select
import signal
import subprocess
import sys
import time
import urllib.parse

import copies
import costs
import http_peers
import http_servers
import measure
import trees

GIB, MIB = 1 << 30, 1 << 20
LOAD, HTTP3 = (pathlib.Path(__file__).resolve().parent / name for name in ("http_load.py", "http3_get.py"))
# At full scale.
BIG, MEDIUM, SMALL, SENT = 2 * GIB, 256 * MIB, 10_000, 5_000
CROWD, IDLE = 2_000, 2_000
# Bytes of a small file, and of the one of which each stream of the crowd gets a copy.
SIZE, SHARE = 4096, 1 << 20
# What a server may take of this machine for the crowd, which several share.
BOUND = 8 * GIB
# Seconds for which idle connections are left alone before the memory is looked at.
SETTLE = 2
# The same for all: with this one the processor is at its best.
CIPHER = "TLS_AES_128_GCM_SHA256"
# The four properties that rclone asks for.
QUESTION = (
    '<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:"><d:prop><d:displayname/><d:getlastmodified/>'
    "<d:getcontentlength/><d:resourcetype/></d:prop></d:propfind>"
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One kind of work."""

    # The name of a function of this module, and which of the benchmark's parts it belongs to.
    run: str
    part: str
    # HTTP/2 or HTTP/3, or HTTP/1.1 with connections that are kept; over TLS, or in the clear.
    h2: bool = False
    h3: bool = False
    encrypted: bool = True
    connections: int = 1
    streams: int = 1
    # Entries of a folder.
    entries: int = 0
    # What is written lies on the disk, and not in memory.
    on_disk: bool = False
    # How `rate` and `cpu` are shown: unit, and what of a second.
    rate: str = "MiB/s"
    cpu: str = "s/GiB"
    # Over links with a delay, too.
    afar: bool = False

    @property
    def version(self):
        return "3" if self.h3 else "2" if self.h2 else "1.1"

    @property
    def writes(self):
        return self.part == "puts"

    @property
    def cpu_divisor(self):
        return 1e-6 if self.cpu.startswith("µs") else 1


def small(**more):
    return Cell("get_small", "small", rate="requests/s", cpu="µs each", **more)


def put_small(**more):
    return Cell("put_small", "puts", rate="files/s", cpu="µs each", **more)


def listing(entries, **more):
    return Cell("propfind", "propfind", entries=entries, rate="entries/s", cpu="µs each", **more)


CELLS = {
    "get-h1-clear": Cell("get_big", "gets", encrypted=False),
    "get-h1": Cell("get_big", "gets"),
    "get-h2": Cell("get_big", "gets", h2=True, afar=True),
    "get-h3": Cell("get_big", "gets", h3=True, afar=True),
    "small-h1": small(connections=32),
    "small-1": small(h2=True),
    "small-32": small(h2=True, streams=32),
    "small-100": small(h2=True, streams=100, afar=True),
    "put-h1": Cell("put_big", "puts"),
    "put-h2": Cell("put_big", "puts", h2=True, afar=True),
    "put-h2-disk": Cell("put_big", "puts", h2=True, on_disk=True),
    "put-small-h1": put_small(),
    "put-small-32": put_small(h2=True, streams=32, afar=True),
    "put-small-32-disk": put_small(h2=True, streams=32, on_disk=True),
    "propfind-10k": listing(10_000, afar=True),
    "propfind-100k": listing(100_000),
    "crowd": Cell("crowd", "crowd", h2=True, connections=CROWD, streams=4),
    "idle": Cell("idle", "idle", connections=IDLE, rate="connections/s", cpu="µs each"),
}
PARTS = tuple(dict.fromkeys(cell.part for cell in CELLS.values()))


def can(cell, server, link):
    """Does this cell tell something of this server?"""
    if server.parts and cell.part not in server.parts:
        return False
    if link != "loopback" and not cell.afar:
        return False
    return ((server.has_h2 or not cell.h2) and (server.has_h3 or not cell.h3)
            and (server.is_writable or not cell.writes) and (server.has_clear or cell.encrypted)
            and (server.has_propfind or cell.run != "propfind"))


@dataclasses.dataclass
class Ask:
    """What is to be done once."""

    cell: Cell
    door: http_servers.Server
    # What is served, or sent.
    source: pathlib.Path
    # For what comes back, in memory.
    own: pathlib.Path
    scale: float
    limit: float

    @property
    def words(self):
        return self.own / "words"

    def count(self, number):
        return max(self.cell.streams, int(number * self.scale))


def sources(root, scale):
    """What is got and sent: two big files, small ones, one for each stream of a crowd, and large folders."""
    rng = random.Random(5)
    block = rng.randbytes(2 << 20)
    old = trees.STARTED - trees.AGE
    for name, size in (("big", BIG), ("medium", MEDIUM)):
        trees.write(root / name, int(size * scale), old, block, rng)
    trees.write(root / "share", SHARE, old, block, rng)
    (root / "small").mkdir()
    for number in range(max(100, int(SMALL * scale))):
        trees.write(root / "small" / f"{number:05}.dat", SIZE, old, block, rng)
    for cell in CELLS.values():
        folder = root / f"entries-{cell.entries}"
        if cell.entries and not folder.exists():
            folder.mkdir()
            trees.sparse(folder, int(cell.entries * scale))
    # Apache reads as somebody else.
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def run(ask):
    """One run: its figures, `exit`, `cut` and what came of the copy."""
    log_in(ask)
    return globals()[ask.cell.run](ask)


def log_in(ask):
    """The first login costs more than all that come after it, and a door may let in few from where nobody has logged in
    yet."""
    for way in dict.fromkeys((ask.door.reading, ask.door.writing)):
        asked(ask, "-o", "/dev/null", "-I", f"{ask.door.base}{way}", strict=False)


def curl(ask, *words, strict=True):
    """The line of JSON that it ends with goes to `words` of the ask. `strict`: a refusal is an error."""
    if ask.cell.h3:
        login = {"BENCH_LOGIN": f"{http_servers.USER}:{http_servers.PASSWORD}"}
        return [http_peers.PYTHON3, HTTP3, ask.door.folder / "cert.pem", *words], login
    version = "--http2" if ask.cell.h2 else "--http1.1"
    safe = ["--cacert", ask.door.folder / "cert.pem", "--tls13-ciphers", CIPHER] if ask.cell.encrypted else []
    user = f"{http_servers.USER}:{http_servers.PASSWORD}"
    fail = ["--fail"] if strict else []
    return ["curl", "-q", "-sS", *fail, version, *safe, "-u", user, "-w", "\n%{json}", *words], {}


def asked(ask, *words, strict=True):
    """One transfer by curl: the run, the server's CPU seconds and what curl says of it."""
    before = costs.cpu(ask.door)
    done = measure.run(curl(ask, *words, strict=strict), ask.door.net, ask.limit, words=ask.words)
    spent = costs.cpu(ask.door) - before
    said = ask.words.read_text(errors="replace")
    if done.exit != 0:
        print(said[-300:], file=sys.stderr)
        return done, spent, None
    told = json.loads(said[said.rindex("\n{") :])
    if told["http_version"] != ask.cell.version:
        raise SystemExit(f"{ask.door.name} spoke HTTP/{told['http_version']}, not {ask.cell.version}")
    return done, spent, told


def ended(done, copy, **figures):
    """A run as the report knows it."""
    return {"exit": done.exit, "cut": done.cut, "projected": done.projected, "copy": copy, "client_cpu": done.cpu,
            **figures}


def took(told):
    """Seconds from the request to the last byte, without connecting."""
    return told["time_total"] - told["time_pretransfer"]


def name_of_big(ask):
    return "medium" if ask.door.net.link.rtt else "big"


def get_big(ask):
    """Kept and compared first, then thrown away, so that the client costs little."""
    name = name_of_big(ask)
    source, copy = ask.source / name, ask.own / name
    url = f"{ask.door.base}{ask.door.reading}{name}"
    done, _, told = asked(ask, "-o", copy, url)
    if told is None:
        return ended(done, "none")
    said = copies.compare(source, copy)
    copy.unlink()
    if said != "equal":
        return ended(done, said)
    done, spent, told = asked(ask, "-o", "/dev/null", url)
    if told is None:
        return ended(done, said)
    size = source.stat().st_size
    if told["size_download"] != size:
        said = f"{told['size_download']} of {size} bytes"
    return ended(done, said, seconds=took(told), rate=size / MIB / took(told), cpu=spent / (size / GIB))


def put_big(ask):
    name = name_of_big(ask)
    source = ask.source / name
    done, spent, told = asked(ask, "-T", source, f"{ask.door.base}{ask.door.writing}{name}")
    said = copies.compare(source, ask.door.root / name)
    if told is None:
        return ended(done, said)
    size = source.stat().st_size
    return ended(done, said, seconds=took(told), rate=size / MIB / took(told), cpu=spent / (size / GIB))


def h2load(ask, count, *words, connections=None, streams=None):
    cell = ask.cell
    # What it cannot do is not asked for: no more requests than streams.
    connections = min(connections or cell.connections, count)
    secret = base64.b64encode(f"{http_servers.USER}:{http_servers.PASSWORD}".encode()).decode()
    options = ["-n", count, "-c", connections, "-m", streams or cell.streams, "-t", 1, "-H",
               f"authorization: Basic {secret}", *([] if cell.h2 else ["--h1"])]
    return http_peers.unpacked(http_peers.H2LOAD, *options, *words), {}


def loaded(ask, count, size, *words, **more):
    """Requests by h2load: what it says of them. `size`: bytes of all answers, none where they do not matter."""
    before = costs.cpu(ask.door)
    done = measure.run(h2load(ask, count, *words, **more), ask.door.net, ask.limit, words=ask.words)
    spent = costs.cpu(ask.door) - before
    told = read(ask.words.read_text(errors="replace"))
    if told is None:
        return ended(done, "none", failed=count)
    failed = count - told["succeeded"]
    if failed:
        print(measure.last_words(ask.words, 800), file=sys.stderr)
    is_whole = size is None or told["data"] == size
    said = "equal" if not failed and is_whole else f"{failed} failed, {told['data']} of {size} bytes"
    return ended(done, said, seconds=told["seconds"], rate=count / told["seconds"], cpu=spent / count, failed=failed)


UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1}


def read(said):
    """h2load's own summary: seconds, requests that ended with 2xx, and bytes of bodies."""
    finished = re.search(r"finished in ([\d.]+)(us|ms|s),", said)
    codes = re.search(r"status codes: (\d+) 2xx", said)
    data = re.search(r"\((\d+)\) data$", said, re.MULTILINE)
    succeeded = re.search(r"(\d+) succeeded", said)
    if not (finished and codes and data and succeeded):
        return None
    return {"seconds": float(finished[1]) * UNITS[finished[2]], "data": int(data[1]),
            "succeeded": min(int(codes[1]), int(succeeded[1]))}


def repeated(ask, count, size, *words):
    """As many requests as there are, or, where a hundredth of them shows that it would take too long, that hundredth,
    from which it is projected."""
    few = max(ask.cell.streams, ask.cell.connections, count // 100)
    warm = loaded(ask, few, size and few * size, *words)
    if not copies.is_good(warm):
        return warm
    if warm["seconds"] * count / few > ask.limit:
        return {**warm, "projected": True, "seconds": warm["seconds"] * count / few}
    return loaded(ask, count, size and count * size, *words)


def get_small(ask):
    """All of them once by curl, compared, and then as often by h2load, which counts their bytes."""
    source, copy = ask.source / "small", ask.own / "small"
    copy.mkdir()
    names = sorted(path.name for path in source.iterdir())
    there = f"{ask.door.reading}small/"
    list_of(ask.own / "urls", (f'url = "{ask.door.base}{there}{name}"\noutput = "{copy}/{name}"' for name in names))
    streams = max(ask.cell.streams, ask.cell.connections)
    done = measure.run(curl(ask, "-w", "", "-Z", "--parallel-max", min(streams, 100), "-K", ask.own / "urls"),
                       ask.door.net, ask.limit, words=ask.words)
    # Where it is too slow for all, those that came are compared.
    said = (compare_some if done.cut else copies.compare)(source, copy)
    if said != "equal":
        print(measure.last_words(ask.words, 300), file=sys.stderr)
        return ended(done, said)
    list_of(ask.own / "paths", (f"{there}{name}" for name in names))
    return repeated(ask, len(names), SIZE, "-B", ask.door.base, "-i", ask.own / "paths")


def compare_some(source, copy):
    """Of a fetch that was cut: the last of each of its streams may be in the middle."""
    whole = [path for path in copies.files(copy) if path.stat().st_size == SIZE]
    wrong = sum(1 for path in whole if not copies.same(source / path.name, path))
    return f"{wrong} of {len(whole)} DIFFER" if wrong or not whole else "equal"


def put_small(ask):
    """New names, each with the same bytes."""
    body = ask.own / "body"
    body.write_bytes((ask.source / "share").read_bytes()[:SIZE])
    count = ask.count(SENT if not ask.door.net.link.rtt else SENT // 10)
    names = [f"{number:05}.dat" for number in range(count)]
    list_of(ask.own / "paths", (f"{ask.door.writing}{name}" for name in names))
    done = repeated(ask, count, None, "-B", ask.door.base, "-i", ask.own / "paths", "-d", body, "-H", ":method: PUT")
    wrong = sum(1 for name in names if not copies.same(body, ask.door.root / name))
    if wrong and not done["projected"]:
        done["copy"] = f"{wrong} DIFFER"
    return done


def list_of(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))


def propfind(ask):
    """The names are compared with those of the folder."""
    name = f"entries-{ask.cell.entries}"
    (ask.own / "question").write_text(QUESTION)
    words = ["-X", "PROPFIND", "-H", "Depth: 1", "-H", "Content-Type: application/xml", "--data-binary",
             f"@{ask.own}/question", "-o", ask.own / "answer", f"{ask.door.base}{ask.door.writing}{name}/"]
    # The first one warms the caches of the server and of the kernel.
    asked(ask, *words)
    before = costs.restart_peak(ask.door)
    done, spent, told = asked(ask, *words)
    grown = costs.status(ask.door, "VmHWM:") - before
    if told is None:
        return ended(done, "none")
    there = set(os.listdir(ask.source / name))
    said = names_of((ask.own / "answer").read_bytes(), f"{ask.door.writing}{name}/")
    wrong = len(there ^ said)
    first = told["time_starttransfer"] - told["time_pretransfer"]
    return ended(done, f"{wrong} names DIFFER" if wrong else "equal", seconds=took(told), ttfb=first, memory=grown,
                 rate=len(there) / took(told), cpu=spent / len(there))


def names_of(answer, folder):
    """The entries of `folder` of which a multistatus tells."""
    hrefs = re.findall(rb"<(?:\w+:)?href[^>]*>([^<]*)</", answer)
    paths = {urllib.parse.unquote(urllib.parse.urlsplit(html.unescape(href.decode())).path) for href in hrefs}
    return {path.removeprefix(folder) for path in paths} - {"", folder.rstrip("/")}


def crowd(ask):
    """Many connections with some streams each, all of them at once, and the memory of the server for one connection."""
    cell = ask.cell
    connections = max(10, int(cell.connections * ask.scale))
    count = connections * cell.streams
    url = f"{ask.door.base}{ask.door.reading}share"
    done, _, told = asked(ask, "-o", ask.own / "share", url)
    if told is None or (said := copies.compare(ask.source / "share", ask.own / "share")) != "equal":
        return ended(done, "none" if told is None else said)
    with costs.Peak(ask.door, BOUND, measure.end_all) as peak:
        done = loaded(ask, count, count * SHARE, url, connections=connections)
    done["memory"] = peak.grown / connections
    if done.get("rate"):
        done["rate"] *= SHARE / MIB
        done["cpu"] *= count / (count * SHARE / GIB)
    return done


def idle(ask):
    """Connections that have asked once and then are only there."""
    count = max(10, int(ask.cell.connections * ask.scale))
    path, source = f"{ask.door.reading}small/00000.dat", ask.source / "small" / "00000.dat"
    # One connection first: what the first costs is no other's.
    done, _, told = asked(ask, "-o", ask.own / "file", f"{ask.door.base}{path}")
    if told is None:
        return ended(done, "none")
    before, spent = costs.memory(ask.door), costs.cpu(ask.door)
    words = [sys.executable, LOAD, ask.door.net.host, ask.door.port, ask.door.folder / "cert.pem", path, source, count]
    with held(ask, words) as line:
        if not line:
            return {**ended(done, "none"), "exit": 1}
        said = json.loads(line)
        spent = costs.cpu(ask.door) - spent
        time.sleep(SETTLE)
        kept = costs.memory(ask.door) - before
    there = said["connections"]
    copy = f"{said['wrong']} DIFFER" if said["wrong"] else "equal" if there == count else f"{there} of {count} came in"
    if said["failed"]:
        print(said["failed"], file=sys.stderr)
    return ended(done, copy, failed=count - there, memory=kept / max(1, there), seconds=said["seconds"],
                 rate=there / said["seconds"], cpu=spent / count)


@contextlib.contextmanager
def held(ask, words):
    """A process at the client's end until the block is left: the first line that it says, empty when it says none in
    time."""
    secret = f"{http_servers.USER}:{http_servers.PASSWORD}"
    process = subprocess.Popen(
        ask.door.net.command("c", [str(word) for word in words]), env={**os.environ, "BENCH_LOGIN": secret},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    measure.RUNNING.add(process.pid)
    try:
        ready, _, _ = select.select([process.stdout], [], [], ask.limit)
        yield process.stdout.readline() if ready else b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        measure.RUNNING.discard(process.pid)
