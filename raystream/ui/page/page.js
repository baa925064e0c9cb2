// Shows what /api/v1/ says; the server computes, this only draws. What is old is never shown as new.
import { leave } from "./flows.js";
import { job } from "./job.js";
import { list } from "./list.js";
import { dismiss } from "./orders.js";
import { clear } from "./parts.js";
import { ago, instant } from "./words.js";

const main = document.getElementById("main"), link = document.getElementById("link"), clock = document.getElementById("clock");
const base = new URL(".", document.baseURI);
const QUIET_MS = 15000; // the server says something every 10 s at least
const RETRY_MS = 3000;

// The token has become a cookie: it is not left where it is copied, kept in a history or looked over a shoulder.
const address = new URL(location.href);
if (address.searchParams.has("token")) {
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

let stream = null, name = null, said = null; // what was said last: { at: this clock, sent_ms: the server's }
let opened = 0, silent = false, why = "";

function looked() {
  const found = location.hash.startsWith("#/job/") ? location.hash.slice(6) : "";
  try { return found ? decodeURIComponent(found) : null; } catch { return found; }
}
function connect() {
  stream?.close();
  opened = Date.now();
  stream = new EventSource(new URL(name === null ? "api/v1/events" : `api/v1/jobs/${encodeURIComponent(name)}/events`, base));
  stream.onmessage = (event) => hear(JSON.parse(event.data));
}
function hear(told) {
  said = { at: Date.now(), sent_ms: told.sent_ms };
  why = "";
  silent = name !== null && !told.missing && told.silent_s !== null;
  if (name === null) list(told); else job(told, base);
  state();
}
function state() {
  const now = Date.now(), quiet = now - Math.max(said?.at ?? 0, opened) > QUIET_MS;
  const cut = Boolean(said) && (now - said.at > QUIET_MS || stream.readyState !== EventSource.OPEN);
  if ((quiet || stream.readyState === EventSource.CLOSED) && now - opened > RETRY_MS) { explain(); connect(); }
  const words = why || (cut || quiet ? "no connection to raystream ui" : said ? "live" : "connecting …");
  if (link.textContent !== words) link.textContent = words;
  link.className = clock.className = cut || why ? "lost" : "";
  const of = said ? instant(said.sent_ms).slice(0, 8) : "";
  clock.textContent = !said ? "" : cut ? `for ${ago((now - said.at) / 1000)}: numbers are those of ${of} UTC` : `${of} UTC`;
  main.classList.toggle("stale", silent);
  main.classList.toggle("cut", cut);
}
// A stream does not say why it was refused.
async function explain() {
  const status = await fetch(new URL("api/v1/jobs", base)).then((response) => response.status, () => 0);
  if (status === 401) why = "raystream ui has another token now: open the address that it printed";
  else if (status >= 400) why = `raystream ui answers with ${status}`;
}
function go() {
  leave();
  dismiss();
  clear();
  name = looked();
  delete main.dataset.job;
  document.getElementById("where").textContent = name ?? "";
  said = null; silent = false; why = "";
  connect();
  state();
}
addEventListener("hashchange", () => { go(); main.focus({ preventScroll: true }); scrollTo(0, 0); });
setInterval(state, 1000);
go();
