import { connect } from "/channels/channels.js";

const DEFAULT_ROOMS = ["lobby", "music", "travel"];
const TRANSPORTS = { websocket: "WebSocket", stream: "event stream", poll: "long polling" };
// How long a "typing" is shown, and the minimum time between two of them, in milliseconds.
const TYPING = 4000, TYPING_INTERVAL = 2000;
// A message that is not confirmed after this time is shown as delayed; also the time between two attempts to open a room.
const DELAY = 2000;

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
// Lines of messages and rooms for which the server has no answer, because its broker is away or there are too many.
const delayed = new Set();
const me = { id: localStorage.getItem("id") || randomId(), name: localStorage.getItem("name") || "" };
me.name ||= `Guest ${Math.floor(1000 + 9000 * Math.random())}`;
localStorage.setItem("id", me.id);
// Another transport is another client, but with the same ID: a message that it publishes again is stored once.
const clientId = randomId();
let client, current;

// -- the connection --

const open = () => {
  const chosen = find("transport").value;
  client?.close();
  client = connect("/channels", { clientId, ...chosen && { transports: [chosen] } });
  client.addEventListener("state", showState);
  showState();
  for (const room of rooms.values()) {
    subscribe(room);
  }
};

const showState = () => {
  const { transport } = client, status = find("connection");
  const state = client.state === "open" && delayed.size ? "delayed" : client.state;
  status.dataset.state = state;
  status.textContent = {
    open: `Connected by ${TRANSPORTS[transport]}`,
    delayed: "The server is connected, but does not accept messages at the moment. They are sent later.",
    connecting: "Connecting …",
    offline: "Offline. Messages are sent when the connection is restored.",
    closed: "Disconnected. Reload the page.",
  }[state];
};

const setDelayed = (item, isDelayed) => {
  if (delayed.has(item) !== isDelayed) {
    delayed[isDelayed ? "add" : "delete"](item);
    showState();
  }
};

const subscribe = room => {
  if (!room.isOpen) {
    return;
  }
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
  const fetchStart = () => fetch(`/start?channel=${encodeURIComponent(room.channel)}`).catch(() => null);
  let response = await fetchStart();
  while (!response || response.status === 503) {
    setDelayed(room, true);
    await new Promise(resolve => setTimeout(resolve, DELAY));
    response = await fetchStart();
  }
  setDelayed(room, false);
  if (response.ok) {
    room.start = (await response.json()).position;
  }
  room.isOpen = true;
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

const isPending = line => line.classList.contains("pending");

const isAfter = (line, { position }) => {
  const [epoch, offset] = line.position?.split(/:(?=\d*$)/) ?? [];
  const [otherEpoch, otherOffset] = position?.split(/:(?=\d*$)/) ?? [];
  return position && epoch === otherEpoch && +offset > +otherOffset;
};

// The header with the name is shown at the first of several messages of one author.
const showAuthor = (lines, index) => {
  lines[index]?.classList.toggle("first", lines[index - 1]?.dataset.author !== lines[index].dataset.author);
};

/** Put a line in its place: messages in the order of their positions, then those that are not confirmed. */
const place = (room, line) => {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const before = room.lines.indexOf(line);
  if (before >= 0) {
    room.lines.splice(before, 1);
  }
  let index = room.lines.length;
  while (index && (!isPending(line) && isPending(room.lines[index - 1]) || isAfter(room.lines[index - 1], line))) {
    index--;
  }
  room.lines.splice(index, 0, line);
  for (const each of [before, before + 1, index, index + 1]) {
    showAuthor(room.lines, each);
  }
  if (room === current) {
    if (before !== index) {
      list.insertBefore(line, room.lines[index + 1] ?? null);
    }
    if (isAtEnd) {
      list.scrollTop = list.scrollHeight;
    }
  }
};

const note = (room, content) => place(room, element("li", "note", content));

const lineOf = ({ author, name, text, at }) => {
  const time = element("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const line = element("li", "message", element("header", "", element("b", "", name), " ", time), text);
  line.dataset.author = author;
  line.classList.toggle("mine", author === me.id);
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
    confirm(room, mine, position);
    return;
  }
  const line = lineOf(data);
  line.position = position;
  place(room, line);
  if (room !== current) {
    room.unread++;
    showRooms();
  }
};

// Both the reply and the message itself confirm it; the reply comes alone if the message is in a gap.
const confirm = (room, line, position) => {
  if (isPending(line)) {
    line.classList.remove("pending");
    line.position = position;
    place(room, line);
    setDelayed(line, false);
  }
};

const send = content => {
  const room = current;
  const data = { id: randomId(), author: me.id, name: me.name, text: content, at: Date.now() };
  const line = lineOf(data);
  line.classList.add("pending");
  room.mine.set(data.id, line);
  place(room, line);
  setTimeout(() => isPending(line) && setDelayed(line, true), DELAY);
  list.scrollTop = list.scrollHeight;
  publish(room, data, line);
};

const publish = async (room, data, line) => {
  const used = client;
  try {
    confirm(room, line, await used.publish(room.channel, data, { id: data.id }));
  } catch (error) {
    if (used !== client) {
      publish(room, data, line);  // another transport was chosen
      return;
    }
    line.classList.replace("pending", "failed");
    setDelayed(line, false);
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
