"""Results of suites, the reference's beside ours, and which of them are explained.

A result is a dictionary: name of a case → `ok`, `skip` or `skip: WHY`, `said STATUS: …` where a step is watched, or
what was wrong. Two kinds of cases have to be explained: one that ended otherwise at our door than at the reference,
and one that failed at both, since that shows nothing about either."""

import collections
import fnmatch
import re
import xml.etree.ElementTree as ElementTree

# The state of a case, and what its explanations are looked up by.
DIFFERENT, FAILS_AT_BOTH = "different", "fails at both"


def outcome(words):
    """What two results are compared by: how the case ended, or all that was said and left where a step is watched."""
    if words == "ok" or words.startswith("said "):
        return words
    return "skip" if re.match(r"skip(: |$)", words) else "FAIL"


def failed(words):
    return outcome(words) == "FAIL" or (words.startswith("said ") and not words.startswith("said 0:"))


def from_junit(text):
    """What pytest or unittest wrote as JUnit's XML."""
    results = {}
    for case in ElementTree.fromstring(text).iter("testcase"):
        kinds = {child.tag: child for child in case}
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
        wrong = kinds.get("failure", kinds.get("error"))
        if wrong is not None:
            results[name] = one_line(wrong.get("message") or "failed")
        elif "skipped" in kinds:
            results[name] = f"skip: {one_line(kinds['skipped'].get('message') or 'the suite does not say why')}"
        else:
            # Of a case with several parts one may have failed before.
            results.setdefault(name, "ok")
    return results


def from_lines(text):
    """What exerciser.py and its like say: `ok NAME …`, `skip NAME WHY`, `FAIL NAME WORDS`."""
    results = {}
    for line in text.splitlines():
        state, _, rest = line.partition(" ")
        name, _, words = rest.partition(" ")
        if state == "ok":
            results.setdefault(name, state)
        elif state == "skip":
            results.setdefault(name, f"skip: {words}" if words else "skip")
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


def remarkable(suite, ours, reference):
    """Cases that have to be explained: name, state, our result, the reference's. What the reference has not, has to be
    right by itself."""
    for name in sorted(set(ours) | set(reference)):
        mine, theirs = ours.get(name), reference.get(name)
        if mine is None:
            # The audit is about algorithms: that we do not offer one of theirs is no difference.
            if suite != "ssh-audit":
                yield name, DIFFERENT, "was not run", theirs
        elif outcome(mine) != outcome(theirs or "ok"):
            yield name, DIFFERENT, mine, theirs or "not there"
        elif failed(mine):
            yield name, FAILS_AT_BOTH, mine, theirs


class Reasons:
    """Why something may stay: state → suite → pattern of the case's name → words. It knows which were of use."""

    def __init__(self, known):
        self.known, self.used = known, set()

    def find(self, state, suite, name):
        """None when nobody knows."""
        for pattern, why in self.known.get(state, {}).get(suite, {}).items():
            if fnmatch.fnmatchcase(name, pattern):
                self.used.add((state, suite, pattern))
                return why
        return None

    def idle(self, suites):
        """Those of suites that ran and that explained nothing."""
        return [(state, suite, pattern) for state, tables in self.known.items() for suite, table in tables.items()
                for pattern in table if suite in suites and (state, suite, pattern) not in self.used]


def count(results):
    """In words."""
    wrong = sum(failed(words) for words in results.values())
    skipped = sum(outcome(words) == "skip" for words in results.values())
    return f"{len(results) - wrong - skipped} ok, {wrong} fail, {skipped} skip"


def not_run(results):
    """How many cases were left out for which reason."""
    reasons = collections.Counter(words.removeprefix("skip: ") for words in results.values()
                                  if outcome(words) == "skip")
    return [f"{number:4} {why}" for why, number in reasons.most_common()]


def table(done, known):
    """Lines of text, and how many cases nobody explained. `done`: suite → (ours, reference)."""
    reasons, unexplained = Reasons(known), 0
    lines = [f"{'suite':10} {'causeway':28} {'openssh':28} {'different':>9} {'fail at both':>12} {'unexplained':>11}"]
    below = []
    for suite, (ours, reference) in done.items():
        found = [(*case, reasons.find(case[1], suite, case[0])) for case in remarkable(suite, ours, reference)]
        states = collections.Counter(state for _, state, *_ in found)
        open_ones = sum(why is None for *_, why in found)
        if not ours:
            open_ones += 1
            below.append(f"UNEXPLAINED {suite}: nothing was run")
        unexplained += open_ones
        lines.append(f"{suite:10} {count(ours):28} {count(reference):28} {states[DIFFERENT]:9} "
                     f"{states[FAILS_AT_BOTH]:12} {open_ones:11}")
        for name, state, mine, theirs, why in found:
            below.append(f"{'explained' if why else 'UNEXPLAINED'} {state}: {suite} {name}\n  causeway: {mine}\n"
                         f"  openssh:  {theirs}" + (f"\n  because {why}" if why else ""))
        below += [f"not run: {suite} {line}" for line in not_run(ours)]
    below += [f"no longer seen {state}: {suite} {pattern}" for state, suite, pattern in reasons.idle(done)]
    return [*lines, "", *below], unexplained
