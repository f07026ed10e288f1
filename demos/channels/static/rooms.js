import { connect } from "/channels/channels.js";

const DEFAULT_ROOMS = ["lobby", "music", "travel"];
const TRANSPORTS = { websocket: "WebSocket", stream: "event stream", poll: "long polling" };
// How long a "typing" is shown, and the minimum time between two of them, in milliseconds.
const TYPING = 4000, TYPING_INTERVAL = 2000;

const find = id => document.getElementById(id);
const element = (name, className, ...content) => {
  const created = document.createElement(name);
  created.className = className;
  created.append(...content);
  return created;
};
const randomId = () => crypto.getRandomValues(new Uint32Array(2)).join("-");

const list = find("messages"), text = find("write").elements.text;
const rooms = new Map();
const me = { id: localStorage.getItem("id") || randomId(), name: localStorage.getItem("name") || "" };
me.name ||= `Guest ${Math.floor(1000 + 9000 * Math.random())}`;
localStorage.setItem("id", me.id);
let client, current;

// -- the connection --

const open = () => {
  const chosen = find("transport").value;
  client?.close();
  client = connect("/channels", chosen ? { transports: [chosen] } : {});
  client.addEventListener("state", showState);
  showState();
  for (const room of rooms.values()) {
    subscribe(room);
  }
};

const showState = () => {
  const { state, transport } = client, status = find("connection");
  status.dataset.state = state;
  status.textContent = {
    open: `Connected by ${TRANSPORTS[transport]}`,
    connecting: "Connecting …",
    offline: "Offline. Messages are sent when the connection is restored.",
    closed: "Disconnected. Reload the page.",
  }[state];
};

const subscribe = room => {
  const previous = room.subscription;
  room.subscription = client.subscribe(room.channel, {
    position: previous?.position ?? room.start,
    join: { name: me.name },
    watch: true,
    onmessage: message => receive(room, message),
    ongap: gap => note(room, gap.missed === null ? "Some messages are no longer available." : `${gap.missed} messages were missed.`),
    onpresence: ({ members }) => {
      room.members = members;
      showPeople();
    },
    onend: code => note(room, `This room cannot be used (${code}).`),
  });
};

// -- rooms --

const addRoom = async name => {
  name = name.trim().toLowerCase().replace(/\s+/g, "-");
  if (!name || rooms.has(name)) {
    return;
  }
  const room = {
    name, channel: `room:${name}`, lines: [], mine: new Map(), typing: new Map(), members: {}, unread: 0,
  };
  rooms.set(name, room);
  const names = [...rooms.keys()].filter(each => !DEFAULT_ROOMS.includes(each));
  localStorage.setItem("rooms", JSON.stringify(names));
  showRooms();
  // The position of some earlier messages: the page begins with them. Without it, it begins with new messages.
  const response = await fetch(`/start?channel=${encodeURIComponent(room.channel)}`).catch(() => null);
  if (response?.ok) {
    room.start = (await response.json()).position;
  }
  subscribe(room);
};

const enter = name => {
  current = rooms.get(name) || rooms.get(DEFAULT_ROOMS[0]);
  current.unread = 0;
  document.title = `${current.name} – Rooms`;
  list.replaceChildren(...current.lines);
  list.scrollTop = list.scrollHeight;
  showRooms();
  showPeople();
  showTyping();
};

const showRooms = () => {
  find("rooms").replaceChildren(...[...rooms.values()].map(room => {
    const button = element("button", "", room.name);
    if (room.unread) {
      const badge = element("span", "unread", String(room.unread));
      badge.setAttribute("aria-label", `${room.unread} unread`);
      button.append(badge);
    }
    if (room === current) {
      button.setAttribute("aria-current", "true");
    }
    button.addEventListener("click", () => { location.hash = room.name; });
    return element("li", "", button);
  }));
};

