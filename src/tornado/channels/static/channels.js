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
// The longest delay, which setTimeout accepts.
const MAX_TIMER = 2e9;
// How often to repeat a request after the error "internal".
const TRIES = 4;

// Call a function after a delay, and when the signal is aborted. Return a function that prevents it.
const schedule = (signal, delay, action) => {
  const timer = setTimeout(action, signal.aborted ? 0 : delay);
  signal.addEventListener("abort", action);
  return () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", action);
  };
};

const sleep = (delay, signal) => new Promise(resolve => {
  const cancel = schedule(signal, delay, () => {
    cancel();
    resolve();
  });
});

// Return an object without inherited properties: a member may have the name "constructor" or "__proto__".
const merge = (...objects) => Object.assign({ __proto__: null }, ...objects);

const randomId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

const newController = () => new AbortController();

const { parse, stringify } = JSON;

// Return a request with a copy of the data, which the program may change. Raise an error if it cannot be encoded.
const publication = (channel, data, members) => parse(stringify({ type: "publish", channel, data, ...members }));

// The reply to a request that is too large.
const TOO_LARGE = { type: "error", code: "too_large" };

const split = position => position.split(/:(?=\d*$)/);

/** Raised if the server refuses a request, or the client is closed. `code` is that of the protocol. */
class ChannelError extends Error {
  name = "ChannelError";

  constructor(code, message = code) {
    super(message);
    this.code = code;
  }
}

