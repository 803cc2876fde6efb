"""Comparing what was copied with its source, byte by byte."""

import filecmp

# Of a copy that the client threw away.
UNKEPT = "not kept"


def files(root):
    return (path for path in root.rglob("*") if path.is_file())


def compare(source, copy):
    """`equal`, or what is wrong with the copy."""
    if source.is_file():
        return "equal" if same(source, copy) else "DIFFERS"
    wrong = sum(1 for path in files(source) if not same(path, copy / path.relative_to(source)))
    foreign = sum(1 for path in files(copy) if not (source / path.relative_to(copy)).exists())
    return f"{wrong} DIFFER, {foreign} foreign" if wrong or foreign else "equal"


def same(source, copy):
    return copy.is_file() and filecmp.cmp(source, copy, shallow=False)

def is_good(run):
    """Does the run give a figure?"""
    return run.get("projected", False) or run["exit"] == 0 and run["copy"] in ("equal", UNKEPT)


def word(run):
    """What came of one run."""
    if run.get("projected"):
        return "projected"
    if is_good(run):
        return run["copy"]
    return "cut" if run["cut"] else f"exit {run['exit']}, {run['copy']}"
