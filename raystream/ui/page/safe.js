// Is it safe: checkpoints as stacked bars, failures, savepoints, transactions against their limit, restarts.
import { el } from "./dom.js";
import { fold, table, time } from "./parts.js";
import { ago, count, seconds, size } from "./words.js";

const PARTS = ["align", "sync", "flush", "upload", "commit"];
const SLOW_S = 3; // a checkpoint that takes less comes and goes
const MOST_RESTARTS = 5, MOST_TRANSACTIONS = 8;

export function safe({ status, checkpoint_age_s: age }) {
  const { checkpoint, transactions } = status, history = checkpoint.history;
  return [
    el("p", { class: "words" }, last(checkpoint, age)),
    checkpoint.running && checkpoint.running_s >= SLOW_S && !status.outcome ? el("p", { class: "words soft" }, now(checkpoint)) : null,
    ...(history.length ? bars(history) : []),
    ...history.filter((entry) => entry.state === "failed").slice(-3).map((entry) => el("p", { class: "words bad" }, `Checkpoint ${entry.number} failed: ${entry.reason || "no reason is known"}`)),
    ...history.filter((entry) => entry.savepoint).slice(-3).map((entry) => el("p", { class: "words" }, "Savepoint ", el("code", {}, entry.savepoint))),
    el("p", { class: "words soft" }, status.came_from ? `This run began from ${status.came_from}. ` : "", "Checkpoints are in ", el("code", {}, status.storage || "memory")),
    transactions.length ? open(transactions) : null,
    transactions.length > MOST_TRANSACTIONS ? el("p", { class: "soft" }, `and ${transactions.length - MOST_TRANSACTIONS} younger ones`) : null,
    ...restarts(status),
  ];
}

function last(checkpoint, age) {
  if (!checkpoint.number) return "No checkpoint yet.";
  const every = checkpoint.interval_s ? `, one every ${Number.isInteger(checkpoint.interval_s) ? ago(checkpoint.interval_s) : seconds(checkpoint.interval_s)}` : "";
  const failed = checkpoint.failed ? `, ${checkpoint.failed} failed` : ", none failed";
  return `Checkpoint ${checkpoint.number} was completed${age === null ? "" : ` ${ago(age)} ago`}${every}; in this run ${checkpoint.completed} completed${failed}. `
    + `State ${size(checkpoint.size_bytes)}, of it new ${size(checkpoint.new_bytes)}.`;
}
function now({ running, running_s, waiting_for }) {
  const some = waiting_for.slice(0, 3).join(", ") + (waiting_for.length > 3 ? ` and ${waiting_for.length - 3} more` : "");
  return `Checkpoint ${running} has been running for ${ago(running_s ?? 0)}${some ? `; it waits for ${some}` : ""}.`;
}

// -- bars ----------------------------------------------------------------------------------------

function bars(history) {
  const longest = Math.max(...history.map((entry) => entry.duration_s ?? 0), 0.001);
  const colour = (name) => el("span", {}, el("i", { style: `background:var(--${{ sync: "soft", other: "line" }[name] ?? name})` }), name);
  return [
    el("div", { class: "bars", role: "img", "aria-label": `the last ${history.length} checkpoints, the longest took ${seconds(longest)}` }, history.map((entry) => bar(entry, longest))),
    el("div", { class: "legend" }, [...PARTS, "other"].map(colour), el("span", {}, `highest: ${seconds(longest)}`)),
    fold("each", false, el("summary", { class: "soft" }, "each of them in numbers"), numbers(history)),
  ];
}
function bar(entry, longest) {
  const times = PARTS.map((name) => [name, entry[`${name}_s`]]).filter(([, value]) => value);
  const text = `checkpoint ${entry.number} ${entry.state}, ${seconds(entry.duration_s)}: ${times.map(([name, value]) => `${name} ${seconds(value)}`).join(", ")}; ${size(entry.size_bytes)}, new ${size(entry.new_bytes)}${entry.reason ? `; ${entry.reason}` : ""}`;
  const high = (value) => `height:${(value / longest * 100).toFixed(1)}%`;
  if (entry.state === "failed") return el("span", { class: "bar", title: text }, el("i", { class: "failed", style: high(Math.max(entry.duration_s ?? 0, longest * 0.1)) }));
  const total = times.reduce((sum, [, value]) => sum + value, 0), took = entry.duration_s ?? 0, scale = total > took ? took / total : 1;
  return el("span", { class: "bar", title: text }, times.map(([name, value]) => el("i", { class: name, style: high(value * scale) })),
    el("i", { class: "rest", style: high(Math.max(0, took - total * scale)) }));
}
function numbers(history) {
  const heads = ["checkpoint", "state", "began", ["took", "number"], ...PARTS.map((name) => [name, "number"]), ["size", "number"], ["new", "number"]];
  return table(heads, [...history].reverse().map((entry) => [
    String(entry.number), [entry.state, entry.state === "failed" ? "bad" : ""], time(entry.triggered_at_ms), [seconds(entry.duration_s), "number"],
    ...PARTS.map((name) => [seconds(entry[`${name}_s`]), "number"]), [size(entry.size_bytes), "number"], [size(entry.new_bytes), "number"]]));
}

// -- transactions and restarts -------------------------------------------------------------------

function open(transactions) {
  return table(["transaction", "step", "state", ["rows", "number"], ["open for", "number"], ["limit", "number"], ""], transactions.slice(0, MOST_TRANSACTIONS).map((each) => [
    [el("code", {}, each.name), "wide"], `${each.step}[${each.subtask}]`, each.state, [count(each.rows), "number"], [ago(each.age_s), "number"], [each.limit_s ? seconds(each.limit_s) : "–", "number"], limit(each)]));
}
function limit({ age_s, limit_s }) {
  if (!limit_s) return "";
  const share = Math.min(1, age_s / limit_s);
  return el("span", { class: share > 0.5 ? "meter over" : "meter", role: "img", "aria-label": `${Math.round(share * 100)} % of its limit` }, el("i", { style: `width:${(share * 100).toFixed(1)}%` }));
}
function restarts(status) {
  const some = status.restarts.slice(-MOST_RESTARTS).reverse(), count_ = status.restart_count;
  if (!some.length) return [];
  const head = count_ > some.length ? `${count_} restarts; the last ${some.length}:` : count_ === 1 ? "1 restart:" : `${count_} restarts:`;
  return [el("p", { class: "words" }, head), ...some.map((each) => fold(`restart ${each.attempt}`, false,
    el("summary", { class: "soft" }, time(each.at_ms), `, attempt ${each.attempt}: ${each.reason || each.cause}${each.downtime_s === null ? "; not running again yet" : `; down for ${seconds(each.downtime_s)}`}`),
    el("pre", {}, each.lines.join("\n") || each.cause)))];
}
