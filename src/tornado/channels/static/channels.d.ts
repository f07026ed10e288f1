/** Types of channels.js, the client of the channel protocol for browsers. */

/** The state of a client: `offline` if the browser reports that there is no network. */
export type State = "connecting" | "open" | "offline" | "closed";
export type Transport = "websocket" | "stream" | "poll";

/** For each member, the data of its connections by connection ID. */
export type Members = Record<string, Record<string, unknown>>;

export interface Message {
  channel: string;
  /** The data that was published. */
  data: any;
  /** The position; absent for an ephemeral message. */
  position?: string;
  key?: string;
}

/** Messages that were missed and are no longer available. */
export interface Gap {
  channel: string;
  after: string;
  until: string;
  /** The number of messages; null if it is unknown. */
  missed: number | null;
}

export interface PresenceChange {
  members: Members;
  joined: Members;
  updated: Members;
  left: Members;
}

export interface SubscriptionOptions {
  /** Continue after this position; by default, begin with the messages that are published from now on. */
  position?: string;
  /** If present, even as null: be present in the channel with this data. */
  join?: unknown;
  /** Whether to call `onpresence`. */
  watch?: boolean;
  onmessage?(message: Message, subscription: Subscription): void;
  ongap?(gap: Gap, subscription: Subscription): void;
  onpresence?(change: PresenceChange, subscription: Subscription): void;
  /** Called when the server has refused or ended the subscription, with a code of the protocol. */
  onend?(code: string, subscription: Subscription): void;
}

export interface Subscription {
  readonly channel: string;
  /** The position of the last message or gap. It may be stored, to continue after the page is loaded again. */
  readonly position: string | undefined;
  readonly members: Members;
  /**
   * Resolved when the position of the subscription is known; rejected with a ChannelError if the server refuses it, or
   * if it is replaced or ended before (`unsubscribed`).
   */
  readonly ready: Promise<Subscription>;
  unsubscribe(): void;
}

export interface ClientOptions {
  /** The token, or a function that returns it, which is called before each connection and before it expires. */
  token?: string | (() => string | Promise<string>);
  /** The transports to use, in this order. */
  transports?: Transport[];
  /** The maximum number of messages that wait for a confirmation, also while there is no connection. */
  maxWaiting?: number;
  /**
   * The ID of this client in the protocol, 8 to 64 letters, digits, `_` and `-`: random by default, and secret. Two
   * clients with the same ID must not be used at the same time.
   */
  clientId?: string;
}

export interface StateEvent extends CustomEvent<{ state: State; transport: Transport; error?: ChannelError }> {}

export class ChannelError extends Error {
  readonly code: string;
  constructor(code: string, message?: string);
}

/** A connection to a ChannelHandler, which is restored whenever it is lost. */
export interface ChannelClient extends EventTarget {
  readonly state: State;
  /** The transport of the current connection or attempt. */
  readonly transport: Transport;
  /** Subscribe to a channel, in place of an earlier subscription to it. */
  subscribe(channel: string, options?: SubscriptionOptions): Subscription;
  unsubscribe(channel: string): void;
  /**
   * Publish a message. The Promise contains its position when the server has stored it; it is rejected with a
   * ChannelError if the server refuses it, if too many messages wait (`full`), or if the client is closed, and with a
   * TypeError if JSON cannot represent the data.
   *
   * `id` differs for each message of the client; it is random by default. A message that was not confirmed can be
   * published again with the same ID within two minutes, also by another client with the same `clientId`, for
   * example after the page was loaded again: it is stored once.
   */
  publish(channel: string, data: unknown, options?: { key?: string; id?: string }): Promise<string>;
  /** Send an ephemeral message, which is lost if there is no connection. */
  send(channel: string, data: unknown, options?: { key?: string }): void;
  /** Close the connection. What waits is rejected. */
  close(): void;
  addEventListener(
    type: "state", listener: (event: StateEvent) => void, options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Connect to a ChannelHandler at a URL with the scheme http or https, or relative to the page. */
export function connect(url: string | URL, options?: ClientOptions): ChannelClient;
