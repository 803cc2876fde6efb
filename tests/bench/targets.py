"""The targets, as data, and the comparison of what was measured with them.

A target that is missed keeps its place on the page: write why, and the next idea, into `reason`."""

import dataclasses

import links

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Target:
    """One promise about causeway."""

    text: str
    tree: str
    link: str
    phase: str
    # What is compared: `ratio` (a peer's seconds ÷ ours, at least `value`), `cpu` (ours ÷ the peer's, at most),
    # `memory` (bytes, at most), `of_link` (payload ÷ the link's limit, at least).
    metric: str
    value: float
    # `equal`: at each number of connections; `best`: each one's best number; `default`: ours without flags against the
    # peer's best; a number: at that one.
    at: object = "equal"
    # `lftp`, or `any`: the best of all peers.
    peer: str = "any"
    reason: str = ""


TARGETS = (
    Target("first run ≥ 1.4 × lftp, passive", "SMALL", "rtt20passive", "first", "ratio", 1.4, "equal", "lftp"),
    Target("first run ≥ 1.4 × lftp, passive", "SMALL", "rtt80losspassive", "first", "ratio", 1.4, "equal", "lftp"),
    Target("first run ≥ 2 × lftp, active", "SMALL", "rtt20", "first", "ratio", 2, "equal", "lftp"),
    Target("first run ≥ 2 × lftp, active", "SMALL", "rtt80loss", "first", "ratio", 2, "equal", "lftp"),
    Target("first run ≥ 2.5 × the best peer's best", "SMALL", "loopback", "first", "ratio", 2.5, "best"),
    Target("without flags ≥ 1.5 × the best peer's best", "SMALL", "loopback", "first", "ratio", 1.5, "default"),
    Target("without flags ≥ 1.5 × the best peer's best", "SMALL", "rtt20", "first", "ratio", 1.5, "default"),
    Target("without flags ≥ 1.5 × the best peer's best", "SMALL", "rtt80loss", "first", "ratio", 1.5, "default"),
    Target("nothing changed ≥ 4 × the best peer's best", "SMALL", "loopback", "again", "ratio", 4, "best"),
    Target("nothing changed ≥ 4 × the best peer's best", "SMALL", "rtt20", "again", "ratio", 4, "best"),
    Target("nothing changed ≥ 4 × the best peer's best", "SMALL", "rtt80loss", "again", "ratio", 4, "best"),
    Target("within 7 % of the link's limit", "MIXED", "rtt20", "first", "of_link", 0.93, "best"),
    Target("at least the best peer at every number", "BIG", "loopback", "first", "ratio", 1, "equal"),
    Target("≥ 99 % of what the link gives", "BIG", "rtt20", "first", "of_link", 0.99, "best"),
    Target("the sum of N single flows: no less than the best peer", "BIG", "rtt80loss", "first", "ratio", 1, "equal"),
    Target("CPU no more than lftp's", "SMALL", "rtt20", "first", "cpu", 1, "equal", "lftp"),
    Target("memory ≤ 40 MiB", "SMALL", "rtt20", "first", "memory", 40 * MIB, "equal"),
    Target("memory ≤ 200 MiB", "HUGE", "loopback", "plan", "memory", 200 * MIB, "equal"),
)


def judge(table, sizes, scale):
    """Each target with what was measured: a list of dictionaries for the page. Shrunken trees meet and miss nothing."""
    judged = [{**dataclasses.asdict(target), **verdict(target, table, sizes)} for target in TARGETS]
    for one in judged:
        if scale != 1 and one["measured"] is not None:
            one["state"] = "shrunken tree, not judged"
    return judged


def verdict(target, table, sizes):
    """`met`, `missed by …`, or `not measured`, and the figure."""
    figure = worst(target, table, sizes)
    if figure is None:
        return {"measured": None, "state": "not measured"}
    at_most = target.metric in ("cpu", "memory")
    if figure <= target.value if at_most else figure >= target.value:
        return {"measured": figure, "state": "met"}
    gap = figure / target.value - 1 if at_most else 1 - figure / target.value
    return {"measured": figure, "state": f"missed by {100 * gap:.0f} %"}


def worst(target, table, sizes):
    """The figure that speaks most against us, of all that the target is about."""
    mine, theirs = {}, {}
    for cell, run in table.items():
        if (cell.tree, cell.link, cell.phase) != (target.tree, target.link, target.phase):
            continue
        usable = not run.lied and (not run.copy or run.copy.startswith("equal")) and (run.projected or not run.cut)
        if cell.tool == "causeway":
            # A run of ours that failed is no measurement, and no target met.
            mine[cell.connections] = run if usable else None
        elif usable and target.peer in ("any", cell.tool):
            theirs.setdefault(cell.connections, []).append(run)
    if not mine or None in mine.values():
        return None
    return FIGURES[target.metric](target, chosen(target, mine), theirs, sizes)


def chosen(target, mine):
    """Our runs that the target is about."""
    if target.at == "default":
        return {None: mine[None]} if None in mine else {}
    counted = {number: run for number, run in mine.items() if number is not None}
    if target.at == "best":
        return dict([min(mine.items(), key=lambda item: item[1].seconds)])
    if target.at == "equal":
        return counted or mine
    return {target.at: counted[target.at]} if target.at in counted else {}


def rivals(target, theirs, connections):
    if target.at in ("best", "default"):
        return [run for runs in theirs.values() for run in runs]
    return theirs.get(connections, [])


def ratio(target, mine, theirs, _sizes):
    found = [
        min(run.seconds for run in peers) / ours.seconds
        for number, ours in mine.items()
        if (peers := rivals(target, theirs, number))
    ]
    return min(found, default=None)


def cpu(target, mine, theirs, _sizes):
    found = [
        ours.cpu / max(min(run.cpu for run in peers), 0.01)
        for number, ours in mine.items()
        if (peers := rivals(target, theirs, number))
    ]
    return max(found, default=None)


def memory(_target, mine, _theirs, _sizes):
    return max((run.memory for run in mine.values()), default=None)


def of_link(target, mine, _theirs, sizes):
    limit = links.LINKS[target.link].limit
    return min((sizes[target.tree]["bytes"] / run.seconds / limit for run in mine.values()), default=None)


FIGURES = {"ratio": ratio, "cpu": cpu, "memory": memory, "of_link": of_link}
