"""The targets, as data, and the comparison of what was measured with them.

A target that is missed keeps its place on the page: write why into `reason`, and what to try next into `idea`. Both are
shown only while it is missed."""

import dataclasses

import ciphers
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
    # `memory` (bytes, at most), `of_link` (payload ÷ the link's limit, at least), `flows` (our rate ÷ as many times the
    # best tool's rate with one flow, at least), `cipher` (CPU seconds for a GiB more than over the link `plain`, ÷ the
    # bare cipher's, at most).
    metric: str
    value: float
    # `equal`: at each number of connections; `best`: each one's best number; `default`: ours without flags against the
    # peer's best; `all`: at each number and without flags; a number: at that one.
    at: object = "equal"
    # `lftp`, or `any`: the best of all peers.
    peer: str = "any"
    reason: str = ""
    idea: str = ""
    plain: str = ""


# Without a delay all that counts is what the two cores do, and the server's sessions share them. By a profile.
HOPS = (
    "round trips cost nothing here, and both cores are busy: half of our CPU time is the kernel's, for the data "
    "connection of each file, for files that are made and renamed, and an eighth for waking threads; hashes, syncs, "
    "the journal and the audit log are work that no peer does"
)
FEWER_HOPS = "many small files in one hop to the disk's threads, and their journal rows without one of their own"

TARGETS = (
    Target("first run ≥ 1.4 × lftp, passive", "SMALL", "rtt20passive", "first", "ratio", 1.4, "equal", "lftp"),
    Target("first run ≥ 1.4 × lftp, passive", "SMALL", "rtt80losspassive", "first", "ratio", 1.4, "equal", "lftp"),
    Target("first run ≥ 2 × lftp, active", "SMALL", "rtt20", "first", "ratio", 2, "equal", "lftp"),
    Target("first run ≥ 2 × lftp, active", "SMALL", "rtt80loss", "first", "ratio", 2, "equal", "lftp"),
    Target(
        "first run ≥ 2.5 × the best peer's best", "SMALL", "loopback", "first", "ratio", 2.5, "best",
        reason=HOPS,
        idea=FEWER_HOPS,
    ),
    Target(
        "without flags ≥ 1.5 × the best peer's best", "SMALL", "loopback", "first", "ratio", 1.5, "default",
        reason=HOPS,
        idea=FEWER_HOPS,
    ),
    Target("without flags ≥ 1.5 × the best peer's best", "SMALL", "rtt20", "first", "ratio", 1.5, "default"),
    Target("without flags ≥ 1.5 × the best peer's best", "SMALL", "rtt80loss", "first", "ratio", 1.5, "default"),
    Target(
        "nothing changed ≥ 4 × the best peer's best", "SMALL", "loopback", "again", "ratio", 4, "best",
        reason="three fifths of our CPU time is the store's: what both sides show is written there and read again, so "
        "that a tree of any size fits; the server reads 500 folders for everybody, on the same two cores",
        idea="what a folder shows compared with the records as it arrives, and only what differs written down",
    ),
    Target("nothing changed ≥ 4 × the best peer's best", "SMALL", "rtt20", "again", "ratio", 4, "best"),
    Target("nothing changed ≥ 4 × the best peer's best", "SMALL", "rtt80loss", "again", "ratio", 4, "best"),
    Target("within 7 % of the link's limit", "MIXED", "rtt20", "first", "of_link", 0.93, "best"),
    Target(
        "at least the best peer at every number", "BIG", "loopback", "first", "ratio", 1, "equal",
        reason="SHA-256 is two fifths of our CPU time, and no peer hashes what arrives; reading, hashing, writing go "
        "on side by side, so both cores are busy. With --digest blake3 it takes a quarter less",
        idea="buffers that are used again instead of asked for anew, and hashing while bytes are still in the cache",
    ),
    Target(
        "≥ 99 % of what the link gives", "BIG", "rtt20", "first", "of_link", 0.99, "best",
        reason="one flow fills the link, but that more are no faster has to be tried, which costs a second each time",
        idea="the flow that was there before kept open while more are tried",
    ),
    Target("the sum of N single flows", "BIG", "rtt80loss", "first", "flows", 1, "equal"),
    Target("no slower than the best peer at every number", "BIG", "rtt80loss", "first", "ratio", 1, "equal"),
    Target(
        "CPU no more than lftp's", "SMALL", "loopback", "first", "cpu", 1, "equal", "lftp",
        reason=HOPS,
        idea=FEWER_HOPS,
    ),
    Target("CPU no more than lftp's", "SMALL", "rtt20", "first", "cpu", 1, "equal", "lftp"),
    Target(
        "CPU no more than lftp's", "BIG", "rtt20", "first", "cpu", 1, "equal", "lftp",
        reason="on the loopback interface the same bytes take 4 s, of which SHA-256 is 1.5 (lftp hashes nothing); the "
        "rest is the waking of tasks for pieces of a packet or two, as a link delivers them",
        idea="to be woken for no less than 64 KiB, and to read ahead only where that is faster",
    ),
    Target(
        "memory ≤ 40 MiB", "SMALL", "rtt20", "first", "memory", 40 * MIB, "equal",
        reason="a third is the program itself, mapped; of 25 MB that are in use at once 19 are the job store's caches, "
        "and the rest lies unused in the allocator's arenas. Others kept more (jemalloc 77 MiB, mimalloc 104)",
        idea="one connection for most questions to the job store",
    ),
    Target("memory ≤ 200 MiB, 10,000 directories", "HUGE", "loopback", "plan", "memory", 200 * MIB, "all"),
    Target("memory ≤ 200 MiB, one directory", "FLAT", "loopback", "plan", "memory", 200 * MIB, "all"),
    Target("FTPS costs no more than its cipher", "BIG", "loopbacktls", "first", "cipher", 1, "equal", plain="loopback"),
)
# Where less is better.
AT_MOST = ("cpu", "memory", "cipher")


