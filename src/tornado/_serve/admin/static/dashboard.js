// The page: receives an event each second (/events) and shows it.

import { confirmAction, post, showLog } from "./actions.js";
import { Chart, sparkline } from "./charts.js";
import { bytes, count, duration, element, percent, setText, svgElement, traffic } from "./dom.js";
import { showErrors, showRequests, showRoutes, showWorkers } from "./lists.js";

const HISTORY = 600;
const STALE = 4000; // milliseconds without an event after which the page says so
const SPARKLINE = 60;

const byId = (id) => document.getElementById(id);
const rateOf = (name) => (point) => point.classes[name] ?? 0;
const connections = (name) => (point) => point.connections[name] ?? 0;

const TILES = [
  { name: "Requests/s", value: (point) => point.rate, format: count },
  { name: "Latency p95", value: (point) => point.p95, format: duration },
  { name: "Server errors/s", value: rateOf("5xx"), format: count, warns: (value) => value > 0 },
  { name: "In flight", value: (point) => point.in_flight, format: count },
  { name: "Loop delay p99", value: (point) => point.loop_delay, format: duration, warns: (value) => value > 0.1 },
  { name: "CPU", value: (point) => point.cpu, format: percent },
  { name: "Memory", value: (point) => point.memory, format: bytes },
  { name: "Connections", value: (point) => Object.values(point.connections).reduce((a, b) => a + b, 0), format: count },
];

const CHARTS = [
  {
    title: "Requests per second",
    format: count,
    stacked: true,
    series: [
      { name: "2xx", className: "s2xx", value: rateOf("2xx") },
      { name: "3xx", className: "s3xx", value: rateOf("3xx") },
      { name: "4xx", className: "s4xx", value: rateOf("4xx") },
      { name: "5xx", className: "s5xx", value: rateOf("5xx") },
    ],
  },
  {
    title: "Latency",
    format: duration,
    minimum: 0.001,
    series: [
      { name: "p50", className: "p50", value: (point) => point.p50 },
      { name: "p95", className: "p95", value: (point) => point.p95 },
      { name: "p99", className: "p99", value: (point) => point.p99 },
    ],
  },
  {
    title: "Connections",
    format: count,
    stacked: true,
    series: [
      { name: "active", className: "active", value: connections("active") },
      { name: "idle", className: "idle", value: connections("idle") },
      { name: "waiting", className: "waiting", value: connections("waiting") },
      { name: "streams", className: "event_stream", value: connections("event_stream") },
      { name: "WebSockets", className: "websocket", value: connections("websocket") },
    ],
  },
  {
    title: "Event loop delay",
    format: duration,
    minimum: 0.01,
    series: [{ name: "p99", className: "p95", value: (point) => point.loop_delay }],
  },
  {
    title: "CPU",
    format: percent,
    minimum: 0.1,
    series: [{ name: "all workers", className: "active", value: (point) => point.cpu }],
  },
  {
    title: "Traffic per second",
    format: traffic,
    minimum: 100,
    series: [
      { name: "sent", className: "active", value: (point) => point.sent },
      { name: "received", className: "websocket", value: (point) => point.received },
    ],
  },
];

const channels = (name) => (point) => point.channels?.[name] ?? null;

// Shown if the program uses channels.
const CHANNEL_CHARTS = [
  {
    title: "Channels: subscriptions",
    format: count,
    series: [{ name: "subscriptions", className: "websocket", value: channels("subscribers") }],
  },
  {
    title: "Channels: messages per second",
    format: count,
    series: [
      { name: "published", className: "active", value: channels("published") },
      { name: "delivered", className: "websocket", value: channels("delivered") },
    ],
  },
  {
    title: "Channels: losses per second",
    format: count,
    series: [
      { name: "gaps", className: "s4xx", value: channels("gaps") },
      { name: "slow clients", className: "idle", value: channels("slow_clients") },
      { name: "not published", className: "s5xx", value: channels("publish_failures") },
    ],
  },
];

let points = [];
let seconds = 300;
let service = null;
let lastEvent = 0;

