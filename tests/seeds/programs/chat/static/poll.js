"use strict";

const inbox = document.getElementById("inbox");
const token = document.querySelector("input[name=_xsrf]").value;

async function poll() {
  for (;;) {
    const cursor = inbox.lastElementChild === null ? "" : inbox.lastElementChild.dataset.id;
    const body = new URLSearchParams({ _xsrf: token, cursor });
    const response = await fetch("/a/message/updates", { method: "POST", body });
    for (const message of (await response.json()).messages) {
      inbox.insertAdjacentHTML("beforeend", message.html.trim());
    }
  }
}

poll();
