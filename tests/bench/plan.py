"""What is measured: which trees over which links, with which connections and tools, how often and for how long at most.

Every run has a limit, so the whole of it ends."""

import dataclasses
import itertools

import links
import tools
import trees

# Which links say something new about a tree. A listing does not become more expensive by the million when the link is
# longer, and encryption costs by the byte.
LINKS = {
    "SMALL": ("loopback", "rtt20", "rtt20passive", "rtt80loss", "rtt80losspassive"),
    "MIXED": ("loopback", "rtt20", "rtt80loss"),
    "BIG": ("loopback", "loopbacktls", "rtt20", "rtt80loss"),
    "HUGE": ("loopback",),
    "FLAT": ("loopback",),
}
# lftp and rclone never ask a server to connect to them unless told to: where it may not, only we do something else.
# lftp is there because the target is about it.
PASSIVE_TOOLS = ("causeway", "lftp")
# Seconds that are allowed to a run on the loopback interface, where nothing is projected: times the limit.
UNHURRIED = 5
# Seconds that are allowed for a million entries: who needs many minutes shall be seen to need them.
LISTING = 600


@dataclasses.dataclass(frozen=True)
class Effort:
    """How thorough."""

    connections: tuple
    # With these a million entries are listed.
    listing: tuple
    # Runs of each cell, whose median counts.
    repeat: int
    # Seconds after which a run is cut.
    limit: float


FULL = Effort((1, 4, 8, 16, None), (8, None), 3, 60)
QUICK = Effort((4, 16, None), (8, None), 1, 30)


@dataclasses.dataclass(frozen=True)
class Stretch:
    """What runs in turn over one tree and one link."""

    tree: str
    link: str
    connections: tuple
    tools: tuple
    repeat: int
    limit: float

    def cells(self):
        """Number of connections and tool, in the order in which they run."""
        dry = self.tree in trees.LISTED
        pairs = itertools.product(self.connections, self.tools)
        return [(number, tool) for number, tool in pairs if tools.can(tool, number, dry)]

    def seconds(self, connections, tool):
        """The limit of one run. What waits for round trips has a steady rate, from which the rest is projected; not
        so on the loopback interface, and not while causeway is still finding its number of connections."""
        if self.tree in trees.LISTED:
            return LISTING
        settled = links.LINKS[self.link].rtt and not (tool == "causeway" and connections is None)
        return self.limit if settled else UNHURRIED * self.limit

    def worst(self):
        """Seconds that the runs take when each is cut; what is prepared and compared between them comes on top."""
        phases = 1 if self.tree in trees.LISTED else 2
        return phases * self.repeat * sum(self.seconds(*cell) for cell in self.cells())


def stretches(effort, chosen_trees, chosen_links=None, chosen_tools=tools.NAMES):
    """The plan. Links that are named are taken at the word; without names each tree has those that say something."""
    return [
        stretch(effort, tree, link, tuple(chosen_tools) if chosen_links else telling(link, chosen_tools))
        for tree in chosen_trees
        for link in chosen_links or LINKS[tree]
    ]


def stretch(effort, tree, link, chosen_tools):
    if tree in trees.LISTED:
        return Stretch(tree, link, effort.listing, chosen_tools, 1, effort.limit)
    return Stretch(tree, link, effort.connections, chosen_tools, effort.repeat, effort.limit)


def telling(link, chosen_tools):
    """The tools whose runs over this link say something new."""
    return tuple(tool for tool in chosen_tools if not links.LINKS[link].passive or tool in PASSIVE_TOOLS)


def lines(plan):
    """The plan for people, the sum last."""
    said = []
    for one in plan:
        numbers = ", ".join("default" if number is None else str(number) for number in one.connections)
        said.append(f"{one.tree:5}  {one.link:16}  {numbers:21}  {', '.join(one.tools):28}  {one.repeat} × "
                    f"{len(one.cells()):2} cells, at most {span(one.worst())}")
    count = sum(one.repeat * len(one.cells()) for one in plan)
    most = span(sum(map(Stretch.worst, plan)))
    said.append(f"{count} copies, with a look for changes: at most {most} if every run is cut, and what lies between")
    return said


def span(seconds):
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def in_words(plan):
    """What is cut, projected and left out, a sentence each."""
    return [" ".join(sentence.split()) for sentence in sentences(plan)]


def sentences(plan):
    limit = max(one.limit for one in plan)
    if any(links.LINKS[one.link].rtt for one in plan):
        yield (f"A first run over a link with a delay is cut after {limit:g} s and projected (~) at the rate of the "
               "last two thirds of that time: files in place, or bytes on the link where files are large. A run "
               "without a change is cut there too, and not projected (>).")
        yield ("What causeway does without flags is not cut there, since its rate is not steady while it finds its "
               f"number of connections, nor is anything on the loopback interface: both have {UNHURRIED * limit:g} s.")
        yield ("Where a peer was cut, its run without a change starts from a copy of the source made with its times; "
               "causeway completes its own, without the link's delay.")
    if any(links.LINKS[one.link].passive and "rclone" not in one.tools for one in plan):
        yield ("Where the server may not connect back, only causeway and lftp run: the peers ask it to nowhere, so "
               "that their rows of the same link without that rule hold here too.")
    if any(one.tree in trees.LISTED for one in plan):
        yield ("The million files are sparse and lie in memory; each tool lists and plans them once, within "
               f"{LISTING} s. wget has no such mode.")
    if any(None in one.connections for one in plan):
        yield "“default” is each tool without a flag. wget has one connection and no other choice."
