/**
 * Two channels joined in memory, for tests: a path that can stall, and a peer that can vanish.
 *
 * @module
 */
import { TransportError } from "../../base/errors.ts";
import { PublicValue } from "../../protocol/crypto/public_value.ts";
import type { CertificateDigest } from "../../protocol/identity/proven_identity.ts";
import { BaseChannel, type BaseChannelOptions } from "../base_channel.ts";
import type { Channel, ChannelMessage } from "../channel.ts";

/** Options of {@linkcode memoryPair}. */
export interface MemoryPairOptions extends Partial<BaseChannelOptions> {
  /**
   * When a message counts as acknowledged: when it has arrived, as over WebRTC, or only when it
   * has been read, so that a slow reader holds the sender up.
   *
   * @default {"arrival"}
   */
  readonly acknowledge?: "arrival" | "reading";
}

/** Two ends of a path. */
export interface MemoryPair {
  /** One end. */
  readonly offerer: Channel;
  /** The other end. */
  readonly answerer: Channel;
  /** From now on nothing arrives, until {@linkcode resume}. */
  stall(): void;
  /** What has been held up arrives, in order. */
  resume(): void;
  /** The path is gone: both ends fail with CHANNEL_LOST, and what is held up is lost. */
  lose(): void;
}

/** Makes two channels, each of which receives what the other sends. */
export function memoryPair(options: MemoryPairOptions = {}): MemoryPair {
  const path = new Path();
  const onReading = options.acknowledge === "reading";
  const [ours, theirs] = [newCertificate(), newCertificate()];
  const end = (local: CertificateDigest, remote: CertificateDigest) => {
    const certificates = { local, remote };
    const channelOptions = { label: "bolt", maxMessageSize: 256 * 1024, certificates, ...options };
    return new MemoryChannel(path, channelOptions, onReading);
  };
  const [offerer, answerer] = [end(ours, theirs), end(theirs, ours)];
  offerer.peer = answerer;
  answerer.peer = offerer;
  return {
    offerer,
    answerer,
    stall: () => path.stall(),
    resume: () => path.resume(),
    lose: () => {
      path.clear();
      const error = new TransportError("CHANNEL_LOST", "the peer has vanished");
      for (const channel of [offerer, answerer]) channel.end({ by: "failure", error });
    },
  };
}

/** Of no certificate: there is nothing to be shown in memory. */
function newCertificate(): CertificateDigest {
  return new PublicValue("certificate-digest", crypto.getRandomValues(new Uint8Array(32)));
}

/** What is under way, in order. */
class Path {
  #held: (() => void)[] | undefined;

  carry(deliver: () => void): void {
    if (this.#held === undefined) deliver();
    else this.#held.push(deliver);
  }

  stall(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const deliver of held) deliver();
  }

  clear(): void {
    this.#held = undefined;
  }
}

class MemoryChannel extends BaseChannel {
  peer: MemoryChannel | undefined;
  readonly #path: Path;
  readonly #onReading: boolean;
  /** Bytes of arrived messages whose sender waits for their reading. */
  readonly #unread: number[] = [];
  #released = false;

  constructor(path: Path, options: BaseChannelOptions, onReading: boolean) {
    super(options);
    this.#path = path;
    this.#onReading = onReading;
  }

  override async receive(options = {}): Promise<ChannelMessage | undefined> {
    const message = await super.receive(options);
    const bytes = this.#unread.shift();
    if (message !== undefined && bytes !== undefined && !this.#released) {
      this.#path.carry(() => this.peer?.acknowledged(bytes));
    }
    return message;
  }

  protected transmit(message: ChannelMessage, bytes: number): void {
    const copy = typeof message === "string" ? message : new Uint8Array(message);
    this.#path.carry(() => this.peer?.arrive(copy, bytes));
  }

  /** Called by the other end. */
  protected arrive(message: ChannelMessage, bytes: number): void {
    if (this.#released) return; // a transport that is gone acknowledges nothing
    this.deliver(message);
    if (this.#onReading) this.#unread.push(bytes);
    else this.#path.carry(() => this.peer?.acknowledged(bytes));
  }

  protected finish(): Promise<void> {
    return Promise.resolve();
  }

  protected release(): Promise<void> {
    this.#released = true;
    // Also without an orderly close: a peer's transport reports when it goes.
    this.#path.carry(() => this.peer?.end({ by: "remote" }));
    return Promise.resolve();
  }
}
