// Shows what /api/v1/ says, in the order of the questions; the server computes, this only draws.
import { graph, svg } from "./graph.js";

const main = document.getElementById("main"), link = document.getElementById("link");
const WHERE = document.getElementById("where");
const base = new URL(".", document.baseURI);
const LOST_MS = 15000;

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// -- words -----------------------------------------------------------------------------------

function count(n) {
  if (n === null || n === undefined) return "–";
  if (n < 1000) return String(Math.round(n));
  if (n < 1e6) return `${(n / 1e3).toFixed(1)} k`;
  return n < 1e9 ? `${(n / 1e6).toFixed(2)} M` : `${(n / 1e9).toFixed(2)} G`;
}
function size(n) { const text = count(n); return text === "–" ? text : text.includes(" ") ? `${text}B` : `${text} B`; }
function seconds(s) {
  if (s === null || s === undefined) return "–";
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min ${Math.floor(s % 60)} s`;
  return m < 1440 ? `${Math.floor(m / 60)} h ${m % 60} min` : `${Math.floor(m / 1440)} d ${Math.floor(m % 1440 / 60)} h`;
}
function instant(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms > 253402300799000) return "end of time";
  const text = new Date(ms).toISOString();
  return text.slice(0, 10) === new Date().toISOString().slice(0, 10) ? text.slice(11, 23) + "Z" : text.slice(0, 19).replace("T", " ") + "Z";
}
const rate = (n) => (n === null || n === undefined ? "–" : `${count(n)}/s`);

// -- parts that change only when what they show does -------------------------------------------

const shown = new Map();
function part(name, title, data, draw) {
  let found = shown.get(name);
  if (!found) {
    found = { section: el("section", { id: name }, el("h2", {}, title)), body: el("div"), text: null };
    found.section.append(found.body);
    main.append(found.section);
    shown.set(name, found);
  }
  const text = JSON.stringify(data);
  if (text !== found.text) {
    const scrolled = found.body.querySelector(".graph, .scroll")?.scrollLeft ?? 0;
    found.text = text;
    found.body.replaceChildren(...[draw(data)].flat().filter(Boolean));
    const scroller = found.body.querySelector(".graph, .scroll");
    if (scroller) scroller.scrollLeft = scrolled;
  }
  return found.section;
}
function clear() { shown.clear(); main.replaceChildren(); main.className = ""; }

// Narrow windows show each row as a few lines (page.css), with its heads as labels of the numbers.
function table(heads, rows, kind = "stack") {
  const cell = (tag, value, head) => {
    const [content, look] = Array.isArray(value) ? value : [value, ""];
    return el(tag, { class: look || undefined, "data-label": head }, content);
  };
  const label = (head) => (Array.isArray(head) ? head[0] : head) || undefined;
  return el("div", { class: "scroll" }, el("table", { class: kind },
    el("thead", {}, el("tr", {}, ...heads.map((head) => cell("th", head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((value, i) => cell("td", value, label(heads[i]))))))));
}

function sparkline(points, key) {
  const known = points.map((point) => point[key]).filter((value) => value !== null);
  const drawn = svg("svg", { viewBox: "0 0 180 34", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (known.length < 2) return drawn;
  const most = Math.max(...known, 1e-9), last = points[points.length - 1].at_ms;
  const place = (point) => `${(180 - (last - point.at_ms) / 5000).toFixed(1)} ${(32 - point[key] / most * 30).toFixed(1)}`;
  let path = "", open = false;
  for (const point of points) {
    if (point[key] === null) { open = false; continue; }
    path += `${open ? "L" : "M"}${place(point)}`;
    open = true;
  }
  drawn.append(svg("path", { d: path, fill: "none", stroke: "var(--calm)", "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" }));
  return drawn;
}

// -- the list of jobs ----------------------------------------------------------------------------

function list(told) {
  WHERE.textContent = "";
  document.title = "raystream";
  part("jobs", "Jobs", { jobs: told.jobs, trouble: told.trouble }, ({ jobs, trouble }) => {
    const note = trouble ? el("p", { class: "bad" }, trouble) : null;
    if (!jobs.length) return [note, trouble ? null : el("p", { class: "soft" }, "No job runs here. Start one with raystream run, or p.submit() in a notebook.")];
    return [note, table(
      ["job", "state", ["in", "number"], ["out", "number"], ["lag", "number"], ["checkpoint", "number"], ["restarts", "number"], ""],
      jobs.map((job) => [
        el("a", { href: `#/job/${encodeURIComponent(job.job)}` }, job.job),
        el("span", { class: `state ${job.tone}` }, job.state),
        [rate(job.rows_in_per_second), "number"], [rate(job.rows_out_per_second), "number"],
        [count(job.lag_rows), "number"],
        [job.checkpoint_age_s === null ? "–" : `${seconds(Math.floor(job.checkpoint_age_s))} ago`, "number"],
        [String(job.restarts), "number"], [job.words, "wide"],
      ]))];
  });
}

