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


def stored(told):
    """What came out of roll-ups, against what went in."""
    rows, said = told["rows"], told["said"]
    ready = [row for row in rows if row[0] is not None]
    agree("connection-success", said["connection-success"], wilson(len(ready), len(rows)))
    resets = sum(not row[2] for row in ready)
    agree("resets", said["resets"], mid_p(resets, len(ready) / 1000))
    hours = sum(math.floor(row[1] * 1e6) for row in ready) / 3.6e9
    agree("resets-per-hour", said["resets-per-hour"], mid_p(resets, hours))
    agree("encrypted", said["encrypted"], wilson(sum(row[3] for row in ready), len(ready)))
    setups = binned([row[0] for row in ready])
    for key, p in ("setup-median", 0.5), ("setup-p95", 0.95), ("setup-p99", 0.99):
        agree(key, said[key], [between(setups, rank) for rank in ranks(len(setups), p)])
    exact = kaplan_meier([row[1] for row in ready], [not row[2] for row in ready])[1]
    for mine, theirs in zip(said["hold-time"], exact, strict=True):
        assert abs(mine / theirs - 1) < 0.02, f"hold-time: {mine} of bins and {theirs} of single times"


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
        found = ttest_rel(second, first).confidence_interval(0.95)
        mean = sum(b - a for a, b in one["rows"]) / len(first)
        agree("difference", one["difference"], [mean, found.low, found.high])
        logs = [math.log(x) for x in first], [math.log(x) for x in second]
        found = ttest_rel(logs[1], logs[0]).confidence_interval(0.95)
        mean = sum(b - a for a, b in zip(*logs, strict=True)) / len(first)
        agree("ratio", one["ratio"], [math.exp(x) for x in (mean, found.low, found.high)])
    for one in told["successes"]:
        both, first, second, neither = one["pairs"]
        agree("Newcombe", one["told"], newcombe(both, first, second, neither))
        test = binomtest(min(first, second), first + second).pvalue if first + second else 1.0
        agree("McNemar", [one["p"]], [test])
    stored(told["stored"])
    print(f"{compared} figures agree with scipy and lifelines to {WITHIN}")


if __name__ == "__main__":
    main()
