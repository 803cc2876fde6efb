"""Every tool over every tree, link and number of connections, in turn: what is compared ran in the same minutes."""

import dataclasses
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import links
import measure
import servers
import tools
import trees

# The unmeasured end of a copy of causeway's that was cut, so that a no-change run can follow, takes no longer.
FINISH = 300


@dataclasses.dataclass(frozen=True)
class Cell:
    """What one number of the table is about."""

    tree: str
    link: str
    # None: the tool's own choice.
    connections: int | None
    tool: str
    # `first`, `again` (nothing changed) or `plan` (list and plan only).
    phase: str


@dataclasses.dataclass
class Setting:
    """What is the same for all of the plan."""

    lab: pathlib.Path
    program: pathlib.Path
    scale: float


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def run(stretches, setting):
    """All of it. Yields each row as soon as it is done: its tree, which is there until the next is asked for, and the
    runs of each cell."""
    for name, of_tree in itertools.groupby(stretches, lambda stretch: stretch.tree):
        say(f"making {name}")
        with trees.ground(name, setting.lab, setting.scale) as ground:
            tree = trees.make(name, ground, setting.scale)
            say(tree.describe())
            for stretch in of_tree:
                for row in along(stretch, setting, tree):
                    yield tree, row
            if tree.is_bulk:
                shutil.rmtree(tree.root)


def along(stretch, setting, tree):
    """The rows of one tree over one link."""
    with links.bring_up(links.LINKS[stretch.link]) as net, servers.Server(net, tree.root) as server:
        say(f"{tree.name} over {stretch.link}: {net.greeting}")
        for connections, cells in itertools.groupby(stretch.cells(), lambda cell: cell[0]):
            cells = list(cells)
            runs = {}
            for turn in range(stretch.repeat):
                for _, tool in cells:
                    lab = pathlib.Path(setting.lab, f"{tree.name}-{stretch.link}-{label(connections)}-{tool}-{turn}")
                    ask = tools.Ask(net, lab / "copy", lab / "home", connections, tree.files == 1, dry=tree.is_listed,
                                    program=setting.program)
                    for phase, done in one(tool, ask, tree, stretch.seconds(connections, tool)):
                        done.suite = server.suite()
                        runs.setdefault(Cell(tree.name, stretch.link, connections, tool, phase), []).append(done)
                        words = "cut" if done.cut else f"exit {done.exit}  {done.copy}"
                        say(f"  {label(connections):>7} {tool:8} {phase:5} {done.seconds:8.2f} s  {words}")
            yield runs


def label(connections):
    return "default" if connections is None else str(connections)


def one(tool, ask, tree, limit):
    """First run and no-change run of one tool, or its plan."""
    for path in (ask.target, ask.home):
        path.mkdir(parents=True)
    # Only what waits for round trips is steady enough to be projected.
    steady = ask.net.link.rtt and not ask.dry
    progress = measure.Progress(tree, ask.target, ask.net) if steady else None
    done = measure.run(tools.order(tool, ask), ask.net, limit, progress)
    if ask.dry:
        yield "plan", done
        return
    done.copy = "" if done.cut else trees.compare(tree, ask.target)
    yield "first", done
    copy = complete(tool, ask, tree) if done.cut else done.copy
    ask.again = True
    if copy.startswith("equal"):
        again = measure.run(tools.order(tool, ask), ask.net, limit)
        again.copy = "" if again.cut else trees.compare(tree, ask.target)
        yield "again", again
    else:
        say(f"  {tool} has no whole copy: no run without a change")
    if tree.is_bulk:
        # Few files, many bytes: the disk must hold the next copy, and few removals cost nobody anything.
        shutil.rmtree(ask.target.parent)


def complete(tool, ask, tree):
    """Makes a whole copy where a first run was cut, and compares it. All that the peers want of it are sizes and times;
    causeway keeps a journal, so it has to do it itself."""
    if tool == "causeway":
        with ask.net.unhindered() as free:
            measure.run(tools.order(tool, ask), free, FINISH)
    else:
        ask.target = ask.target.with_name("whole")
        subprocess.run(["cp", "-a", tree.root, ask.target], check=True)
    return trees.compare(tree, ask.target)


def killed(setting, tree, connections, seconds):
    """Ends a first run of causeway, which takes `seconds`, with kill -9 in its middle, starts it again, and once more;
    what the three did."""
    with links.Loopback(links.LINKS["loopback"]) as net, servers.Server(net, tree.root):
        target, home = measure.folder(setting.lab, "killed"), measure.folder(setting.lab, "killed-home")
        ask = tools.Ask(net, target, home, connections, program=setting.program)
        command, environment = tools.order("causeway", ask)
        command = net.command("c", [*map(str, command), "--json"])
        environment = {**os.environ, **environment}
        after = seconds * random.Random(1).uniform(0.4, 0.6)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
        there = trees.arrived(tree, target)
        published = []
        for _ in range(2):
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            published.append(files_published(done))
        copy = trees.compare(tree, target)
    return {
        "killed_after": after,
        "in_place": there,
        "published": published,
        "copy": copy,
        "sentence": f"Ended with kill -9 after {after:.1f} s with {there} files in place: the run as a whole published "
        f"{published[0]}, the one after it {published[1]}, and the copy is {copy}",
    }


def files_published(done):
    """As the run's own summary says; none when it failed."""
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)["summary"]["counts"]["files_published"]
