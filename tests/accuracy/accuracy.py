"""Runs the injections and prints the confusion matrix. Exit code 0: 95 % right, no cause on a clean run."""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import sys
import time

import causes
import causes_dav
import causes_net
import causes_sftp
from lab import Lab

CAUSES = {**causes.CAUSES, **causes_net.CAUSES, **causes_sftp.CAUSES, **causes_dav.CAUSES}
CLEAN = "(nothing)"
LINKS = ("delay=0", "delay=2 rate=100", "delay=10 rate=40", "delay=25 rate=60")


def injected(options):
    chosen = [cause for cause in CAUSES if not options.only or cause.__name__ in options.only]
    work = [(cause, turn) for cause in chosen for turn in range(options.times)]
    random.Random(options.seed).shuffle(work)
    return work


def look(number, cause, turn):
    """The causes that were named, the surest first, or why there is no report."""
    began = time.monotonic()
    try:
        with Lab(f"acc-{os.getpid()}-{number}", f"{LINKS[turn % len(LINKS)]} seed={turn + 1}") as lab:
            lab.files()
            report = cause(lab, turn)
        unproven = [found["cause"] for found in report["findings"] if not found["evidence"]]
        named = [found["cause"] for found in report["findings"]] + [f"{cause} without evidence" for cause in unproven]
    except Exception as error:  # One lab that breaks must not hide the others.
        report, named = {"error": str(error)}, [f"(no report: {str(error)[:80]})"]
    return cause, turn, named, report, time.monotonic() - began


def table(results):
    rows = collections.defaultdict(collections.Counter)
    for cause, _, named, _, _ in results:
        rows[cause][named[0] if named else CLEAN] += 1
    print(f"\n{'injected':<18} {'right':>7}  named first")
    for cause, counts in rows.items():
        wanted = CAUSES[cause] or CLEAN
        told = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        print(f"{cause.__name__:<18} {counts[wanted]:>3}/{counts.total():<3}  {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="how often each cause is injected")
    parser.add_argument("--together", type=int, default=3, help="labs at once")
    parser.add_argument("--seed", type=int, default=1, help="of their order")
    parser.add_argument("--keep", metavar="FILE", help="write every report to this file, one JSON a line")
    parser.add_argument("only", nargs="*", help="only these causes")
    options = parser.parse_args()
    work = injected(options)
    results = []
    keep = open(options.keep, "w") if options.keep else None  # noqa: SIM115
    with concurrent.futures.ThreadPoolExecutor(options.together) as pool:
        running = [pool.submit(look, number, *one) for number, one in enumerate(work)]
        for done in concurrent.futures.as_completed(running):
            cause, turn, named, report, took = done.result()
            results.append((cause, turn, named, report, took))
            if keep:
                row = {"injected": cause.__name__, "turn": turn, "named": named, "report": report}
                print(json.dumps(row), file=keep)
            wanted = CAUSES[cause]
            first = named[0] if named else None
            mark = "right" if first == wanted else "WRONG"
            print(f"{len(results):>4}/{len(work)} {mark} {cause.__name__} {turn}: {named} ({took:.0f} s)", flush=True)
    order = list(CAUSES)
    results.sort(key=lambda one: (order.index(one[0]), one[1]))
    table(results)
    right = sum((named[0] if named else None) == CAUSES[cause] for cause, _, named, _, _ in results)
    false = sum(bool(named) for cause, _, named, _, _ in results if CAUSES[cause] is None)
    clean = sum(CAUSES[cause] is None for cause, *_ in results)
    print(f"\nfirst finding right: {right} of {len(results)} ({100 * right / max(len(results), 1):.1f} %)")
    print(f"clean runs on which a cause was named: {false} of {clean}")
    return 0 if right >= 0.95 * len(results) and not false else 1


if __name__ == "__main__":
    sys.exit(main())
