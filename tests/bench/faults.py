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
import servers
import tools
import trees
import verdicts

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
    # How long the fault lasts by itself. One that nobody ends counts as long as the black hole.
    seconds: float = 0
    connections: int = CONNECTIONS
    # One long file instead of the tree, at this rate.
    single_rate: float = 0
    server: str = ""


# The NAT's 12 s are longer than what keeps a flow of a careful client alive (10 s), and real ones have minutes.
FAULTS = (
    Fault("data-rst", "25 resets of data connections", ("rst data every=1 count=25",)),
    Fault("control-rst", "8 resets of control connections", ("rst ctl every=4 count=8",)),
    Fault("black-hole", "60 s black hole", later=("drop any for=60",), seconds=60),
    Fault("restart", "server killed, back after 5 s", restart=5, seconds=5),
    Fault("refused", "20 data connections refused", ("refuse data count=20",)),
    Fault("limit", "421 above 4 connections (8 asked for)", connections=8, server="max_per_ip=4"),
    Fault("stall", "two files stall in the middle", ("drop data after=50000 count=2 from=s",), seconds=60),
    Fault("nat-drop", "NAT drops control idle for 12 s", ("idle ctl secs=12 action=drop",), single_rate=6),
    Fault("nat-rst", "NAT resets control idle for 12 s", ("idle ctl secs=12 action=rst",), single_rate=6),
    Fault("mtu", "path-MTU hole (1,400 bytes)", ("maxlen any size=1400",), seconds=60),
)
CLEAN = Fault(verdicts.CLEAN, "no fault")


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
        return cls(trees.faulty(many, files, total), trees.single(one, max(1_000_000, round(16_000_000 * scale))))


@dataclasses.dataclass
class Setting:
    """What is the same for all faults."""

    lab: pathlib.Path
    program: pathlib.Path
    tools: list
    scale: float
    # Seconds after which a peer is cut; none: some after its bound.
    limit: float | None = None


def run(chosen, setting):
    """The rows, each as soon as it is done: first of all without a fault, then for each what each tool did."""
    forest = Forest.make(setting.lab, setting.scale)
    clean = {"many": {}, "one": {}}
    if any(not fault.single_rate for fault in chosen):
        yield row(CLEAN, forest, setting, clean["many"])
    if singles := [fault for fault in chosen if fault.single_rate]:
        slow = dataclasses.replace(CLEAN, text="no fault, one long file", single_rate=singles[0].single_rate)
        yield row(slow, forest, setting, clean["one"])
    for fault in chosen:
        yield row(fault, forest, setting, clean["one" if fault.single_rate else "many"])


def row(fault, forest, setting, clean):
    """One fault for all tools at once. Without a fault it fills `clean` with each tool's seconds, else it is judged by
    them."""
    matrix.say(fault.text)
    bounds = {tool: verdicts.bound(clean.get(tool), fault.seconds) for tool in setting.tools}
    limits = {tool: verdicts.limit(tool, bound, setting.limit) for tool, bound in bounds.items()}
    with concurrent.futures.ThreadPoolExecutor(len(limits)) as pool:
        works = {tool: pool.submit(one, fault, forest, tool, setting, limit) for tool, limit in limits.items()}
        cells = {tool: verdicts.cell(work.result(), bounds[tool]) for tool, work in works.items()}
    if fault.name == CLEAN.name:
        clean.update({tool: cell["seconds"] for tool, cell in cells.items() if verdicts.is_good(cell)})
    for tool, cell in cells.items():
        matrix.say(f"  {tool:8} {cell['verdict']:6} {cell['seconds']:4.0f} s  {cell['state']}")
    return {"name": fault.name, "fault": fault.text, "tools": cells}


def one(fault, forest, tool, setting, limit):
    """One tool through one fault."""
    tree = forest.one if fault.single_rate else forest.many
    link = dataclasses.replace(links.FAULTY, rate=fault.single_rate or links.FAULTY.rate)
    scratch = measure.folder(setting.lab, f"{fault.name}-{'one' if fault.single_rate else 'many'}-{tool}")
    target, home = measure.folder(scratch, "copy"), measure.folder(scratch, "home")
    with links.Lab(link) as net, servers.Server(net, tree.root, fault.server) as server:
        ask = tools.Ask(net, target, home, fault.connections, program=setting.program)
        for rule in fault.rules:
            net.ask("fault", *rule.split())
        over, begun = threading.Event(), threading.Event()
        trouble = threading.Thread(target=strike, args=(fault, net, server, over, begun), daemon=True)
        trouble.start()
        done = measure.run(tools.order(tool, ask), net, limit, words=scratch / "words")
        over.set()
        trouble.join()
        done.copy = trees.compare(tree, target)
        hits = sum(net.stat()["rule_hits"])
    return verdicts.Trial(done, begun.is_set(), hits, measure.last_words(scratch / "words"))


def strike(fault, net, server, over, begun):
    """What happens in the middle of the run, and that it did."""
    if (fault.later or fault.restart) and over.wait(fault.delay):
        return
    begun.set()
    for rule in fault.later:
        net.ask("fault", *rule.split())
    if fault.restart:
        server.kill()
        time.sleep(fault.restart)
        server.start()


def by_names(names):
    """The faults of these names."""
    known = {fault.name: fault for fault in FAULTS}
    return [known[name] for name in names]
