"use strict";

const [messages, unsent, people, state, me, door] = ["messages", "unsent", "people", "status", "me", "door"].map(
  (id) => document.getElementById(id),
);
const scroller = document.querySelector("main");

/** Messages sent but not yet received back, by key; they are sent again on the next connection. */
const waiting = new Map();
const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 30000;

let name = localStorage.getItem("name") ?? "";
let socket = null;
let last = "";
let pause = SHORTEST_PAUSE;
let timer;

/** Connect and ask for the messages after the last one here; reconnect after a pause when the connection closes. */
function connect() {
  clearTimeout(timer);
  const address = new URL("/chat", location.href);
  address.protocol = location.protocol.replace("http", "ws");
  address.search = new URLSearchParams({ name, since: last });
  const current = new WebSocket(address);
  socket?.close();
  socket = current;
  show("connecting", "Connecting…");

  current.addEventListener("open", () => {
    pause = SHORTEST_PAUSE;
    show("open", "Connected");
    waiting.forEach(({ text }, key) => send(key, text));
  });
  current.addEventListener("message", (event) => {
    if (current === socket) {
      take(JSON.parse(event.data));
    }
  });
  current.addEventListener("close", () => {
    if (current === socket) {
      showPeople([]);
      show("closed", "Connection lost, trying again…");
      // Jitter: otherwise all pages would reconnect at the same moment after the server restarts.
      timer = setTimeout(connect, pause * (0.5 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  });
}

/** Handle an update from the server. */
function take({ messages: news = [], reset = false, people: names }) {
  const follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
  if (reset) {
    messages.replaceChildren();
  }
  for (const message of news) {
    messages.append(bubble(message));
    last = message.key;
    waiting.get(message.key)?.item.remove();
    waiting.delete(message.key);
  }
  if (news.length > 0 && follows) {
    scrollDown();
  }
  if (names !== undefined) {
    showPeople(names);
  }
}

/** Return an element for a message. The content is inserted as text, never as markup. */
function bubble(message) {
  const item = document.createElement("li");
  item.className = message.name === name ? "mine message" : "message";
  item.style.setProperty("--hue", hue(message.name));
  const time = document.createElement("time");
  if (message.at !== undefined) {
    const at = new Date(message.at);
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
  const author = document.createElement("b");
  author.textContent = message.name;
  const text = document.createElement("p");
  text.textContent = message.text;
  item.append(author, time, text);
  return item;
}

function showPeople(names) {
  people.replaceChildren(
    ...names.map((each) => {
      const item = document.createElement("li");
      item.textContent = each;
      item.style.setProperty("--hue", hue(each));
      return item;
    }),
  );
}

/** Return a colour for a name, the same on every page. */
function hue(text) {
  let sum = 0;
  for (const letter of text) {
    sum = (sum * 31 + letter.codePointAt(0)) % 65521;
  }
  return (sum * 137) % 360;
}

function show(kind, text) {
  state.dataset.state = kind;
  state.textContent = text;
}

function scrollDown() {
  scroller.scrollTop = scroller.scrollHeight;
}

/** Send a message now, or as soon as there is a connection. */
function say(text) {
  const key = newKey();
  const item = bubble({ name, text });
  unsent.append(item);
  waiting.set(key, { text, item });
  send(key, text);
  scrollDown();
}

function send(key, text) {
  if (socket?.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ key, text }));
  }
}

/** Return a random UUID in hexadecimal. (crypto.randomUUID exists only over HTTPS and on localhost.) */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function askForName() {
  document.getElementById("name").value = name;
  door.showModal();
}

document.getElementById("enter").addEventListener("submit", () => {
  name = document.getElementById("name").value.replace(/\s+/g, " ").trim();
  localStorage.setItem("name", name);
  enter();
});

/** Enter the room, or reconnect under another name. */
function enter() {
  me.textContent = name;
  me.hidden = false;
  connect();
  document.getElementById("text").focus();
}

document.getElementById("speak").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = document.getElementById("text");
  const text = input.value.trim();
  if (text !== "") {
    say(text);
  }
  input.value = "";
});

me.addEventListener("click", askForName);
door.addEventListener("cancel", (event) => {
  if (name === "") {
    event.preventDefault(); // a name is required
  }
});
// The network is back: reconnect without waiting for the rest of the pause.
addEventListener("online", () => {
  if (socket?.readyState === WebSocket.CLOSED) {
    connect();
  }
});

if (name === "") {
  askForName();
} else {
  enter();
}
