"""The targets of the SFTP benchmark, as data, and the comparison of its rows with them.

A target that is missed keeps its place on the page: write why into `reason`, and what to try next into `idea`. Both are
shown only while it is missed."""

import dataclasses

import sftp_report


@dataclasses.dataclass(frozen=True)
class Target:
    """One promise about the door: a ratio to the server `peer` in the same cell, at least `value`, or at most when the
    metric is `cpu`."""

    text: str
    what: str
    client: str
    metric: str
    value: float
    link: str = "loopback"
    peer: str = sftp_report.REFERENCE
    reason: str = ""
    idea: str = ""


TARGETS = (
    Target("get ≥ 1.8 × OpenSSH's", "get-big", "sftp", "rate", 1.8),
    Target("put ≥ 1.6 × OpenSSH's", "put-big", "sftp", "rate", 1.6),
    Target("CPU of the server for a get ≤ 0.45 × OpenSSH's", "get-big", "sftp", "cpu", 0.45),
    Target("CPU of the server for a put ≤ 0.45 × OpenSSH's", "put-big", "sftp", "cpu", 0.45),
    Target("many small files ≥ 1.2 × OpenSSH's", "get-small", "sftp", "rate", 1.2),
    Target("many small files ≥ 1.2 × OpenSSH's", "put-small", "sftp", "rate", 1.2),
    *(
        Target("never below OpenSSH's", what, "sftp", "rate", 1, link)
        for link in ("rtt20", "rtt80loss") for what in ("get-big", "put-big", "get-small", "put-small")
    ),
    *(
        Target("≥ 2 × rclone's", what, client, "rate", 2, peer="rclone")
        for client in ("lftp", "rclone") for what in ("get-big", "put-big")
    ),
)


def judge(rows, scale):
    """Each target with what was measured. Shrunken files meet and miss nothing."""
    judged = []
    for target in TARGETS:
        figure = measured(target, rows)
        judged.append({**dataclasses.asdict(target), "measured": figure, "state": state(target, figure, scale)})
    return judged


def measured(target, rows):
    """The ratio; none when one of the two has no figure."""
    cell = (target.link, target.what, target.client)
    found = {row["server"]: row[target.metric] for row in rows if (row["link"], row["what"], row["client"]) == cell}
    ours, theirs = found.get("causeway"), found.get(target.peer)
    return ours / theirs if ours is not None and theirs else None


def state(target, figure, scale):
    if figure is None:
        return "not measured"
    if scale != 1:
        return "shrunken files, not judged"
    at_most = target.metric == "cpu"
    if figure <= target.value if at_most else figure >= target.value:
        return "met"
    gap = figure / target.value - 1 if at_most else 1 - figure / target.value
    return f"missed by {100 * gap:.0f} %"
