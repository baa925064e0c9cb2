// One job, in the order of the questions of somebody who was woken up.
import { el } from "./dom.js";
import { flows } from "./flows.js";
import { graph } from "./graph.js";
import { actions } from "./orders.js";
import { clear, drop, fold, part, sparkline, table, time } from "./parts.js";
import { safe } from "./safe.js";
import { ago, count, instant, rate, rows, seconds } from "./words.js";

export function job(told, base) {
  const main = document.getElementById("main");
  if (told.missing) {
    if (main.dataset.job) clear(); // it was there a moment ago: its numbers go with it
    delete main.dataset.job;
    part("gone", "", told.trouble, () => el("p", { class: "words" }, told.trouble || "There is no such job here. ", el("a", { href: "#/" }, "All jobs")));
    return;
  }
  drop("gone");
  const { status } = told, running = !status.outcome;
  document.title = `${status.job} · ${told.state}`;
  main.dataset.job = status.job;
  const { sent_ms, history, ...rest } = told;
  const section = part("well", "Is it well?", rest, () => well(told));
  section.classList.add("now");
  actions(section, status.job, told.no_orders, base);
  part("keeps-up", "Does it keep up?", { ...rest, history }, () => keepsUp(told));
  part("brake", "Where is the brake?", [status.chains, status.edges, status.culprits, told.culprit_chain, status.state, status.outcome, status.steps.map((step) => [step.name, step.chain])], () => brake(told));
  part("open", "Why is the window open?", { splits: status.splits, watermark_ms: status.watermark_ms, waiting: told.waiting, running }, () => open(told));
  part("safe", "Is it safe?", [status.checkpoint, told.checkpoint_age_s, status.came_from, status.storage, status.transactions, status.restarts], () => safe(told));
  const samples = status.steps.flatMap((step) => step.samples.map((each) => ({ ...each, step: step.name }))).sort((a, b) => b.at_ms - a.at_ms).slice(0, 8);
  part("left-out", "What is left out?", { dropped: told.dropped, samples }, () => leftOut(told.dropped, samples));
  flows(status, base);
}

// -- is it well ----------------------------------------------------------------------------------

function facts(told) {
  const { status } = told, restarts = status.restart_count === 1 ? "1 restart" : `${status.restart_count} restarts`;
  return [
    status.outcome ? `ran ${ago(status.uptime_s)}` : `up ${ago(status.uptime_s)}`,
    told.ended_s === null ? "" : `ended ${ago(told.ended_s)} ago`,
    status.delivery_guarantee.replaceAll("_", " "), status.parallelism ? `parallelism ${status.parallelism}` : "",
    `attempt ${status.attempt}`, restarts, status.raystream_version && `raystream ${status.raystream_version}`,
  ].filter(Boolean).join(" · ");
}

function well(told) {
  const { status } = told, last = status.restarts[status.restarts.length - 1], culprit = status.culprits[0];
  const failing = ["failing", "failed"].includes(told.state);
  return [
    el("div", { class: "head" }, el("h1", {}, status.job), el("span", { class: `state ${told.tone}` }, told.state), el("span", { class: "facts" }, facts(told))),
    told.silent_s === null ? null : el("p", { class: "words bad" },
      `No answer for ${ago(told.silent_s)}${told.trouble ? `: ${told.trouble}` : ""}. What follows is of ${instant(told.heard_ms)}.`),
    culprit && culprit !== told.waiting ? el("p", { class: "words fair" }, culprit) : null,
    status.outcome || (culprit && !told.waiting) ? null : el("p", { class: "words told" }, told.waiting || "Rows flow."),
    status.message ? el("pre", { class: status.outcome === "failed" ? "bad" : "" }, status.message) : null,
    last && last.cause !== status.message ? fold(`${last.at_ms} ${failing}`, failing,
      el("summary", { class: failing ? "bad" : "soft" }, "last restart ", time(last.at_ms), `: ${last.reason || last.cause}`),
      el("pre", {}, last.lines.join("\n") || last.cause)) : null,
    ...status.stuck.map((stuck) => el("p", { class: "words bad" }, `${stuck.subtask} has been in ${stuck.function} at ${stuck.line} for ${ago(stuck.seconds)}`)),
    transactions(status),
    ...status.notes.filter((note) => !status.culprits.includes(note)).map((note) => el("p", { class: "words soft" }, note)),
  ];
}

function transactions({ transactions: [oldest], open_transactions: n }) {
  if (!oldest) return null;
  const limit = oldest.limit_s ? `; the broker aborts it at ${seconds(oldest.limit_s)}` : "";
  return el("p", { class: oldest.limit_s && oldest.age_s > oldest.limit_s / 2 ? "words bad" : "words soft" },
    `${n} open transaction${n === 1 ? "" : "s"}, the oldest for ${ago(oldest.age_s)}${limit}.`);
}

// -- does it keep up -----------------------------------------------------------------------------

