"use strict";

const form = document.getElementById("speak");
const input = document.getElementById("body");
const inbox = document.getElementById("inbox");
const state = document.getElementById("status");

/** Post the fields as a form, with the XSRF token. */
async function post(path, fields, options = {}) {
  const body = new URLSearchParams({ ...fields, _xsrf: form.elements._xsrf.value });
  const response = await fetch(path, { method: "POST", body, ...options });
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${response.statusText}`);
  }
  return response.json();
}

/** Show a message once: the sender receives it twice, in the response to the form and by polling. */
function show(message) {
  if (document.getElementById(`m${message.id}`) !== null) {
    return;
  }
  // The server's template created this HTML and escaped the text in it.
  inbox.insertAdjacentHTML("beforeend", message.html);
  inbox.lastElementChild.scrollIntoView({ block: "end" });
}

/** The id of the newest message on the page, or the empty string. */
function newest() {
  const last = inbox.lastElementChild;
  return last === null ? "" : last.id.slice(1);
}

/** Poll for new messages; after a failure retry with exponential back-off, up to half a minute. */
async function listen() {
  let pause = 500;
  let cursor = newest();
  for (;;) {
    try {
      state.textContent = "Connected";
      const { messages } = await post("/a/message/updates", { cursor });
      messages.forEach(show);
      cursor = messages.at(-1).id;
      pause = 500;
    } catch (error) {
      state.textContent = "Connection lost, trying again…";
      console.warn(error);
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 30000);
    }
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = input.value.trim();
  if (body === "") {
    return;
  }
  input.value = "";
  input.focus();
  try {
    show(await post(form.action, { body }));
  } catch (error) {
    state.textContent = "The message was not sent";
    input.value = body;
    console.warn(error);
  }
});

listen();
