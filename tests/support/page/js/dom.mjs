// As much of a document as the page needs to draw itself, for tests without a browser.

class Node {
  parentNode = null;
  remove() { this.parentNode?.childNodes.splice(this.parentNode.childNodes.indexOf(this), 1); this.parentNode = null; }
  replaceWith(other) {
    const { parentNode } = this, at = parentNode.childNodes.indexOf(this);
    other.remove();
    parentNode.childNodes[at] = other;
    other.parentNode = parentNode;
    this.parentNode = null;
  }
}
class Text extends Node {
  nodeType = 3; nodeName = "#text";
  constructor(data) { super(); this.data = data; }
  get textContent() { return this.data; }
}
class Element extends Node {
  nodeType = 1; childNodes = []; scrollLeft = 0;
  constructor(tag) {
    super();
    this.nodeName = tag.toUpperCase();
    this.map = new Map();
    this.listeners = {};
    const element = this, name = (key) => `data-${key}`;
    this.dataset = new Proxy({}, {
      get: (_, key) => element.getAttribute(name(key)) ?? undefined,
      set: (_, key, value) => { element.setAttribute(name(key), value); return true; },
      deleteProperty: (_, key) => { element.removeAttribute(name(key)); return true; },
    });
    this.classList = { add: (each) => { if (!element.is(`.${each}`)) element.className = `${element.className} ${each}`.trim(); } };
  }
  get attributes() { return [...this.map].map(([name, value]) => ({ name, value })); }
  get className() { return this.getAttribute("class") ?? ""; }
  set className(value) { this.setAttribute("class", value); }
  get textContent() { return this.childNodes.map((each) => each.textContent).join(""); }
  set textContent(text) { this.replaceChildren(text); }
  setAttribute(name, value) { this.map.set(name, String(value)); }
  getAttribute(name) { return this.map.get(name) ?? null; }
  hasAttribute(name) { return this.map.has(name); }
  removeAttribute(name) { this.map.delete(name); }
  addEventListener(name, call) { this.listeners[name] = call; }
  append(...children) {
    for (const child of children) {
      const node = child instanceof Node ? child : new Text(String(child));
      node.remove();
      node.parentNode = this;
      this.childNodes.push(node);
    }
  }
  replaceChildren(...children) { for (const child of [...this.childNodes]) child.remove(); this.append(...children); }
  get all() { return this.childNodes.flatMap((each) => (each.nodeType === 1 ? [each, ...each.all] : [])); }
  is(simple) {
    if (simple.startsWith("#")) return this.getAttribute("id") === simple.slice(1);
    if (simple.startsWith(".")) return this.className.split(" ").includes(simple.slice(1));
    return this.nodeName === simple.toUpperCase();
  }
  querySelectorAll(selector) {
    return selector.split(" ").reduce((found, simple) => found.flatMap((each) => each.all.filter((one) => one.is(simple))), [this]);
  }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  getBoundingClientRect() { return { right: 0 }; }
}

const body = new Element("body"), main = new Element("main");
main.setAttribute("id", "main");
body.append(main);
globalThis.document = {
  body, title: "", createElement: (tag) => new Element(tag), createElementNS: (_, tag) => new Element(tag),
  getElementById: (id) => body.querySelector(`#${id}`),
  querySelector: (selector) => body.querySelector(selector), contains: (node) => body.all.includes(node),
};
