// The parts of the page, each drawn again only when what it shows has changed; tables, folds and sparklines.
import { el, patch, svg } from "./dom.js";
import { instant } from "./words.js";

const shown = new Map();
const place = () => document.getElementById("main");

export function part(name, title, data, draw) {
  let found = shown.get(name);
  if (!found) {
    found = { section: el("section", { id: name }, title ? el("h2", {}, title) : null), body: el("div"), text: null };
    found.section.append(found.body);
    place().append(found.section);
    shown.set(name, found);
  }
  const text = JSON.stringify(data);
  if (text !== found.text) {
    found.text = text;
    patch(found.body, el("div", {}, ...[drawn(draw)].flat()));
  }
  return found.section;
}
// One part that cannot be drawn must not take the others away.
function drawn(draw) {
  try { return draw(); } catch (error) { return el("p", { class: "bad" }, `This cannot be shown: ${error.message}`); }
}
export function drop(name) { shown.get(name)?.section.remove(); shown.delete(name); }
export function clear() { shown.clear(); place().replaceChildren(); }

// Narrow windows show each row as a few lines (page.css), with its heads as labels of the numbers.
export function table(heads, rows, { kind = "stack", keys = [], looks = [] } = {}) {
  const cell = (tag, value, head) => {
    const [content, look] = Array.isArray(value) ? value : [value, ""];
    return el(tag, { class: look || undefined, "data-label": head }, content);
  };
  const label = (head) => (Array.isArray(head) ? head[0] : head) || undefined;
  return el("div", { class: "scroll" }, el("table", { class: kind },
    el("thead", {}, el("tr", {}, ...heads.map((head) => cell("th", head)))),
    el("tbody", {}, ...rows.map((row, n) => el("tr", { "data-key": keys[n], class: looks[n] }, ...row.map((value, i) => cell("td", value, label(heads[i]))))))));
}

export function fold(key, open, summary, ...children) {
  return el("details", { "data-key": key, open }, summary, ...children);
}

// A time, and that of the reader's own clock when pointed at.
export function time(ms) {
  const text = instant(ms);
  if (!/^\d/.test(text)) return text;
  const then = new Date(ms);
  return el("time", { datetime: then.toISOString(), title: `${then.toLocaleString()} on your clock` }, text);
}

const SPAN_MS = 15 * 60000, GAP_MS = 20000;
export function sparkline(points, key, words) {
  const known = points.filter((point) => typeof point[key] === "number");
  const drawn = svg("svg", { viewBox: "0 0 180 34", preserveAspectRatio: "none", role: "img" },
    svg("path", { class: "base", d: "M0 33H180", "vector-effect": "non-scaling-stroke" }));
  const values = known.map((point) => point[key]), most = Math.max(...values, 1e-9);
  drawn.setAttribute("aria-label", values.length ? `last 15 minutes: ${words(Math.min(...values))} to ${words(Math.max(...values))}` : "nothing known yet");
  drawn.append(svg("title", {}, drawn.getAttribute("aria-label")));
  if (known.length < 2) return drawn;
  const last = points[points.length - 1].at_ms;
  let path = "", open = false, before = 0;
  for (const point of points) {
    if (point.at_ms - before > GAP_MS) open = false; // nobody knows what was between
    before = point.at_ms;
    if (typeof point[key] !== "number") { open = false; continue; }
    path += `${open ? "L" : "M"}${(180 - (last - point.at_ms) / SPAN_MS * 180).toFixed(1)} ${(32 - Math.max(0, point[key]) / most * 30).toFixed(1)}`;
    open = true;
  }
  drawn.append(svg("path", { class: "line", d: path, "vector-effect": "non-scaling-stroke" }));
  return drawn;
}
