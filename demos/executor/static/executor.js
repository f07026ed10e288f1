"use strict";

const form = document.getElementById("form");
let answered = 0;
let slowest = 0;

function show(id, text) {
  document.getElementById(id).textContent = text;
}

async function pulse() {
  const start = performance.now();
  const { jobs } = await (await fetch("/pulse")).json();
  answered += 1;
  slowest = Math.max(slowest, performance.now() - start);
  show("answered", answered);
  show("slowest", `${Math.round(slowest)} ms`);
  show("jobs", jobs);
}

async function beat() {
  try {
    await pulse();
  } catch {
    show("jobs", "the server is gone");
  }
  setTimeout(beat, 100);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const item = document.createElement("li");
  item.textContent = "waiting";
  document.getElementById("results").append(item);
  const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (response.ok) {
    const { key, seconds, thread } = await response.json();
    item.textContent = `${key}: ${seconds} s in ${thread}`;
  } else {
    item.textContent = `refused with ${response.status}`;
  }
});

beat();
