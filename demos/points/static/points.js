import { connect } from "/channels/channels.js";

const SIZE = 1000;
// The time between two positions of a point, in milliseconds.
const INTERVAL = 200;
const TRANSPORTS = { websocket: "WebSocket", stream: "event stream", poll: "long polling" };

const find = id => document.getElementById(id);

/** A canvas with the points of each group, which move from the previous position to the latest. */
class Map2D {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.groups = new Map();
    this.received = 0;
  }

  receive({ group, at }) {
    const known = this.groups.get(group);
    this.groups.set(group, { from: known ? this.now(known, performance.now()) : at, to: at, since: performance.now() });
    this.received++;
  }

  now({ from, to, since }, time) {
    const part = Math.min((time - since) / INTERVAL, 1);
    return to.map((each, index) => from[index] + (each - from[index]) * part);
  }

  draw(time, isDark) {
    const { canvas, context } = this, side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side) {
      return;
    }
    if (canvas.width !== side) {
      canvas.width = canvas.height = side;
    }
    context.clearRect(0, 0, side, side);
    const scale = side / SIZE, point = Math.max(2, 2.5 * scale);
    for (const [group, state] of this.groups) {
      context.fillStyle = `hsl(${group * 137.5 % 360} 65% ${isDark ? 65 : 42}%)`;
      const at = this.now(state, time);
      for (let index = 0; index < at.length; index += 2) {
        context.fillRect(at[index] * scale - point / 2, at[index + 1] * scale - point / 2, point, point);
      }
    }
  }

  points() {
    return [...this.groups.values()].reduce((sum, { to }) => sum + to.length / 2, 0);
  }
}

const map = window.map = new Map2D(find("map")), slowMap = window.slowMap = new Map2D(find("slow-map"));
const dark = matchMedia("(prefers-color-scheme: dark)");

const client = connect("/channels");
client.addEventListener("state", ({ detail: { state, transport } }) => {
  const status = find("connection");
  status.dataset.state = state;
  status.textContent = {
    open: `Connected by ${TRANSPORTS[transport]}`,
    connecting: "Connecting …",
    offline: "Offline. The points stand still.",
    closed: "Disconnected. Reload the page.",
  }[state];
});
client.subscribe("points", {
  join: null,
  watch: true,
  onmessage: ({ data }) => map.receive(data),
  onpresence: ({ members }) => { find("viewers").textContent = Object.keys(members).length; },
});

const frame = time => {
  map.draw(time, dark.matches);
  slowMap.draw(time, dark.matches);
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);

setInterval(() => {
  find("count").textContent = map.points().toLocaleString();
  find("updates").textContent = map.received;
  map.received = 0;
}, 1000);

let worker, skipped = 0;
const slow = document.querySelector("script[data-slow]").dataset.slow;
find("slow").addEventListener("change", ({ target }) => {
  find("slow-view").hidden = !target.checked;
  worker?.terminate();
  worker = null;
  if (target.checked) {
    worker = new Worker(slow, { type: "module" });
    worker.onmessage = ({ data: { data, missed } }) => {
      if (data) {
        slowMap.receive(data);
      } else {
        skipped += missed;
        find("skipped").textContent = skipped.toLocaleString();
      }
    };
  }
});
