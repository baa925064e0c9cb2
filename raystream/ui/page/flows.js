// The rows that leave a step, live while somebody looks.
import { el, patch } from "./dom.js";
import { part, table } from "./parts.js";

const MOST = 50, LOOK_MS = 1000, AGAIN_MS = 4000;
let tail = null;

export function flows(status, base) {
  const names = status.steps.map((step) => step.name);
  const section = part("flows", "What flows?", names, () => {
    const choice = el("select", { "aria-label": "step whose rows are shown" }, el("option", { value: "" }, "choose a step"), ...names.map((name) => el("option", { value: name }, name)));
    choice.addEventListener("change", () => follow(status.job, choice.value, base));
    return [choice, el("div", { class: "rows", tabindex: 0, "aria-label": "rows of the step, newest first" }, el("p", { class: "soft" }, hint(status)))];
  });
  section.querySelector("select").disabled = Boolean(status.outcome);
}
function hint(status) { return status.outcome ? "No row flows: the job has ended." : "The newest rows of a step are shown here while they leave it."; }
export function leave() { tail = null; }

async function follow(name, step, base) {
  const mine = (tail = {}), place = document.querySelector("#flows .rows");
  let marks = {}, rows = [];
  place.className = step ? "rows on" : "rows";
  const show = (...shown) => patch(place, el("div", {}, ...shown));
  show(el("p", { class: "soft" }, step ? "asking …" : hint({})));
  while (tail === mine && step && document.contains(place)) {
    const told = document.hidden ? null : await ask(name, step, marks, base);
    if (tail !== mine) return;
    if (told?.error) show(el("p", { class: "bad" }, `${told.error}. Asking again …`), rows.length ? grid(rows, "old") : null);
    else if (told) {
      marks = told.marks;
      rows = [...told.rows.reverse(), ...rows].slice(0, MOST);
      show(rows.length ? grid(rows) : el("p", { class: "soft" }, "No row has left this step since you chose it."));
    }
    await new Promise((done) => setTimeout(done, told?.error ? AGAIN_MS : LOOK_MS));
  }
}
async function ask(name, step, marks, base) {
  const query = new URLSearchParams({ as: "text", marks: JSON.stringify(marks) });
  try {
    const response = await fetch(new URL(`api/v1/jobs/${encodeURIComponent(name)}/steps/${encodeURIComponent(step)}/rows?${query}`, base));
    const told = await response.json();
    return response.ok ? told : { error: told.error ?? `the server answered ${response.status}` };
  } catch (error) { return { error: `no answer from raystream ui (${error.message})` }; }
}
function grid(rows, look) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value) => (value === undefined ? "" : value === null ? el("span", { class: "idle" }, "null") : value.length > 200 ? el("span", { title: value.slice(0, 2000) }, `${value.slice(0, 200)}…`) : value);
  return table(names, rows.map((row) => names.map((column) => cell(row[column]))), { kind: look ? `plain ${look}` : "plain" });
}
