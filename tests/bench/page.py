"""The page: one file without anything from elsewhere, for light and dark, for a desk and a phone."""

import html
import itertools

import faults
import links
import report

STYLE = """
:root { color-scheme: light dark; --back: #fdfdfc; --text: #1c2024; --soft: #5c656e; --line: #d9dde1; --ours: #0b6e99;
  --bar: #cfe3ec; --good: #1a7f37; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --back: #15181b; --text: #e6e9ec; --soft: #9aa4ae; --line: #30363d;
  --ours: #6fc3e6; --bar: #21404d; --good: #57c278; --bad: #ff8f85; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, dd { margin: .25rem 0; } .soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; } .word { text-align: left; }
td.says { text-align: left; white-space: normal; min-width: 12rem; }
tr.ours td { color: var(--ours); font-weight: 600; }
td.bar { min-width: 8rem; background: linear-gradient(to right, var(--bar) var(--share), transparent var(--share)); }
.soft { font-weight: 400; }
@media (max-width: 40rem) { .targets th { display: none; } .targets tr { display: block; padding: .6rem 0;
  border-bottom: 1px solid var(--line); } .targets td { display: block; text-align: left; border: 0; padding: .1rem 0; }
  .targets td[data-is]::before { content: attr(data-is) " "; color: var(--soft); } }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
"""


def text(value):
    return html.escape(str(value))


def write(path, result):
    """Writes the page for a result as it is in the JSON file."""
    parts = [head(result), *targets(result), *figures(result), *fault_table(result)]
    path.write_text(
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'><title>Causeway's benchmark</title>"
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def head(result):
    machine = result["machine"]
    tools = "; ".join(f"{tool}: {said}" for tool, said in result["tools"].items())
    trees = "".join(f"<p class=soft>{text(size['text'])}</p>" for size in result["sizes"].values())
    shrunk = ""
    if result["scale"] != 1:
        shrunk = f"<p class=bad>The trees are shrunk to {result['scale']} of their size.</p>"
    killed = f"<p>{text(result['killed']['sentence'])}</p>" if result.get("killed") else ""
    return (
        f"<h1>Mirroring an FTP tree</h1><p>{text(result['when'])}, {text(machine['cpus'])} processors, "
        f"{text(machine['memory_gib'])} GiB, Linux {text(machine['kernel'])}. Server: vsftpd. Medians of "
        f"{text(result['repeat'])}; all in one run, in turn. ~ is projected from the steady rate of a run that was cut "
        f"at {text(result['limit'])} s. Every copy was compared with its source byte by byte.</p>"
        f"<p class=soft>{text(tools)}</p>{trees}{shrunk}{killed}"
    )


def targets(result):
    if not result["targets"]:
        return
    yield "<h2>Targets</h2><div class=wide><table class=targets><tr><th class=word>what</th><th class=word>where</th>"
    yield "<th>target</th><th>measured</th><th class=word>state</th></tr>"
    for one in result["targets"]:
        missed = one["state"].startswith("missed")
        style = "bad" if missed else "good" if one["state"] == "met" else "soft"
        reason = ""
        if missed:
            reason = one["reason"] or "No reason is written yet: its place is in tests/bench/targets.py."
            reason = f"<br><span class=soft>{text(reason)}</span>"
        yield (
            f"<tr><td class=says>{text(one['text'])}</td><td class=word>{text(one['tree'])}, {text(one['link'])}</td>"
            f"<td data-is=target>{value(one, one['value'])}</td><td data-is=measured>{value(one, one['measured'])}</td>"
            f"<td class='says {style}'>{text(one['state'])}{reason}</td></tr>"
        )
    yield "</table></div>"


def value(target, number):
    if number is None:
        return "–"
    if target["metric"] == "memory":
        return f"{number / 2**20:.0f} MiB"
    return f"{100 * number:.1f} %" if target["metric"] == "of_link" else f"{number:.2f} ×"


def figures(result):
    def group(row):
        return row["tree"], row["link"], row["phase"]

    for (tree, link, phase), rows in itertools.groupby(result["rows"], group):
        rows = list(rows)
        slowest = max(row["measured"]["seconds"] for row in rows)
        yield f"<h2>{text(tree)}, {text(links.LINKS[link].describe())}</h2><h3>{text(report.PHASES[phase])}</h3>"
        yield "<div class=wide><table><tr>"
        for key, name in report.COLUMNS.items():
            yield f"<th{' class=word' if key in ('tool', 'copy') else ''}>{text(name)}</th>"
        yield "</tr>"
        yield from (line(row, slowest) for row in rows)
        yield "</table></div>"


def line(row, slowest):
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
    return f"<tr{' class=ours' if row['tool'] == 'causeway' else ''}>{''.join(cells)}</tr>"


def fault_table(result):
    rows = result.get("faults")
    if not rows:
        return
    tools = list(rows[0]["tools"])
    yield "<h2>Faults</h2><p class=soft>20 ms RTT, 8 Mbit/s. Ours is given its clean time, the fault's own and 60 s; "
    yield f"the peers {text(result['limit'])} s.</p><div class=wide><table><tr><th class=word>fault</th>"
    yield from (f"<th class=word>{text(tool)}</th>" for tool in tools)
    yield "</tr>"
    for row in rows:
        yield f"<tr><td class=says>{text(row['fault'])}</td>"
        for tool in tools:
            cell = row["tools"][tool]
            yield f"<td class='says {'good' if faults.is_good(cell) else 'bad'}'>{text(cell['state'])}</td>"
        yield "</tr>"
    yield "<tr><td class=says>came through</td>"
    yield from (f"<td class=word>{good} of {count}</td>" for _, good, count in faults.scores(rows))
    yield "</tr></table></div>"
