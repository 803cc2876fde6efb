// Uploads that go on: many files and whole folders, three at a time, by tus (static/tus.min.js). Without this script the
// form sends its files itself.
const AT_ONCE = 3;
// Larger files would have to be read into memory as a whole to be hashed.
const HASHED = 64 * 2 ** 20;
const DELAYS = [0, 1000, 3000, 5000, 10000, 20000];
// The connection, or a server that is busy, starts again, or has not heard yet that the last request broke off.
const PASSING = [0, 408, 409, 423, 500, 502, 503, 504];
const AGAIN = 30000;

const form = document.querySelector("[data-resumable]");
const board = document.querySelector("[data-uploads]");
const list = board.querySelector("ol");
const items = new Map();

const WORDS = {
  waiting: "Waiting",
  sending: "Sending",
  paused: "Paused",
  lost: "The connection is lost: it goes on when there is one again",
  done: "Here",
};

const size = (bytes) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const number = bytes / 1000 ** step;
  return `${number.toFixed(step && number < 10 ? 1 : 0)} ${units[step]}`;
};

// Names are bytes: the folder's as its address has them, the others in UTF-8.
const utf8 = (text) => new TextEncoder().encode(text);
const unescaped = (path) => {
  const bytes = [];
  for (const [piece] of path.matchAll(/%[0-9a-f]{2}|[^%]+|%/gi)) {
    if (/^%[0-9a-f]{2}$/i.test(piece)) bytes.push(Number.parseInt(piece.slice(1), 16));
    else bytes.push(...utf8(piece));
  }
  return Uint8Array.from(bytes);
};
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const here = new URL(form.action).pathname.replace(/^\/upload\//, "");

const metadata = (item, sum) => {
  const cut = item.path.lastIndexOf("/") + 1;
  const pairs = {
    filename: utf8(item.path.slice(cut)),
    folder: joined(unescaped(here), utf8(item.path.slice(0, cut))),
    mtime: utf8(String(Math.floor(item.file.lastModified / 1000))),
  };
  if (sum) pairs.checksum = utf8(`sha256 ${sum}`);
  return Object.entries(pairs).map(([key, value]) => `${key} ${base64(value)}`).join(",");
};

const hash = async (file) => {
  if (file.size > HASHED || !crypto.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
};

// How many are in each state, and who waits: a folder of 10,000 files is gone through once, not at every step of each.
const counts = new Map();
const waiting = [];
const counted = (state) => counts.get(state) ?? 0;
const state = (item, now) => {
  if (item.state) counts.set(item.state, counted(item.state) - 1);
  if (now) counts.set(now, counted(now) + 1);
  item.state = now;
};

const sum = () => {
  const done = counted("done");
  const [line, show] = board.querySelectorAll("[data-sum], [data-show]");
  line.textContent = `${done} of ${items.size} ${items.size === 1 ? "file is" : "files are"} here.`;
  show.hidden = done === 0 || counted("sending") + counted("waiting") > 0;
  board.hidden = items.size === 0;
};

const enter = (item, now, said) => {
  state(item, now);
  if (now === "waiting") waiting.push(item);
  item.row.dataset.state = now;
  item.said.textContent = said ?? WORDS[now];
  const stopped = ["paused", "lost", "refused"].includes(now);
  item.turn.hidden = now === "done";
  item.turn.textContent = stopped ? (now === "refused" ? "Try again" : "Go on") : "Pause";
  item.drop.hidden = now === "done";
  item.bar.hidden = now === "done" || now === "refused";
  sum();
};

// A sentence of the server's, or one about what happened.
const why = (error) => {
  const answer = error.originalResponse;
  const status = answer ? answer.getStatus() : 0;
  const kind = answer?.getHeader("Content-Type") ?? "";
  const text = kind.startsWith("text/plain") ? answer.getBody().trim() : "";
  if (text) return `${text[0].toUpperCase()}${text.slice(1)}.`;
  return status ? `The server refused it (${status}).` : "The file cannot be read: choose it again.";
};

const pump = () => {
  while (counted("sending") < AT_ONCE && waiting.length) {
    const item = waiting.shift();
    if (item.state === "waiting") send(item);
  }
};

const failed = (item, error) => {
  const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
  if (error.originalRequest && PASSING.includes(status) && status !== 423) {
    enter(item, "lost");
    setTimeout(() => revive(item), AGAIN);
  } else {
    enter(item, "refused", why(error));
  }
  pump();
};

const revive = (item) => {
  if (item.state !== "lost") return;
  enter(item, "waiting");
  pump();
};

const made = async (item) => {
  const checksum = await hash(item.file);
  const upload = new tus.Upload(item.file, {
    endpoint: form.dataset.resumable,
    headers: { "X-CSRF-Token": form.elements.csrf.value, "Upload-Metadata": metadata(item, checksum) },
    retryDelays: DELAYS,
    removeFingerprintOnSuccess: true,
    // Whoever chooses the same file for the same folder again, also in another tab or after this one, goes on with it.
    fingerprint: async () => ["causeway", here, item.path, item.file.size, item.file.lastModified].join("|"),
    onShouldRetry: (error) => PASSING.includes(error.originalResponse ? error.originalResponse.getStatus() : 0),
    onProgress: (sent, all) => {
      item.bar.value = all ? sent / all : 1;
      if (item.state === "sending") item.said.textContent = `${size(sent)} of ${size(all)}`;
    },
    onSuccess: () => { enter(item, "done"); pump(); },
    onError: (error) => failed(item, error),
  });
  const [before] = (await upload.findPreviousUploads()).slice(-1);
  if (before) upload.resumeFromPreviousUpload(before);
  return upload;
};

const send = async (item) => {
  enter(item, "sending");
  const turn = (item.turns = (item.turns ?? 0) + 1);
  try {
    item.upload ??= await made(item);
  } catch (error) {
    failed(item, error);
    return;
  }
  if (item.state === "sending" && item.turns === turn) item.upload.start();
};

const pause = async (item) => {
  enter(item, "paused");
  await item.upload?.abort();
  pump();
};

const remove = async (item) => {
  items.delete(item.path);
  state(item, null);
  item.row.remove();
  sum();
  // What the server has of it goes, too; what cannot be removed now expires there.
  await item.upload?.abort(true).catch(() => {});
  pump();
};

const button = (text, name, act) => {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn slim";
  made.textContent = text;
  made.setAttribute("aria-describedby", name.id);
  made.addEventListener("click", act);
  return made;
};

let number = 0;
const add = (files) => {
  for (const { file, path } of files) {
    const known = items.get(path);
    if (known && !["done", "refused"].includes(known.state)) {
      if (known.state === "paused" || known.state === "lost") enter(known, "waiting");
      continue;
    }
    if (known) state(known, null);
    known?.row.remove();
    const item = { file, path, row: document.createElement("li") };
    const name = document.createElement("span");
    name.className = "name";
    name.id = `upload-${++number}`;
    name.textContent = path;
    item.bar = document.createElement("progress");
    item.bar.value = 0;
    item.bar.setAttribute("aria-labelledby", name.id);
    item.said = document.createElement("span");
    item.said.className = "sub";
    item.turn = button("Pause", name, () => {
      if (["waiting", "sending"].includes(item.state)) return pause(item);
      if (item.state === "refused") item.upload = null;
      enter(item, "waiting");
      pump();
    });
    item.drop = button("Remove", name, () => remove(item));
    item.row.append(name, item.said, item.bar, item.turn, item.drop);
    list.append(item.row);
    items.set(path, item);
    enter(item, "waiting");
  }
  pump();
};

// What was dropped: a folder gives its entries a hundred at a time, until none is left.
const read = (reader) => new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
const walk = async (entry, found) => {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader();
  for (let some = await read(reader); some.length; some = await read(reader)) {
    for (const one of some) await walk(one, found);
  }
};
const drop = document.querySelector("[data-drop]");
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  // Now: after the first pause the browser has forgotten them.
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const refused = board.querySelector("[data-refused]");
  refused.hidden = true;
  const found = [];
  try {
    for (const entry of entries) await walk(entry, found);
  } catch {
    refused.textContent = "Something of what was dropped cannot be read: drop it again, or choose it below.";
    refused.hidden = board.hidden = false;
  }
  add(found);
});

for (const input of document.querySelectorAll("#files, #folders")) {
  input.addEventListener("change", () => {
    add([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    input.value = "";
  });
}
form.addEventListener("submit", (event) => event.preventDefault());
form.querySelector("button").hidden = true;
for (const hidden of document.querySelectorAll("[data-with-script]")) hidden.hidden = false;
addEventListener("online", () => { for (const item of items.values()) revive(item); });