const showPeople = () => {
  const members = Object.values(current?.members ?? {}).map(Object.values);
  find("count").textContent = members.length || "";
  find("people").replaceChildren(...members
    .map(connections => [String(connections[0]?.name ?? "?"), connections.length])
    .sort()
    .map(([name, tabs]) => element("li", "", name, ...tabs > 1 ? [element("small", "", ` ${tabs} tabs`)] : [])));
};

// -- messages --

const add = (room, line) => {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  room.lines.push(line);
  if (room === current) {
    list.append(line);
    if (isAtEnd) {
      list.scrollTop = list.scrollHeight;
    }
  }
};

const note = (room, content) => add(room, element("li", "note", content));

const lineOf = (room, { author, name, text, at }) => {
  const time = element("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const previous = room.lines.at(-1);
  const line = element("li", "message", element("header", "", element("b", "", name), " ", time), text);
  line.dataset.author = author;
  line.classList.toggle("mine", author === me.id);
  line.classList.toggle("first", previous?.dataset.author !== author);
  return line;
};

const receive = (room, { data, position }) => {
  if (!position) {
    showTypingOf(room, data);
    return;
  }
  if (typeof data?.text !== "string") {
    return;
  }
  clearTimeout(room.typing.get(data.name));
  room.typing.delete(data.name);
  showTyping();
  const mine = room.mine.get(data.id);
  if (mine) {
    mine.classList.remove("pending");
    return;
  }
  add(room, lineOf(room, data));
  if (room !== current) {
    room.unread++;
    showRooms();
  }
};

const send = content => {
  const room = current;
  const data = { id: randomId(), author: me.id, name: me.name, text: content, at: Date.now() };
  const line = lineOf(room, data);
  line.classList.add("pending");
  room.mine.set(data.id, line);
  add(room, line);
  list.scrollTop = list.scrollHeight;
  publish(room, data, line);
};

const publish = async (room, data, line) => {
  const used = client;
  try {
    await used.publish(room.channel, data);
  } catch (error) {
    if (used !== client) {
      publish(room, data, line);  // another transport was chosen
      return;
    }
    line.classList.replace("pending", "failed");
    note(room, `A message was not sent: ${error.message}`);
  }
};

// -- typing --

const showTypingOf = (room, data) => {
  if (!data?.typing || data.author === me.id) {
    return;
  }
  clearTimeout(room.typing.get(data.typing));
  room.typing.set(data.typing, setTimeout(() => {
    room.typing.delete(data.typing);
    showTyping();
  }, TYPING));
  showTyping();
};

const showTyping = () => {
  const names = [...current?.typing.keys() ?? []];
  find("typing").textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing …` : "";
};

let lastTyping = 0;
text.addEventListener("input", () => {
  if (text.value && Date.now() - lastTyping > TYPING_INTERVAL) {
    lastTyping = Date.now();
    client.send(current.channel, { typing: me.name, author: me.id });
  }
});

// -- forms --

find("write").addEventListener("submit", event => {
  event.preventDefault();
  if (text.value.trim()) {
    send(text.value.trim());
    text.value = "";
    lastTyping = 0;
  }
});

find("new-room").addEventListener("submit", async event => {
  event.preventDefault();
  const field = event.target.elements.room, name = field.value.trim().toLowerCase().replace(/\s+/g, "-");
  if (name) {
    field.value = "";
    addRoom(name);
    location.hash = name;
  }
});

find("name").value = me.name;
find("name").addEventListener("change", event => {
  me.name = event.target.value.trim() || me.name;
  event.target.value = me.name;
  localStorage.setItem("name", me.name);
  rooms.forEach(subscribe);  // joins again with the new name
});

find("transport").addEventListener("change", open);
// The client closes its connection when the browser reports that it is offline, and connects again.
find("interrupt").addEventListener("click", () => dispatchEvent(new Event("offline")));
addEventListener("hashchange", () => enter(decodeURIComponent(location.hash.slice(1))));

open();
const wanted = decodeURIComponent(location.hash.slice(1));
for (const name of [...DEFAULT_ROOMS, ...JSON.parse(localStorage.getItem("rooms") || "[]"), ...wanted ? [wanted] : []]) {
  addRoom(name);
}
enter(wanted);
