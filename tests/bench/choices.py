"""The options that benchmarks of servers have in common."""

import argparse
import json
import pathlib

import links

RELEASE = links.TOP / "target" / "release" / "causeway"


def words(known):
    """A reader of words out of `known`, with commas between them."""
    def read(text):
        chosen = text.split(",")
        if wrong := [word for word in chosen if word not in known]:
            raise argparse.ArgumentTypeError(f"no {', '.join(wrong)}: there are {', '.join(known)}")
        return chosen
    return read


def parser(told, lists, limit):
    """What the options of `lists` (name → words) leave out is not measured; `limit` says what --limit means."""
    made = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = made.add_argument
    for name, known in lists.items():
        add(f"--{name}", type=words(known), default=list(known), help=f"of {','.join(known)}")
    add("--repeat", type=int, default=3, help="runs of each, whose median is shown")
    add("--limit", type=float, default=120, help=limit)
    add("--scale", type=float, default=1, help="shrinks the files and their number, for example 0.01")
    add("--causeway", type=pathlib.Path, default=RELEASE, help="the program (default: the release build)")
    add("--out", type=pathlib.Path, help="folder for result.json and index.html")
    return made


def keep(out, result, write):
    """JSON and page as far as it has come, when a folder for them was named."""
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))
        write(out / "index.html", result)
