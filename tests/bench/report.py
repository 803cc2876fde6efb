"""What was measured, as rows: one shape for the terminal's table, the JSON file and the page."""

import dataclasses
import statistics

import links
import matrix
import trees

# Column → heading, in order. What does not exist for a row is an empty text.
COLUMNS = {
    "connections": "N",
    "tool": "tool",
    "seconds": "seconds",
    "ratio": "× ours",
    "cpu": "CPU s",
    "memory": "MiB",
    "files_per_second": "files/s",
    "megabytes_per_second": "MB/s",
    "round_trips": "RTT/file",
    "opened": "connections",
    "copy": "copy",
}


def rows(table, runs, sizes):
    """One dictionary a cell."""
    made = []
    for cell, run in in_order(table):
        ours = table.get(dataclasses.replace(cell, tool="causeway"))
        made.append({**row(cell, run, ours, sizes[cell.tree]), "spread": spread(runs[cell])})
    return made


def in_order(table):
    """As they ran, but the phases of one tree and link below each other."""
    groups = list(dict.fromkeys((cell.tree, cell.link) for cell in table))
    phases = list(PHASES)

    def place(item):
        cell, _ = item
        return groups.index((cell.tree, cell.link)), phases.index(cell.phase)

    return sorted(table.items(), key=place)


def row(cell, run, ours, size):
    cut = run.cut and not run.projected
    mark = "~" if run.projected else "> " if cut else ""
    first = cell.phase == "first" and not cut
    trips = round_trips(cell, run, size)
    return {
        **dataclasses.asdict(cell),
        "connections": matrix.label(cell.connections),
        "seconds": mark + number(run.seconds),
        "ratio": mark + f"{run.seconds / ours.seconds:.2f}" if ours and not ours.copy_is_bad else "",
        "cpu": mark + number(run.cpu),
        "memory": f"{run.memory / 2**20:.0f}",
        "files_per_second": f"{mark}{size['files'] / run.seconds:,.0f}" if not cut and size["files"] else "",
        "megabytes_per_second": mark + number(size["bytes"] / run.seconds / 1e6) if first and size["bytes"] else "",
        "round_trips": "" if trips is None else mark + number(trips),
        "opened": opened(run),
        "copy": verdict(run),
        "measured": dataclasses.asdict(run),
    }


def round_trips(cell, run, size):
    """What a file costs a dialogue, in round trips: an estimate, the same for all tools. The time that the link's
    rate does not explain, times the dialogues that went on at once, over the round trip and the files. What is lost
    and sent again counts too, and a dialogue that waited; logins and listings are shared out among the files. Of large
    files it would tell of windows and losses, not of dialogues."""
    link = links.LINKS[cell.link]
    is_dialogue = link.rtt and run.abreast and size["bytes"] <= trees.LARGE * size["files"]
    if not is_dialogue or run.cut and not run.projected:
        return None
    sending = size["bytes"] / link.limit if cell.phase == "first" else 0
    return max(0, run.seconds - sending) * run.abreast * 1000 / link.rtt / size["files"]


def opened(run):
    """Control and data connections, or all of them where the kernel counted. Those of a run that was cut are of the
    time until then."""
    if run.opened is None:
        return ""
    more = "> " if run.cut else ""
    if run.control_opened is None:
        return f"{more}{run.opened:,}"
    return f"{more}{run.control_opened:,} + {run.data_opened:,}"


def verdict(run):
    """What became of the copy, and whether the exit status says so."""
    words = [run.copy] if run.copy else []
    if run.cut:
        words.append("cut at the limit")
    elif run.exit != 0 or run.lied:
        words.append(f"exit {run.exit}" + (", which is a LIE" if run.lied else ""))
    return ", ".join(words)


def unfinished(made):
    """Which cells were not measured to their end: a heading, and the cells in words."""
    kinds = (
        ("Projected from a run that was cut", lambda run: run["projected"]),
        ("Cut and not projected: they took longer than what is shown", lambda run: run["cut"] and not run["projected"]),
    )
    for heading, is_one in kinds:
        cells = [
            f"{one['tree']}, {one['link']}, {PHASES[one['phase']]}, {one['connections']}: {one['tool']} "
            f"{one['seconds']} s"
            for one in made if is_one(one["measured"])
        ]
        if cells:
            yield heading, cells


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(runs):
    """Fastest and slowest, and how many."""
    seconds = [run.seconds for run in runs]
    return {"n": len(seconds), "least": min(seconds), "median": statistics.median(seconds), "most": max(seconds)}


def print_table(made, columns=None):
    """All rows below each other, a heading for each tree, link and phase."""
    columns = columns or COLUMNS
    group = None
    widths = {key: max([len(head), *(len(row[key]) for row in made)]) for key, head in columns.items()}
    line = "  ".join(head.rjust(widths[key]) for key, head in columns.items())
    for one in made:
        if (one["tree"], one["link"], one["phase"]) != group:
            group = (one["tree"], one["link"], one["phase"])
            print(f"\n{one['tree']}, {links.LINKS[one['link']].describe()}, {PHASES[one['phase']]}\n{line}")
        print("  ".join(one[key].rjust(widths[key]) for key in columns))


# How the columns came about.
NOTES = (
    "Seconds are the median run's, with its CPU (user and system, of the client and its children); MiB are the most of "
    "all runs, as the kernel kept them at the last look.",
    "RTT/file is an estimate, the same for all tools: (seconds − bytes ÷ the link's rate) × dialogues at once ÷ round "
    "trip ÷ files. Dialogues at once are the most control connections, or data connections where those were fewer. "
    "Logins, listings, losses and waiting are in it. Where files are large, bytes and not dialogues take the time.",
    "Connections are control + data, counted by the link; on the loopback interface the kernel's count of both, in a "
    "network namespace of the run's own.",
)
PHASES = {"first": "first run", "again": "nothing changed", "plan": "listing and plan only"}