// -- one job -------------------------------------------------------------------------------------

function well(told) {
  const { status } = told, oldest = status.transactions[0];
  const facts = [`up ${seconds(Math.floor(status.uptime_s))}`, status.delivery_guarantee.replaceAll("_", " "),
    status.parallelism ? `parallelism ${status.parallelism}` : "", `attempt ${status.attempt}`,
    status.restart_count === 1 ? "1 restart" : `${status.restart_count} restarts`, status.raystream_version && `raystream ${status.raystream_version}`];
  const last = status.restarts[status.restarts.length - 1];
  return [
    el("div", { class: "head" }, el("h1", {}, status.job), el("span", { class: `state ${told.tone}` }, told.state),
      el("span", { class: "facts" }, facts.filter(Boolean).join(" · "))),
    told.silent_s === null ? null : el("p", { class: "words bad" },
      `No answer for ${seconds(Math.floor(told.silent_s))}${told.trouble ? `: ${told.trouble}` : ""}. What follows is of ${instant(told.heard_ms)}.`),
    el("p", { class: "words" }, status.outcome ? "" : told.waiting || "Rows flow."),
    status.message ? el("pre", { class: status.outcome === "failed" ? "bad" : "" }, status.message) : null,
    last && last.cause !== status.message ? el("details", { open: ["failing", "failed"].includes(told.state) },
      el("summary", { class: "bad" }, `last restart ${instant(last.at_ms)}: ${last.reason || last.cause}`),
      el("pre", {}, last.lines.join("\n") || last.cause)) : null,
    ...status.stuck.map((stuck) => el("p", { class: "words bad" }, stuck.words ?? JSON.stringify(stuck))),
    oldest ? el("p", { class: oldest.limit_s && oldest.age_s > oldest.limit_s / 2 ? "words bad" : "words soft" },
      `${status.open_transactions} open transaction${status.open_transactions === 1 ? "" : "s"}, the oldest ${seconds(Math.floor(oldest.age_s))}${oldest.limit_s ? ` of ${seconds(oldest.limit_s)}` : ""}`) : null,
    ...status.notes.filter((note) => !status.culprits.includes(note)).map((note) => el("p", { class: "words soft" }, note)),
  ];
}

function tile(label, value, points, key) {
  return el("div", { class: "tile" }, el("span", { class: "soft" }, label), el("b", {}, value), sparkline(points, key));
}
function latency(sinks, points) {
  const known = sinks.filter((sink) => sink.p99_s !== null).sort((a, b) => b.p99_s - a.p99_s), worst = known[0];
  const made = tile("to commit: half · 99 %", worst ? `${seconds(worst.p50_s)} · ${seconds(worst.p99_s)}` : "–", points, "latency_s");
  made.title = `From the event time of a row to the commit of its output, in the last minute${worst ? `; step ${worst.name}` : ""}`;
  return made;
}
function keepsUp(told) {
  const { status } = told;
  const points = told.history, last = points[points.length - 1] ?? {};
  return el("div", { class: "tiles" },
    tile(`rows in, ${count(told.rows_read)} so far`, rate(told.rows_in_per_second), points, "rows_in"),
    tile(`rows out, ${count(told.rows_written)} so far`, rate(told.rows_out_per_second), points, "rows_out"),
    tile("not read yet", told.lag_rows === null ? "–" : `${count(told.lag_rows)} rows`, points, "lag_rows"),
    tile("age of newest row", seconds(last.lag_s), points, "lag_s"),
    latency(status.latencies, points),
    tile("watermark behind", seconds(last.watermark_lag_s), points, "watermark_lag_s"));
}

