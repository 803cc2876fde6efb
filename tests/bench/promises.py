"""Judging targets: what is met, what is missed and by how much, and how the page shows it."""

import page


def state(target, figure, scale):
    """Shrunken files meet and miss nothing."""
    if figure is None:
        return "not measured"
    if scale != 1:
        return "shrunken files, not judged"
    at_most = target.at_most
    if figure <= target.value if at_most else figure >= target.value:
        return "met"
    if not target.value:
        return "missed"
    gap = figure / target.value - 1 if at_most else 1 - figure / target.value
    return f"missed by {100 * gap:.0f} %"


def lines(judged):
    """For the terminal, with the reason of what is missed."""
    for one in judged:
        if one["state"] == "not measured":
            continue
        sign = "≤" if one["at_most"] else "≥"
        yield (f"{one['state']:16} {one['text']} ({one['where']}): {figure(one, one['measured'])}, "
               f"{sign} {figure(one, one['value'])}")
        if one["state"].startswith("missed") and one["reason"]:
            yield f"{'':16}   since {one['reason']}" + (f"; next: {one['idea']}" if one["idea"] else "")


def table(judged, home):
    """Rows of the page: what was promised, and what came of it. Reasons have their place in the file `home`."""
    text = page.text
    yield "<h2>Targets</h2><div class=wide><table class=cards><tr><th class=word>what</th><th class=word>where</th>"
    yield "<th>target</th><th>measured</th><th class=word>state</th></tr>"
    for one in sorted(judged, key=lambda one: one["state"] == "not measured"):
        missed = one["state"].startswith("missed")
        style = "bad" if missed else "good" if one["state"] == "met" else "soft"
        why = ""
        if missed:
            reason = one["reason"] or f"No reason is written yet: its place is in {home}."
            why = f"<span class=why>{text(reason)}</span>"
            why += f"<span class=why>Next: {text(one['idea'])}</span>" if one["idea"] else ""
        yield (f"<tr><td class=says>{text(one['text'])}</td><td class=word>{text(one['where'])}</td>"
               f"<td data-is=target>{'≤' if one['at_most'] else '≥'} {text(figure(one, one['value']))}</td>"
               f"<td data-is=measured>{text(figure(one, one['measured']))}</td>"
               f"<td class='says {style}'>{text(one['state'])}{why}</td></tr>")
    yield "</table></div>"


def figure(target, number):
    return "–" if number is None else f"{number / target['divisor']:,.2f} {target['unit']}"
