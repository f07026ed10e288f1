// Elements, keyed lists, and texts for numbers.

const SVG = "http://www.w3.org/2000/svg";

// Returns an element. Attributes whose value is null or false are left out; children may be strings.
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svgElement(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Sets the text of an element only if it differs, so that a selection in it is kept.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes the children of `parent` correspond to `items`. An element with the same key is kept and updated, so that
// focus, selections and open details survive.
export function reconcile(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = key;
    }
    known.delete(key);
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of known.values()) child.remove();
}

function significant(value) {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(2).replace(/\.?0+$/, "");
}

function scaled(value, units, step) {
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  return significant(value) + units[unit];
}

export const count = (value) => (value == null ? "–" : scaled(value, ["", " k", " M", " G"], 1000));
export const bytes = (value) => (value == null ? "–" : scaled(value, [" B", " KiB", " MiB", " GiB"], 1024));
export const traffic = (value) => (value == null ? "–" : scaled(value, [" B", " kB", " MB", " GB"], 1000));
export const percent = (value) => (value == null ? "–" : `${significant(value * 100)} %`);

export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds === 0) return "0";
  if (seconds < 0.001) return `${significant(seconds * 1e6)} µs`;
  if (seconds < 1) return `${significant(seconds * 1000)} ms`;
  if (seconds < 60) return `${significant(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export const clock = (time) => new Date(time * 1000).toLocaleTimeString([], { hour12: false });
