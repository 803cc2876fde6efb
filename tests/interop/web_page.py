"""The table as a page: one file without anything from elsewhere."""

import page
import web_columns
import web_known

STYLES = {web_columns.PASSES: "good", web_columns.CANNOT: "soft", web_columns.KNOWN: ""}
STATES = {
    "passes": "it does what is asked",
    "fails": "it does not, and with Causeway another server does",
    "fails at both": "neither Causeway nor any other server does",
    "known": "Causeway does not, for a reason that is written down",
    "cannot": "it was not tried, for a reason that is written below",
}


def write(path, result):
    text = page.text
    found, _ = web_columns.explained(result["done"], web_known.KNOWN)
    parts = [f"<h1>WebDAV clients and servers</h1><p>{text(result['when'])}, in one run.</p><ul class=small>"]
    parts += [f"<li>{text(state)}: {text(meaning)}</li>" for state, meaning in STATES.items()]
    parts.append("</ul>")
    for suite, results in result["done"].items():
        parts += section(suite, results, found[suite])
    parts.append("<h2>Programs</h2><ul class=small>")
    parts += [f"<li>{text(name)}: {text(said)}</li>" for name, said in result["programs"].items()]
    path.write_text(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width, "
        f"initial-scale=1'><title>WebDAV interoperability</title><style>{page.STYLE}</style></head><body>"
        f"{''.join(parts)}</ul></body></html>\n")


def section(suite, results, found):
    """The rows of one suite, and below them each case that does not pass somewhere."""
    text = page.text
    yield f"<h2>{text(suite)}</h2><div class=wide><table class=cards><tr><th class=word>operation</th>"
    yield from (f"<th class=word>{text(server)}</th>" for server in results)
    yield "</tr>"
    for row, cells in web_columns.rows(results, found).items():
        yield f"<tr><td class=says>{text(row)}</td>"
        yield from (f"<td class='says {style(cell)}' data-is='{text(server)}'>{text(cell)}</td>"
                    for server, cell in cells.items())
        yield "</tr>"
    yield "</table></div><details><summary>What does not pass</summary><ul class=small>"
    for server, there in results.items():
        for case, words in there.items():
            if web_columns.state(words) != web_columns.PASSES:
                why = found.get(case, (None, None, None))[2] if server == web_columns.OURS else None
                yield f"<li>{text(server)}, {text(case)}: {text(words)}{f' – {text(why)}' if why else ''}</li>"
    yield "</ul></details>"


def style(cell):
    return next((name for word, name in STYLES.items() if cell.startswith(word)), "bad" if cell else "soft")
