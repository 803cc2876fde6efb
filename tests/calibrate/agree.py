#!/usr/bin/env python3
"""Makes figures again with scipy and lifelines, and compares: calibrate figures | agree.py"""

import json
import math
import sys
import warnings

from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times
from scipy.optimize import brentq
from scipy.stats import binom, binomtest, poisson, ttest_rel

WITHIN = 1e-9
compared = 0


def agree(what, told, expected):
    """The same to nine digits, or missing on both sides."""
    global compared
    for mine, theirs in zip(told, expected, strict=True):
        compared += 1
        if theirs is None or math.isinf(theirs):
            assert mine is None, f"{what}: {mine} where nothing can be said"
        else:
            assert mine is not None, f"{what}: nothing where there is {theirs}"
            assert abs(mine - theirs) <= WITHIN * max(1.0, abs(theirs)), f"{what}: {mine} and {theirs}"


def wilson(k, n):
    found = binomtest(k, n).proportion_ci(0.95, "wilson")
    return k / n, found.low, found.high


def mid_p(k, exposure):
    def off(mean, p):
        return poisson.sf(k, mean) + poisson.pmf(k, mean) / 2 - p

    top = k + 12 * (k + 1) ** 0.5 + 40

    def solve(p):
        return brentq(off, 1e-12, top, args=(p,), xtol=1e-13, rtol=8.9e-16)

    return k / exposure, solve(0.025) / exposure if k else 0.0, solve(0.975) / exposure


def ranks(n, p):
    """Beran and Hall 1993: between the ranks whose probabilities lie around 2.5 and 97.5 %."""
    value = max(1, math.ceil(n * p - 1e-9))
    below = binom.cdf(range(n), n, p)

    def at(tail):
        r = max((r for r in range(1, n + 1) if below[r - 1] <= tail), default=None)
        if r is None or r == n:
            return None
        return r + (tail - below[r - 1]) / (below[r] - below[r - 1])

    return value, at(0.025), at(0.975)


def between(values, rank):
    if rank is None:
        return None
    low = math.floor(rank)
    return values[low - 1] if low == rank else values[low - 1] + (rank - low) * (values[low] - values[low - 1])


def binned(values):
    """The values as a histogram with bins of 2 % knows them: evenly within each bin."""
    bins = {}
    for value in values:
        bins.setdefault(math.floor(math.log(value) / math.log(1.02)), []).append(value)
    return [1.02 ** (b + (i + 0.5) / len(bins[b])) for b in sorted(bins) for i in range(len(bins[b]))]


