// What is wrong with the page that is open, as sentences; run by look.rs.
// `width` is that of the device: a phone's `innerWidth` grows with what is too wide for it.
const wrong = [];
const hidden = (e) => e && (getComputedStyle(e).clipPath !== "none" || hidden(e.parentElement));
const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest("[aria-hidden=true], .skip") && !hidden(e);
const name = (e) => `${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""}${e.className.length ? "." + e.className : ""} “${(e.textContent || "").trim().slice(0, 30)}”`;
const root = document.documentElement;
if (root.scrollWidth > width) {
  const wide = [...document.body.querySelectorAll("*")].filter((e) => seen(e) && e.getBoundingClientRect().right > width + 0.5);
  wrong.push(`scrolls sideways: ${root.scrollWidth} of ${width}, by ${wide.slice(-2).map(name).join(" and ")}`);
}
for (const e of document.querySelectorAll("main *, .band *, .foot *"))
  if (seen(e) && e.getBoundingClientRect().right > width + 0.5 && !e.closest(".scroll")) wrong.push(`off the right edge: ${name(e)}`);
if (document.querySelectorAll("h1").length !== 1) wrong.push(`${document.querySelectorAll("h1").length} h1`);
if (document.querySelectorAll("main").length !== 1) wrong.push("no one main");
for (const e of document.querySelectorAll("input:not([type=hidden], [hidden]), select, textarea"))
  if (![...e.labels].some((l) => l.textContent.trim()) && !e.getAttribute("aria-label")) wrong.push(`no label: ${name(e)}`);
for (const e of document.querySelectorAll("button, summary, a[href]")) if (!e.textContent.trim() && !e.getAttribute("aria-label")) wrong.push(`no name: ${name(e)}`);
const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) wrong.push(`twice: #${id}`);

// WCAG 2.2, 1.4.3. Colours are read back from a canvas, which knows every notation.
const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const rgba = (colour) => { pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); return [...pen.getImageData(0, 0, 1, 1).data]; };
const over = (top, below) => top.slice(0, 3).map((c, at) => (c * top[3] + below[at] * (255 - top[3])) / 255);
const light = (rgb) => { const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = (e) => e ? over(rgba(getComputedStyle(e).backgroundColor), ground(e.parentElement)) : [255, 255, 255];
const judge = (e, style, what) => {
  const below = ground(e), top = over(rgba(style.color), below);
  const [a, b] = [light(top), light(below)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: ${what}`);
};
for (const e of document.body.querySelectorAll("*")) {
  if (!seen(e) || e.matches(":disabled") || e.closest("svg")) continue;
  if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) judge(e, getComputedStyle(e), name(e));
  if (e.placeholder && !e.value) judge(e, getComputedStyle(e, "::placeholder"), `placeholder of ${name(e)}`);
}
return [...new Set(wrong)];