const tiles = TILES.map((tile) => {
  const value = element("dd");
  const line = svgElement("svg", { viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" }, svgElement("path"));
  const node = element("dl", { class: "tile" }, element("dt", {}, tile.name), value, line);
  byId("tiles").append(node);
  return { ...tile, node, line, output: value };
});
const charts = CHARTS.map(addChart);

function addChart(chart) {
  const figure = element("figure");
  byId("charts").append(figure);
  return new Chart(figure, chart);
}

function drawHistory() {
  if (charts.length === CHARTS.length && points.some((point) => point.channels)) {
    charts.push(...CHANNEL_CHARTS.map(addChart));
  }
  for (const chart of charts) chart.draw(points, seconds);
  const latest = points[points.length - 1];
  for (const tile of tiles) {
    const value = latest ? tile.value(latest) : null;
    setText(tile.output, tile.format(value));
    tile.node.classList.toggle("warns", Boolean(tile.warns && value != null && tile.warns(value)));
    sparkline(tile.line, points.slice(-SPARKLINE).map(tile.value));
  }
}

function addPoint(point) {
  if (point && (!points.length || point.time > points[points.length - 1].time)) {
    points = [...points, point].slice(-HISTORY);
  }
}

function showService(event) {
  service = event.service;
  setText(byId("target"), service.target);
  const restarts = Object.entries(service.restarts).map(([reason, number]) => `${number} ${reason}`);
  const parts = [
    `${service.serving} of ${service.size} workers serve`,
    restarts.length ? `restarts: ${restarts.join(", ")}` : "no restarts",
    `up ${duration((event.point?.time ?? service.started) - service.started)}`,
  ];
  setText(byId("summary"), parts.join(" · "));
  setState(service.state, service.state === "serving" ? "good" : "busy");
  const rate = event.point ? `${count(event.point.rate)}/s` : "";
  document.title = service.state === "serving" ? `${rate} · ${service.target}` : `${service.state} · ${service.target}`;
  notice("reload-error", service.reload_error && `The last reload has failed, and the old workers continue: ${service.reload_error}`);
  const hung = event.workers.filter((worker) => worker.state === "hung" || worker.blocked).map((worker) => worker.number);
  notice("hung", hung.length > 0 && `The event loop of worker ${hung.join(", ")} is blocked.`);
  const lost = event.point?.channels?.disconnected;
  notice("brokers", lost > 0 && `Channels receive no messages: ${lost} ${lost > 1 ? "workers have" : "worker has"} no connection to the broker.`);
  for (const id of ["reload", "scale", "drain"]) byId(id).disabled = !["serving", "reloading"].includes(service.state);
}

function setState(text, kind) {
  const node = byId("state");
  setText(node, text);
  node.className = `badge ${kind}`;
}

// Shows or removes a message. The region is live, so an unchanged message must not be replaced.
function notice(key, text, kind = "bad") {
  const region = byId("notices");
  let node = region.querySelector(`[data-key="${key}"]`);
  if (!text) {
    node?.remove();
    return;
  }
  if (!node) {
    node = element("p", { class: `notice ${kind}`, "data-key": key });
    region.append(node);
  }
  setText(node, text);
}

function showResult(text, kind) {
  notice("result", null);
  notice("result", text, kind);
  setTimeout(() => notice("result", null), 8000);
}

function show(event) {
  lastEvent = Date.now();
  notice("connection", null);
  addPoint(event.point);
  drawHistory();
  showService(event);
  showWorkers(event.workers, event.point?.time, (worker) => ask("restart", worker));
  showRequests(event.requests, event.request_count, openLog);
  showRoutes(event.routes);
  showErrors(event.errors, event.point?.time, openLog);
}

// -- the connection --

let source = null;

function connect() {
  source?.close();
  source = new EventSource("events");
  source.addEventListener("history", (message) => {
    points = JSON.parse(message.data).points;
    drawHistory();
  });
  source.addEventListener("state", (message) => show(JSON.parse(message.data)));
  source.onmessage = (message) => show(JSON.parse(message.data));
  source.onerror = () => {
    disconnected();
    // After an error status, the browser does not try again by itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(retry, 2000);
  };
}

async function retry() {
  try {
    const response = await fetch("api/status", { headers: { Accept: "application/json" } });
    if (response.status === 401) {
      location.href = "login";
      return;
    }
  } catch {
    // not reachable yet
  }
  connect();
}

function disconnected() {
  setState("disconnected", "bad");
  const since = lastEvent ? ` since ${duration((Date.now() - lastEvent) / 1000)}` : "";
  notice("connection", `No connection to the service${since}. The page reconnects by itself.`);
}

setInterval(() => {
  if (lastEvent && Date.now() - lastEvent > STALE) disconnected();
}, 1000);

// -- actions --

async function ask(action, worker = null) {
  const path = worker === null ? action : `${action}/${worker.number}`;
  const answer = await confirmAction(action, { worker, service });
  if (answer === null) return;
  const { ok, text } = await post(path, answer);
  showResult(text, ok ? "good" : "bad");
}

function openLog(id) {
  showLog(id);
}

for (const action of ["reload", "scale", "drain"]) byId(action).addEventListener("click", () => ask(action));
byId("log-form").addEventListener("submit", (event) => {
  event.preventDefault();
  openLog(byId("log-id").value.trim());
});
for (const button of document.querySelectorAll("[data-seconds]")) {
  button.addEventListener("click", () => {
    seconds = Number(button.dataset.seconds);
    for (const each of document.querySelectorAll("[data-seconds]")) each.setAttribute("aria-pressed", String(each === button));
    drawHistory();
  });
}
connect();
