"use strict";

/** The time span of the chart in milliseconds. */
const SPAN = 30000;
const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 30000;

const canvas = document.getElementById("chart");
const context = canvas.getContext("2d");
const button = document.getElementById("pause");
const outputs = document.querySelectorAll("#legend b");

/** The received samples, oldest first: each has a `number`, the time `at` which it was taken, and `values`. */
let samples = [];
let count = 0;
let socket = null;
let pause = SHORTEST_PAUSE;
let paused = false;
/** The offset of the server's clock from this one, and the time at the right edge of the chart. */
let offset = null;
let edge = 0;
/** The lower and upper end of the value axis; both follow the samples smoothly. */
let scale = null;
/** The requested animation frame; 0 for none. */
let requested = 0;

/** Open a connection, and reconnect whenever it closes. */
function connect() {
  const address = new URL("/samples", location.href);
  address.protocol = location.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.addEventListener("open", () => {
    pause = SHORTEST_PAUSE;
    watch();
  });
  socket.addEventListener("message", (event) => take(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    show("Connection lost, trying again…");
    setTimeout(connect, pause * (0.5 + Math.random() / 2));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  });
}

/** Tell the server to send the missing and all new samples, or to pause. */
function watch() {
  if (socket?.readyState !== WebSocket.OPEN) {
    return;
  }
  // A hidden page pauses.
  if (paused || document.hidden) {
    socket.send("pause");
    show("Paused");
  } else {
    socket.send(`watch ${samples.at(-1)?.number ?? 0}`);
    show("Live");
    next();
  }
}

function take({ samples: received, viewers }) {
  if (paused) {
    return; // sent before the server paused; they will be requested again
  }
  // For the same reason some samples may arrive twice.
  const last = samples.at(-1)?.number ?? 0;
  const news = received.filter(({ number }) => number > last);
  samples.push(...news);
  count += news.length;
  document.getElementById("count").textContent = count;
  document.getElementById("viewers").textContent = viewers;
  const newest = samples.at(-1);
  if (newest !== undefined) {
    const seen = newest.at - performance.now();
    // Samples arrive irregularly; the chart moves smoothly.
    offset = offset === null || Math.abs(seen - offset) > 1000 ? seen : offset + (seen - offset) * 0.05;
    outputs.forEach((output, line) => (output.textContent = newest.values[line].toFixed(1)));
  }
}

function show(text) {
  document.getElementById("status").textContent = text;
}

/** Draw the chart, again in every frame as long as it moves. */
function frame() {
  requested = 0;
  if (offset !== null && !paused) {
    edge = performance.now() + offset;
    // Keep one sample beyond the left edge, where the line starts.
    const first = samples.findIndex(({ at }) => at > edge - SPAN);
    samples.splice(0, Math.max(first - 1, 0));
  }
  draw();
  if (!paused && !document.hidden) {
    next();
  }
}

/** Request an animation frame, unless one is pending. */
function next() {
  requested ||= requestAnimationFrame(frame);
}

function draw() {
  const { width, height } = fit();
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--${name}`);
  const area = { left: 40, top: 10, right: width - 12, bottom: height - 26 };
  context.clearRect(0, 0, width, height);
  context.font = `12px ${style.fontFamily}`;
  const { low, high } = follow();
  const x = (at) => area.right - ((edge - at) / SPAN) * (area.right - area.left);
  const y = (value) => area.bottom - ((value - low) / (high - low)) * (area.bottom - area.top);
  grid(area, x, y, low, high, colour);
  context.save();
  context.beginPath();
  context.rect(area.left, 0, width - area.left, height);
  context.clip();
  outputs.forEach((_, line) => curve(line, x, y, colour(`curve-${line}`)));
  context.restore();
}

/** Match the canvas to the pixels of the screen; return its size in CSS pixels. */
function fit() {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { width, height };
}

/** Move the value axis a little towards the range of the visible samples. */
function follow() {
  let [low, high] = [Infinity, -Infinity];
  for (const { values } of samples) {
    low = Math.min(low, ...values);
    high = Math.max(high, ...values);
  }
  if (low > high) {
    return scale ?? { low: 0, high: 100 };
  }
  const margin = Math.max((high - low) * 0.08, 1);
  const wanted = { low: low - margin, high: high + margin };
  scale ??= wanted;
  if (!paused) {
    scale.low += (wanted.low - scale.low) * 0.08;
    scale.high += (wanted.high - scale.high) * 0.08;
  }
  return scale;
}

/** Draw grid lines at round values, and the time every ten seconds. */
function grid(area, x, y, low, high, colour) {
  context.strokeStyle = colour("rule");
  context.fillStyle = colour("faint");
  context.lineWidth = 1;
  const step = roundStep((high - low) / 5);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
    const at = Math.round(y(value)) + 0.5;
    stroke([[area.left, at], [area.right, at]]);
    context.fillText(String(Math.round(value * 10) / 10), area.left - 8, at);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (let at = Math.ceil((edge - SPAN) / 10000) * 10000; edge > 0 && at <= edge; at += 10000) {
    const place = Math.round(x(at)) + 0.5;
    stroke([[place, area.top], [place, area.bottom]]);
    if (place > area.left + 20 && place < area.right - 20) {
      context.fillText(new Date(at).toLocaleTimeString([], { hour12: false }), place, area.bottom + 8);
    }
  }
}

/** Return the smallest number that is 1, 2 or 5 times a power of ten and at least `least`. */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((digit) => digit * power >= least) * power;
}

/** Draw a line through the samples, interrupted where some are missing. */
function curve(line, x, y, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  samples.forEach(({ number, at, values }, index) => {
    const joined = index > 0 && samples[index - 1].number === number - 1;
    context[joined ? "lineTo" : "moveTo"](x(at), y(values[line]));
  });
  context.stroke();
  const newest = samples.at(-1);
  if (newest !== undefined) {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x(newest.at), y(newest.values[line]), 3.5, 0, 2 * Math.PI);
    context.fill();
  }
}

function stroke(points) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  context.stroke();
}

button.addEventListener("click", () => {
  paused = !paused;
  button.textContent = paused ? "Resume" : "Pause";
  button.setAttribute("aria-pressed", String(paused));
  watch();
});
document.addEventListener("visibilitychange", watch);
addEventListener("resize", next);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", next);

connect();
next();
