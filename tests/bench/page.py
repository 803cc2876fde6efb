"""The page: one file without anything from elsewhere, for light and dark, for a desk and a phone."""

import html
import itertools

import links
import report
import verdicts
from targets import AT_MOST

STYLE = """
:root { color-scheme: light dark; --back: #fdfdfc; --text: #1c2024; --soft: #5c656e; --line: #d9dde1; --ours: #0b6e99;
  --bar: #e4e8eb; --our-bar: #cfe3ec; --good: #1a7f37; --bad: #b42318; --stripe: #f4f6f6; }
@media (prefers-color-scheme: dark) { :root { --back: #15181b; --text: #e6e9ec; --soft: #9aa4ae; --line: #30363d;
  --ours: #6fc3e6; --bar: #2a3036; --our-bar: #21404d; --good: #57c278; --bad: #ff8f85; --stripe: #1b1f23; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1rem 4rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .25rem; } h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, ul { margin: .25rem 0; max-width: 48rem; } ul { padding-left: 1.2rem; }
.soft { color: var(--soft); font-weight: 400; } .small { font-size: .875rem; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.sum { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0; }
.sum div { font-size: .875rem; color: var(--soft); } .sum b { display: block; font-size: 1.5rem; color: var(--text); }
details { margin: .75rem 0; } summary { cursor: pointer; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 500; } .word { text-align: left; }
td.says { text-align: left; white-space: normal; min-width: 11rem; }
tr.ours td { color: var(--ours); font-weight: 600; } tr.ours td.bad { color: var(--bad); }
tr.turn td { border-top: 2px solid var(--line); }
td.bar { min-width: 8rem; background: linear-gradient(to right, var(--bar) var(--share), transparent var(--share)); }
tr.ours td.bar { background: linear-gradient(to right, var(--our-bar) var(--share), transparent var(--share)); }
.why { display: block; color: var(--soft); font-weight: 400; }
@media (max-width: 44rem) { .cards th { display: none; } .cards tr { display: block; padding: .6rem 0;
  border-bottom: 1px solid var(--line); } .cards td { display: block; text-align: left; border: 0; padding: .1rem 0; }
  .cards td[data-is]::before { content: attr(data-is) " "; color: var(--soft); font-weight: 400; } }
"""


def text(value):
    return html.escape(str(value))


