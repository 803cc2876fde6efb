"""The targets of the HTTP benchmark, as data, and the comparison of its rows with them.

A target that is missed keeps its place on the page: write why into `reason`, and what to try next into `idea`. Both are
shown only while it is missed."""

import dataclasses

import promises


@dataclasses.dataclass(frozen=True)
class Target:
    """One promise: a figure of ours in a cell, or, with a `peer`, its ratio to that server's."""

    text: str
    what: str
    metric: str
    value: float
    peer: str = ""
    link: str = "loopback"
    at_most: bool = False
    # How the figure is shown.
    divisor: float = 1
    unit: str = "×"
    reason: str = ""
    idea: str = ""


def least(text, what, value, peer, **more):
    return Target(f"{text} ≥ {value:g} × {peer}'s", what, "rate", value, peer, **more)


def most(text, what, metric, value, peer, **more):
    return Target(f"{text} ≤ {value:g} × {peer}'s", what, metric, value, peer, at_most=True, **more)


SMALL_GET = {
    "reason": "a GET takes 51 µs of the server's CPU: opening the home and the file beneath it, an answer of a "
    "dozen fields, and its pieces on the heap, none of which stands out",
    "idea": "one thread per core that takes no work from the others: 26 µs in the study",
}
BLOCKS = {
    "reason": "a tenth of the server's time goes into a new block of 256 KiB for each read: it is cleared, and its "
    "pages are taken from the kernel each time",
    "idea": "reading into blocks that were sent",
}
SMALL_PUT = {
    "reason": "each upload is synced and has its entry in the audit log before it is answered, and goes to a thread "
    "and back for each step",
    "idea": "the steps of a small one on the spot, as the SFTP door does, and several entries in one transaction",
}
CROWD = {
    "reason": "each stream holds the block of 256 KiB that is on its way",
    "idea": "smaller blocks where a connection has several streams",
}

TARGETS = (
    least("4 KiB GETs over HTTP/2", "small-100", 0.9, "nginx", **SMALL_GET),
    *(least("4 KiB GETs over HTTP/2", "small-100", 3, peer) for peer in ("apache", "caddy", "dufs")),
    # It has no HTTP/2 over TLS.
    least("4 KiB GETs", "small-h1", 3, "rclone"),
    *(least("2 GiB GET over TLS", what, 1.1, "nginx", **BLOCKS) for what in ("get-h1", "get-h2")),
    least("2 GiB GET in the clear", "get-h1-clear", 1.2, "nginx"),
    *(most("server CPU of a GiB", what, "cpu", 1.2, "nginx", **BLOCKS) for what in ("get-h1", "get-h2")),
    *(least("PUT of 2 GiB", what, value, peer) for what in ("put-h1", "put-h2")
      for value, peer in ((1, "nginx"), (2, "apache"))),
    *(least("small PUTs", what, value, peer, **SMALL_PUT) for what in ("put-small-h1", "put-small-32")
      for value, peer in ((0.8, "nginx"), (3, "apache"))),
    most("PROPFIND of 100,000 entries, time", "propfind-100k", "seconds", 0.8, "nginx"),
    most("PROPFIND of 100,000 entries, time", "propfind-100k", "seconds", 0.2, "apache"),
    Target("its first byte within 20 ms", "propfind-100k", "ttfb", 0.02, at_most=True, divisor=1e-3, unit="ms"),
    Target("memory that it takes ≤ 8 MiB: it is streamed", "propfind-100k", "memory", 8 << 20, at_most=True,
           divisor=1 << 20, unit="MiB"),
    Target("no request of 2,000 connections × 4 streams fails", "crowd", "failed", 0, at_most=True, unit="failed"),
    Target("each of them ≤ 80 KiB", "crowd", "memory", 80 << 10, at_most=True, divisor=1024, unit="KiB", **CROWD),
    Target("an idle TLS connection ≤ 30 KiB", "idle", "memory", 30 << 10, at_most=True, divisor=1024, unit="KiB"),
)


def judge(rows, scale):
    """Each target with what was measured."""
    judged = []
    for target in TARGETS:
        figure = measured(target, rows)
        state = promises.state(target, figure, scale)
        judged.append({**dataclasses.asdict(target), "measured": figure, "state": state,
                       "where": f"{target.link}, {target.what}"})
    return judged


def measured(target, rows):
    """The figure or ratio; none when one of the two has no figure."""
    found = {row["server"]: row.get(target.metric) for row in rows
             if (row["link"], row["what"]) == (target.link, target.what)}
    ours, theirs = found.get("causeway"), found.get(target.peer)
    if not target.peer or ours is None:
        return ours
    return ours / theirs if theirs else None
