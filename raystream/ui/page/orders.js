// Savepoint, stop, drain, cancel: asked first, their answer or failure shown beside them.
import { el } from "./dom.js";

const ORDERS = {
  savepoint: ["Savepoint", "Make a checkpoint that is kept?", "Yes, make one"],
  stop: ["Stop", "Stop after a last commit? Open windows stay in the last checkpoint; the next run continues.", "Yes, stop it"],
  drain: ["Stop and close windows", "Stop, and close every window first? Their results are final, even if rows are still to come.", "Yes, close and stop"],
  cancel: ["Cancel", "End at once, without a last commit? The next run continues from the last checkpoint.", "Yes, cancel it"],
};
const answers = new Map(); // job -> { text, bad, waits }

// `why`: why no order can be given, in words; empty: any can.
export function actions(section, name, why, base) {
  let row = section.querySelector(".actions");
  if (!row) {
    const buttons = Object.entries(ORDERS).map(([order, [label]]) =>
      el("button", { type: "button", "aria-describedby": "no-orders", class: order === "cancel" ? "danger" : undefined, onclick: () => act(name, order, base) }, label));
    row = el("div", { class: "actions" }, ...buttons, el("span", { role: "status" }), el("p", { id: "no-orders", class: "soft" }));
    section.append(row);
  }
  const told = row.querySelector("p");
  if (told.textContent !== why) told.replaceChildren(...(why ? [why] : []));
  show(name, row);
}
function show(name, row = document.querySelector(".actions")) {
  if (!row || document.getElementById("main").dataset.job !== name) return; // another job is looked at by now
  const { text = "", bad = false, waits = false } = answers.get(name) ?? {};
  for (const button of row.querySelectorAll("button")) button.disabled = waits || Boolean(row.querySelector("p").textContent);
  const said = row.querySelector("span");
  if (said.textContent !== text) said.textContent = text;
  said.className = bad ? "bad" : "";
}
function say(name, text, { bad = false, waits = false } = {}) { answers.set(name, { text, bad, waits }); show(name); }

async function act(name, order, base) {
  const [label, question, yes] = ORDERS[order];
  if (!(await confirmed(`${name}: ${question}`, yes))) return;
  say(name, `${label}: asked, waiting for the answer …`, { waits: true });
  try {
    const response = await fetch(new URL(`api/v1/jobs/${encodeURIComponent(name)}/${order}`, base), { method: "POST", headers: { "X-Raystream": "page" } });
    const told = await response.json().catch(() => ({ error: `the server answered ${response.status} ${response.statusText}` }));
    if (response.ok) say(name, told.answer); else say(name, `${label} failed: ${told.error}`, { bad: true });
  } catch (error) { say(name, `${label}: no answer from raystream ui (${error.message}). Whether it was done is not known.`, { bad: true }); }
}

async function confirmed(question, yes) {
  const dialog = document.getElementById("confirm");
  document.getElementById("question").textContent = question;
  dialog.querySelector("[value=yes]").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  // The event of the question before may still be on its way, when this one is open already.
  do await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  while (dialog.open);
  return dialog.returnValue === "yes";
}
export function dismiss() { const dialog = document.getElementById("confirm"); if (dialog.open) dialog.close("no"); }
