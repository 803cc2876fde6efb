"""The table of the SFTP benchmark, on the terminal and as a page: medians, and ratios to OpenSSH's server."""

import statistics

import copies
import links
import page
import promises
import sftp_sessions

REFERENCE = "openssh"
COLUMNS = ("link", "what", "client", "server", "MiB/s or files/s", "to OpenSSH's", "server CPU", "to OpenSSH's",
           "client CPU", "copy")
# What is told of sessions: key, name, divisor, unit.
FIGURES = (
    ("login", "login, median", 1e-3, "ms"), ("login_cpu", "server CPU of a login", 1e-3, "ms"),
    ("client_cpu", "client CPU of a login", 1e-3, "ms"), ("sessions", "sessions", 1, ""),
    ("refused", "refused", 1, ""), ("memory", "memory of a session", 1024, "KiB"),
    ("idle_cpu", f"CPU in {sftp_sessions.QUIET} s, idle", 1e-3, "ms"), ("moving", "moving data", 1, ""),
    ("moved", "moved by all", 1 << 20, "MiB/s"), ("least", "by the slowest", 1 << 20, "MiB/s"),
    ("broken", "broken off", 1, ""), ("stat_p50", "STAT, p50", 1e-3, "ms"), ("stat_p99", "STAT, p99", 1e-3, "ms"),
)
# What limits what was measured, for the page.
LIMITS = (
    "The client of logins and sessions is asyncssh for all servers. Its own CPU is a part of the time of a login, and "
    "is the floor below which no server comes; all of it shares the processors with the server.",
    f"The load is {sftp_sessions.PROCESSES} processes of it, which read as fast as Python decrypts: they and not the "
    "server are the limit of what is moved. The STAT is timed in a process of its own with a higher priority.",
    "Memory is what processes have of their own (Pss_Anon and Pss_Shmem of smaps_rollup), without the kernel's "
    "sockets, and without the server as it was after one login.",
    "causeway as a client takes the cipher that it prefers, the others the one above.",
    "A run over a link that is cut at its limit is projected at the rate of the last two thirds of that time: files in "
    "place, or bytes on the link of the big file. Its copy is not compared.",
)


def rows(runs):
    """One dictionary for each cell of `runs`: (link, what, client, server) → list of measurements."""
    found = []
    for cell, done in runs.items():
        good = [one for one in done if copies.is_good(one)]
        bad = next((one for one in done if one not in good), None)
        found.append({
            **dict(zip(("link", "what", "client", "server"), cell, strict=True)),
            "rate": statistics.median(one["rate"] for one in good) if good else None,
            "cpu": statistics.median(one["server_cpu"] for one in good) if good else None,
            "client_cpu": statistics.median(one["client_cpu"] for one in good) if good else None,
            "state": copies.word(bad or max(done, key=lambda one: one.get("projected", False))),
            "runs": done,
        })
    for row in found:
        same = [one for one in found if one["server"] == REFERENCE and all(one[key] == row[key] for key in
                ("link", "what", "client"))]
        for key in ("rate", "cpu"):
            other = same[0][key] if same else None
            row[f"{key}_ratio"] = row[key] / other if row[key] is not None and other else None
    return found


def sessions(told):
    """One dictionary for each part and server: medians of its figures, and why there are none."""
    found = []
    for (part, server), runs in told.items():
        figures = {key: statistics.median(values) for key, *_ in FIGURES
                   if (values := [run[key] for run in runs if key in run])}
        failed = [words for run in runs for words in run.get("failed", ())]
        found.append({"part": part, "server": server, **figures, "failed": failed, "runs": runs})
    return found


def shown(row):
    """Name and value with its unit of each figure that a row has."""
    return [(name, f"{row[key] / divisor:,.{0 if unit == '' else 1}f} {unit}".rstrip())
            for key, name, divisor, unit in FIGURES if key in row]


def in_words(row):
    return "; ".join([*(f"{name} {value}" for name, value in shown(row)), *row.get("failed", ())])


def cells(row):
    shown = ["–" if row[key] is None else f"{row[key]:,.2f}" for key in ("rate", "rate_ratio", "cpu", "cpu_ratio",
                                                                                 "client_cpu")]
    return [row["link"], row["what"], row["client"], row["server"], *shown, row["state"]]


def lines(result):
    for table in (result["rows"], result["ciphers"]):
        if table:
            yield "  ".join(name.ljust(16) for name in COLUMNS)
        for row in table:
            yield "  ".join(cell.ljust(16) for cell in cells(row)).rstrip()
    for row in result["sessions"]:
        yield f"{row['part']:9} {row['server']:9} {in_words(row)}"


def table(heading, rows):
    if not rows:
        return
    text = page.text
    yield f"<h2>{text(heading)}</h2><div class=wide><table><tr>"
    yield "".join(f"<th>{text(name)}</th>" for name in COLUMNS) + "</tr>"
    for row in rows:
        style = " class=ours" if "causeway" in (row["server"], row["client"]) else ""
        yield f"<tr{style}>" + "".join(f"<td>{text(cell)}</td>" for cell in cells(row)) + "</tr>"
    yield "</table></div>"


def session_table(rows):
    if not rows:
        return
    text = page.text
    yield "<h2>Sessions</h2><div class=wide><table><tr><th>part</th><th>server</th><th class=word>figures</th></tr>"
    for row in rows:
        style = " class=ours" if row["server"] == "causeway" else ""
        yield (f"<tr{style}><td>{text(row['part'])}</td><td>{text(row['server'])}</td>"
               f"<td class=says>{text(in_words(row))}</td></tr>")
    yield "</table></div>"


def write(path, result):
    text = page.text
    body = [f"<h1>SFTP servers</h1><p>{text(result['when'])}, on {text(result['machine']['cpus'])} processors, "
            f"{text(result['cipher'])}. Server CPU is in seconds: for a GiB of one big file, for all of many small "
            "ones. Everything lies in memory.</p>"]
    if result["scale"] != 1:
        body.append(f"<p class=bad>The files are shrunk to {text(result['scale'])} of their size.</p>")
    body += promises.table(result["targets"], "tests/bench/sftp_targets.py")
    body += [*table("All cells", result["rows"]), *table("Ciphers", result["ciphers"])]
    body += [*session_table(result["sessions"]), "<ul class=small>"]
    body += [f"<li>{text(sentence)}</li>" for sentence in LIMITS]
    body += [f"<li>{text(name)}: {text(links.LINKS[name].describe())}</li>" for name in result["links"]]
    body.append("</ul>")
    path.write_text(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width, "
        f"initial-scale=1'><title>SFTP benchmark</title><style>{page.STYLE}</style></head><body>{''.join(body)}"
        "</body></html>\n"
    )
