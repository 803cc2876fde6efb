"""Results of suites, the reference's beside ours, and which differences are explained.

A result is a dictionary: name of a case → `ok`, `skip`, or what was wrong. A difference is a case that ended otherwise
at our door than at the reference; one that fails at both is the suite's affair."""

import fnmatch
import re
import xml.etree.ElementTree as ElementTree


def outcome(words):
    """What two results are compared by: how the case ended, or all that was said and left where a step is watched."""
    return words if words in ("ok", "skip") or words.startswith("said ") else "FAIL"


def from_junit(text):
    """What pytest or unittest wrote as JUnit's XML."""
    results = {}
    for case in ElementTree.fromstring(text).iter("testcase"):
        kinds = {child.tag: child for child in case}
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
        wrong = kinds.get("failure", kinds.get("error"))
        if wrong is not None:
            results[name] = one_line(wrong.get("message") or "failed")
        else:
            results[name] = "skip" if "skipped" in kinds else "ok"
    return results


def from_lines(text):
    """What exerciser.py and its like say: `ok NAME …`, `skip NAME …`, `FAIL NAME WORDS`."""
    results = {}
    for line in text.splitlines():
        state, _, rest = line.partition(" ")
        name, _, words = rest.partition(" ")
        if state in ("ok", "skip"):
            results.setdefault(name, state)
        elif state == "FAIL":
            results[name] = one_line(words) or "failed"
    return results


def from_audit(report):
    """What ssh-audit has against each algorithm: only what it calls a failure counts."""
    results = {}
    for kind in ("kex", "key", "enc", "mac"):
        for one in report.get(kind, []):
            failures = one.get("notes", {}).get("fail", [])
            results[f"{kind}.{one['algorithm']}"] = one_line("; ".join(failures)) if failures else "ok"
    return results


def one_line(text, most=160):
    return re.sub(r"\s+", " ", text).strip()[:most]


def differences(suite, ours, reference):
    """Cases whose outcome is not the reference's. What the reference has not, has to be right by itself."""
    for name in sorted(set(ours) | set(reference)):
        mine, theirs = ours.get(name), reference.get(name)
        if mine is None:
            # The audit is about algorithms: that we do not offer one of theirs is no difference.
            if suite != "ssh-audit":
                yield name, "was not run", theirs
        elif outcome(mine) != ("ok" if suite == "ssh-audit" else outcome(theirs or "ok")):
            # The audit is passed without a failure or not at all, whatever OpenSSH offers.
            yield name, mine, theirs or "not there"


def explained(known, suite, name):
    """Why a difference may stay; none when nobody knows."""
    for pattern, why in known.get(suite, {}).items():
        if fnmatch.fnmatchcase(name, pattern):
            return why
    return None


def count(results):
    """In words."""
    kinds = [outcome(words) for words in results.values()]
    failed, skipped = kinds.count("FAIL"), kinds.count("skip")
    return f"{len(kinds) - failed - skipped} ok, {failed} fail, {skipped} skip"


def table(done, known):
    """Lines of text, and how many differences nobody explained. `done`: suite → (ours, reference)."""
    lines, unexplained = [f"{'suite':14} {'causeway':28} {'openssh':28} differences"], 0
    below = []
    for suite, (ours, reference) in done.items():
        found = list(differences(suite, ours, reference))
        reasons = [explained(known, suite, name) for name, _, _ in found]
        open_ones = reasons.count(None)
        if not ours:
            open_ones += 1
            below.append(f"UNEXPLAINED {suite}: nothing was run")
        unexplained += open_ones
        lines.append(f"{suite:14} {count(ours):28} {count(reference):28} {len(found)}, unexplained {open_ones}")
        for (name, mine, theirs), why in zip(found, reasons, strict=True):
            below.append(f"{'explained' if why else 'UNEXPLAINED'} {suite} {name}\n  causeway: {mine}\n"
                         f"  openssh:  {theirs}" + (f"\n  because {why}" if why else ""))
    return [*lines, "", *below], unexplained