def newcombe(both, first, second, neither):
    n = both + first + second + neither
    p1, l1, u1 = wilson(both + second, n)
    p2, l2, u2 = wilson(both + first, n)
    over = both * neither - second * first
    over = max(over - n / 2, 0) if over > 0 else over
    under = math.sqrt((both + second) * (first + neither) * (both + first) * (second + neither))
    phi = over / under if under else 0
    low = math.sqrt(max((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2, 0))
    high = math.sqrt(max((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2, 0))
    return p1 - p2, p1 - p2 - low, p1 - p2 + high


def kaplan_meier(times, lost):
    fitted = KaplanMeierFitter().fit(times, lost)
    ends = median_survival_times(fitted.confidence_interval_)
    return fitted, (fitted.median_survival_time_, ends.iloc[0, 0], ends.iloc[0, 1])


def survival(lost, kept):
    """Times as two histograms know them: so many steps in each bin, what was lost and what was let go at each."""
    bins = {}
    for place, times in enumerate((lost, kept)):
        for time in times:
            bins.setdefault(math.floor(math.log(time) / math.log(1.02)), [0, 0])[place] += 1
    at, gone = [], []
    for number, counts in sorted(bins.items()):
        steps = min(max(counts[0], 1), 16)
        for step in range(steps):
            time = 1.02 ** (number + (step + 0.5) / steps)
            for was_lost, count in zip((True, False), counts, strict=True):
                some = count * (step + 1) // steps - count * step // steps
                at += [time] * some
                gone += [was_lost] * some
    return kaplan_meier(at, gone)[1]


PHASES = {
    "resolve": "resolve",
    "connect": "connect",
    "banner": "banner",
    "tls": "tls",
    "login": "login",
    "ready": "command",
}
SIZES = {
    "throughput": (1 << 16, math.inf),
    "throughput-small": (0, 1 << 16),
    "throughput-64k": (1 << 16, 1 << 20),
    "throughput-1m": (1 << 20, 1 << 24),
    "throughput-16m": (1 << 24, math.inf),
}


def values(key, ready, transfers):
    """What a quantile is of, from single observations."""
    name = key.rsplit("-", 1)[0]
    if name == "setup":
        return [row["setup"] / 1e6 for row in ready]
    if name in PHASES:
        return [row["phases"][PHASES[name]] / 1e6 for row in ready]
    if key in SIZES:
        low, high = SIZES[key]
        clean = [row for row in transfers if row["clean"] and low <= row["bytes"] < high]
        return [row["bytes"] / (row["took"] / 1e6) for row in clean]
    if key == "rtt":
        return [row["rtt"] / 1e6 for row in ready]
    if key == "overhead":
        return [(row["wire"] - row["payload"]) / row["payload"] for row in ready]
    assert key == "round-trips", key
    return [row["turns"] for row in ready]


def files(transfers):
    """Of each file: was it lost, was it tried again, and the seconds from its first attempt to its last."""
    attempts = {}
    for row in sorted(transfers, key=lambda row: row["at"]):
        attempts.setdefault(row["file"], []).append(row)
    return [
        (not each[-1]["clean"], not each[0]["clean"], (each[-1]["at"] - each[0]["at"]) / 1e6)
        for each in attempts.values()
    ]


def expected(key, rows):
    """A figure from the observations of its endpoint; none of the paired ones."""
    connections = [row for row in rows if row["kind"] == "connection"]
    ready = [row for row in connections if row["setup"] is not None]
    transfers = [row for row in rows if row["kind"] == "transfer"]
    checks = [row for row in rows if row["kind"] == "check"]
    resets = sum(not row["clean"] for row in ready)
    failed = sum(not row["clean"] for row in transfers)
    tried = files(transfers)
    simple = {
        "connection-success": lambda: wilson(len(ready), len(connections)),
        "availability": lambda: wilson(len(ready), len(connections)),
        "burn-rate": lambda: [x / 0.005 for x in wilson(len(connections) - len(ready), len(connections))],
        "resets": lambda: mid_p(resets, len(ready) / 1000),
        "resets-per-hour": lambda: mid_p(resets, sum(row["held"] for row in ready) / 3.6e9),
        "hold-time": lambda: survival(*[[r["held"] / 1e6 for r in ready if r["clean"] == clean] for clean in (0, 1)]),
        "transfer-errors": lambda: wilson(failed, len(transfers)),
        "errors-per-gib": lambda: mid_p(failed, sum(row["bytes"] for row in transfers) / 2**30),
        "file-errors": lambda: wilson(sum(lost for lost, _, _ in tried), len(tried)),
        "recovery": lambda: survival(*[[t for x, again, t in tried if again and x == lost] for lost in (0, 1)]),
        "corruption": lambda: wilson(sum(not row["clean"] for row in checks), len(checks)),
        "encrypted": lambda: wilson(sum(row["encrypted"] for row in ready), len(ready)),
        "post-quantum": lambda: wilson(sum(row["safe"] for row in ready), sum(row["encrypted"] for row in ready)),
    }
    if key in simple:
        return simple[key]()
    known = binned(values(key, ready, transfers))
    found = [between(known, rank) for rank in ranks(len(known), {"p95": 0.95, "p99": 0.99}.get(key[-3:], 0.5))]
    # In whole numbers, as Rust rounds: halves away from zero.
    return [x and math.floor(x + 0.5) for x in found] if key == "round-trips" else found


def stored(told):
    """What came out of a store by the questions of the pages, against the observations that went in."""
    first, second = ([time / 1e6 for time in times] for times in zip(*told["times"], strict=True))
    logs = [[math.log(x) for x in times] for times in (first, second)]
    pairs = [tuple(both) for both in told["ready"]]
    counts = [pairs.count(both) for both in ((True, True), (True, False), (False, True), (False, False))]
    paired = {
        "paired-difference": lambda: difference(first, second),
        "paired-ratio": lambda: [math.exp(x) for x in difference(*logs)],
        "paired-shares": lambda: newcombe(*counts),
    }
    for key, one in told["said"].items():
        agree(key, one["told"], paired[key]() if key in paired else expected(key, told["rows"][one["at"]]))
    return len(told["said"])


def difference(first, second):
    found = ttest_rel(second, first).confidence_interval(0.95)
    return sum(b - a for a, b in zip(first, second, strict=True)) / len(first), found.low, found.high


def main():
    warnings.simplefilter("ignore")
    told = json.load(sys.stdin)
    for one in told["shares"]:
        agree("Wilson", one["told"], wilson(one["k"], one["n"]))
    for one in told["rates"]:
        agree("Poisson", one["told"], mid_p(one["k"], one["exposure"]))
    for one in told["quantiles"]:
        values = sorted(one["values"])
        agree("quantile", one["told"], [between(values, rank) for rank in ranks(len(values), one["p"])])
    for one in told["held"]:
        fitted, median = kaplan_meier([time for time, _ in one["held"]], [lost for _, lost in one["held"]])
        agree("median", one["told"], median)
        for time, share, low, high in one["steps"]:
            bounds = fitted.confidence_interval_.loc[time]
            agree("survival", [share, low, high], [fitted.predict(time), bounds.iloc[0], bounds.iloc[1]])
    for one in told["paired"]:
        first, second = zip(*one["rows"], strict=True)
        agree("difference", one["difference"], difference(first, second))
        logs = [math.log(x) for x in first], [math.log(x) for x in second]
        agree("ratio", one["ratio"], [math.exp(x) for x in difference(*logs)])
    for one in told["successes"]:
        both, first, second, neither = one["pairs"]
        agree("Newcombe", one["told"], newcombe(both, first, second, neither))
        test = binomtest(min(first, second), first + second).pvalue if first + second else 1.0
        agree("McNemar", [one["p"]], [test])
    statistics = stored(told["stored"])
    print(f"{compared} figures agree with scipy and lifelines to {WITHIN}")
    print(f"those of all {statistics} statistics came out of the store")


if __name__ == "__main__":
    main()
