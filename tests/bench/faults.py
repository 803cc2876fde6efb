"""The ten faults of a network and a server that an FTP mirror meets, the same for all tools.

Each tool runs in a lab of its own, all at once: the link is slow (8 Mbit/s), so nobody is held up by a processor."""

import concurrent.futures
import dataclasses
import os
import pathlib
import threading
import time

import links
import matrix
import measure
import tools
import trees

# Beside the clean time and the fault's own, what we allow ourselves.
GRACE = 60
# What is allowed to the peers unless told otherwise: they may need several of their own time-outs.
PATIENCE = 300
CONNECTIONS = 4


@dataclasses.dataclass(frozen=True)
class Fault:
    """One row."""

    name: str
    text: str
    # For netlab, before the start: `fault RULE`.
    rules: tuple = ()
    # For netlab, so many seconds after the start.
    later: tuple = ()
    delay: float = 8
    # The server is ended then, and is back after so many seconds.
    restart: float = 0
    # How long the fault lasts by itself.
    seconds: float = 0
    connections: int = CONNECTIONS
    # One long file instead of the tree, at this rate.
    single_rate: float = 0
    server: str = ""


FAULTS = (
    Fault("data-rst", "25 resets of data connections", ("rst data every=1 count=25",)),
    Fault("control-rst", "8 resets of control connections", ("rst ctl every=4 count=8",)),
    Fault("black-hole", "60 s black hole", later=("drop any for=60",), seconds=60),
    Fault("restart", "server killed, back after 5 s", restart=5, seconds=5),
    Fault("refused", "20 data connections refused", ("refuse data count=20",)),
    Fault("limit", "421 above 4 connections (8 asked for)", connections=8, server="max_per_ip=4"),
    Fault("stall", "two files stall in the middle", ("drop data after=50000 count=2 from=s",), seconds=60),
    Fault("nat-drop", "NAT drops control idle for 20 s", ("idle ctl secs=20 action=drop",), single_rate=6),
    Fault("nat-rst", "NAT resets control idle for 20 s", ("idle ctl secs=20 action=rst",), single_rate=6),
    Fault("mtu", "path-MTU hole (1,400 bytes)", ("maxlen any size=1400",), seconds=60),
)
CLEAN = Fault("clean", "no fault")


@dataclasses.dataclass
class Forest:
    """The two trees of the faults."""

    many: trees.Tree
    one: trees.Tree

    @classmethod
    def make(cls, lab, scale):
        many, one = measure.folder(lab, "faults-many"), measure.folder(lab, "faults-one")
        for root in (many, one):
            os.chmod(root, 0o755)
        files, total = max(8, round(300 * scale)), round(34_000_000 * scale)
        return cls(trees.faulty(many, files, total), trees.single(one, max(1_000_000, round(31_000_000 * scale))))


@dataclasses.dataclass
class Setting:
    """What is the same for all faults."""

    lab: pathlib.Path
    program: pathlib.Path
    tools: list
    scale: float
    # Seconds that a peer has.
    patience: float


def run(chosen, setting):
    """Rows for the page: for each fault, and first of all without one, what each tool did."""
    forest = Forest.make(setting.lab, setting.scale)
    clean = {"many": {}, "one": {}}
    rows = [row(CLEAN, forest, setting, clean)]
    singles = [fault for fault in chosen if fault.single_rate]
    if singles:
        slow = dataclasses.replace(CLEAN, text="no fault, one long file", single_rate=singles[0].single_rate)
        rows.append(row(slow, forest, setting, clean))
    return rows + [row(fault, forest, setting, clean) for fault in chosen]


def row(fault, forest, setting, clean):
    """One fault for all tools at once."""
    matrix.say(fault.text)
    times = clean["one" if fault.single_rate else "many"]
    limits = {tool: allowed(fault, tool, times.get(tool), setting.patience) for tool in setting.tools}
    with concurrent.futures.ThreadPoolExecutor(len(limits)) as pool:
        works = {tool: pool.submit(one, fault, forest, tool, setting, limit) for tool, limit in limits.items()}
        runs = {tool: work.result() for tool, work in works.items()}
    if fault.name == CLEAN.name:
        times.update({tool: run.seconds for tool, (run, *_) in runs.items()})
    cells = {}
    for tool, (run, hits, words) in runs.items():
        cells[tool] = {**dataclasses.asdict(run), "state": state(run), "allowed": limits[tool], "hits": hits}
        if not is_good(cells[tool]):
            cells[tool]["words"] = words
        matrix.say(f"  {tool:8} {cells[tool]['state']}")
    return {"name": fault.name, "fault": fault.text, "tools": cells}


def allowed(fault, tool, clean, patience):
    """Seconds until a run counts as failed."""
    if tool == "causeway" and clean and fault.name != CLEAN.name:
        return clean + fault.seconds + GRACE
    return patience


def one(fault, forest, tool, setting, limit):
    """One tool through one fault: how it went, how many flows each rule hit, and what the tool said last."""
    tree = forest.one if fault.single_rate else forest.many
    link = dataclasses.replace(links.FAULTY, rate=fault.single_rate or links.FAULTY.rate)
    scratch = measure.folder(setting.lab, f"{fault.name}-{'one' if fault.single_rate else 'many'}-{tool}")
    target, home = measure.folder(scratch, "copy"), measure.folder(scratch, "home")
    with links.Lab(link) as net, links.Server(net, tree.root, fault.server) as server:
        ask = tools.Ask(net, target, home, fault.connections, program=setting.program)
        for rule in fault.rules:
            net.ask("fault", *rule.split())
        over = threading.Event()
        trouble = threading.Thread(target=strike, args=(fault, net, server, over), daemon=True)
        trouble.start()
        done = measure.run(tools.order(tool, ask), net, limit, words=scratch / "words")
        over.set()
        trouble.join()
        done.copy = trees.compare(tree, target)
        hits = net.stat()["rule_hits"]
    return done, hits, measure.last_words(scratch / "words")


def strike(fault, net, server, over):
    """What happens in the middle of the run."""
    if not (fault.later or fault.restart) or over.wait(fault.delay):
        return
    for rule in fault.later:
        net.ask("fault", *rule.split())
    if fault.restart:
        server.kill()
        time.sleep(fault.restart)
        server.start()


def state(run):
    """What became of a tool, in words."""
    if run.cut:
        return f"not done after {run.seconds:.0f} s: {run.copy}"
    lie = " (a LIE)" if run.lied else ""
    return f"{run.copy}, exit {run.exit}{lie}, {run.seconds:.0f} s"


def is_good(cell):
    return cell["state"].startswith("equal") and cell["exit"] == 0


def print_table(rows):
    for one_row in rows:
        print(f"\n{one_row['fault']}")
        for tool, cell in one_row["tools"].items():
            print(f"  {tool:10} {'ok  ' if is_good(cell) else 'FAIL'} {cell['state']}")
    print("\n" + ", ".join(f"{tool} {good} of {count}" for tool, good, count in scores(rows)))


def scores(rows):
    """For each tool, how many faults it came through well, and of how many."""
    struck = [row for row in rows if row["name"] != CLEAN.name]
    for tool in rows[0]["tools"]:
        yield tool, sum(1 for row in struck if is_good(row["tools"][tool])), len(struck)


def by_names(names):
    """The faults of these names."""
    known = {fault.name: fault for fault in FAULTS}
    return [known[name] for name in names]