function tile(label, value, points, key, words, title) {
  return el("div", { class: "tile", title }, el("span", { class: "soft" }, label), el("b", {}, value), sparkline(points, key, words));
}
function keepsUp(told) {
  const { status, history } = told, over = Boolean(status.outcome), last = over ? {} : history[history.length - 1] ?? {};
  const worst = status.latencies.filter((sink) => sink.p99_s !== null).sort((a, b) => b.p99_s - a.p99_s)[0];
  const from = `From the event time of a row to the commit of its output, in the last minute${worst ? `; step ${worst.name}` : ""}`;
  return el("div", { class: "tiles" },
    tile(`rows in, ${count(told.rows_read)} so far`, rate(told.rows_in_per_second), history, "rows_in", rate),
    tile(`rows out, ${count(told.rows_written)} so far`, rate(told.rows_out_per_second), history, "rows_out", rate),
    tile("not read yet", status.splits.some((split) => split.lag_rows !== null) ? rows(status.splits.reduce((sum, split) => sum + (split.lag_rows ?? 0), 0)) : "–", history, "lag_rows", rows),
    tile("age of the newest row", seconds(last.lag_s), history, "lag_s", seconds),
    tile("latency p50 · p99", worst ? `${seconds(worst.p50_s)} · ${seconds(worst.p99_s)}` : "–", history, "latency_s", seconds, from),
    tile("watermark behind clock", seconds(last.watermark_lag_s), history, "watermark_lag_s", seconds));
}

// -- where is the brake --------------------------------------------------------------------------

function brake(told) {
  const { status } = told, words = status.culprits.join("; ");
  const drawn = el("div", { class: "graph", tabindex: 0, role: "group", "aria-label": "graph of the job, left to right; scrolls" }, graph(status, told.culprit_chain, runs(status)));
  const skewed = !runs(status) ? [] : status.chains.filter((chain) => chain.skew !== null && chain.skew >= 1.5 && chain.subtasks.length);
  queueMicrotask(showCulprit);
  return [
    el("p", { class: words ? "words fair" : "words soft" }, words || (status.outcome ? "It has ended." : runs(status) ? "Nothing slows it down." : "No attempt runs at this moment.")),
    drawn,
    ...skewed.filter((chain) => !words.includes("keys are skewed") || chain.name !== told.culprit_chain).map((chain) =>
      el("p", { class: "words soft" }, `${chain.name}[${fullest(chain)}] has ${chain.skew.toFixed(1)} times the rows of the median: its keys have more than others.`)),
  ];
}
function runs({ outcome, state }) { return !outcome && ["running", "stopping"].includes(state); }
function fullest(chain) { return chain.subtasks.reduce((a, b) => (b.rows > a.rows ? b : a)).index; }

// Scrolls a wide graph to the culprit once, unless somebody has scrolled it.
function showCulprit() {
  const drawn = document.querySelector("#brake .graph"), box = drawn?.querySelector(".culprit");
  if (!box || drawn.scrollLeft || drawn.dataset.shown) return;
  drawn.dataset.shown = "yes";
  const beyond = box.getBoundingClientRect().right - drawn.getBoundingClientRect().right;
  if (beyond > 0) drawn.scrollLeft = beyond + 60;
}

// -- why is the window open ----------------------------------------------------------------------

const FIRST_SPLITS = 12, MOST_SPLITS = 300;
function open({ status, waiting }) {
  const running = !status.outcome, several = status.splits.filter((split) => !split.idle).length > 1;
  const order = [...status.splits].sort((a, b) => a.idle - b.idle || b.holds_back - a.holds_back || (a.watermark_ms ?? 0) - (b.watermark_ms ?? 0));
  const more = order.slice(FIRST_SPLITS, MOST_SPLITS);
  const sentence = waiting || (running ? "every window up to here is closed" : "the watermark when it ended");
  return [
    el("p", { class: "words told" }, time(status.watermark_ms), `: ${sentence}`),
    order.length ? splits(order.slice(0, FIRST_SPLITS), running, several) : null,
    more.length ? fold("more", false, el("summary", { class: "soft" }, `and ${order.length - FIRST_SPLITS} more`), splits(more, running, several)) : null,
  ];
}
function splits(some, running, several) {
  const why = (split) => (split.silent && running ? `${split.silent} does not answer` : split.idle ? "idle" : split.holds_back && several && running ? "delays the watermark" : "");
  return table(["split", "watermark", ["not read yet", "number"], ["age", "number"], ""], some.map((split) => [
    el("span", { class: split.idle ? "idle" : undefined }, split.split), el("span", { class: split.idle ? "idle" : undefined }, time(split.watermark_ms)),
    [count(split.lag_rows), "number"], [seconds(split.lag_seconds), "number"], [el("span", { class: split.silent ? "bad" : split.idle ? "idle" : "fair" }, why(split)), "wide"]]));
}

// -- what is left out ----------------------------------------------------------------------------

const LABELS = { late_rows: ["late", "late"], dlq_rows: ["dead letter", "dead letters"], future_rows: ["too far in the future", "too far in the future"],
  skipped_rows: ["skipped", "skipped"], filtered_rows: ["filtered", "filtered"], duplicate_rows: ["duplicate", "duplicates"] };
function label(name, n = 1) { return LABELS[name]?.[n === 1 ? 0 : 1] ?? name.replace("_rows", ""); }
function leftOut(dropped, samples) {
  const counts = Object.entries(dropped).filter(([, n]) => n).map(([name, n]) => `${count(n)} ${label(name, n)}`);
  return [
    el("p", { class: counts.length ? "words" : "words soft" }, counts.length ? `Rows that reach no sink: ${counts.join(", ")}.` : "Nothing."),
    samples.length ? table(["", "step", "row", "why", "when"], samples.map((each) => [label(each.kind), each.step, [el("code", {}, each.row), "wide"],
      [[each.reason, each.origin].filter(Boolean).join(" · "), "wide"], time(each.at_ms)])) : null,
  ];
}
