"""What was measured, as rows: one shape for the terminal's table, the JSON file and the page."""

import dataclasses
import statistics

import links
import matrix

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
    rtt = links.LINKS[cell.link].rtt / 1000
    first = cell.phase == "first" and not cut
    trips = rtt and first and cell.tree == "SMALL" and run.control_peak
    return {
        **dataclasses.asdict(cell),
        "connections": matrix.label(cell.connections),
        "seconds": mark + number(run.seconds),
        "ratio": mark + f"{run.seconds / ours.seconds:.2f}" if ours and not ours.copy_is_bad else "",
        "cpu": mark + number(run.cpu),
        "memory": f"{run.memory / 2**20:.0f}",
        "files_per_second": f"{mark}{size['files'] / run.seconds:,.0f}" if not cut and size["files"] else "",
        "megabytes_per_second": mark + number(size["bytes"] / run.seconds / 1e6) if first and size["bytes"] else "",
        # What a file costs each connection: with perfect overlap, the dialogue's length.
        "round_trips": f"{mark}{run.seconds * run.control_peak / rtt / size['files']:.1f}" if trips else "",
        "opened": f"{run.control_opened} + {run.data_opened}" if run.control_opened is not None else "",
        "copy": verdict(run),
        "measured": dataclasses.asdict(run),
    }


def verdict(run):
    """What became of the copy, and whether the exit status says so."""
    words = [run.copy] if run.copy else []
    if run.cut:
        words.append("cut at the limit")
    elif run.exit != 0 or run.lied:
        words.append(f"exit {run.exit}" + (", which is a LIE" if run.lied else ""))
    return ", ".join(words)


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


PHASES = {"first": "first run", "again": "nothing changed", "plan": "listing and plan only"}