function fullest(chain) { return chain.subtasks.reduce((a, b) => (b.rows > a.rows ? b : a)).index; }

function brake(told) {
  const { status } = told, text = status.culprits.join(" ");
  const culprits = new Set(status.chains.filter((chain) => text.includes(chain.name)).map((chain) => chain.name));
  const skewed = status.chains.filter((chain) => chain.skew !== null && chain.skew >= 1.5);
  const drawn = el("div", { class: "graph", tabindex: 0, "aria-label": "graph, scrolls" }, graph(status, culprits));
  requestAnimationFrame(() => show(drawn));
  return [
    el("p", { class: status.culprits.length ? "words fair" : "words soft" }, status.culprits.join("; ") || "Nothing slows it down."),
    drawn,
    skewed.length ? el("p", { class: "words soft" }, skewed.map((chain) => `${chain.name}[${fullest(chain)}] has ${chain.skew.toFixed(1)} times the rows of the median: its keys have more than others`).join("; ")) : null,
  ];
}

// Scrolls a wide graph to the culprit, unless somebody has scrolled it.
function show(drawn) {
  const box = drawn.querySelector(".culprit");
  if (!box || drawn.scrollLeft) return;
  const beyond = box.getBoundingClientRect().right - drawn.getBoundingClientRect().right;
  if (beyond > 0) drawn.scrollLeft = beyond + 60;
}

const MOST_SPLITS = 12;
function open({ splits, watermark_ms, waiting, running }) {
  const order = [...splits].sort((a, b) => a.idle - b.idle || b.holds_back - a.holds_back || (a.watermark_ms ?? 0) - (b.watermark_ms ?? 0));
  const why = (split) => split.silent && running ? `${split.silent} does not answer` : split.idle ? "idle" : split.holds_back && running ? "delays the watermark" : "";
  return [
    el("p", { class: "words" }, `${instant(watermark_ms)}: ${waiting || "every window up to here is closed"}`),
    splits.length ? table(["split", "watermark", ["not read yet", "number"], ["age", "number"], ""],
      order.slice(0, MOST_SPLITS).map((split) => [
        el("span", { class: split.idle ? "idle" : undefined }, split.split), instant(split.watermark_ms),
        [count(split.lag_rows), "number"], [seconds(split.lag_seconds), "number"], el("span", { class: split.silent ? "bad" : split.idle ? "idle" : "fair" }, why(split))])) : null,
    splits.length > MOST_SPLITS ? el("p", { class: "soft" }, `and ${splits.length - MOST_SPLITS} more`) : null,
  ];
}

