/**
 * A client of the channel protocol (docs/reference/channel-protocol.md) for browsers. Its types are in channels.d.ts.
 *
 *     import { connect } from "/channels/channels.js";
 *     const client = connect("/channels");
 *     client.subscribe("room:7", { onmessage: message => console.log(message.data) });
 *     await client.publish("room:7", { text: "Hello" });
 */

// The maximum delay before a connection attempt in milliseconds: the first, and the longest.
const MIN_DELAY = 500, MAX_DELAY = 30000;
// The time limit for the establishment of a connection, and for the reply to a ping; also the duration of a
// connection after which the back-off begins again.
const TIMEOUT = 10000;
// The time after which the first transport is tried again.
const FALLBACK = 300000;
// The duration of a poll, in seconds.
const POLL_WAIT = 25;

const onAbort = (signal, action) => signal.addEventListener("abort", action);

const sleep = (delay, signal) => new Promise(resolve => {
  setTimeout(resolve, delay);
  onAbort(signal, resolve);
});

const randomId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

const newController = () => new AbortController();

const split = position => position.split(/:(?=\d*$)/);

/** Raised if the server refuses a request, or the client is closed. `code` is that of the protocol. */
export class ChannelError extends Error {
  constructor(code, message = code) {
    super(message);
    this.name = "ChannelError";
    this.code = code;
  }
}

