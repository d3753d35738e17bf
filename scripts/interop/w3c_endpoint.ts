/**
 * An {@linkcode Endpoint} out of anything that has the W3C's interface: a browser, libwebrtc and
 * libdatachannel under Node, and the stock library.
 *
 * @module
 */
import type { Bundle, Endpoint, Link, Message } from "./endpoint.ts";

/** A `RTCDataChannel`, as far as it is used. */
export interface W3cChannel {
  binaryType?: string;
  readonly readyState: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  onopen?: unknown;
  onclose?: unknown;
  onmessage?: unknown;
  send(message: Message): void;
  close(): void;
  addEventListener(type: string, listener: () => void): void;
}

interface Description {
  readonly type: string;
  readonly sdp?: string;
}

/** A `RTCPeerConnection`, as far as it is used. */
export interface W3cConnection {
  readonly localDescription: Description | null;
  readonly iceGatheringState: string;
  ondatachannel: unknown;
  onicegatheringstatechange: unknown;
  createDataChannel(label: string): W3cChannel;
  createOffer(): Promise<unknown>;
  createAnswer(): Promise<unknown>;
  setLocalDescription(description: unknown): Promise<unknown>;
  setRemoteDescription(description: { type: "offer" | "answer"; sdp: string }): Promise<unknown>;
  addIceCandidate(candidate: { candidate: string; sdpMid: string }): Promise<unknown>;
  close(): unknown;
}

const HIGH_BYTES = 1024 * 1024;
const LOW_BYTES = 256 * 1024;

/** Options of {@linkcode w3cEndpoint}. */
export interface W3cEndpointOptions {
  /** Called when the connection's transports exist and nothing has been gathered. */
  readonly beforeGathering?: () => void;
}

/** Makes an endpoint of a connection that nothing has been done with. */
export function w3cEndpoint(
  connection: W3cConnection,
  { beforeGathering }: W3cEndpointOptions = {},
): Endpoint {
  let resolve: (link: Link) => void = () => {};
  // Node 20 has no Promise.withResolvers.
  const opened = new Promise<Link>((resolver) => resolve = resolver);
  const use = (channel: W3cChannel) => {
    const link = new W3cLink(connection, channel);
    link.opened.then(() => resolve(link));
  };
  connection.ondatachannel = ({ channel }: { channel: W3cChannel }) => use(channel);
  const gathered = async (description: unknown): Promise<Bundle> => {
    beforeGathering?.();
    await connection.setLocalDescription(description);
    await gatheringComplete(connection);
    const { type, sdp = "" } = connection.localDescription ?? { type: "" };
    return { description: { sdpType: type === "offer" ? "offer" : "answer", sdp }, candidates: [] };
  };
  const take = async ({ description: { sdpType, sdp }, candidates }: Bundle): Promise<void> => {
    await connection.setRemoteDescription({ type: sdpType, sdp });
    // What is in the description already need not be told again.
    for (const { candidate, mid } of candidates) {
      if (!sdp.includes(candidate)) await connection.addIceCandidate({ candidate, sdpMid: mid });
    }
  };
  return {
    opened,
    offer: async () => {
      use(connection.createDataChannel("bolt"));
      return await gathered(await connection.createOffer());
    },
    accept: take,
    answer: async (offer) => {
      await take(offer);
      return await gathered(await connection.createAnswer());
    },
  };
}

function gatheringComplete(connection: W3cConnection): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (connection.iceGatheringState === "complete") resolve();
    };
    connection.onicegatheringstatechange = look;
    look();
  });
}

class W3cLink implements Link {
  readonly opened: Promise<void>;
  readonly #connection: W3cConnection;
  readonly #channel: W3cChannel;
  readonly #inbox: (Message | undefined)[] = [];
  /** Lets a sender go on that waits for room. */
  #goOn: () => void = () => {};
  readonly #readers: ((message: Message | undefined) => void)[] = [];

  constructor(connection: W3cConnection, channel: W3cChannel) {
    this.#connection = connection;
    this.#channel = channel;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW_BYTES;
    channel.onmessage = ({ data }: { data: string | ArrayBuffer | Uint8Array<ArrayBuffer> }) =>
      this.#push(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
    channel.onclose = () => {
      this.#push(undefined);
      this.#goOn();
    };
    channel.addEventListener("bufferedamountlow", () => this.#goOn());
    this.opened = new Promise((resolve) => {
      channel.onopen = () => resolve();
      if (channel.readyState === "open") resolve();
    });
  }

  async send(message: Message): Promise<void> {
    this.#channel.send(message);
    if (this.#channel.bufferedAmount <= HIGH_BYTES) return;
    await new Promise<void>((resolve) => this.#goOn = resolve);
  }

  receive(): Promise<Message | undefined> {
    if (this.#inbox.length > 0) return Promise.resolve(this.#inbox.shift());
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  async close(): Promise<void> {
    this.#channel.close();
    await this.#connection.close();
  }

  #push(message: Message | undefined): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#inbox.push(message);
    else reader(message);
  }
}
