"""A file-system exerciser after the manner of fsx: random reads, writes, truncations, renames and removals in a folder,
each compared with a model in memory.

    exerciser.py FOLDER SEED OPERATIONS [--pause SECONDS] [--left FILE] [--without KIND,…]

Says `ok KIND COUNT` for each kind of operation that went well, and `FAIL KIND WORDS` for the first that did not."""

import argparse
import collections
import errno
import hashlib
import json
import os
import random
import sys
import time

LARGEST = 200_000
NAMES = [f"file-{number}" for number in range(8)]


class Model:
    """The folder, and what ought to be in it."""

    def __init__(self, folder, seed, listed=True):
        self.folder, self.rng, self.files, self.listed = folder, random.Random(seed), {}, listed

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name):
        at = self.rng.randrange(LARGEST // 2)
        data = self.rng.randbytes(self.rng.randrange(1, LARGEST // 2))
        with open(os.open(self.path(name), os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0) as file:
            for begin in range(0, len(data), 50_000):
                os.pwrite(file.fileno(), data[begin : begin + 50_000], at + begin)
        old = self.files.get(name, b"")
        self.files[name] = old[:at].ljust(at, b"\0") + data + old[at + len(data) :]

    def read(self, name):
        if name not in self.files:
            try:
                os.stat(self.path(name))
            except OSError as error:
                assert error.errno == errno.ENOENT, error
                return
            raise AssertionError(f"{name} is there, and should not")
        at, count = self.rng.randrange(LARGEST), self.rng.randrange(1, LARGEST)
        with open(self.path(name), "rb") as file:
            file.seek(at)
            same(file.read(count), self.files[name][at : at + count], f"{name} from {at}")

    def truncate(self, name):
        if name in self.files:
            size = self.rng.randrange(LARGEST)
            os.truncate(self.path(name), size)
            self.files[name] = self.files[name][:size].ljust(size, b"\0")

    def append(self, name):
        data = self.rng.randbytes(self.rng.randrange(1, 5_000))
        with open(self.path(name), "ab") as file:
            file.write(data)
        self.files[name] = self.files.get(name, b"") + data

    def rename(self, name):
        other = self.rng.choice(NAMES)
        if name in self.files and name != other:
            os.rename(self.path(name), self.path(other))
            self.files[other] = self.files.pop(name)

    def remove(self, name):
        if name in self.files:
            os.remove(self.path(name))
            del self.files[name]

    def look(self, _name):
        if self.listed:
            listed = sorted(os.listdir(self.folder))
            assert listed == sorted(self.files), f"listed {listed}, expected {sorted(self.files)}"
        for name, data in self.files.items():
            size = os.stat(self.path(name)).st_size
            assert size == len(data), f"{name} has {size} bytes, expected {len(data)}"

    def whole(self):
        """Every byte, once more at the end."""
        self.look("")
        for name, data in self.files.items():
            with open(self.path(name), "rb") as file:
                same(file.read(), data, name)


def same(found, expected, where):
    if found != expected:
        differ = next((at for at, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), None)
        raise AssertionError(f"{where}: {len(found)} bytes, expected {len(expected)}; first other byte: {differ}")


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("folder")
    add("seed", type=int)
    add("operations", type=int)
    add("--pause", type=float, default=0, help="seconds after each, for what hands on a file only after it was closed")
    add("--left", help="a file for names and digests of what is there in the end, as JSON")
    add("--without", type=lambda text: text.split(","), default=[], help="kinds of operations that are left out")
    return parser.parse_args()


def keep(left, files):
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    with open(left, "w") as file:
        json.dump(digests, file)


def main(chosen):
    model = Model(chosen.folder, chosen.seed, "look" not in chosen.without)
    kinds = (model.write, model.read, model.read, model.truncate, model.append, model.rename, model.remove, model.look)
    kinds = [kind for kind in kinds if kind.__name__ not in chosen.without]
    done = collections.Counter()
    for number in range(chosen.operations):
        kind = model.rng.choice(kinds)
        name = model.rng.choice(NAMES)
        try:
            kind(name)
        except (AssertionError, OSError) as error:
            print(f"FAIL {kind.__name__} operation {number}: {error}")
            return 1
        done[kind.__name__] += 1
        time.sleep(chosen.pause)
    if chosen.left:
        keep(chosen.left, model.files)
    try:
        model.whole()
    except (AssertionError, OSError) as error:
        print(f"FAIL whole {error}")
        return 1
    for kind, count in sorted({**done, "whole": 1}.items()):
        print(f"ok {kind} {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main(options()))