/** Connect to a `ChannelHandler`. The connection is restored whenever it is lost. */
function connect(url, { transports, token, maxWaiting = 1000, clientId = randomId() } = {}) {
  const client = new EventTarget(), isRenewable = token?.call;  // a function
  const subscriptions = new Map(), unconfirmed = new Map();
  // Sends a request on the current connection; null if there is none.
  let send = null;
  // Aborted to end the current connection, and the delay before the next one.
  let attempt = newController(), pause = newController();
  // Whether the current attempt counts as a failure: from the moment at which there is a token until it is connected.
  let isFailure, state = "connecting";
  let currentToken, renewal, posts, maxSize;
  const closing = newController();
  url = new URL(url, location).href;

  const setState = (next, error) => {
    if (state !== next) {
      client.state = state = next;
      client.dispatchEvent(new CustomEvent("state", { detail: { state, transport: client.transport, error } }));
    }
  };

  const interrupt = () => {
    attempt.abort();
    pause.abort();
  };

  const end = error => {
    setState("closed", error);
    interrupt();
    closing.abort();
    [unconfirmed, subscriptions].forEach(requests => requests.forEach(each => each.reject(error)));
  };

  // -- what the server sends --

  const emit = (subscription, name, value) => {
    try {
      subscription.options?.[name]?.(value, subscription);
    } catch (error) {
      reportError(error);
    }
  };

  const remove = channel => {
    subscriptions.get(channel)?.reject(new ChannelError("unsubscribed"));
    return subscriptions.delete(channel);
  };

  // Report an error for a subscription or a publication.
  const refuse = (request, code, message, id) => {
    subscriptions.delete(request.channel);
    unconfirmed.delete(id);
    request.reject(new ChannelError(code, message));
    emit(request, "onend", code);
  };

  // Until the reply with this ID, messages belong to an earlier subscription to the channel. Over HTTP it is empty.
  const requestOf = (subscription, id = randomId()) => {
    subscription.id = id;
    return {
      type: "subscribe",
      id,
      channel: subscription.channel,
      position: subscription.position,
      join: subscription.options.join,
      watch: subscription.version || !!subscription.options.watch,
    };
  };

  const renew = async () => {
    try {
      currentToken = await token();
      send?.({ type: "token", token: currentToken });
    } catch {
      if (send) {  // otherwise the next connection calls it again
        renewal = setTimeout(renew, TIMEOUT);
      }
    }
  };

  const receive = found => {
    const { type, channel, position, code, id } = found;
    const subscription = subscriptions.get(channel), waiting = unconfirmed.get(id);
    if (type === "connected") {
      isFailure = false;
      setState("open");
      maxSize = found.limits?.message;
      if (found.expires_in && isRenewable) {
        clearTimeout(renewal);
        renewal = setTimeout(renew, Math.min(found.expires_in * 800, MAX_TIMER));
      }
    } else if (type === "published") {
      unconfirmed.delete(id);
      waiting?.resolve(position);
    } else if (type === "error") {
      const refused = waiting || subscription?.id === (id || "") && subscription;
      if (!refused) {
        return;
      }
      const current = attempt;
      const isTemporary = /^(unavailable|rate)$/.test(code) || code === "internal" && refused.tries-- > 0;
      if (!isTemporary) {
        refuse(refused, code, found.message, id);
      } else if (!waiting || !posts) {  // over HTTP, publications are repeated before the next one is sent
        setTimeout(() => {
          if (current === attempt && (unconfirmed.has(id) || refused === subscriptions.get(channel))) {
            send?.(refused.request || requestOf(refused));
          }
        }, found.retry || 1000);
      }
    } else if (subscription && (!subscription.id || subscription.id === id)) {
      if (code) {  // the server has ended the subscription
        return refuse(subscription, code);
      }
      if (type === "subscribed") {
        subscription.id = null;
        subscription.tries = TRIES;
        subscription.position = position;
        subscription.resolve(subscription);
      } else if (type === "message" && position) {
        const [epoch, offset] = split(position), [lastEpoch, last] = split(subscription.position || "");
        if (epoch === lastEpoch && +offset <= +last) {
          return;  // a repetition
        }
        subscription.position = position;
      } else if (type === "gap") {
        subscription.position = found.until;
      }
      emit(subscription, "on" + type, type === "presence" ? presenceChange(subscription, found) : found);
    }
  };

  // Return the member `keep_alive`, if any. Raise an error if the text is invalid: the connection is broken then.
  const receiveText = text => {
    const found = parse(text);
    receive(found);
    return found.keep_alive;
  };

  const presenceChange = (subscription, found) => {
    const before = subscription.members, joined = merge(), updated = merge(), left = merge();
    const members = merge(found.members || before, found.joined, found.updated);
    for (const name in found.left) {
      delete members[name];
    }
    for (const name in merge(before, members)) {
      if (!members[name]) {
        left[name] = before[name];
      } else if (!before[name]) {
        joined[name] = members[name];
      } else if (stringify(before[name]) !== stringify(members[name])) {
        updated[name] = members[name];
      }
    }
    subscription.version = found.version;
    subscription.members = members;
    return { members, joined, updated, left };
  };

  // -- the transports; each runs one connection until it ends, and throws { code } --

  const use = sender => {
    send = sender;
    unconfirmed.forEach(({ request }) => send(request));
  };

  const websocket = signal => new Promise((_, reject) => {
    const socket = new WebSocket("ws" + url.slice(4));
    const write = request => {
      const text = stringify(request);
      if (new Blob([text]).size > maxSize) {  // the server would close the connection
        receive({ ...request, ...TOO_LARGE });
      } else {
        socket.send(text);
      }
    };
    let timer, keepAlive = TIMEOUT;
    const finish = event => {  // its code is that of the close, if any
      clearTimeout(timer);
      socket.close();
      reject(event);
    };
    const limit = (delay, action) => {
      clearTimeout(timer);
      timer = setTimeout(action, delay);
    };
    signal.onabort = finish;
    limit(TIMEOUT, finish);
    socket.onopen = () => {
      write({ type: "connect", client: clientId, token: currentToken });
      subscriptions.forEach(each => write(requestOf(each)));
      use(write);
    };
    socket.onmessage = ({ data }) => {
      limit(keepAlive, () => {
        write({ type: "ping" });
        limit(TIMEOUT, finish);
      });
      try {
        keepAlive = receiveText(data) * 1000 || keepAlive;
      } catch {
        finish();
      }
    };
    socket.onclose = finish;
  });

  // Send a request. Return the object of the reply, or for a stream its body.
  const post = async (request, signal) => {
    const { type, wait } = request, controller = newController();
    const cancel = schedule(signal, (wait || 0) * 1000 + TIMEOUT, () => controller.abort());
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: stringify({ client: clientId, token: currentToken, ...request }),
        signal: controller.signal,
      });
      const { status } = response;
      if (status === 413) {  // of the server, or of a proxy
        return TOO_LARGE;
      }
      if (!response.ok && (type !== "publish" || status === 401)) {
        throw { code: status };
      }
      return type === "stream" ? response.body : await response.json();
    } finally {
      cancel();
    }
  };

  // Receive over HTTP, and publish with POST in order. Other requests begin the reception again.
  const overHTTP = async (signal, read) => {
    let reception;
    signal.onabort = () => reception.abort();
    posts = Promise.resolve();
    use(request => {
      if (request.type !== "publish") {
        reception.abort();
        return;
      }
      posts = posts.then(async () => {
        while (!signal.aborted) {
          const reply = await post(request, signal);
          receive({ ...reply, id: request.id || "-" });
          if (!unconfirmed.has(request.id)) {
            return;
          }
          // It was refused for the moment, or the reply is that of an intermediary.
          await sleep(reply.retry || 1000, signal);
        }
      }).catch(() => attempt.abort());
    });
    while (!signal.aborted) {
      const { signal: current } = reception = newController();
      await read(current).catch(error => {
        if (!current.aborted) {
          throw error;
        }
      });
    }
  };

  const begin = async (type, reception, wait) => {
    for (;;) {
      const list = [...subscriptions.values()];
      const reply = await post({ type, wait, subscribe: list.map(each => requestOf(each, "")) }, reception);
      if (!reply.code) {
        return reply;
      }
      refuse(list.pop(), reply.code);  // the newest one; the others are tried again
    }
  };

  const stream = signal => overHTTP(signal, async reception => {
    const reader = (await begin("stream", reception)).pipeThrough(new TextDecoderStream()).getReader();
    const stop = () => reader.cancel();
    let text = "", limit = TIMEOUT, retry;
    try {
      for (;;) {
        const cancel = schedule(reception, limit, stop);
        const { done, value } = await reader.read().finally(cancel);
        if (done) {
          throw { retry };
        }
        const lines = (text + value).split(/\r?\n/);
        text = lines.pop();
        for (const line of lines) {  // the data of an event is one line
          const data = line.split(/^data:/)[1];
          retry = line.split(/^retry:/)[1] || retry;
          if (data && !reception.aborted) {
            limit = receiveText(data) * 2000 + TIMEOUT || limit;
          }
        }
      }
    } finally {
      await stop();  // also after invalid data
    }
  });

  const poll = signal => {
    let wait = 0;
    return overHTTP(signal, async reception => {
      while (!reception.aborted) {
        let { messages, retry } = await begin("poll", reception, wait);
        receive({ type: "connected" });
        for (const each of messages) {
          if (!reception.aborted) {
            receive(each);
          }
          retry ||= each.code && (each.retry || 1000);
        }
        wait = POLL_WAIT;
        if (retry) {
          await sleep(retry, reception);
        }
      }
    });
  };

  const run = async () => {
    const kinds = { websocket, stream, poll };
    transports ||= Object.keys(kinds);
    let index = 0, failures = 0, delay = MIN_DELAY, fellBackAt, code, retry;
    while (state !== "closed") {
      const began = Date.now();
      attempt = newController();
      code = retry = isFailure = 0;
      client.transport = transports[index];
      try {
        currentToken = isRenewable ? await token() : token;
        attempt.signal.throwIfAborted();
        isFailure = true;
        await kinds[transports[index]](attempt.signal);
      } catch (error) {
        ({ code, retry } = error || {});
      }
      attempt.abort();
      send = posts = null;
      clearTimeout(renewal);
      // The close codes of a WebSocket are 4401 and 4403.
      const status = code % 4000, isUnauthorized = status === 401, now = Date.now();
      if ([1002, 1008, 403].includes(status) || isUnauthorized && !isRenewable) {
        end(new ChannelError("refused", `status ${code}`));
      }
      if (state === "closed") {
        return;
      }
      const isOffline = !navigator.onLine, random = Math.random();
      failures = isFailure && !isUnauthorized && !isOffline ? failures + 1 : 0;
      if (failures > 1 && transports[index + 1]) {
        index++;
        failures = 0;
        fellBackAt = began;
        delay = MIN_DELAY;
      } else if (index && now - fellBackAt > FALLBACK) {
        index = failures = 0;
      }
      if (now - began >= TIMEOUT) {
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
    state,

    subscribe(channel, options = {}) {
      stringify(options.join);  // raises an error if it is impossible
      // The program uses the first three members, `ready` and `unsubscribe`.
      const subscription = {
        channel,
        position: options.position,
        members: merge(),
        options,
        tries: TRIES,
        unsubscribe: () => client.unsubscribe(channel),
      };
      subscription.ready = new Promise((resolve, reject) => Object.assign(subscription, { resolve, reject }));
      subscription.ready.catch(() => {});  // a program need not await it
      remove(channel);
      subscriptions.set(channel, subscription);
      if (state === "closed") {
        subscription.reject(new ChannelError(state));
      }
      if (subscription.position) {
        subscription.resolve(subscription);  // polls do not confirm it
      }
      send?.(requestOf(subscription));
      return subscription;
    },

    unsubscribe(channel) {
      if (remove(channel)) {
        send?.({ type: "unsubscribe", channel });
      }
    },

    publish: (channel, data, { key, id = randomId() } = {}) => new Promise((resolve, reject) => {
      const code = state === "closed" ? state : unconfirmed.size >= maxWaiting && "full";
      if (code) {
        throw new ChannelError(code);
      }
      const request = publication(channel, data, { key, id });
      unconfirmed.set(id, { request, resolve, reject, tries: TRIES });
      send?.(request);
    }),

    send(channel, data, { key } = {}) {
      send?.(publication(channel, data, { key, ephemeral: true }));
    },

    close: () => end(new ChannelError("closed")),
  });
  ["online", "offline"].forEach(each => addEventListener(each, interrupt, closing));
  run();
  return client;
}

export { ChannelError, connect };
