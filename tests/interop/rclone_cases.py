"""`rclone test`: what names and ways of uploading a door can bear, and trees of random names through it.

Of its commands `changenotify` is left out, since SFTP has no such thing."""

import json
import re

import outcomes
import steps

# A line of Go, or several until the next.
FINDING = re.compile(r"^(\w+) *= (.*?)(?: // (.*?))?$(?=\n\w|\n?\Z)", re.MULTILINE | re.DOTALL)
# Names, sizes and contents are the same every time.
TREE = ("test", "makefiles", "made", "--seed", "4", "--files", "300", "--files-per-directory", "20",
        "--max-name-length", "60", "--max-file-size", "60k")
# Small enough for a slow machine: that it gets to its end is what is asked.
SPEED = ("--small", "1Ki", "--medium", "256Ki", "--large", "4Mi", "--file-cap", "5", "--test-time", "1s", "--json")


def run(door, folder, at):
    """All of it; `at` runs a command there."""

    def rclone(*words):
        return at(door, steps.rclone(door, folder, words), folder)

    def watched(*words, silent=False):
        done = rclone(*words)
        words = "" if silent and done.returncode == 0 else steps.plain(f"{done.stdout}\n{done.stderr}", door, folder)
        return f"said {done.returncode}: {outcomes.one_line(words, 2000)}"

    results = {
        "makefiles": watched(*TREE, silent=True),
        "put": watched("copy", "made", "THERE/made"),
        "check": watched("check", "--download", "made", "THERE/made"),
        "get": watched("copy", "THERE/made", "back"),
        "check what came back": watched("check", "made", "back"),
        "histogram": watched("test", "histogram", "THERE/made"),
        # Memory and speed are figures: another each time.
        "memory": watched("test", "memory", "THERE/made", silent=True),
        "speed": watched("test", "speed", "THERE/speed", *SPEED, silent=True),
    }
    done = rclone("test", "info", "--all", "--write-json", folder / "info.json", "THERE/info")
    results["info"] = f"said {done.returncode}: {'' if done.returncode == 0 else outcomes.one_line(done.stderr)}"
    results["info left"] = f"said 0: {steps.tree(door.root / 'info')}"
    return {**results, **from_info(done.stdout, folder / "info.json")}


def from_info(text, report):
    """Each of its findings as a case: what it prints as lines of Go, and what became of each odd character."""
    results = {}
    for name, value, about in FINDING.findall(text):
        results[f"info {name} {about}".strip()] = f"said 0: {value}"
    if report.exists():
        for character, found in (json.loads(report.read_text())["ControlCharacters"] or {}).items():
            about = " ".join(f"U+{ord(one):04X}" for one in character)
            results[f"info character {about}"] = f"said 0: {json.dumps(found, sort_keys=True)}"
    return results
