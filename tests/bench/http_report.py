"""The table of the HTTP benchmark, on the terminal and as a page: medians, and ratios to nginx."""

import statistics

import copies
import http_cells
import page
import promises

REFERENCE = "nginx"
# What is told of a run beside its rate and CPU: key, name, divisor, unit.
FIGURES = (("seconds", "time", 1, "s"), ("ttfb", "first byte", 1e-3, "ms"), ("memory", "memory", 1024, "KiB"),
           ("failed", "failed", 1, ""))
COLUMNS = ("link", "what", "server", "rate", "to nginx's", "server CPU", "to nginx's",
           *(name for _, name, _, _ in FIGURES), "copy")
WHATS = {
    "get-h1-clear": "one file of 2 GiB, HTTP/1.1 in the clear", "get-h1": "one file of 2 GiB, HTTP/1.1 over TLS",
    "get-h2": "one file of 2 GiB, HTTP/2 over TLS", "get-h3": "one file of 2 GiB, HTTP/3",
    "small-h1": "10,000 files of 4 KiB, 32 connections, HTTP/1.1",
    "small-1": "10,000 files of 4 KiB, one stream", "small-32": "32 streams of one connection",
    "small-100": "100 streams of one connection", "put-h1": "one file of 2 GiB, HTTP/1.1",
    "put-h2": "one file of 2 GiB, HTTP/2", "put-h2-disk": "the same onto the disk",
    "put-small-h1": "5,000 files of 4 KiB, one after the other, HTTP/1.1",
    "put-small-32": "5,000 files of 4 KiB, 32 streams of one connection",
    "put-small-32-disk": "the same onto the disk", "propfind-10k": "PROPFIND of 10,000 entries, Depth 1",
    "propfind-100k": "PROPFIND of 100,000 entries, Depth 1",
    "crowd": "2,000 HTTP/2 connections with 4 streams each, each a file of 1 MiB; memory is that of one connection",
    "idle": "2,000 TLS connections after one answer; memory is that of one",
}
# What limits what was measured, for the page.
LIMITS = (
    "Client and server share the processors. The server's CPU seconds are the steadier figure.",
    "All TLS is 1.3 with AES-128-GCM and a certificate of a P-256 key. Only Causeway and nginx-login ask for a "
    "password, with every request. No server writes an access log; Causeway records every upload.",
    "What is got lies on the disk and in the page cache; what is put goes into memory, or, where it says so, onto the "
    "disk. Causeway syncs every file before it says that it has it, the others do not.",
    "A big file is got twice: once it is kept and compared, and once, which is what is timed, thrown away. Small files "
    "are got once by curl and compared, and then by h2load, which counts their bytes.",
    "Causeway serves nothing in the clear, so the cell get-h1-clear has no figure of it. Caddy takes no uploads and "
    "answers no PROPFIND; rclone has no HTTP/2.",
    "Debian's nginx and Apache have no HTTP/3, so there is no ratio to nginx: the other server is Caddy. The client is "
    "curl with ngtcp2 (curl_cffi), which takes more of the processors than the curl that asks over TCP.",
    "Where a hundredth of the small files shows that all of them would take longer than the limit, the rate is that of "
    "the hundredth: projected.",
    "Memory is what the server's processes have of their own more than before, without the kernel's sockets.",
    "Over links with a delay a big file is one of 256 MiB, and 500 small files are put.",
)


def rows(runs):
    """One dictionary for each cell of `runs`: (link, what, server) → list of measurements."""
    found = []
    for cell, done in runs.items():
        good = [one for one in done if copies.is_good(one)]
        bad = next((one for one in done if one not in good), None)
        row = dict(zip(("link", "what", "server"), cell, strict=True))
        for key in ("rate", "cpu", "client_cpu", *(key for key, *_ in FIGURES)):
            # Those of a run that failed count as what failed.
            values = [one[key] for one in (done if key == "failed" else good) if one.get(key) is not None]
            row[key] = (max if key == "failed" else statistics.median)(values) if values else None
        row["state"] = copies.word(bad or max(done, key=lambda one: one.get("projected", False)))
        found.append({**row, "runs": done})
    for row in found:
        other = next((one for one in found if one["server"] == REFERENCE
                      and (one["link"], one["what"]) == (row["link"], row["what"])), {})
        for key in ("rate", "cpu"):
            has_both = row[key] is not None and other.get(key)
            row[f"{key}_ratio"] = row[key] / other[key] if has_both else None
    return found


def number(value, divisor=1, unit=""):
    if value is None:
        return "–"
    value /= divisor
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def cells(row):
    cell = http_cells.CELLS[row["what"]]
    return [row["link"], row["what"], row["server"], number(row["rate"], 1, cell.rate), number(row["rate_ratio"]),
            number(row["cpu"], cell.cpu_divisor, cell.cpu), number(row["cpu_ratio"]),
            *(number(row[key], divisor, unit) for key, _, divisor, unit in FIGURES), row["state"]]


def lines(result):
    table = [COLUMNS, *(cells(row) for row in result["rows"])]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS))]
    for line in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def table(rows):
    text = page.text
    last = None
    for row in rows:
        here = (row["link"], row["what"])
        if here != last:
            if last:
                yield "</table></div>"
            about = WHATS[row["what"]]
            yield f"<h2>{text(row['what'])}, {text(row['link'])}</h2><p class=soft>{text(about)}</p>"
            yield "<div class=wide><table><tr>" + "".join(f"<th>{text(name)}</th>" for name in COLUMNS[2:]) + "</tr>"
            last = here
        style = " class=ours" if row["server"] == "causeway" else ""
        yield f"<tr{style}>" + "".join(f"<td>{text(cell)}</td>" for cell in cells(row)[2:]) + "</tr>"
    if last:
        yield "</table></div>"


def write(path, result):
    text = page.text
    body = [f"<h1>HTTP servers</h1><p>{text(result['when'])}, on {text(result['machine']['cpus'])} processors, Linux "
            f"{text(result['machine']['kernel'])}. Every copy was compared with its source, byte by byte.</p>"]
    if result["scale"] != 1:
        body.append(f"<p class=bad>Files and their number are shrunk to {text(result['scale'])}.</p>")
    body += promises.table(result["targets"], "tests/bench/http_targets.py")
    body += [*table(result["rows"]), "<h2>How it was measured</h2><ul class=small>"]
    body += [f"<li>{text(sentence)}</li>" for sentence in (*LIMITS, *result["links"].values())]
    body += [f"<li>{text(name)}: {text(said)}</li>" for name, said in result["versions"].items()]
    path.write_text(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width, "
        f"initial-scale=1'><title>HTTP benchmark</title><style>{page.STYLE}</style></head><body>{''.join(body)}</ul>"
        "</body></html>\n"
    )
