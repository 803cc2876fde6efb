"""Results of many servers beside each other, and which of ours are explained.

A result is what outcomes.py takes for one. A case of ours that fails has to be explained, and so has one that was not
run at our door and went well at another; what fails at a reference is shown, and no more. Cases whose names begin
alike, up to ` / `, make one row."""

import collections

import outcomes
from outcomes import DIFFERENT, FAILS_AT_BOTH, Reasons

OURS = "causeway"
PASSES, FAILS, CANNOT, KNOWN = "passes", "fails", "cannot", "known"
SEPARATOR = " / "


def state(words):
    """How one case ended at one server; none when it was not even tried."""
    if words is None:
        return None
    kind = outcomes.outcome(words)
    return {"ok": PASSES, "skip": CANNOT}.get(kind, FAILS)


def remarkable(results):
    """Cases of one suite that have to be explained: name, state, our words. `results`: server → case → words."""
    ours = results[OURS]
    others = [there for name, there in results.items() if name != OURS]
    for case in sorted(set(ours).union(*others)):
        mine = state(ours.get(case))
        theirs = {state(there.get(case)) for there in others}
        if mine == FAILS:
            yield case, DIFFERENT if PASSES in theirs else FAILS_AT_BOTH, ours[case]
        elif mine != PASSES and PASSES in theirs:
            yield case, DIFFERENT, ours.get(case, "was not run")


def explained(done, known):
    """Suite → case → (state, our words, reason or none) of all that has to be explained, and reasons of no more use.
    `done`: suite → server → case → words."""
    reasons = Reasons(known)
    found = {}
    for suite, results in done.items():
        found[suite] = {case: (kind, words, reasons.find(kind, suite, case))
                        for case, kind, words in remarkable(results)}
        if not results[OURS]:
            found[suite]["suite"] = (DIFFERENT, "nothing was run", None)
    return found, reasons.idle(done)


def rows(results, found):
    """Row → server → what to show, in the order in which the cases were run."""
    groups = collections.defaultdict(list)
    order = {case: None for there in results.values() for case in there}
    for case in order:
        groups[case.partition(SEPARATOR)[0]].append(case)
    return {row: {server: shown(server, asked(cases, there, results), there, found)
                  for server, there in results.items()} for row, cases in groups.items()}


def asked(cases, there, results):
    """Cases that were run at a server, or that pass at another and thus could have been."""
    return [case for case in cases if case in there
            or any(state(other.get(case)) == PASSES for other in results.values())]


def shown(server, cases, there, found):
    """One cell: a state, or how many of several cases pass; nothing where none was run."""
    if not any(case in there for case in cases):
        return ""
    states = collections.Counter(state(there.get(case)) for case in cases)
    if states[FAILS] and server == OURS:
        left = [case for case in cases if state(there.get(case)) == FAILS]
        if all(found.get(case, (None, None, None))[2] for case in left):
            states[KNOWN] = states.pop(FAILS)
        elif all(found[case][0] == FAILS_AT_BOTH for case in left if case in found):
            return counted(outcomes.FAILS_AT_BOTH, states, len(cases))
    worst = next((kind for kind in (FAILS, KNOWN, PASSES, CANNOT) if states[kind]), "")
    return counted(worst, states, len(cases))


def counted(word, states, count):
    return f"{word} ({states[PASSES]} of {count})" if count > 1 and states[PASSES] != count else word


def table(done, known):
    """Lines of text, and how many cases nobody explained."""
    found, idle = explained(done, known)
    # Not every suite can be run at each of them.
    servers = list({server: None for results in done.values() for server in results})
    # The longest state is `fails at both (nn of nn)`.
    head = f"{'client':10} {'operation':52} " + " ".join(f"{server:16}" for server in servers)
    lines, below, unexplained = [head.rstrip()], [], 0
    for suite, results in done.items():
        for row, cells in rows(results, found[suite]).items():
            line = f"{suite:10} {row[:52]:52} " + " ".join(f"{cells.get(server, ''):16}" for server in servers)
            lines.append(line.rstrip())
        for case, (kind, words, why) in found[suite].items():
            unexplained += why is None
            below.append(f"{'explained' if why else 'UNEXPLAINED'} {kind}: {suite}: {case}\n  {words}"
                         + (f"\n  because {why}" if why else ""))
        below += [f"cannot, {server}: {suite}: {line.strip()}" for server, there in results.items()
                  for line in outcomes.not_run(there)]
    below += [f"no longer seen {kind}: {suite} {pattern}" for kind, suite, pattern in idle]
    return [*lines, "", *sums(done), "", *below], unexplained


def sums(done):
    """How each suite ended at each server."""
    return [f"{suite:10} {server:10} {outcomes.count(there)}" for suite, results in done.items()
            for server, there in results.items()]
