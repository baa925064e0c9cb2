// Draws what comes on standard input, { jobs: [..], lists: [..] }, one after the other into one page; prints what it holds.
import { readFileSync } from "node:fs";
import "./dom.mjs";
import { job } from "./page/job.js";
import { list } from "./page/list.js";
import { clear } from "./page/parts.js";

const main = document.getElementById("main"), asked = JSON.parse(readFileSync(0, "utf8"));
const sections = () => Object.fromEntries(main.childNodes.map((section) => [section.getAttribute("id"), section.textContent]));
const kept = ({ name }) => name !== "open"; // folds belong to those who look
const tree = (node) => (node.nodeType === 3 ? node.data : [node.nodeName, node.attributes.filter(kept).map(({ name, value }) => `${name}=${value}`).sort(), node.childNodes.map(tree)]);
const shown = () => JSON.stringify(main.childNodes.filter((each) => each.getAttribute("id") !== "flows").map(tree));

function drawn(draw, documents) {
  return documents.map((told) => {
    draw(told, "http://localhost/"); // over what the one before has left
    const patched = shown();
    clear();
    delete main.dataset.job;
    draw(told, "http://localhost/");
    return { title: document.title, same: patched === shown(), sections: sections(), tags: [...new Set(main.all.map((each) => each.nodeName))], culprits: main.querySelectorAll(".culprit").length, bars: main.querySelectorAll(".bar").length, strokes: main.querySelectorAll(".line").map((each) => each.getAttribute("d").split("M").length - 1) };
  });
}
const jobs = drawn(job, asked.jobs);
clear();
const lists = drawn(list, asked.lists);
process.stdout.write(JSON.stringify({ jobs, lists }));