@dataclasses.dataclass
class Measured:
    """What targets are judged by."""

    # Cell → the median run.
    table: dict
    # Tree → files and bytes.
    sizes: dict
    # Cipher → CPU seconds for a GiB, where something was encrypted.
    ciphers: dict

    def runs(self, target, link):
        """The runs over one link that are about a target, each with its tool and number of connections."""
        for cell, run in self.table.items():
            if (cell.tree, cell.link, cell.phase) == (target.tree, link, target.phase):
                yield cell.tool, cell.connections, run

    def ours(self, target, link):
        """Our runs by their number of connections; none when one of them failed: that is no measurement, and meets no
        target."""
        mine = {number: run for tool, number, run in self.runs(target, link) if tool == "causeway"}
        return mine if all(is_usable(run) for run in mine.values()) else {}

    def peers(self, target):
        """The runs of the target's peers by their number of connections, without those that failed."""
        theirs = {}
        for tool, number, run in self.runs(target, target.link):
            if tool != "causeway" and target.peer in ("any", tool) and is_usable(run):
                theirs.setdefault(number, []).append(run)
        return theirs


def is_usable(run):
    whole = run.copy.startswith("equal") if run.copy else run.exit == 0 or run.projected
    return whole and not run.lied and (run.projected or not run.cut)


def judge(measured, scale):
    """Each target with what was measured: a list of dictionaries for the page. Shrunken trees meet and miss nothing."""
    judged = [{**dataclasses.asdict(target), **verdict(target, measured)} for target in TARGETS]
    for one in judged:
        if scale != 1 and one["measured"] is not None:
            one["state"] = "shrunken tree, not judged"
    return judged


def verdict(target, measured):
    """`met`, `missed by …`, or `not measured`, and the figure that speaks most against us."""
    mine = chosen(target, measured.ours(target, target.link))
    figure = FIGURES[target.metric](target, mine, measured) if mine else None
    if figure is None:
        return {"measured": None, "state": "not measured"}
    at_most = target.metric in AT_MOST
    if figure <= target.value if at_most else figure >= target.value:
        return {"measured": figure, "state": "met"}
    gap = figure / target.value - 1 if at_most else 1 - figure / target.value
    return {"measured": figure, "state": f"missed by {100 * gap:.0f} %"}


def chosen(target, mine):
    """Our runs that the target is about."""
    if target.at == "all" or not mine:
        return mine
    if target.at == "default":
        return {None: mine[None]} if None in mine else {}
    if target.at == "best":
        return dict([min(mine.items(), key=lambda item: item[1].seconds)])
    counted = {number: run for number, run in mine.items() if number is not None}
    if target.at == "equal":
        return counted
    return {target.at: counted[target.at]} if target.at in counted else {}


def rivals(target, theirs, connections):
    if target.at in ("best", "default"):
        return [run for runs in theirs.values() for run in runs]
    return theirs.get(connections, [])


def pairs(target, mine, measured):
    """Each of our runs with those of its rivals, where there are any."""
    theirs = measured.peers(target)
    for number, ours in mine.items():
        if peers := rivals(target, theirs, number):
            yield ours, peers


def ratio(target, mine, measured):
    found = (min(run.seconds for run in peers) / ours.seconds for ours, peers in pairs(target, mine, measured))
    return min(found, default=None)


def cpu(target, mine, measured):
    found = (ours.cpu / max(min(run.cpu for run in peers), 0.01) for ours, peers in pairs(target, mine, measured))
    return max(found, default=None)


def memory(_target, mine, _measured):
    return max((run.memory for run in mine.values()), default=None)


def of_link(target, mine, measured):
    limit = links.LINKS[target.link].limit
    return min((measured.sizes[target.tree]["bytes"] / run.seconds / limit for run in mine.values()), default=None)


def flows(target, mine, measured):
    """wget has one flow, and lftp without flags; of all that ran with one the fastest counts."""
    single = [
        run.seconds for tool, number, run in measured.runs(target, target.link)
        if (number == 1 or number is None and tool in ("lftp", "wget")) and is_usable(run)
    ]
    more = {number: run for number, run in mine.items() if number and number > 1}
    if not single or not more:
        return None
    return min(min(single) / run.seconds / number for number, run in more.items())


def cipher(target, mine, measured):
    plain = measured.ours(target, target.plain)
    gib = measured.sizes[target.tree]["bytes"] / ciphers.GIB
    found = [
        (run.cpu - plain[number].cpu) / gib / measured.ciphers[name]
        for number, run in mine.items()
        if number in plain and (name := ciphers.of_suite(run.suite or "")) in measured.ciphers
    ]
    return max(found, default=None)


FIGURES = {"ratio": ratio, "cpu": cpu, "memory": memory, "of_link": of_link, "flows": flows, "cipher": cipher}
