// Actions with their confirmation, and the log of one request.

import { clock, element } from "./dom.js";

const byId = (id) => document.getElementById(id);

const TEXTS = {
  reload: () => ["Reload the program?", "New workers replace the present ones one by one. No request is lost. If the new program cannot start, the present workers continue.", "Reload"],
  drain: () => ["Drain and end the service?", "The service accepts no more connections, completes its requests and ends. It does not start again by itself, unless the service manager restarts it.", "Drain"],
  restart: ({ worker }) => [`Restart worker ${worker.number}?`, `A new worker replaces process ${worker.pid}, which completes its requests first.`, "Restart"],
  scale: ({ service }) => ["Change the number of workers?", `At present there are ${service.size}. The number holds until the service is started again.`, "Scale"],
};

// Asks for confirmation. Resolves to the values of the action, or to null if it is cancelled.
export function confirmAction(action, context) {
  const dialog = byId("confirm");
  const [title, text, label] = TEXTS[action](context);
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-ok").textContent = label;
  byId("confirm-ok").classList.toggle("danger", action === "drain");
  const field = byId("confirm-number");
  const input = field.querySelector("input");
  field.hidden = action !== "scale";
  input.required = action === "scale";
  input.disabled = action !== "scale";
  input.value = action === "scale" ? context.service.size : "";
  dialog.returnValue = "cancel"; // the Escape key does not change it
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "ok" ? (action === "scale" ? { workers: input.value } : {}) : null),
      { once: true },
    );
  });
}

// Requests an action. Returns whether it was accepted, and a text for the user.
export async function post(path, values) {
  const headers = { Accept: "application/json", "X-XSRFToken": document.querySelector("meta[name=xsrf]").content };
  try {
    const response = await fetch(`api/${path}`, { method: "POST", headers, body: new URLSearchParams(values) });
    if (response.ok) return { ok: true, text: `Requested: ${path.replace("/", " of worker ")}.` };
    const { error } = await response.json();
    return { ok: false, text: error.message };
  } catch (error) {
    return { ok: false, text: `The request has failed: ${error.message}` };
  }
}

// Shows the log records of a request.
export async function showLog(id) {
  byId("log-dialog-title").textContent = `Log of ${id}`;
  byId("log-records").replaceChildren("Loading…");
  if (!byId("log").open) byId("log").showModal();
  byId("log-records").replaceChildren(...(await recordsOf(id)));
}

async function recordsOf(id) {
  try {
    const response = await fetch(`api/requests/${encodeURIComponent(id)}/log`, { headers: { Accept: "application/json" } });
    const answer = await response.json();
    if (!response.ok) return [answer.error.message];
    return answer.records.map((record) =>
      element(
        "p",
        { class: `record ${record.level.toLowerCase()}` },
        element("time", {}, clock(record.time)),
        " ",
        element("b", {}, record.level),
        ` ${record.logger}: `,
        element("span", { class: "message" }, record.message),
      ),
    );
  } catch (error) {
    return [`The log cannot be read: ${error.message}`];
  }
}

// Returns the traceback of an error by its id, or a text that says why it is not known.
export async function tracebackOf(id) {
  try {
    const response = await fetch("api/errors", { headers: { Accept: "application/json" } });
    const { errors } = await response.json();
    return errors.find((each) => each.id === id)?.traceback ?? "The traceback is not kept any more.";
  } catch (error) {
    return `The traceback cannot be read: ${error.message}`;
  }
}
