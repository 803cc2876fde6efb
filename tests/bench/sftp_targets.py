"""The targets of the SFTP benchmark, as data, and the comparison of its rows with them.

A target that is missed keeps its place on the page: write why into `reason`, and what to try next into `idea`. Both are
shown only while it is missed."""

import dataclasses

import promises
import sftp_report
import sftp_sessions


@dataclasses.dataclass(frozen=True)
class Target:
    """One promise: a ratio to the server `peer` in the same cell. Of our client, at OpenSSH's server: a ratio to the
    best of the clients `rivals`. Of sessions: a figure of ours, or, with a `peer`, its ratio to that server's."""

    text: str
    what: str
    client: str
    metric: str
    value: float
    link: str = "loopback"
    # Empty: the figure itself.
    peer: str = sftp_report.REFERENCE
    rivals: tuple = ()
    at_most: bool = False
    # How the figure is shown.
    divisor: float = 1
    unit: str = "×"
    reason: str = ""
    idea: str = ""


# Of files that are put into memory.
PAGES = ("the kernel gets and clears the pages of what is written, which is about half of the work and the same for "
         "every server")

TARGETS = (
    Target("get ≥ 1.8 × OpenSSH's", "get-null", "sftp", "rate", 1.8),
    Target("get ≥ 1.8 × OpenSSH's", "get-big", "sftp", "rate", 1.8,
           reason="sftp and ssh, which write what they get, take both processors and more time than the server: what "
           "the server can is in the row above"),
    Target("put ≥ 1.6 × OpenSSH's", "put-big", "sftp", "rate", 1.6, reason=PAGES),
    Target("CPU of the server for a get ≤ 0.45 × OpenSSH's", "get-null", "sftp", "cpu", 0.45, at_most=True),
    Target("CPU of the server for a put ≤ 0.45 × OpenSSH's", "put-big", "sftp", "cpu", 0.45, at_most=True,
           reason=PAGES),
    Target("many small files ≥ 1.2 × OpenSSH's", "get-small", "sftp", "rate", 1.2),
    Target("many small files ≥ 1.2 × OpenSSH's", "put-small", "sftp", "rate", 1.2,
           reason="each file is synced and has its entry in the audit log before CLOSE is answered, which OpenSSH's "
           "server does not; a fifth of the time of the processors is SQLite's, most of the rest is waking threads",
           idea="the entries of several files in one transaction"),
    *(
        Target("never below OpenSSH's", what, "sftp", "rate", 1, link)
        for link in ("rtt20", "rtt80loss") for what in ("get-big", "put-big", "get-small", "put-small")
    ),
    *(
        Target("≥ 2 × rclone's", what, client, "rate", 2, peer="rclone")
        for client in ("lftp", "rclone") for what in ("get-big", "put-big")
    ),
    Target("a login ≤ 0.25 × OpenSSH's", "setup", "asyncssh", "login", 0.25, at_most=True),
    Target("every session comes in", "sessions", "asyncssh", "refused", 0, peer="", at_most=True, unit="refused"),
    Target("an idle session ≤ 64 KiB", "sessions", "asyncssh", "memory", 64 << 10, peer="", at_most=True, divisor=1024,
           unit="KiB"),
    # The clock of processes ticks every 10 ms: less than two ticks is none.
    Target("no CPU for idle sessions", "sessions", "asyncssh", "idle_cpu", 0.02, peer="", at_most=True, divisor=1e-3,
           unit="ms"),
    Target("a STAT among busy sessions < 200 ms (p99)", "sessions", "asyncssh", "stat_p99", 0.2, peer="", at_most=True,
           divisor=1e-3, unit="ms"),
    Target("no busy session breaks off", "sessions", "asyncssh", "broken", 0, peer="", at_most=True, unit="sessions"),
    Target("every busy session moves data", "sessions", "asyncssh", "least", 1, peer="", unit="B/s"),
    *(
        Target("our client at least as fast as the best other", what, "causeway", "rate", 1, link,
               rivals=("sftp", "lftp", "rclone"))
        for link in ("loopback", "rtt20", "rtt80loss") for what in ("get-big", "put-big", "get-small", "put-small")
    ),
    *(
        Target("our client ≥ 5 × a serial one", what, "causeway", "rate", 5, "rtt50", rivals=("serial",))
        for what in ("get-small", "put-small")
    ),
)


def judge(result, scale):
    """Each target with what was measured."""
    judged = []
    for target in TARGETS:
        figure = measured(target, result)
        state = promises.state(target, figure, scale)
        judged.append({**dataclasses.asdict(target), "measured": figure, "state": state})
        judged[-1]["where"] = where(judged[-1])
    return judged


def where(target):
    return ", ".join((target["link"], target["what"], target["client"]))


def measured(target, result):
    """The figure or ratio; none when one of the two has no figure."""
    if target.rivals:
        return of_client(target, result["rows"])
    if target.what in sftp_sessions.PARTS:
        return of_sessions(target, result["sessions"])
    return of_server(target, result["rows"])


def of_client(target, rows):
    """Every rival has to be there: the best of those that are left is no best."""
    found = {row["client"]: row[target.metric] for row in rows
             if (row["link"], row["what"], row["server"]) == (target.link, target.what, target.peer)}
    ours, theirs = found.get(target.client), [found.get(rival) for rival in target.rivals]
    return ours / max(theirs) if ours is not None and all(theirs) else None


def of_sessions(target, rows):
    found = {row["server"]: row.get(target.metric) for row in rows if row["part"] == target.what}
    ours, theirs = found.get("causeway"), found.get(target.peer)
    if not target.peer or ours is None:
        return ours
    return ours / theirs if theirs else None


def of_server(target, rows):
    cell = (target.link, target.what, target.client)
    found = {row["server"]: row[target.metric] for row in rows if (row["link"], row["what"], row["client"]) == cell}
    ours, theirs = found.get("causeway"), found.get(target.peer)
    return ours / theirs if ours is not None and theirs else None