def write(path, result):
    """Writes the page for a result as it is in the JSON file."""
    parts = [head(result), *targets(result), *fault_table(result), *figures(result), *method(result)]
    path.write_text(
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'><title>Causeway's benchmark</title>"
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def head(result):
    machine = result["machine"]
    shrunk = ""
    if result["scale"] != 1:
        shrunk = f"<p class=bad>The trees are shrunk to {text(result['scale'])} of their size: no target is judged.</p>"
    killed = f"<p>{text(result['killed']['sentence'])}.</p>" if result.get("killed") else ""
    turns = "one tool after the other" if not result.get("faults") else "each tool in a lab of its own"
    took = f", in {result['minutes']:.0f} minutes" if result.get("minutes") else ""
    return (
        f"<h1>Mirroring an FTP tree</h1><p>{text(result['when'])}{took}, on {text(machine['cpus'])} processors, "
        f"{text(machine['memory_gib'])} GiB, Linux {text(machine['kernel'])}. Server: vsftpd. All in one run, {turns}. "
        f"Every copy was compared with its source, byte by byte.</p>{shrunk}{killed}<div class=sum>"
        + "".join(f"<div><b>{text(figure)}</b>{text(what)}</div>" for figure, what in summary(result)) + "</div>"
    )


def summary(result):
    """The figures that one looks for first."""
    states = [one["state"] for one in result["targets"]]
    met, missed = states.count("met"), sum(1 for state in states if state.startswith("missed"))
    if met or missed:
        yield f"{met} of {met + missed}", "targets met"
    if left := states.count("not measured"):
        yield left, "targets not measured here"
    for tool, good, count in verdicts.scores(result["faults"]) if result.get("faults") else ():
        if count:
            yield f"{good} of {count}", f"faults that {tool} came through"


def method(result):
    """How it was measured, and which figures were not measured to their end."""
    yield "<h2>How it was measured</h2><ul class=small>"
    for size in result["sizes"].values():
        yield f"<li>{text(size['text'])}</li>"
    yield from (f"<li>{text(tool)}: {text(said)}</li>" for tool, said in result["tools"].items())
    if result["rows"]:
        yield from (f"<li>{text(note)}</li>" for note in (*result["notes"], *report.NOTES))
    for cipher, seconds in result.get("ciphers", {}).items():
        yield (f"<li>{text(cipher)} alone: {seconds:.3f} CPU seconds to decrypt a GiB in records of 16 KiB "
               "(openssl speed, in this run)</li>")
    yield "</ul>"
    for heading, cells in report.unfinished(result["rows"]):
        yield f"<details><summary>{text(heading)}: {len(cells)}</summary><ul class=small>"
        yield from (f"<li>{text(cell)}</li>" for cell in cells)
        yield "</ul></details>"


def targets(result):
    if not result["targets"]:
        return
    yield "<h2>Targets</h2><div class=wide><table class=cards><tr><th class=word>what</th><th class=word>where</th>"
    yield "<th>target</th><th>measured</th><th class=word>state</th></tr>"
    for one in sorted(result["targets"], key=lambda one: one["state"] == "not measured"):
        style = "bad" if one["state"].startswith("missed") else "good" if one["state"] == "met" else "soft"
        yield (
            f"<tr><td class=says>{text(one['text'])}</td><td class=word>{text(one['tree'])}, {text(one['link'])}</td>"
            f"<td data-is=target>{sign(one)} {value(one, one['value'])}</td>"
            f"<td data-is=measured>{value(one, one['measured'])}</td>"
            f"<td class='says {style}'>{text(one['state'])}{why(one)}</td></tr>"
        )
    yield "</table></div>"


def sign(target):
    return "≤" if target["metric"] in AT_MOST else "≥"


def why(target):
    """Of a target that is missed: why, and what to try next."""
    if not target["state"].startswith("missed"):
        return ""
    reason = target["reason"] or "No reason is written yet: its place is in tests/bench/targets.py."
    idea = f"<span class=why>Next: {text(target['idea'])}</span>" if target["idea"] else ""
    return f"<span class=why>{text(reason)}</span>{idea}"


def value(target, number):
    if number is None:
        return "–"
    if target["metric"] == "memory":
        return f"{number / 2**20:.0f} MiB"
    return f"{100 * number:.1f} %" if target["metric"] in ("of_link", "flows") else f"{number:.2f} ×"


def figures(result):
    for (tree, link), phases in itertools.groupby(result["rows"], lambda row: (row["tree"], row["link"])):
        yield f"<h2>{text(tree)}, {text(links.LINKS[link].describe())}</h2>"
        for phase, rows in itertools.groupby(phases, lambda row: row["phase"]):
            yield from figure(phase, list(rows))


def figure(phase, rows):
    """The rows of one tree, link and phase, with a bar for the time."""
    slowest = max(row["measured"]["seconds"] for row in rows)
    yield f"<h3>{text(report.PHASES[phase])}</h3>"
    yield "<div class=wide><table><tr>"
    for key, name in report.COLUMNS.items():
        yield f"<th{' class=word' if key in ('tool', 'copy') else ''}>{text(name)}</th>"
    yield "</tr>"
    for _, turn in itertools.groupby(rows, lambda row: row["connections"]):
        yield from (line(row, slowest, place == 0) for place, row in enumerate(turn))
    yield "</table></div>"


def line(row, slowest, first):
    cells = []
    for key in report.COLUMNS:
        if key == "seconds":
            share = 100 * row["measured"]["seconds"] / slowest
            cells.append(f"<td class=bar style='--share: {share:.1f}%'>{text(row[key])}</td>")
        elif key == "copy":
            said = row[key]
            fine = not said or said.startswith("equal") and "exit" not in said
            style = "" if fine else " soft" if row["measured"]["cut"] else " bad"
            cells.append(f"<td class='says{style}'>{text(said)}</td>")
        else:
            cells.append(f"<td{' class=word' if key == 'tool' else ''}>{text(row[key])}</td>")
    style = " ".join(["ours"] * (row["tool"] == "causeway") + ["turn"] * first)
    return f"<tr class='{style}'>{''.join(cells)}</tr>"


def fault_table(result):
    rows = result.get("faults")
    if not rows:
        return
    tools = list(rows[0]["tools"])
    yield "<h2>Faults</h2><p class=soft>20 ms RTT, 8 Mbit/s (6 Mbit/s for the long file). A tool comes through when it "
    yield "ends with an equal copy and exit status 0 within its time without the fault, the fault's own time and "
    yield f"{verdicts.GRACE} s.</p><div class=wide><table class=cards><tr><th class=word>fault</th>"
    yield from (f"<th class=word>{text(tool)}</th>" for tool in tools)
    yield "</tr>"
    for row in rows:
        yield f"<tr><td class=says><b>{text(row['fault'])}</b></td>"
        yield from (struck(tool, row["tools"][tool]) for tool in tools)
        yield "</tr>"
    yield "<tr><td class=says><b>came through</b></td>"
    yield from (f"<td class=word data-is='{text(tool)}'><b>{good} of {count}</b></td>"
                for tool, good, count in verdicts.scores(rows))
    yield "</tr></table></div><ul class='small soft'>"
    yield from (f"<li>{text(word)}: {text(meaning)}</li>" for word, meaning in verdicts.VERDICTS.items())
    yield "</ul>"


def struck(tool, cell):
    """One tool's end of one fault."""
    style = "good" if verdicts.is_good(cell) else "bad"
    bound = f" of {cell['bound']:.0f} s" if cell["bound"] is not None else ""
    hits = f"; connections hit: {cell['hits']}" if cell["hits"] else ""
    return (f"<td class='says {style}' data-is='{text(tool)}'>{text(cell['verdict'])} "
            f"<span class=soft>{cell['seconds']:.0f}{bound}</span>"
            f"<span class='why small'>{text(cell['state'])}{text(hits)}</span></td>")
