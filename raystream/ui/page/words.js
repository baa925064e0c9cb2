// Numbers, durations and times for people; all times are UTC, as in the sentences of the server.

export function count(n) {
  if (typeof n !== "number" || !Number.isFinite(n)) return "–";
  if (n < 0) return `-${count(-n)}`;
  for (const [most, unit, digits, suffix] of [[999.5, 1, 0, ""], [999.95e3, 1e3, 1, " k"], [999.995e6, 1e6, 2, " M"]]) {
    if (n < most) return (n / unit).toFixed(digits) + suffix;
  }
  return `${(n / 1e9).toFixed(2)} G`;
}
export function rows(n) { return `${count(n)} ${n === 1 ? "row" : "rows"}`; }
export function rate(n) { return count(n) === "–" ? "–" : `${count(n)}/s`; }
export function size(n) { const text = count(n); return text === "–" ? text : text.includes(" ") ? `${text}B` : `${text} B`; }
export function percent(share) { return `${Math.round(share * 100)} %`; }

export function seconds(s) {
  if (typeof s !== "number" || !Number.isFinite(s)) return "–";
  if (s < 0) return `-${seconds(-s)}`;
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  const m = Math.floor(whole / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  const two = (n, unit, rest, small) => (rest ? `${n} ${unit} ${rest} ${small}` : `${n} ${unit}`);
  if (m < 60) return two(m, "min", whole % 60, "s");
  return h < 24 ? two(h, "h", m % 60, "min") : two(d, "d", h % 24, "h");
}
// Whole seconds: for what grows while one looks at it.
export function ago(s) {
  if (typeof s !== "number") return "–";
  return s >= 0 && s < 10 ? `${Math.floor(s)} s` : seconds(Math.floor(s));
}

const LAST = 253402300799000, FIRST = -62135596800000;
export function instant(ms, now = Date.now()) {
  if (typeof ms !== "number" || !Number.isFinite(ms)) return "–";
  if (ms > LAST) return "the end";
  if (ms < FIRST) return "the beginning";
  const text = new Date(ms).toISOString(), today = new Date(now).toISOString();
  return text.slice(0, 10) === today.slice(0, 10) ? `${text.slice(11, 23)}Z` : `${text.slice(0, 19).replace("T", " ")}Z`;
}
