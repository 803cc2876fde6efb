"""The trees that are mirrored, and the comparison of a copy with its source."""

import contextlib
import dataclasses
import filecmp
import os
import pathlib
import random
import tempfile
import time

MIB = 1 << 20
# All trees of one run have the same times, however long it takes to make them.
STARTED = int(time.time())
# Old enough that no mirror takes a file for one that is still written.
AGE = 90 * 86400
# Files that are larger on the average take longer than the dialogues about them.
LARGE = 256 << 10
# A file system in memory.
MEMORY = "/dev/shm"
# A copy may hold these beside the files: wget keeps each listing, causeway its parts and its trash.
OWN_NAMES = (".listing", ".causeway")


@dataclasses.dataclass
class Tree:
    """One tree on disk."""

    name: str
    root: pathlib.Path
    files: int
    bytes: int
    entries: int

    @property
    def is_listed(self):
        """Is it there to be listed and planned only?"""
        return self.name in LISTED

    @property
    def is_bulk(self):
        """Are bytes, and not files, what takes the time?"""
        return not self.is_listed and self.bytes > LARGE * max(self.files, 1)

    def describe(self):
        folders = self.entries - self.files
        return f"{self.name}: {self.files:,} files, {folders:,} directories, {self.bytes / 1e6:,.1f} MB"


def write(path, size, when, block, rng):
    """Writes `size` bytes that do not repeat those of the neighbours, cheaply: from a block of random bytes."""
    with open(path, "wb") as file:
        left = size
        while left > 0:
            start = rng.randrange(len(block) // 2)
            part = block[start : start + min(left, len(block) // 2)]
            file.write(part)
            left -= len(part)
    os.utime(path, (when, when))


@contextlib.contextmanager
def ground(name, lab, scale):
    """Where the tree `name` is made: below `lab`, or, when it is a million inodes, in memory where that has room. They
    are made and removed in seconds there, without a journal that the next runs would wait for. They are removed when
    the block is left."""
    room = os.statvfs(MEMORY).f_favail if name in LISTED and os.path.isdir(MEMORY) else 0
    if room < 1_100_000 * scale:
        yield lab
        return
    with tempfile.TemporaryDirectory(prefix="causeway-bench-", dir=MEMORY) as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def make(name, folder, scale):
    """Makes the tree `name` below `folder`; the same bytes at each call."""
    root = folder / f"tree-{name.lower()}"
    root.mkdir()
    os.chmod(root, 0o755)
    return MAKERS[name](root, scale)


def spread(name, root, sizes, folders):
    """Files of these sizes over so many folders."""
    rng = random.Random(7)
    block = rng.randbytes(2 * MIB)
    old = STARTED - AGE
    folders = max(1, min(folders, len(sizes)))
    for number in range(folders):
        (root / f"folder {number:03}").mkdir()
    for number, size in enumerate(sizes):
        write(root / f"folder {number % folders:03}" / f"file-{number:06}.dat", size, old + number, block, rng)
    return Tree(name, root, len(sizes), sum(sizes), len(sizes) + folders)


def small(root, scale):
    """10,000 files of 1 to 8 KiB in 500 directories."""
    rng = random.Random(1)
    sizes = [rng.randint(1024, 8192) for _ in range(max(1, round(10_000 * scale)))]
    return spread("SMALL", root, sizes, max(1, round(500 * scale)))


def log_normal(count, total, most, seed):
    """`count` sizes of a log-normal distribution (sigma 1.6, as file servers have it) that come to about `total`."""
    rng = random.Random(seed)
    drawn = [rng.lognormvariate(0, 1.6) for _ in range(count)]
    factor = total / sum(drawn)
    return [min(most, max(1024, int(size * factor))) for size in drawn]


def mixed(root, scale):
    """2,000 log-normal files, about 2 GiB."""
    count = max(1, round(2000 * scale))
    return spread("MIXED", root, log_normal(count, count * MIB, 64 * MIB, 2), max(1, round(100 * scale)))


def big(root, scale):
    """One file of 2 GiB."""
    return spread("BIG", root, [max(1, round(2048 * MIB * scale))], 1)


def sparse(folder, count, first=0):
    """`count` files of up to a megabyte that were never written, so that they cost no disk: three system calls each."""
    old = STARTED - AGE
    for number in range(first, first + count):
        path = f"{folder}/report-{number:07}.csv"
        os.mknod(path, 0o644)
        os.truncate(path, number * 7919 % MIB)
        os.utime(path, (old + number, old + number))


def listed(name, root, count):
    """A tree that is there to be listed; as many bytes as its files say."""
    return Tree(name, root, count, sum(number * 7919 % MIB for number in range(count)), count)


def huge(root, scale):
    """1,000,000 files in 10,000 directories, for the listing and the plan only: they are sparse."""
    folders = max(1, round(10_000 * scale))
    for number in range(folders):
        folder = root / f"folder {number:05}"
        folder.mkdir()
        sparse(folder, 100, number * 100)
    return dataclasses.replace(listed("HUGE", root, folders * 100), entries=folders * 101)


def flat(root, scale):
    """1,000,000 files in one directory, for the listing and the plan only: they are sparse."""
    count = max(1, round(1_000_000 * scale))
    sparse(root, count)
    return listed("FLAT", root, count)


def faulty(root, files=300, total=34_000_000):
    """What the faults are shown with: 300 files of 34 MB in sum."""
    return spread("FAULTS", root, log_normal(files, total, 2 * MIB, 3), max(1, files // 15))


def single(root, total=31_000_000):
    """One file that takes longer than a NAT remembers an idle connection."""
    return spread("SINGLE", root, [total], 1)


MAKERS = {"SMALL": small, "MIXED": mixed, "BIG": big, "HUGE": huge, "FLAT": flat}
# Only listed and planned: no run copies them.
LISTED = ("HUGE", "FLAT")


def arrived(tree, target):
    """How many of the source's files are in `target` under their final names."""
    count = 0
    for folder, _, names in os.walk(target):
        here = os.path.relpath(folder, target)
        count += sum(1 for name in names if os.path.exists(os.path.join(tree.root, here, name)))
    return count


def compare(tree, target):
    """What is wrong with the copy in `target`, in words: `equal` when it has the source's bytes, all of them and no
    others. Times are looked at to the second and only said, since not every tool keeps them."""
    missing = differing = other_times = 0
    for folder, _, names in os.walk(tree.root):
        below = pathlib.Path(target, os.path.relpath(folder, tree.root))
        for name in names:
            source, copy = pathlib.Path(folder, name), below / name
            if not copy.is_file():
                missing += 1
            elif not filecmp.cmp(source, copy, shallow=False):
                differing += 1
            elif int(source.stat().st_mtime) != int(copy.stat().st_mtime):
                other_times += 1
    foreign = sum(1 for _ in strangers(tree, target))
    wrong = [f"{n} {what}" for n, what in ((missing, "missing"), (differing, "DIFFER"), (foreign, "foreign")) if n]
    if wrong:
        return ", ".join(wrong)
    return f"equal ({other_times} times differ)" if other_times else "equal"


def strangers(tree, target):
    """Files of the copy that the source does not have."""
    for folder, folders, names in os.walk(target):
        folders[:] = [name for name in folders if not name.startswith(OWN_NAMES)]
        here = os.path.relpath(folder, target)
        for name in names:
            if not name.startswith(OWN_NAMES) and not os.path.exists(os.path.join(tree.root, here, name)):
                yield os.path.join(here, name)
