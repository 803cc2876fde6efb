"""Every tool over every tree, link and number of connections, in turn: what is compared ran in the same minutes."""

import contextlib
import dataclasses
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
import tools
import trees

# The unmeasured end of a copy whose measured run was cut, so that a no-change run can follow, takes no longer.
FINISH = 900


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
class Plan:
    """What was chosen."""

    trees: list
    links: list
    connections: list
    tools: list
    repeat: int
    limit: float
    scale: float
    program: pathlib.Path


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def run(plan, lab):
    """All of it. Yields each row as soon as it is done: its tree, and the runs of each cell."""
    for name in plan.trees:
        say(f"making {name}")
        tree = trees.make(name, lab, plan.scale)
        say(tree.describe())
        for link in plan.links:
            with links.bring_up(links.LINKS[link]) as net, links.Server(net, tree.root):
                say(f"{name} over {link}: {net.greeting}")
                for connections in plan.connections:
                    yield tree, compare(plan, lab, tree, net, connections)
        if tree.is_bulk:
            shutil.rmtree(tree.root)


def compare(plan, lab, tree, net, connections):
    """One row of the table: each tool's runs."""
    dry = tree.name == "HUGE"
    runs = {}
    for turn in range(plan.repeat):
        for tool in plan.tools:
            if tools.can(tool, connections, dry):
                for phase, done in one(plan, lab, tree, net, connections, tool, turn, dry):
                    cell = Cell(tree.name, net.link.name, connections, tool, phase)
                    runs.setdefault(cell, []).append(done)
                    words = "cut" if done.cut else f"exit {done.exit}  {done.copy}"
                    say(f"  {label(connections):>7} {tool:8} {phase:5} {done.seconds:8.2f} s  {words}")
    return runs


def label(connections):
    return "default" if connections is None else str(connections)


def one(plan, lab, tree, net, connections, tool, turn, dry):
    """First run and no-change run of one tool, or its plan."""
    target = measure.folder(lab, f"{tree.name}-{net.link.name}-{label(connections)}-{tool}-{turn}")
    home = measure.folder(lab, f"{target.name}-home")
    ask = tools.Ask(net, target, home, connections, one_file=tree.files == 1, dry=dry, program=plan.program)
    # Only what waits for round trips is steady enough to be projected.
    limit = plan.limit if net.link.rtt else 10 * plan.limit
    done = measure.run(tools.order(tool, ask), net, limit, None if dry else measure.Progress(tree, target, net))
    if dry:
        yield "plan", done
        return
    done.copy = "" if done.cut else trees.compare(tree, target)
    yield "first", done
    with contextlib.ExitStack() as stack:
        if done.cut:
            free = stack.enter_context(net.unhindered())
            measure.run(tools.order(tool, ask), free, FINISH)
    ask.again = True
    if not trees.compare(tree, target).startswith("equal"):
        say(f"  {tool} has no whole copy: no run without a change")
        return
    again = measure.run(tools.order(tool, ask), net, limit)
    again.copy = "" if again.cut else trees.compare(tree, target)
    yield "again", again
    if tree.is_bulk:
        # Few files, many bytes: the disk must hold the next copy, and few removals cost nobody anything.
        shutil.rmtree(target)


def killed(plan, lab, seconds, tree):
    """Ends a first run of causeway with kill -9 in its middle, starts it again, and once more; what the three did."""
    with links.Loopback(links.LINKS["loopback"]) as net, links.Server(net, tree.root):
        target, home = measure.folder(lab, "killed"), measure.folder(lab, "killed-home")
        ask = tools.Ask(net, target, home, 8, program=plan.program)
        command, environment = tools.order("causeway", ask)
        command = [*map(str, command), "--json"]
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
        "sentence": f"killed after {after:.1f} s with {there} files in place: the run as a whole published "
        f"{published[0]}, the one after it {published[1]}, and the copy is {copy}",
    }


def files_published(done):
    """As the run's own summary says; none when it failed."""
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)["summary"]["counts"]["files_published"]