const PARTS = ["align", "sync", "flush", "upload", "commit"];
function bar(entry, longest) {
  const times = PARTS.map((name) => [name, entry[`${name}_s`]]).filter(([, value]) => value);
  const text = `checkpoint ${entry.number} ${entry.state}, ${seconds(entry.duration_s)}: ${times.map(([name, value]) => `${name} ${seconds(value)}`).join(", ")}${entry.reason ? `; ${entry.reason}` : ""}`;
  const high = (value) => `height:${(value / longest * 100).toFixed(1)}%`;
  if (entry.state === "failed") return el("span", { class: "bar", title: text }, el("i", { class: "failed", style: high(Math.max(entry.duration_s ?? 0, longest * 0.1)) }));
  const total = times.reduce((sum, [, value]) => sum + value, 0), scale = total > entry.duration_s ? entry.duration_s / total : 1;
  return el("span", { class: "bar", title: text },
    ...times.map(([name, value]) => el("i", { class: name, style: high(value * scale) })),
    el("i", { class: "rest", style: high(Math.max(0, (entry.duration_s ?? 0) - total * scale)) }));
}
function safe({ checkpoint, came_from, storage, transactions }) {
  const longest = Math.max(...checkpoint.history.map((entry) => entry.duration_s ?? 0), 0.001);
  const failed = checkpoint.history.filter((entry) => entry.state === "failed").slice(-3);
  const kept = checkpoint.history.filter((entry) => entry.savepoint).slice(-3);
  return [
    el("p", { class: "words" }, checkpoint.number
      ? `Checkpoint ${checkpoint.number}, ${checkpoint.completed} completed and ${checkpoint.failed} failed in this run; ${size(checkpoint.size_bytes)}, of it new ${size(checkpoint.new_bytes)}.` : "No checkpoint yet."),
    checkpoint.history.length ? el("div", { class: "bars" }, ...checkpoint.history.map((entry) => bar(entry, longest))) : null,
    checkpoint.history.length ? el("div", { class: "legend" }, ...PARTS.map((name) => el("span", {}, el("i", { style: `background:var(--${name === "sync" ? "soft" : name})` }), name)), el("span", {}, `highest: ${seconds(longest)}`)) : null,
    ...failed.map((entry) => el("p", { class: "words bad" }, `checkpoint ${entry.number} failed: ${entry.reason}`)),
    ...kept.map((entry) => el("p", { class: "words" }, "savepoint ", el("code", {}, entry.savepoint))),
    el("p", { class: "words soft" }, came_from ? `This run began from ${came_from}. ` : "", el("code", {}, storage)),
    transactions.length ? table(["transaction", "step", "state", ["rows", "number"], ["age", "number"], ["limit", "number"]],
      transactions.slice(0, 8).map((each) => [el("code", {}, each.name), `${each.step}[${each.subtask}]`, each.state, [count(each.rows), "number"], [seconds(each.age_s), "number"], [each.limit_s ? seconds(each.limit_s) : "–", "number"]])) : null,
  ];
}

function leftOut({ dropped, samples }) {
  const label = (name) => name.replace("_rows", "").replace("dlq", "dead letters");
  const counts = Object.entries(dropped).filter(([, n]) => n).map(([name, n]) => `${label(name)} ${count(n)}`);
  return [
    el("p", { class: counts.length ? "words" : "words soft" }, counts.join(", ") || "Nothing."),
    samples.length ? table(["", "step", "row", "why"], samples.map((each) => [label(each.kind), each.step, [el("code", {}, each.row), "wide"], [[each.reason, each.origin].filter(Boolean).join(" · "), "wide"]])) : null,
  ];
}

function job(told) {
  if (told.missing) {
    part("gone", "", told.trouble, (trouble) => el("p", { class: "words" }, trouble || "There is no such job here. ", el("a", { href: "#/" }, "All jobs")));
    return;
  }
  shown.get("gone")?.section.remove(); shown.delete("gone");
  const { status } = told, running = !status.outcome;
  WHERE.textContent = status.job;
  document.title = `${status.job} · ${told.state}`;
  main.classList.toggle("stale", told.silent_s !== null);
  const { sent_ms, history, ...rest } = told;
  part("well", "Is it well?", rest, () => well(told)).classList.add("now");
  actions(status.job, running && told.silent_s === null);
  part("keeps-up", "Does it keep up?", { ...rest, history }, () => keepsUp(told));
  part("brake", "Where is the brake?", [status.chains, status.edges, status.culprits, status.steps.map((step) => [step.name, step.chain])], () => brake(told));
  part("open", "Why is the window open?", { splits: status.splits, watermark_ms: status.watermark_ms, waiting: told.waiting, running }, open);
  const { age_s, running_s, ...checkpoint } = status.checkpoint;
  part("safe", "Is it safe?", { checkpoint, came_from: status.came_from, storage: status.storage, transactions: status.transactions }, safe);
  const samples = status.steps.flatMap((step) => step.samples.map((each) => ({ ...each, step: step.name }))).sort((a, b) => b.at_ms - a.at_ms).slice(0, 8);
  part("left-out", "What is left out?", { dropped: told.dropped, samples }, leftOut);
  flows(status);
}

// -- orders ---------------------------------------------------------------------------------------

