// The graph of chains, left to right: fill = busy, colour of an edge = back-pressure of its sender.
import { svg } from "./dom.js";
import { percent } from "./words.js";

const WIDE = 208, GAP_X = 60, GAP_Y = 14, LINE = 15, MOST_STEPS = 6;
const WAITS = 0.2; // as observe/culprit.py

function ranks(chains, edges) {
  const rank = new Map(chains.map((chain) => [chain.name, 0]));
  for (let round = 0; round < chains.length; round++) {
    let moved = false;
    for (const { source, target } of edges) {
      if (rank.get(target) <= rank.get(source)) { rank.set(target, rank.get(source) + 1); moved = true; }
    }
    if (!moved) break;
  }
  return rank;
}

// Rows of a column in the order of those that they come from, so that edges cross less.
function columns(chains, edges, rank) {
  const found = [], place = new Map();
  for (const chain of chains) (found[rank.get(chain.name)] ??= []).push(chain);
  found.forEach((column, x) => {
    const from = (chain) => {
      const places = edges.filter((e) => e.target === chain.name).map((e) => place.get(e.source) ?? 0);
      return places.length ? places.reduce((a, b) => a + b) / places.length : 0;
    };
    if (x) column.sort((a, b) => from(a) - from(b));
    column.forEach((chain, y) => place.set(chain.name, y));
  });
  return found;
}

function cut(text, most) { return text.length > most ? text.slice(0, most - 1) + "…" : text; }

function box({ chain, mine: steps, x, y, high }, culprit, running) {
  const busy = running ? Math.max(0, Math.min(1, chain.busy)) : 0, hot = busy >= 0.8;
  const group = svg("g", { transform: `translate(${x} ${y})` });
  const shown = steps.slice(0, MOST_STEPS).map((step) => step.name);
  if (steps.length > MOST_STEPS) shown.push(`and ${steps.length - MOST_STEPS} more`);
  group.append(
    svg("title", {}, [chain.name, steps.map((step) => step.name).join(" → "), running ? words(chain) : ""].filter(Boolean).join("\n")),
    svg("rect", { class: culprit ? "box culprit" : "box", width: WIDE, height: high, rx: 6 }),
    svg("rect", { class: hot ? "fill hot" : "fill", width: busy * WIDE, height: high, rx: 6 }),
    svg("text", { x: 8, y: 17, "font-weight": 600 }, cut(chain.name, 20)),
    svg("text", { x: WIDE - 8, y: 17, class: "small", "text-anchor": "end" }, `× ${chain.subtasks.length || "?"}`),
    ...shown.map((name, i) => svg("text", { x: 8, y: 33 + i * LINE, class: "small" }, cut(name, 30))),
    svg("text", { x: 8, y: high - 7, class: "small" }, running ? words(chain) : "does not run"),
  );
  return group;
}

function words(chain) {
  const skew = chain.skew && chain.skew >= 1.5 ? ` · skew ${chain.skew.toFixed(1)}` : "";
  return `busy ${percent(chain.busy)} · waits ${percent(chain.backpressured)}${skew}`;
}

export function graph(status, culprit, running) {
  const { chains, edges, steps } = status;
  const rank = ranks(chains, edges), placed = new Map();
  let wide = 0, tall = 0;
  columns(chains, edges, rank).forEach((column, x) => {
    let y = 4;
    for (const chain of column ?? []) {
      const mine = steps.filter((step) => step.chain === chain.name);
      const high = 42 + Math.min(mine.length, MOST_STEPS + 1) * LINE;
      placed.set(chain.name, { x: 4 + x * (WIDE + GAP_X), y, high, chain, mine });
      y += high + GAP_Y;
    }
    wide = Math.max(wide, 8 + (x + 1) * (WIDE + GAP_X) - GAP_X);
    tall = Math.max(tall, y);
  });
  const drawn = svg("svg", { width: wide, height: tall, role: "img", "aria-label": "boxes are chains, arrows go where rows go" });
  for (const edge of edges) {
    const a = placed.get(edge.source), b = placed.get(edge.target);
    if (!a || !b) continue;
    const [x1, y1, x2, y2] = [a.x + WIDE, a.y + a.high / 2, b.x, b.y + b.high / 2], bend = (x2 - x1) / 2;
    const held = a.chain.backpressured, tone = !running ? "" : held >= 0.5 ? "bad" : held >= WAITS ? "fair" : "";
    const path = svg("path", { class: tone, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
    if (edge.tag !== "main") path.setAttribute("stroke-dasharray", "4 3");
    path.append(svg("title", {}, `${edge.kind}${edge.tag === "main" ? "" : `, ${edge.tag}`}: waits ${percent(held)}`));
    drawn.append(path);
  }
  for (const each of placed.values()) drawn.append(box(each, each.chain.name === culprit, running));
  return drawn;
}
