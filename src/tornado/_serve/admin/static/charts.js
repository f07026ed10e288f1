// Charts of the history: lines, or areas on top of one another. The pointer and the arrow keys read single values.

import { clock, element, setText, svgElement } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 160;
const BOTTOM = 20;
const TOP = 8;
const PLOT = HEIGHT - BOTTOM - TOP;

export class Chart {
  // `series` is a list of { name, className, value(point) }; `format` returns the text of a value.
  constructor(figure, { title, series, format, stacked = false, minimum = 0 }) {
    this.series = series;
    this.format = format;
    this.stacked = stacked;
    this.minimum = minimum;
    this.title = title;
    this.points = [];
    this.selected = null;
    this.grid = svgElement("g", { class: "grid" });
    this.shapes = series.map((each) => svgElement("path", { class: `${stacked ? "area" : "line"} ${each.className}` }));
    this.cursor = svgElement("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.svg = svgElement(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0", preserveAspectRatio: "none" },
      this.grid,
      ...this.shapes,
      this.cursor,
    );
    this.values = series.map(() => element("b"));
    this.when = element("span", { class: "when" });
    const legend = series.map((each, index) =>
      element("li", {}, element("i", { class: `key ${each.className}` }), each.name, " ", this.values[index]),
    );
    this.labels = element("div", { class: "labels", "aria-hidden": "true" });
    figure.append(
      element("figcaption", {}, element("h3", {}, title), this.when),
      element("ul", { class: "legend" }, ...legend),
      element("div", { class: "plot" }, this.svg, this.labels),
    );
    this.svg.addEventListener("pointermove", (event) => this.select(this.indexAt(event)));
    this.svg.addEventListener("pointerleave", () => this.select(null));
    this.svg.addEventListener("blur", () => this.select(null));
    this.svg.addEventListener("keydown", (event) => this.onKey(event));
  }

  draw(points, seconds) {
    this.end = points.length ? points[points.length - 1].time : 0;
    this.seconds = seconds;
    const chosen = this.selected === null ? null : this.points[this.selected]?.time;
    this.points = points.filter((point) => point.time >= this.end - seconds);
    this.rows = this.points.map((point) => this.series.map((each) => each.value(point)));
    const sum = (row) => row.reduce((total, value) => total + (value ?? 0), 0);
    const highest = (row) => (this.stacked ? sum(row) : Math.max(0, ...row.map((value) => value ?? 0)));
    this.top = niceTop(Math.max(this.minimum, ...this.rows.map(highest)));
    this.drawGrid();
    const below = this.points.map(() => 0);
    this.series.forEach((_, index) => {
      this.shapes[index].setAttribute("d", this.stacked ? this.area(index, below) : this.line(index));
    });
    const index = chosen === null ? -1 : this.points.findIndex((point) => point.time === chosen);
    this.select(index < 0 ? null : index);
  }

  x(index) {
    return (1 - (this.end - this.points[index].time) / this.seconds) * (WIDTH - 2);
  }

  y(value) {
    return TOP + PLOT * (1 - Math.min(1, value / this.top));
  }

  line(index) {
    let path = "";
    let previous = null;
    this.rows.forEach((row, place) => {
      const value = row[index];
      // A second without requests has no duration, and the line a gap. A single value is a short line.
      if (value != null) {
        const at = `${this.x(place).toFixed(1)} ${this.y(value).toFixed(1)}`;
        path += previous == null ? `M${at}h.01` : `L${at}`;
      }
      previous = value;
    });
    return path;
  }

  area(index, below) {
    if (!this.rows.length) return "";
    const lower = this.rows.map((_, place) => `${this.x(place).toFixed(1)} ${this.y(below[place]).toFixed(1)}`);
    const upper = this.rows.map((row, place) => {
      below[place] += row[index] ?? 0;
      return `${this.x(place).toFixed(1)} ${this.y(below[place]).toFixed(1)}`;
    });
    return `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
  }

  drawGrid() {
    const lines = [0, 0.5, 1].map((share) => {
      const y = this.y(this.top * share);
      return svgElement("line", { x1: 0, x2: WIDTH, y1: y, y2: y });
    });
    this.grid.replaceChildren(...lines);
    // Texts are not part of the drawing, which is stretched to the width of the page.
    const texts = [0, 0.5, 1].map((share) => {
      const label = element("span", { class: "tick" }, this.format(this.top * share));
      label.style.top = `${(this.y(this.top * share) / HEIGHT) * 100}%`;
      return label;
    });
    const start = element("span", { class: "start" }, this.seconds < 60 ? `−${this.seconds} s` : `−${this.seconds / 60} min`);
    this.labels.replaceChildren(...texts, start, element("span", { class: "end" }, "now"));
  }

  indexAt(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    let nearest = null;
    this.points.forEach((_, index) => {
      if (nearest === null || Math.abs(this.x(index) - x) < Math.abs(this.x(nearest) - x)) nearest = index;
    });
    return nearest;
  }

  onKey(event) {
    const last = this.points.length - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (last < 0 || (step === undefined && event.key !== "Escape")) return;
    event.preventDefault();
    this.select(step === undefined ? null : Math.max(0, Math.min(last, (this.selected ?? last) + step)));
  }

  // Shows the values of a point, or the latest ones if it is null.
  select(index) {
    this.selected = index;
    const place = index ?? this.points.length - 1;
    const row = this.rows?.[place] ?? this.series.map(() => null);
    row.forEach((value, each) => setText(this.values[each], value == null ? "–" : this.format(value)));
    const shown = index !== null && this.points.length > 0;
    setText(this.when, shown ? clock(this.points[place].time) : "");
    this.cursor.setAttribute("visibility", shown ? "visible" : "hidden");
    if (shown) {
      this.cursor.setAttribute("x1", this.x(place));
      this.cursor.setAttribute("x2", this.x(place));
    }
    const values = this.series.map((each, number) => `${each.name} ${this.values[number].textContent}`).join(", ");
    this.svg.setAttribute("aria-label", `${this.title}${shown ? ` at ${this.when.textContent}` : ""}: ${values}`);
  }
}

// Returns 1, 2 or 5 times a power of ten that is not less than `value`.
function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= value * 0.999);
}

// Draws a small line without axes.
export function sparkline(svg, values) {
  const highest = Math.max(1e-9, ...values.map((value) => value ?? 0));
  const step = 100 / Math.max(1, values.length - 1);
  const path = values.map((value, index) => `${(index * step).toFixed(1)} ${(22 - (20 * (value ?? 0)) / highest).toFixed(1)}`);
  svg.firstElementChild.setAttribute("d", path.length > 1 ? `M${path.join("L")}` : "");
}
