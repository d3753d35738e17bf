/**
 * The one-shot program's descriptions: plain bundles, in files and in payloads of schema daemon_v1.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import { encodeBundle, parseBundle, type SignalBundle } from "../../protocol/signal/bundle.ts";
import type { PeerCode } from "../../protocol/signal/peer_code.ts";
import {
  DaemonHandshake,
  type DaemonHandshakeOptions,
} from "../../signaling/rendezvous/daemon_handshake.ts";
import type { TextSchema } from "./file_route.ts";
import type { RendezvousDialect } from "./rendezvous_route.ts";
import type { Exchange, LocalDescription, RemoteDescription, Role } from "./route.ts";

/** A bundle has nothing beside the connection: what is ours is nothing. */
export const nothing = (): Disposable => ({ [Symbol.dispose]: () => {} });

/** Bundles as text, for files and standard streams. */
export const BUNDLE_TEXT: TextSchema<unknown, undefined> = {
  encode: ({ bundle }) => encodeBundle(bundle),
  parse: (text, half) => described(parseBundle(text, half)),
};

/** Hello and ack, then bundles, over a rendezvous server. */
export function daemonV1(options: DaemonHandshakeOptions): RendezvousDialect<unknown, undefined> {
  return async (client, role, phases) => {
    const handshake = new DaemonHandshake(client, options);
    const { context: { remote } } = options;
    const awaited = role === "offerer" ? "ack" : "hello";
    using phase = phases.begin(`the ${awaited} of peer '${remote}'`);
    await shakeHands(handshake, role, phase.signal);
    return new BundleExchange(handshake, role, remote);
  };
}

/** Hello and ack between daemons: both are there, and agree on room, session and scope. */
export function shakeHands(
  handshake: DaemonHandshake,
  role: Role,
  signal: AbortSignal,
): Promise<void> {
  return role === "offerer" ? handshake.hello(signal) : handshake.acknowledge(signal);
}

class BundleExchange implements Exchange<unknown, undefined> {
  readonly awaited: string;
  readonly #handshake: DaemonHandshake;
  readonly #remote: PeerCode;

  constructor(handshake: DaemonHandshake, role: Role, remote: PeerCode) {
    this.#handshake = handshake;
    this.#remote = remote;
    this.awaited = `the ${role === "offerer" ? "answer" : "offer"} of peer '${remote}'`;
  }

  async offer({ bundle }: LocalDescription<unknown>, signal: AbortSignal) {
    return described(await this.#handshake.offer(bundle, signal), this.#remote);
  }

  async receiveOffer(signal: AbortSignal) {
    return described(await this.#handshake.receiveOffer(signal), this.#remote);
  }

  answer({ bundle }: LocalDescription<unknown>): Promise<void> {
    this.#handshake.sendAnswer(bundle);
    return Promise.resolve();
  }

  async replaced(_addCandidate: (candidate: string) => void, signal: AbortSignal): Promise<void> {
    await this.#handshake.keepAnswering(signal);
    await abortable(new Promise<never>(() => {}), signal);
  }
}

function described(bundle: SignalBundle, peerCode?: PeerCode): RemoteDescription<undefined> {
  return {
    bundle,
    theirs: undefined,
    ...(peerCode === undefined ? {} : { peerCode }),
    deviceName: "",
  };
}