/** Connect to a `ChannelHandler`. The connection is restored whenever it is lost. */
export function connect(url, { transports = ["websocket", "stream", "poll"], token, maxWaiting = 1000 } = {}) {
  const client = new EventTarget(), id = randomId(), isRenewable = typeof token === "function";
  const subscriptions = new Map(), unconfirmed = new Map();
  // Sends a request on the current connection; null if there is none.
  let send = null;
  // Aborted to end the current connection, and the delay before the next one.
  let attempt = newController(), pause = newController();
  let isOpen, currentToken, renewal, posts;
  url = new URL(url, location).href;

  const setState = (state, error) => {
    if (state !== client.state) {
      client.state = state;
      client.dispatchEvent(new CustomEvent("state", { detail: { state, transport: client.transport, error } }));
    }
  };

  const end = error => {
    if (client.state === "closed") {
      return;
    }
    setState("closed", error);
    clearTimeout(renewal);
    attempt.abort();
    pause.abort();
    for (const { reject } of [...unconfirmed.values(), ...subscriptions.values()]) {
      reject(error);
    }
    unconfirmed.clear();
  };

  // -- what the server sends --

  const emit = (subscription, name, value) => {
    try {
      subscription.options[name]?.(value, subscription.public);
    } catch (error) {
      reportError(error);
    }
  };

  const refuse = (subscription, code, message) => {
    subscriptions.delete(subscription.public.channel);
    subscription.reject(new ChannelError(code, message));
    emit(subscription, "onend", code);
  };

  // Until the reply with this ID, messages belong to an earlier subscription to the channel. Over HTTP it is empty.
  const requestOf = (subscription, isPoll, id = randomId()) => {
    const { public: { channel, position }, options: { join, watch }, version } = subscription;
    subscription.id = id;
    return { type: "subscribe", id, channel, position, join, watch: watch ? isPoll && version || true : undefined };
  };

  const renew = async () => {
    try {
      currentToken = await token();
      send?.({ type: "token", token: currentToken });
    } catch {
      attempt.abort();
    }
  };

  const receive = found => {
    const { type, channel, position, code, id } = found;
    const subscription = subscriptions.get(channel), waiting = unconfirmed.get(id);
    if (type === "connected") {
      isOpen = true;
      setState("open");
      if (found.expires_in && isRenewable) {
        clearTimeout(renewal);
        renewal = setTimeout(renew, found.expires_in * 800);
      }
    } else if (type === "published") {
      unconfirmed.delete(id);
      waiting?.resolve(position);
    } else if (type === "error") {
      const current = attempt, isTemporary = ["unavailable", "rate", "internal"].includes(code);
      const isOfSubscription = !waiting && subscription && subscription.id === (id || "");
      if (isTemporary) {
        setTimeout(() => {
          if (current === attempt && unconfirmed.has(id)) {
            send?.(waiting.request);
          } else if (current === attempt && isOfSubscription && subscription === subscriptions.get(channel)) {
            send?.(requestOf(subscription));
          }
        }, found.retry || 1000);
      } else if (waiting) {
        unconfirmed.delete(id);
        waiting.reject(new ChannelError(code, found.message));
      } else if (isOfSubscription) {
        refuse(subscription, code, found.message);
      }
    } else if (subscription) {
      const known = subscription.public;
      if (code) {  // the server has ended the subscription
        refuse(subscription, code);
      } else if (subscription.id && subscription.id !== id) {
        return;
      } else if (type === "subscribed") {
        subscription.id = null;
        known.position = position;
        subscription.resolve(known);
      } else if (type === "message") {
        if (position) {
          const [epoch, offset] = split(position), [lastEpoch, last] = split(known.position || "");
          if (epoch === lastEpoch && +offset <= +last) {
            return;  // a repetition
          }
          known.position = position;
        }
        emit(subscription, "onmessage", found);
      } else if (type === "gap") {
        known.position = found.until;
        emit(subscription, "ongap", found);
      } else if (type === "presence") {
        receivePresence(subscription, found);
      }
    }
  };

  const receivePresence = (subscription, found) => {
    const before = subscription.public.members, joined = {}, updated = {}, left = {};
    const members = found.members || { ...before, ...found.joined, ...found.updated };
    for (const name in found.left) {
      delete members[name];
    }
    for (const name in { ...before, ...members }) {
      if (!members[name]) {
        left[name] = before[name];
      } else if (!before[name]) {
        joined[name] = members[name];
      } else if (JSON.stringify(before[name]) !== JSON.stringify(members[name])) {
        updated[name] = members[name];
      }
    }
    subscription.version = found.version;
    subscription.public.members = members;
    emit(subscription, "onpresence", { members, joined, updated, left });
  };

  // -- the transports; each runs one connection until it ends, and throws { code } --

  const use = sender => {
    send = sender;
    unconfirmed.forEach(({ request }) => send(request));
  };

  const websocket = signal => new Promise((_, reject) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"));
    const write = request => socket.readyState === 1 && socket.send(JSON.stringify(request));
    let timer, keepAlive = TIMEOUT;
    const finish = ({ code }) => {
      clearTimeout(timer);
      socket.onclose = socket.onmessage = socket.onopen = null;
      socket.close();
      reject({ code });
    };
    const limit = (delay, action) => {
      clearTimeout(timer);
      timer = setTimeout(action, delay, {});
    };
    onAbort(signal, finish);
    limit(TIMEOUT, finish);
    socket.onopen = () => {
      write({ type: "connect", client: id, token: currentToken });
      subscriptions.forEach(each => write(requestOf(each)));
      use(write);
    };
    socket.onmessage = ({ data }) => {
      const found = JSON.parse(data);
      keepAlive = found.keep_alive * 1000 || keepAlive;
      limit(keepAlive, () => {
        write({ type: "ping" });
        limit(TIMEOUT, finish);
      });
      receive(found);
    };
    socket.onclose = finish;
  });

  const post = async (members, signal, delay = TIMEOUT) => {
    const controller = newController(), abort = () => controller.abort();
    const timer = setTimeout(abort, delay);
    onAbort(signal, abort);
    try {
      return await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ client: id, token: currentToken, ...members }),
        signal: controller.signal,
      });
    } finally {
      clearTimeout(timer);
    }
  };

  // Receive over HTTP, and publish with POST in order. Other requests begin the reception again.
  const overHTTP = async (signal, read) => {
    let reception;
    onAbort(signal, () => reception.abort());
    posts = Promise.resolve();
    use(request => {
      if (request.type !== "publish") {
        reception.abort();
        return;
      }
      posts = posts.then(async () => {
        try {
          if (!signal.aborted) {
            receive({ ...await (await post(request, signal)).json(), id: request.id || "-" });
          }
        } catch {
          attempt.abort();
        }
      });
    });
    while (!signal.aborted) {
      reception = newController();
      const current = reception;
      try {
        await read(current.signal);
      } catch (error) {
        if (!current.signal.aborted || error.code > 0) {
          throw error;
        }
      } finally {
        current.abort();
      }
    }
  };

  const begin = async (type, reception, members, delay) => {
    const subscribe = Array.from(subscriptions.values(), each => requestOf(each, members, ""));
    const response = await post({ type, subscribe, ...members }, reception, delay);
    if (!response.ok) {
      throw { code: response.status };
    }
    return response;
  };

  const stream = signal => overHTTP(signal, async reception => {
    const response = await begin("stream", reception);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "", limit = TIMEOUT, retry;
    for (;;) {
      const timer = setTimeout(() => reader.cancel(), limit);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) {
        throw { retry };
      }
      const events = (text + value).split(/\r\n\r\n|\n\n|\r\r/);
      text = events.pop();
      for (const event of events) {
        const lines = event.split(/\r\n|\n|\r/);
        const valuesOf = name => lines.filter(line => line.startsWith(name)).map(line => line.slice(name.length));
        const data = valuesOf("data:");
        [retry = retry] = valuesOf("retry:");
        if (data.length && !reception.aborted) {
          const found = JSON.parse(data.join("\n"));
          limit = found.keep_alive * 2000 + TIMEOUT || limit;
          receive(found);
        }
      }
    }
  });

  const poll = signal => {
    let wait = 0;
    return overHTTP(signal, async reception => {
      while (!reception.aborted) {
        const response = await begin("poll", reception, { wait }, wait * 1000 + TIMEOUT);
        const { messages, retry } = await response.json();
        receive({ type: "connected" });
        messages.forEach(each => reception.aborted || receive(each));
        wait = POLL_WAIT;
        if (retry) {
          await sleep(retry, reception);
        }
      }
    });
  };

  const run = async () => {
    const kinds = { websocket, stream, poll };
    let index = 0, failures = 0, delay = MIN_DELAY, fellBackAt, code, retry;
    while (client.state !== "closed") {
      const began = Date.now();
      attempt = newController();
      code = retry = isOpen = 0;
      client.transport = transports[index];
      try {
        currentToken = isRenewable ? await token() : token;
        await kinds[client.transport](attempt.signal);
      } catch (error) {
        ({ code, retry } = error);
      }
      attempt.abort();
      send = null;
      clearTimeout(renewal);
      if ([1002, 1008, 4403, 403].includes(code) || [401, 4401].includes(code) && !isRenewable) {
        end(new ChannelError("refused", `status ${code}`));
      }
      if (client.state === "closed") {
        return;
      }
      const isOffline = !navigator.onLine, random = Math.random();
      failures = isOpen || isOffline ? 0 : failures + 1;
      if (failures > 1 && transports[index + 1]) {
        index++;
        failures = 0;
        fellBackAt = began;
        delay = MIN_DELAY;
      } else if (index && Date.now() - fellBackAt > FALLBACK) {
        index = failures = 0;
      }
      if (Date.now() - began >= TIMEOUT) {
        delay = MIN_DELAY;
      }
      setState(isOffline ? "offline" : "connecting");
      pause = newController();
      const delays = { 1012: 5000 * random, 1013: 1000 * random, 4429: TIMEOUT };
      await sleep(isOffline ? MAX_DELAY : delays[code] || retry * (random + 0.5) || delay * (1 + random) / 2, pause.signal);
      delay = Math.min(2 * delay, MAX_DELAY);
    }
  };

  Object.assign(client, {
    state: "connecting",
    transport: null,

    subscribe(channel, options = {}) {
      const known = { channel, position: options.position, members: {}, unsubscribe: () => client.unsubscribe(channel) };
      const subscription = { public: known, options };
      known.ready = new Promise((resolve, reject) => Object.assign(subscription, { resolve, reject }));
      known.ready.catch(() => {});  // a program need not await it
      if (client.state === "closed") {
        subscription.reject(new ChannelError("closed"));
        return known;
      }
      subscriptions.set(channel, subscription);
      if (known.position) {
        subscription.resolve(known);  // polls do not confirm it
      }
      send?.(requestOf(subscription));
      return known;
    },

    unsubscribe(channel) {
      if (subscriptions.delete(channel)) {
        send?.({ type: "unsubscribe", channel });
      }
    },

    publish: (channel, data, { key } = {}) => new Promise((resolve, reject) => {
      const isClosed = client.state === "closed";
      if (isClosed || unconfirmed.size >= maxWaiting) {
        reject(new ChannelError(isClosed ? "closed" : "full"));
        return;
      }
      const request = { type: "publish", id: randomId(), channel, key, data };
      unconfirmed.set(request.id, { request, resolve, reject });
      send?.(request);
    }),

    send(channel, data, { key } = {}) {
      send?.({ type: "publish", channel, key, data, ephemeral: true });
    },

    close: () => end(new ChannelError("closed")),
  });
  addEventListener("online", () => pause.abort());
  addEventListener("offline", () => attempt.abort());
  run();
  return client;
}
