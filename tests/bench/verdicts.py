"""What became of a tool that met a fault: the rule for all tools, and the table.

It came through when its copy is equal and its exit status says so, within the time it takes without the fault, the
fault's own time and a minute. It is given half a minute more, so that who comes late is told from who never comes."""

import dataclasses

import measure

# The name of the row without a fault.
CLEAN = "clean"
# Seconds, beside the clean time and the fault's own.
GRACE = 60
# Seconds after the bound at which a run is cut.
LATE = 30
# Seconds that a run has when no clean time is known.
PATIENCE = 180
# The verdicts, best first, and what they mean.
VERDICTS = {
    "ok": "equal copy, exit 0, in time",
    "late": "equal copy, exit 0, after the bound",
    "spared": "equal copy, exit 0, before the fault began",
    "alarm": "equal copy, but an exit status that says failure",
    "fails": "no equal copy, and the exit status says so",
    "cut": "still running when it was ended",
    "LIES": "no equal copy, and exit 0",
}


def bound(clean, fault):
    """Seconds in which a tool has to come through; none when it does not even without the fault."""
    return None if clean is None else clean + fault + GRACE


def limit(tool, seconds, asked):
    """When the run is cut. What is asked for holds for the peers: the promise about ours has its own bound."""
    if seconds is None:
        return max(asked or 0, PATIENCE) if tool == "causeway" else asked or PATIENCE
    return asked if asked and tool != "causeway" else seconds + LATE


@dataclasses.dataclass
class Trial:
    """One tool through one fault."""

    run: measure.Run
    # Was the tool still at work when the fault began?
    begun: bool = True
    # How many connections the link's rules hit.
    hits: int = 0
    # What the tool said last.
    words: str = ""


def cell(trial, seconds):
    """A dictionary for table, JSON and page: the run, its bound, the verdict, and what the tool said last when it did
    not come through."""
    said = verdict(trial, seconds)
    judged = {**dataclasses.asdict(trial.run), "bound": seconds, "hits": trial.hits, "verdict": said}
    judged["state"] = state(trial.run, said, seconds)
    if not is_good(judged):
        judged["words"] = trial.words
    return judged


def verdict(trial, seconds):
    run = trial.run
    if run.cut:
        return "cut"
    if not run.copy.startswith("equal"):
        return "LIES" if run.exit == 0 else "fails"
    if run.exit != 0:
        return "alarm"
    if not trial.begun:
        return "spared"
    return "late" if seconds is not None and run.seconds > seconds else "ok"


def state(run, said, seconds):
    """What became of the copy, and what the tool said of it."""
    if run.cut:
        return f"no end; until then {run.copy}"
    late = f", {run.seconds - seconds:.0f} s too late" if said == "late" else ""
    return f"{run.copy}, exit {run.exit}{late}"


def is_good(judged):
    return judged["verdict"] == "ok"


def scores(rows):
    """For each tool, how many faults it came through, and of how many."""
    struck = [row for row in rows if row["name"] != CLEAN]
    for tool in rows[0]["tools"]:
        yield tool, sum(1 for row in struck if is_good(row["tools"][tool])), len(struck)


def table(rows):
    """Lines of text: a row for each fault, a column for each tool with its verdict and seconds, and below each row what
    was wrong."""
    names = list(rows[0]["tools"])
    sum_up = "came through"
    width = max(len(sum_up), *(len(row["fault"]) for row in rows)) + 2
    yield "".join(["".ljust(width), *(name.ljust(16) for name in names)]).rstrip()
    for row in rows:
        cells = [f"{one['verdict']:6} {one['seconds']:4.0f} s".ljust(16) for one in row["tools"].values()]
        yield "".join([row["fault"].ljust(width), *cells]).rstrip()
    said = [f"{good} of {count}".ljust(16) for _, good, count in scores(rows)]
    yield "".join([sum_up.ljust(width), *said]).rstrip()
    yield ""
    yield from (f"{word:6} {meaning}" for word, meaning in VERDICTS.items())
    yield ""
    for row in rows:
        for tool, one in row["tools"].items():
            if not is_good(one):
                yield f"{row['fault']}, {tool}: {one['state']}"
