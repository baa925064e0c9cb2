// The list of jobs.
import { el } from "./dom.js";
import { part, table } from "./parts.js";
import { ago, count, rate } from "./words.js";

const HEADS = ["job", "state", ["rows in", "number"], ["rows out", "number"], ["not read yet", "number"], ["checkpoint", "number"], ["restarts", "number"], ""];

export function list(told) {
  const wrong = told.jobs.filter((job) => job.tone === "bad").length;
  document.title = wrong ? `${wrong} not well · raystream` : "raystream";
  part("jobs", "Jobs", { jobs: told.jobs.map(({ uptime_s, ended_s, ...job }) => job), trouble: told.trouble }, () => [
    told.trouble ? el("p", { class: "bad" }, told.trouble) : null,
    told.jobs.length ? el("p", { class: "soft" }, states(told.jobs)) : null,
    told.jobs.length ? table(HEADS, told.jobs.map(row), { kind: "stack jobs", keys: told.jobs.map((job) => job.job), looks: told.jobs.map((job) => (job.silent_s === null ? undefined : "old")) }) : null,
    told.jobs.length || told.trouble ? null : el("p", { class: "soft" }, "No job runs here. ", el("code", {}, "raystream run"), " starts one, or ", el("code", {}, "p.submit()"), " in a notebook."),
  ]);
}

function states(jobs) {
  const counts = new Map();
  for (const { state } of jobs) counts.set(state, (counts.get(state) ?? 0) + 1);
  const each = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([state, n]) => `${n} ${state}`).join(", ");
  return jobs.length === 1 ? `1 job: ${jobs[0].state}` : `${jobs.length} jobs: ${each}`;
}

function row(job) {
  const words = job.silent_s === null ? job.words : `no answer for ${ago(job.silent_s)}: ${job.words}`;
  return [
    el("a", { href: `#/job/${encodeURIComponent(job.job)}` }, job.job),
    el("span", { class: `state ${job.tone}` }, job.state),
    [rate(job.rows_in_per_second), "number"], [rate(job.rows_out_per_second), "number"], [count(job.lag_rows), "number"],
    [job.checkpoint_age_s === null ? "–" : `${ago(job.checkpoint_age_s)} ago`, "number"], [String(job.restarts), "number"], [words, "wide"],
  ];
}
