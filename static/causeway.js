// Every page works without this file. It makes progress move, times local, and uploads visible.

const zone = document.querySelector("[data-zone]");
const formats = {
  minute: new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" }),
  second: new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" }),
};
const localise = (root) => {
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.title = time.textContent;
    time.textContent = formats[time.dataset.local].format(new Date(time.dateTime));
  }
  for (const time of root.querySelectorAll("time[data-ago]")) time.title = formats.second.format(new Date(time.dateTime));
};
// As widget/moment.rs writes it.
const around = (seconds) => {
  const span = Math.abs(seconds);
  const many = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;
  const amount = span < 10 ? "moments" : span < 60 ? many(Math.floor(span), "second")
    : span < 3570 ? many(Math.round(span / 60), "minute") : span < 86400 ? many(Math.round(span / 3600), "hour")
    : many(Math.floor(span / 86400), "day");
  return seconds < 0 ? `in ${amount}` : `${amount} ago`;
};
setInterval(() => {
  for (const time of document.querySelectorAll("time[data-ago]")) time.textContent = around((Date.now() - new Date(time.dateTime)) / 1000);
}, 10000);
const showCopies = (root) => {
  if (navigator.clipboard) for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
};
// What the server sent, before times were made local: only what differs from it is put in place.
const sent = new WeakMap();
for (const part of document.querySelectorAll("[data-part]")) sent.set(part, part.innerHTML);
localise(document);
showCopies(document);
if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;

const say = (text) => {
  const voice = document.querySelector("[data-say]");
  if (voice) voice.textContent = text;
};
addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const word = button.querySelector("span");
  word.textContent = "Copied";
  say("Copied");
  setTimeout(() => { word.textContent = "Copy"; }, 1500);
});

// Puts new HTML into a part; the focus stays where it was, and an open menu is left alone until it is closed.
const replace = (part, html) => {
  const inside = part.contains(document.activeElement) && document.activeElement !== part;
  if (part.querySelector("details[open]:not(.more)") || (inside && document.activeElement.matches("input, textarea, select"))) return false;
  const marks = inside ? ["href", "data-copy", "name", "id"].map((name) => [name, document.activeElement.getAttribute(name)]) : [];
  const mark = marks.find(([, value]) => value);
  part.innerHTML = html;
  localise(part);
  showCopies(part);
  if (mark) part.querySelector(`[${mark[0]}="${CSS.escape(mark[1])}"]`)?.focus();
  return true;
};

// The page as it is now: parts that changed are taken over, the rest stays.
let looking = false;
const look = async (whole) => {
  if (looking) return;
  looking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || new URL(answer.url).pathname !== location.pathname) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (whole) {
      const main = document.querySelector("main");
      if (!replace(main, fresh.querySelector("main").innerHTML)) location.reload();
      return;
    }
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!old || sent.get(old) === part.innerHTML) continue;
      if (replace(old, part.innerHTML)) sent.set(old, part.innerHTML);
    }
  } finally {
    looking = false;
  }
};
// A part that was left alone because its menu was open is looked at again when the menu closes.
addEventListener("toggle", (event) => {
  if (!event.target.open && event.target.closest?.("[data-part]") && document.querySelector("[data-live]")) look(false);
}, true);

// Live parts: the server sends the same HTML that the page was made of.
for (const part of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(part.dataset.live);
  const stop = (text) => {
    source.close();
    const note = document.createElement("p");
    note.className = "note warn";
    note.setAttribute("role", "alert");
    note.textContent = text;
    document.querySelector("main").prepend(note);
  };
  source.addEventListener("part", (event) => replace(part, event.data));
  source.addEventListener("say", (event) => say(event.data));
  source.addEventListener("look", () => look(false));
  source.addEventListener("end", () => { source.close(); look(true); });
  source.addEventListener("bye", () => stop("You are not signed in any more. Reload the page to sign in."));
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) stop("Progress stopped. Reload the page."); };
  addEventListener("pagehide", () => source.close());
}

