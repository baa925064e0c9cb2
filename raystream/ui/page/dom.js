// Elements, and how those that are shown become new ones. Text is only ever text: nothing is parsed as HTML.

function put(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}
export function el(tag, attributes = {}, ...children) { return put(document.createElement(tag), attributes, children); }
export function svg(tag, attributes = {}, ...children) {
  return put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// Makes `old` show what `fresh` does, and keeps its nodes: focus, selected text, opened folds and places of scrolling stay.
export function patch(old, fresh) {
  const before = [...old.childNodes], after = [...fresh.childNodes];
  after.forEach((node, i) => {
    const kept = before[i];
    if (!kept) old.append(node);
    else if (!alike(kept, node)) kept.replaceWith(node);
    else if (node.nodeType === 3) { if (kept.data !== node.data) kept.data = node.data; }
    else { attributes(kept, node); patch(kept, node); }
  });
  before.slice(after.length).forEach((node) => node.remove());
}
function alike(a, b) {
  return a.nodeName === b.nodeName && (a.nodeType === 3 || a.getAttribute("data-key") === b.getAttribute("data-key"));
}
// Whether a fold is open is for those who look at it to say.
function attributes(kept, node) {
  for (const { name, value } of [...node.attributes]) if (kept.getAttribute(name) !== value && name !== "open") kept.setAttribute(name, value);
  for (const { name } of [...kept.attributes]) if (!node.hasAttribute(name) && name !== "open") kept.removeAttribute(name);
}
