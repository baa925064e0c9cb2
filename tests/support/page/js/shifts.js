// What moves by itself within some time, as the browser counts it.
async (ms) => {
  let sum = 0;
  const what = [];
  const watch = new PerformanceObserver((list) => list.getEntries().forEach((each) => {
    if (each.hadRecentInput) return;
    sum += each.value;
    for (const { node } of each.sources) what.push(`${node?.nodeName} ${node?.className} ${node?.textContent?.slice(0, 40)}`);
  }));
  watch.observe({ type: "layout-shift" });
  await new Promise((done) => setTimeout(done, ms));
  return JSON.stringify({ sum, what: what.slice(0, 6) });
}
