"use strict";

const source = new EventSource("/prices");
const counts = { events: 0, gaps: 0, connections: 0 };
let last = null;
let epoch = null;

function show(state) {
  for (const [id, count] of Object.entries(counts)) {
    document.getElementById(id).textContent = count;
  }
  document.getElementById("state").textContent = state;
}

source.addEventListener("open", () => {
  counts.connections += 1;
  show("open");
});

source.addEventListener("price", (event) => {
  const { number, name, price } = JSON.parse(event.data);
  counts.events += 1;
  // The first part of an id identifies the channel. It changes when the server is restarted; then the
  // numbers start again.
  const current = event.lastEventId.split("-")[0];
  if (current !== epoch) {
    epoch = current;
    last = null;
  }
  if (last !== null && number !== last + 1) {
    counts.gaps += 1;
  }
  last = number;
  document.querySelector(`[data-name="${name}"]`).textContent = price.toFixed(2);
  show("open");
});

source.addEventListener("error", () => {
  // The browser reconnects unless the server sent the status 204.
  show(source.readyState === EventSource.CLOSED ? "closed" : "connecting");
});

for (const button of document.querySelectorAll("button[data-post]")) {
  button.addEventListener("click", () => fetch(button.dataset.post, { method: "POST" }));
}
