// Every page works without this file. It makes progress move, times local, and uploads visible.

const zone = document.querySelector("[data-zone]");
const localise = (root) => {
  const day = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.title = time.textContent;
    time.textContent = day.format(new Date(time.dateTime));
  }
};
localise(document);
if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// Live parts: the server sends the same HTML that the page was made of. An open menu inside is left alone.
for (const part of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(part.dataset.live);
  const voice = document.querySelector("[data-say]");
  source.addEventListener("part", (event) => {
    if (part.contains(document.activeElement) && document.activeElement !== document.body) {
      const href = document.activeElement.getAttribute("href");
      part.innerHTML = event.data;
      if (href) part.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus();
    } else {
      part.innerHTML = event.data;
    }
  });
  source.addEventListener("say", (event) => { if (voice) voice.textContent = event.data; });
  source.addEventListener("end", () => { source.close(); location.reload(); });
  addEventListener("pagehide", () => source.close());
}

// One menu at a time; Escape closes it and gives the focus back.
const asks = document.querySelectorAll("details.ask");
for (const ask of asks) {
  ask.addEventListener("toggle", () => {
    if (!ask.open) return;
    for (const other of asks) if (other !== ask) other.open = false;
    ask.querySelector("input:not([type=hidden]), .sheet button")?.focus();
  });
  ask.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    ask.open = false;
    ask.querySelector("summary").focus();
  });
}
addEventListener("click", (event) => {
  for (const ask of asks) if (ask.open && !ask.contains(event.target)) ask.open = false;
});

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