const ORDERS = {
  savepoint: ["Savepoint", "Make a checkpoint that is kept?"],
  stop: ["Stop", "Stop after a last commit? Open windows stay in the last checkpoint; the next run continues."],
  drain: ["Stop and close windows", "Stop, and close every window first? Their results are final, even if rows are still to come."],
  cancel: ["Cancel", "End at once, without a last commit? The next run continues from the last checkpoint."],
};
let answer = "";
function actions(name, possible) {
  const section = shown.get("well").section;
  let row = section.querySelector(".actions");
  if (!row) {
    row = el("div", { class: "actions" }, ...Object.entries(ORDERS).map(([order, [label]]) =>
      el("button", { class: order === "cancel" ? "danger" : undefined, onclick: () => act(name, order) }, label)), el("span", { role: "status" }));
    section.append(row);
  }
  for (const button of row.querySelectorAll("button")) button.disabled = !possible;
  row.querySelector("span").textContent = answer;
}
async function act(name, order) {
  const dialog = document.getElementById("confirm");
  document.getElementById("question").textContent = `${name}: ${ORDERS[order][1]}`;
  dialog.showModal();
  const said = await new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue), { once: true }));
  dialog.returnValue = "";
  if (said !== "yes") return;
  answer = `${ORDERS[order][0]} …`;
  try {
    const response = await fetch(new URL(`api/v1/jobs/${encodeURIComponent(name)}/${order}`, base), { method: "POST", headers: { "X-Raystream": "page" } });
    const told = await response.json();
    answer = told.answer ?? told.error;
  } catch (error) { answer = `it did not reach the server: ${error.message}`; }
  const row = document.querySelector(".actions span");
  if (row) row.textContent = answer;
}

// -- rows that flow -------------------------------------------------------------------------------

let tail = null;
function flows(status) {
  const names = status.steps.map((step) => step.name);
  const section = part("flows", "What flows?", names, () => {
    const choice = el("select", { "aria-label": "step" }, el("option", { value: "" }, "choose a step"), ...names.map((name) => el("option", { value: name }, name)));
    choice.addEventListener("change", () => follow(status.job, choice.value));
    return [choice, el("div", { class: "rows" })];
  });
  section.querySelector("select").disabled = Boolean(status.outcome);
}
async function follow(name, step) {
  const mine = (tail = {});
  const place = document.querySelector("#flows .rows");
  place.replaceChildren();
  let marks = {}, rows = [];
  while (tail === mine && step && document.contains(place)) {
    const query = new URLSearchParams({ marks: JSON.stringify(marks) });
    let told;
    try { told = await (await fetch(new URL(`api/v1/jobs/${encodeURIComponent(name)}/steps/${encodeURIComponent(step)}/rows?${query}`, base))).json(); }
    catch (error) { told = { error: error.message }; }
    if (tail !== mine) return;
    if (told.error) { place.replaceChildren(el("p", { class: "bad" }, told.error)); return; }
    marks = told.marks;
    rows = [...told.rows.reverse(), ...rows].slice(0, 50);
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    place.replaceChildren(rows.length ? table(names, rows.map((row) => names.map((column) => { const value = row[column]; return value === undefined ? "" : typeof value === "object" && value !== null ? JSON.stringify(value) : String(value); })), "plain") : el("p", { class: "soft" }, "no row yet"));
    await new Promise((done) => setTimeout(done, 1000));
  }
}

// -- the connection -------------------------------------------------------------------------------

let stream = null, heard = 0;
function connection() {
  const lost = heard && Date.now() - heard > LOST_MS;
  const down = stream && stream.readyState !== EventSource.OPEN;
  link.className = lost || (down && heard) ? "lost" : "";
  link.textContent = lost || (down && heard) ? `no connection to raystream ui for ${seconds(Math.floor((Date.now() - heard) / 1000))}: numbers are old` : heard ? "live" : "connecting …";
  main.classList.toggle("cut", Boolean(lost));
  if (lost) main.classList.add("stale");
}
function go() {
  stream?.close();
  tail = null; heard = 0; answer = "";
  clear();
  const name = location.hash.startsWith("#/job/") ? location.hash.slice(6) : null;
  stream = new EventSource(new URL(name === null ? "api/v1/events" : `api/v1/jobs/${name}/events`, base));
  stream.onmessage = (event) => { heard = Date.now(); main.classList.remove("stale"); (name === null ? list : job)(JSON.parse(event.data)); connection(); };
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.hash && go(), 3000); };
}
addEventListener("hashchange", () => { go(); main.focus(); });
setInterval(connection, 1000);
go();
