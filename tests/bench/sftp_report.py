"""The table of the SFTP benchmark, on the terminal and as a page: medians, and ratios to OpenSSH's server."""

import statistics

import links
import page

REFERENCE = "openssh"
COLUMNS = ("link", "what", "client", "server", "MiB/s or files/s", "to OpenSSH's", "server CPU", "to OpenSSH's", "copy")


def rows(runs):
    """One dictionary for each cell of `runs`: (link, what, client, server) → list of measurements."""
    found = []
    for cell, done in runs.items():
        good = [one for one in done if one["exit"] == 0 and one["copy"].startswith("equal")]
        bad = next((one for one in done if one not in good), None)
        found.append({
            **dict(zip(("link", "what", "client", "server"), cell, strict=True)),
            "rate": statistics.median(one["rate"] for one in good) if good else None,
            "cpu": statistics.median(one["server_cpu"] for one in good) if good else None,
            "state": "equal" if bad is None else "cut" if bad["cut"] else f"exit {bad['exit']}, {bad['copy']}",
            "runs": done,
        })
    for row in found:
        same = [one for one in found if one["server"] == REFERENCE and all(one[key] == row[key] for key in
                ("link", "what", "client"))]
        for key in ("rate", "cpu"):
            other = same[0][key] if same else None
            row[f"{key}_ratio"] = row[key] / other if row[key] is not None and other else None
    return found


def cells(row):
    shown = ["–" if row[key] is None else f"{row[key]:,.2f}" for key in ("rate", "rate_ratio", "cpu", "cpu_ratio")]
    return [row["link"], row["what"], row["client"], row["server"], *shown, row["state"]]


def lines(table):
    yield "  ".join(name.ljust(16) for name in COLUMNS)
    for row in table:
        yield "  ".join(cell.ljust(16) for cell in cells(row)).rstrip()


def targets(judged):
    """Rows of the page: what was promised, and what came of it."""
    text = page.text
    yield "<h2>Targets</h2><div class=wide><table class=cards><tr><th class=word>what</th><th class=word>where</th>"
    yield "<th>target</th><th>measured</th><th class=word>state</th></tr>"
    for one in sorted(judged, key=lambda one: one["state"] == "not measured"):
        missed = one["state"].startswith("missed")
        style = "bad" if missed else "good" if one["state"] == "met" else "soft"
        why = ""
        if missed:
            reason = one["reason"] or "No reason is written yet: its place is in tests/bench/sftp_targets.py."
            why = f"<span class=why>{text(reason)}</span>"
            why += f"<span class=why>Next: {text(one['idea'])}</span>" if one["idea"] else ""
        figure = "–" if one["measured"] is None else f"{one['measured']:.2f} ×"
        yield (f"<tr><td class=says>{text(one['text'])}</td><td class=word>{text(one['link'])}, {text(one['what'])}, "
               f"{text(one['client'])}</td><td data-is=target>{'≤' if one['metric'] == 'cpu' else '≥'} "
               f"{one['value']:.2f} ×</td><td data-is=measured>{figure}</td>"
               f"<td class='says {style}'>{text(one['state'])}{why}</td></tr>")
    yield "</table></div><h2>All cells</h2>"


def write(path, result):
    text = page.text
    body = [f"<h1>SFTP servers</h1><p>{text(result['when'])}, on {text(result['machine']['cpus'])} processors, "
            f"{text(result['cipher'])}. Server CPU is in seconds: for a GiB of one big file, for all of many small "
            "ones. Everything lies in memory.</p>"]
    if result["scale"] != 1:
        body.append(f"<p class=bad>The files are shrunk to {text(result['scale'])} of their size.</p>")
    body += targets(result["targets"])
    body.append("<div class=wide><table><tr>" + "".join(f"<th>{text(name)}</th>" for name in COLUMNS) + "</tr>")
    for row in result["rows"]:
        style = " class=ours" if row["server"] == "causeway" else ""
        body.append(f"<tr{style}>" + "".join(f"<td>{text(cell)}</td>" for cell in cells(row)) + "</tr>")
    body.append("</table></div><ul class=small>")
    body += [f"<li>{text(name)}: {text(links.LINKS[name].describe())}</li>" for name in result["links"]]
    body.append("</ul>")
    path.write_text(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width, "
        f"initial-scale=1'><title>SFTP benchmark</title><style>{page.STYLE}</style></head><body>{''.join(body)}"
        "</body></html>\n"
    )
