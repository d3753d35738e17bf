/**
 * The one-shot program's descriptions: plain bundles, in files and in payloads of schema daemon_v1.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import {
  encodeBundle,
  parseBundle,
  type Role,
  type SignalBundle,
} from "../../protocol/signal/bundle.ts";
import type { PeerCode } from "../../protocol/signal/peer_code.ts";
import {
  DaemonHandshake,
  type DaemonHandshakeOptions,
} from "../../signaling/rendezvous/daemon_handshake.ts";
import type { TextSchema } from "./file_route.ts";
import type { RendezvousDialect } from "./rendezvous_route.ts";
import type { RemoteDescription } from "./route.ts";

/** What we add to a bundle, which has room for the connection alone: nothing. */
export const nothing = (): Disposable => ({ [Symbol.dispose]: () => {} });

/** Bundles as text, for files and standard streams. */
export const BUNDLE_TEXT: TextSchema<unknown, undefined> = {
  encode: ({ bundle }) => encodeBundle(bundle),
  parse: (text, half) => described(parseBundle(text, half)),
};

/** Hello and ack, then bundles, over a rendezvous server. */
export function daemonV1(options: DaemonHandshakeOptions): RendezvousDialect<unknown, undefined> {
  const { context: { remote } } = options;
  return async (client, role, phases) => {
    const handshake = new DaemonHandshake(client, options);
    const [greeting, half] = role === "offerer" ? ["ack", "answer"] : ["hello", "offer"];
    using phase = phases.begin(`the ${greeting} of peer '${remote}'`);
    await shakeHands(handshake, role, phase.signal);
    return {
      awaited: `the ${half} of peer '${remote}'`,
      offer: async ({ bundle }, signal) => described(await handshake.offer(bundle, signal), remote),
      receiveOffer: async (signal) => described(await handshake.receiveOffer(signal), remote),
      answer: ({ bundle }) => handshake.sendAnswer(bundle),
      replaced: async (_addCandidate, signal) => {
        await handshake.keepAnswering(signal);
        await abortable(new Promise<never>(() => {}), signal);
      },
    };
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

function described(bundle: SignalBundle, peerCode?: PeerCode): RemoteDescription<undefined> {
  const code = peerCode === undefined ? {} : { peerCode };
  return { bundle, theirs: undefined, ...code, deviceName: "" };
}
