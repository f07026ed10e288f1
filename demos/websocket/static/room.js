"use strict";

const [messages, unsent, people, state, me, door] = ["messages", "unsent", "people", "status", "me", "door"].map(
  (id) => document.getElementById(id),
);
const scroller = document.querySelector("main");

/** What was said here and not yet heard in return, by its key: it is said again on the next connection. */
const waiting = new Map();
const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 30000;

let name = localStorage.getItem("name") ?? "";
let socket = null;
let last = "";
let pause = SHORTEST_PAUSE;
let timer;

/** Open a connection that goes on after the last message here; when it ends, wait a little and open another. */
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
      // By chance a little less: else all pages would come back at the same moment to a server that was restarted.
      timer = setTimeout(connect, pause * (0.5 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  });
}

/** Take what the server tells. */
function take({ messages: news = [], anew = false, people: names }) {
  const follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
  if (anew) {
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

/** An element for a message. What people have written goes in as text, never as markup. */
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

/** A colour for a name, the same on every page. */
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

/** Say something, now or as soon as there is a connection. */
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

/** A random UUID, in hexadecimal. (crypto.randomUUID exists over https and on localhost only.) */
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

/** Come in, or come back under another name. */
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
    event.preventDefault(); // nobody comes in without one
  }
});
// There is a network again: no need to wait for the rest of the pause.
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
