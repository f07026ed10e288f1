"use strict";

const form = document.getElementById("upload");
const input = document.getElementById("file");
const drop = document.getElementById("drop");
const chosen = document.getElementById("chosen");
const state = document.getElementById("state");
const bar = document.getElementById("bar");
const sent = document.getElementById("sent");
const arrived = document.getElementById("arrived");
const error = document.getElementById("error");
const files = document.getElementById("files");
const button = form.querySelector("button");

/** Format a size for display. */
function inWords(size) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let amount = size;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${size} bytes` : `${amount.toFixed(1)} ${units[unit]}`;
}

/** Show the chosen files. */
function list() {
  chosen.replaceChildren(...[...input.files].map((file) => {
    const item = document.createElement("li");
    for (const text of [file.name, inWords(file.size)]) {
      item.append(Object.assign(document.createElement("span"), { textContent: text }));
    }
    return item;
  }));
}

function complain(text) {
  error.textContent = text;
  error.hidden = text === "";
}

/** Open a stream of progress events from the server; the caller closes it. */
function follow(id) {
  const events = new EventSource(`/progress/${id}`);
  events.addEventListener("message", (event) => {
    const [received, total] = JSON.parse(event.data) ?? [0, null];
    arrived.textContent = total ? `${Math.round((100 * received) / total)} % received` : "";
  });
  events.addEventListener("done", () => events.close());
  return events;
}

/** Send the form with XMLHttpRequest, since fetch() has no upload progress. */
function send(id) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${form.action}?upload=${id}`);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      sent.textContent = `${inWords(loaded)} of ${inWords(total)}`;
    });
    request.addEventListener("load", () => {
      if (request.status === 200 && request.response !== null) {
        resolve(request.response.html);
      } else {
        reject(new Error(request.response?.error ?? `The server responded with status ${request.status}.`));
      }
    });
    request.addEventListener("error", () => reject(new Error("The connection was lost.")));
    request.send(new FormData(form));
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16)).join("");
  complain("");
  bar.value = 0;
  sent.textContent = arrived.textContent = "";
  state.hidden = false;
  button.disabled = true;
  const events = follow(id);
  try {
    // The server's template created this list and escaped the names in it.
    files.innerHTML = await send(id);
    bar.value = 100;
    arrived.textContent = "All received";
    form.reset();
    list();
  } catch (problem) {
    complain(problem.message);
    state.hidden = true;
  } finally {
    events.close();
    button.disabled = false;
  }
});

input.addEventListener("change", list);

for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", over);
    if (name === "drop" && event.dataTransfer.files.length > 0) {
      input.files = event.dataTransfer.files;
      list();
    }
  });
}
