/**
 * A session's descriptions, schema web_v1: an SDP with the sender's half of the connection's keys, in
 * files and in signals that a rendezvous server relays.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import { SignalError } from "../../base/errors.ts";
import { RESEND_MS } from "../../base/timing.ts";
import type { Log } from "../../log/log.ts";
import type { Commitment } from "../../protocol/identity/proven_identity.ts";
import type { EphemeralPublicKey } from "../../protocol/crypto/keys.ts";
import { parseJsonObject } from "../../protocol/json.ts";
import type { Role } from "../../protocol/signal/bundle.ts";
import type { PeerCode, PeerCodes } from "../../protocol/signal/peer_code.ts";
import type { ShownDevice } from "../../protocol/signal/web_consent.ts";
import {
  encodeWebSignal,
  parseWebSignal,
  type WebDescription,
} from "../../protocol/signal/web_payload.ts";
import {
  DaemonHandshake,
  type DaemonHandshakeOptions,
} from "../../signaling/rendezvous/daemon_handshake.ts";
import { WebHandshake } from "../../signaling/rendezvous/web_handshake.ts";
import { shakeHands } from "./daemon_v1.ts";
import type { TextSchema } from "./file_route.ts";
import type { Phases } from "./phases.ts";
import type { RendezvousDialect } from "./rendezvous_route.ts";
import type { LocalDescription, RemoteDescription } from "./route.ts";

/** What a session makes for one attempt, as far as its descriptions contain it. */
export interface SessionMaterial {
  /** Our half of the connection's keys. */
  readonly publicKey: EphemeralPublicKey;
  /** What binds us to our identity before HELLO; sent where identities are proven. */
  readonly commitment: Commitment;
}

/** What a description says beyond the published fields. */
export interface Committing {
  /** Whether it carries our commitment: not where only what is published is said. */
  readonly commits: boolean;
}

const keysOf = ({ publicKey, commitment }: SessionMaterial, { commits }: Committing) =>
  commits ? { publicKey, commitment } : { publicKey };

/**
 * Descriptions as text, for files; they contain what no server adds: code and name of the sender.
 */
export function webText(
  { self, deviceName, commits }: Committing & {
    readonly self: PeerCode;
    readonly deviceName: string;
  },
): TextSchema<SessionMaterial, WebDescription> {
  return {
    encode: ({ bundle, ours }, offer) => {
      const { sdpType: type, sdp } = bundle.description;
      const to = offer?.theirs.from ?? self;
      const keys = keysOf(ours, { commits });
      const signal = { type, sdp, ...keys, peerCode: self, from: self, to, deviceName };
      return JSON.stringify(encodeWebSignal(signal));
    },
    parse: (text, half) => {
      const signal = parseWebSignal(parseJsonObject(text));
      if (signal.type === half) return described(signal, signal.deviceName ?? "");
      throw new SignalError(
        "BUNDLE_INVALID",
        `the file holds no ${half} of a session: check the paths`,
      );
    },
  };
}

/** What the peer is: whether it is greeted, and what it makes of an offer that comes again. */
export type SignalingPeer =
  /** A daemon: hello and ack come first, and a repeated offer gets the same answer again. */
  | { readonly kind: "daemon"; readonly greeting: DaemonHandshakeOptions }
  /**
   * A web client: it knows no hello, and takes a repeated offer for a new attempt, for which it
   * gives the earlier one up. So an offer is repeated only when the first is surely lost.
   */
  | {
    readonly kind: "web";
    /** Where it is a web application that asks its people before it takes an offer: who asks. */
    readonly asks?: ShownDevice;
  };

/** Options of {@linkcode webV1}. */
export interface WebV1Options extends Committing, Pick<PeerCodes, "self" | "remote"> {
  /** What the peer is. */
  readonly peer: SignalingPeer;
  /** Told of retries. */
  readonly log: Log;
}

/** Descriptions over a rendezvous server; between daemons hello and ack before them. */
export function webV1(
  { self, remote, peer, log, commits }: WebV1Options,
): RendezvousDialect<SessionMaterial, WebDescription> {
  return async (client, role, phases) => {
    const offerAgain = peer.kind === "web" ? "reconnected" : RESEND_MS;
    // First, since it declines the requests of web applications.
    const handshake = new WebHandshake(client, { self, remote, offerAgain, log });
    if (peer.kind === "daemon") {
      using phase = phases.begin(`peer '${remote}' to shake hands`);
      await shakeHands(new DaemonHandshake(client, peer.greeting), role, phase.signal);
    }
    if (peer.kind === "web") await agree(handshake, { role, remote, phases, ...peer });
    const own = ({ bundle, ours }: LocalDescription<SessionMaterial>) => ({
      ...keysOf(ours, { commits }),
      peerCode: self,
      sdp: bundle.description.sdp,
    });
    const received = (description: WebDescription) => ({
      ...described(description, client.remoteDeviceName, handshake.earlyCandidates),
      peerCode: remote,
    });
    return {
      awaited: `the ${role === "offerer" ? "answer" : "offer"} of peer '${remote}'`,
      offer: async (local, signal) => received(await handshake.offer(own(local), signal)),
      receiveOffer: async (signal) => received(await handshake.receiveOffer(signal)),
      answer: (local) => handshake.sendAnswer(own(local)),
      replaced: async (addCandidate, signal) => {
        await handshake.trickle(addCandidate, signal);
        await abortable(new Promise<never>(() => {}), signal);
      },
    };
  };
}

interface Agreement {
  readonly role: Role;
  readonly remote: PeerCode;
  readonly phases: Phases;
  readonly asks?: ShownDevice;
}

/** What web applications agree on before the offer; the bare SDK offers at once. */
async function agree(
  handshake: WebHandshake,
  { role, remote, phases, asks }: Agreement,
): Promise<void> {
  if (role === "answerer") return handshake.acceptRequests();
  if (asks === undefined) return;
  using phase = phases.begin(
    `peer '${remote}' to accept the connection (its people are asked; a web client that asks ` +
      "nobody does not answer: it needs --web-consent off)",
  );
  await handshake.requestConsent(asks, phase.signal);
}

function described(
  theirs: WebDescription,
  deviceName: string,
  candidates: readonly string[] = [],
): RemoteDescription<WebDescription> {
  const { type: sdpType, sdp } = theirs;
  const listed = candidates.map((candidate) => ({ candidate, mid: "0" }));
  return { bundle: { description: { sdpType, sdp }, candidates: listed }, theirs, deviceName };
}
