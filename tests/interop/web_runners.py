"""How each suite is run against a WebDAV server: functions of the door and a scratch folder that return
results."""

import json
import pathlib
import re

import outcomes
import web_clients
import web_columns
from runners import at

SUITES = pathlib.Path(__file__).resolve().parent / "suites"
LITMUS = ("basic", "copymove", "props", "locks", "http")
LITMUS_TEST = re.compile(r"(\d+)\. (\w+)\.* ?(.*)")
LITMUS_END = re.compile(r"(?:\.* )?(pass|FAIL|SKIPPED)\b:?\s*(.*)")


def script(name, limit=300):
    """A suite that is a script on suites/wire.py and tells each case in a line of JSON."""

    def run(door, folder):
        done = at(door, ["python3", SUITES / f"{name}.py"], folder, limit)
        return read_told(done)

    return run


def read_told(done):
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            results.update(json.loads(line))
    if done.returncode != 0 or not results:
        results["suite"] = outcomes.one_line(done.stderr[-300:]) or f"exit status {done.returncode}"
    return {case: words if words == "ok" else outcomes.one_line(words, 300) for case, words in results.items()}


def litmus(door, folder):
    """All its suites. Of a suite that stops, the rest was not run."""
    results = {}
    for suite in LITMUS:
        done = at(door, ["env", f"TESTS={suite}", "litmus", "-k", door.url, door.user, door.password], folder, 180)
        found = from_litmus(done.stdout)
        if done.returncode not in (0, 1) or not found:
            found["suite"] = outcomes.one_line(done.stdout[-200:] + done.stderr) or f"exit status {done.returncode}"
        results.update({f"{suite} / {case}": words for case, words in found.items()})
    return results


def from_litmus(text):
    """What it says of each test; a warning is no failure, and a test that it skips has its reason in the line."""
    results, name = {}, None
    # It overwrites the name of a test with its result where one looks on, and a warning comes between them.
    for line in text.replace("\r", "\n").splitlines():
        line = line.strip()
        if found := LITMUS_TEST.match(line):
            # Some names are there more than once.
            name, line = f"{found[1]}. {found[2]}", found[3]
        if not name or not (found := LITMUS_END.match(line)):
            continue
        end, words = found.groups()
        if end == "pass":
            results[name] = "ok"
        elif end == "SKIPPED":
            results[name] = f"skip: {words.strip('() ') or 'litmus does not say why'}"
        elif end == "FAIL":
            results[name] = words.strip("() ") or "failed"
    return results


def browser(door, folder):
    """Chromium, which uploads through the dashboard."""
    return read_told(at(door, ["python3", SUITES / "browser.py", door.scale], folder, 3600))


RUNNERS = {"litmus": litmus, "battery": script("battery"), "traces": script("traces"), **web_clients.CLIENTS,
           "browser": browser}


def servers(suite, chosen):
    """Of these the ones at which a suite can be run: only ours has a dashboard."""
    return [web_columns.OURS] if suite == "browser" else chosen
