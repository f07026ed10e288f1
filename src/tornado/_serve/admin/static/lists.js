// The tables and lists below the charts.

import { tracebackOf } from "./actions.js";
import { bytes, clock, count, duration, element, percent, reconcile, setText } from "./dom.js";

const byId = (id) => document.getElementById(id);
const YOUNG = 0.25; // seconds up to which a request in flight is shown only if the user wants to see all
const SLOW = 5; // seconds after which a request in flight is marked

function numberCells(labels) {
  return labels.map((label) => element("td", { class: "number", "data-label": label }));
}

export function showWorkers(workers, now, restart) {
  setText(byId("workers-total"), String(workers.length));
  reconcile(
    byId("workers"),
    [...workers].sort((a, b) => a.number - b.number || a.started - b.started),
    (worker) => worker.pid,
    (worker) => {
      const button = element("button", { type: "button", "aria-label": `Restart worker ${worker.number}`, click: () => restart(worker) }, "Restart");
      const labels = ["Requests/s", "p95", "Loop delay", "CPU", "Memory", "Connections", "Age", "Restarts"];
      const name = element("th", { scope: "row" }, `${worker.number}`, element("small", {}, ` pid ${worker.pid}`));
      const state = element("td", { "data-label": "State" }, element("span", { class: "badge" }));
      return element("tr", {}, name, state, ...numberCells(labels), element("td", { class: "action" }, button));
    },
    (row, worker) => {
      const values = worker.now ?? {};
      const badge = row.cells[1].firstElementChild;
      const kind = { serving: "good", starting: "busy", draining: "busy" }[worker.state] ?? "bad";
      setText(badge, worker.blocked ? `blocked ${duration(worker.blocked)}` : worker.state);
      badge.className = `badge ${worker.blocked ? "bad" : kind}`;
      const texts = [
        count(values.rate),
        duration(values.p95),
        duration(values.loop_delay),
        percent(values.cpu),
        bytes(worker.memory),
        count(worker.stats.connections),
        duration(now - worker.started),
        String(worker.restarts),
      ];
      texts.forEach((text, index) => setText(row.cells[index + 2], text));
      row.cells[10].firstElementChild.disabled = worker.state !== "serving";
    },
  );
}

export function showRoutes(routes) {
  byId("routes-empty").hidden = routes.length > 0;
  reconcile(
    byId("routes"),
    routes,
    (row) => `${row.method} ${row.route}`,
    (row) => {
      const route = row.route === null ? element("i", {}, "no route") : element("code", {}, row.route);
      const labels = ["Requests/s", "Errors", "p50", "p95", "p99"];
      return element("tr", {}, element("th", { scope: "row" }, element("b", { class: "method" }, row.method), " ", route), ...numberCells(labels));
    },
    (line, row) => {
      const texts = [count(row.rate), String(row.errors), duration(row.p50), duration(row.p95), duration(row.p99)];
      texts.forEach((text, index) => setText(line.cells[index + 1], text));
      line.cells[2].classList.toggle("bad", row.errors > 0);
    },
  );
}

export function showRequests(all, total, openLog) {
  // Requests that end at once would make the page flicker, and those that wait by design hide the others.
  const requests = byId("requests-all").checked ? all : all.filter((request) => request.age >= YOUNG && !request.is_waiting);
  byId("requests-empty").hidden = requests.length > 0;
  setText(byId("requests-total"), total > requests.length ? `${requests.length} of ${total}` : String(total));
  reconcile(
    byId("requests"),
    requests,
    (request) => `${request.pid} ${request.id}`,
    (request) =>
      element(
        "details",
        { class: "item" },
        element(
          "summary",
          {},
          element("span", { class: "age" }),
          element("b", { class: "method" }, request.method),
          element("code", { class: "path" }, request.target),
          element("small", {}),
          element("code", { class: "place" }),
        ),
        element("p", { class: "facts" }, `${request.handler}, from ${request.peer ?? "a local socket"}, id `,
          element("code", {}, request.id), " ", element("button", { type: "button", click: () => openLog(request.id) }, "Show log")),
        element("pre", { class: "stack", tabindex: "0", "aria-label": "Stack of the coroutine" }),
      ),
    (node, request) => {
      const [age, , , worker, place] = node.firstElementChild.children;
      setText(age, duration(request.age));
      age.classList.toggle("bad", request.age > SLOW && !request.is_waiting);
      setText(worker, `route ${request.route ?? "none"}, pid ${request.pid}${request.is_waiting ? ", waits by design" : ""}${request.is_connected ? "" : ", client disconnected"}`);
      setText(place, innermost(request.stack));
      setText(node.lastElementChild, request.stack.length ? request.stack.join("\n") : "The request has no coroutine at present.");
    },
  );
}

// Returns the innermost frame of the program: the last one that is not part of Python or of a package.
function innermost(stack) {
  const own = stack.filter((frame) => !/[\\/](?:lib[\\/]python3|site-packages|tornado)[\\/]?/.test(frame.split(" in ")[0]));
  const frame = own[own.length - 1] ?? stack[stack.length - 1] ?? "";
  return frame.replace(/^[^:]*[\\/]/, "");
}

export function showErrors(errors, now, openLog) {
  const sum = errors.reduce((total, error) => total + error.count, 0);
  byId("errors-empty").hidden = errors.length > 0;
  setText(byId("errors-total"), sum ? String(sum) : "");
  reconcile(
    byId("errors"),
    errors,
    (error) => error.id,
    (error) => {
      const trace = element("pre", { class: "stack", tabindex: "0", "aria-label": "Traceback" });
      const facts = element("p", { class: "facts" });
      const load = async () => {
        if (node.open) setText(trace, await tracebackOf(error.id));
      };
      const node = element(
        "details",
        { class: "item", toggle: load },
        element("summary", {}, element("span", { class: "age bad" }), element("b", {}, error.type),
          element("span", { class: "path" }, error.message.split("\n")[0]), element("small", {})),
        facts,
        trace,
      );
      return node;
    },
    (node, error) => {
      const [times, , , when] = node.firstElementChild.children;
      setText(times, `${error.count}×`);
      setText(when, `${duration(Math.max(0, now - error.time))} ago`);
      const facts = node.children[1];
      if (facts.dataset.request === error.request_id) return;
      facts.dataset.request = error.request_id;
      facts.replaceChildren(`Last at ${clock(error.time)} in process ${error.pid}, logger ${error.logger}`);
      if (error.request_id !== "-") {
        facts.append(", request ", element("code", {}, error.request_id), " ",
          element("button", { type: "button", click: () => openLog(error.request_id) }, "Show log"));
      }
    },
  );
}