// Drawings: what the mouse is over is said beside it, and a stretch that is drawn over is looked at more closely. Without
// this the browser shows the same after a while, and the tables lead to the same places.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
let over = null;
let pressed = null;
addEventListener("pointermove", (event) => {
  const hit = event.target.closest?.("svg.chart .hit, svg.chart rect");
  if (hit !== over) {
    over?.classList.remove("over");
    // Else the browser would show its own a moment later.
    const title = hit?.querySelector("title");
    if (title) { hit.dataset.tip = title.textContent; title.remove(); }
    over = hit ?? null;
    over?.classList.add("over");
    tip.hidden = !over?.dataset.tip;
    tip.textContent = over?.dataset.tip ?? "";
  }
  if (tip.hidden) return;
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${event.clientY > innerHeight - 90 ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18}px`;
});
addEventListener("pointerdown", (event) => { pressed = event.target.closest?.("svg.chart .hit[data-href]"); });
addEventListener("pointerup", (event) => {
  const hit = event.target.closest?.("svg.chart .hit[data-href]");
  if (!pressed || !hit || hit.closest("svg") !== pressed.closest("svg")) return;
  const all = [...hit.parentNode.querySelectorAll(".hit")];
  const [first, last] = all.indexOf(pressed) <= all.indexOf(hit) ? [pressed, hit] : [hit, pressed];
  const to = new URL(first.dataset.href, location.href);
  to.searchParams.set("to", new URL(last.dataset.href, location.href).searchParams.get("to"));
  location.href = to.href;
});

// One menu at a time; Escape closes it and gives the focus back, and so does going on with Tab.
const asks = () => document.querySelectorAll("details.ask, details.menu");
addEventListener("toggle", (event) => {
  const ask = event.target;
  if (!ask.open || !ask.matches("details.ask, details.menu")) return;
  for (const other of asks()) if (other !== ask) other.open = false;
  if (ask.matches(".ask")) ask.querySelector("input:not([type=hidden]), .sheet button")?.focus();
}, true);
addEventListener("keydown", (event) => {
  const ask = event.key === "Escape" && [...asks()].find((one) => one.open);
  if (!ask) return;
  ask.open = false;
  ask.querySelector("summary").focus();
});
addEventListener("focusout", (event) => {
  const ask = event.target.closest?.("details.ask[open]");
  if (ask && event.relatedTarget && !ask.contains(event.relatedTarget)) ask.open = false;
});
addEventListener("click", (event) => {
  for (const ask of asks()) if (ask.open && !ask.contains(event.target)) ask.open = false;
});

// The colours change without leaving the page.
const themes = document.querySelector("form.theme");
themes?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = event.submitter.value;
  const body = new URLSearchParams(new FormData(themes, event.submitter));
  const answer = await fetch(themes.action, { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (!answer) return;
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  for (const button of themes.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === chosen));
});

// A new job's times are in the zone of the one who types them; any zone may be chosen.
const zones = document.querySelectorAll("input[name=zone], input[name=at_zone]");
if (zones.length && Intl.supportedValuesOf) {
  const list = document.createElement("datalist");
  list.id = "zones";
  for (const name of Intl.supportedValuesOf("timeZone")) list.append(new Option(name));
  document.body.append(list);
  for (const field of zones) {
    field.setAttribute("list", "zones");
    if (field.closest("[data-fresh]")) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}

// Uploads: the same form, with a bar; and files may be dropped on the list.
const form = document.querySelector("[data-upload]");
if (form) {
  const bar = form.parentElement.querySelector("progress");
  const refused = form.parentElement.querySelector("[data-refused]");
  const fail = (text) => {
    bar.hidden = true;
    refused.textContent = text;
    refused.hidden = false;
  };
  const send = () => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    refused.hidden = true;
    request.upload.onprogress = (event) => {
      bar.hidden = false;
      if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
    };
    // The server says what became of each file on the page it names; it does not redirect a script, which would eat that.
    request.onload = () => {
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* not from Causeway itself */ }
      if (told.to) location.assign(told.to);
      else fail(told.text || `The upload was refused (${request.status}). Reload the page and try again.`);
    };
    request.onerror = () => fail("The upload broke off. What was complete is here; reload the page and send the rest again.");
    request.send(new FormData(form));
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  const drop = document.querySelector("[data-drop]");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const files = form.querySelector("[type=file]");
    files.files = event.dataTransfer.files;
    if (files.files.length) send();
  });
}
