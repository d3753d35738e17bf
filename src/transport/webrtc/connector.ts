/**
 * The WebRTC connector: offers and answers with every candidate gathered, filtered by the scope.
 *
 * Loading this module loads the WebRTC library, so load it lazily.
 *
 * @module
 */
import { messageOf, TransportError } from "../../base/errors.ts";
import { isNotPermitted, systemReason } from "../../base/system_error.ts";
import { logFor } from "../../log/log.ts";
import {
  type Candidate,
  formatCandidate,
  judgeCandidate,
} from "../../protocol/network_scope/candidate.ts";
import {
  type DataDescription,
  type DtlsSetup,
  formatDescription,
  parseDescription,
} from "../../protocol/network_scope/sdp.ts";
import type { Role, SdpType, SignalBundle } from "../../protocol/signal/bundle.ts";
import type {
  AnsweringPeer,
  ConnectOptions,
  Connector,
  OfferingPeer,
  TransportChoice,
} from "../connector.ts";
import { MAX_MESSAGE_SIZE, SCTP_PORT } from "./sctp/association.ts";
import { type InterfaceAddress, judgeLocalAddresses, tellLeftOut } from "./ice/local_addresses.ts";
import { MAX_CONTENT_BYTES } from "./dtls/record_layer.ts";
import { Peer, type PeerHooks, type RemoteParameters } from "./peer.ts";

/** Most remote candidates that are looked at. */
export const MAX_REMOTE_CANDIDATES = 64;
const DEFAULT_LABEL = "bolt";
const OUR_MID = "0";

/** Options of {@linkcode createConnector}; none is for the program itself. */
export interface ConnectorOptions extends PeerHooks {
  /** The machine's interfaces. @default {Deno.networkInterfaces} */
  readonly interfaces?: () => readonly InterfaceAddress[];
}

/** Makes a connector. The program uses {@linkcode connector}. */
export function createConnector(connectorOptions: ConnectorOptions = {}): Connector {
  return {
    async offer({ label = DEFAULT_LABEL, ...options }): Promise<OfferingPeer> {
      if (!/^[!-~]{1,64}$/.test(label)) {
        throw new TransportError("SETUP_FAILED", "a channel's label must be 1 to 64 of ASCII");
      }
      const peer = await gather("offerer", options, connectorOptions);
      return {
        offer: bundleOf(peer, "offer", "actpass", OUR_MID),
        connect: async (answer, signal) => {
          try {
            const remote = readBundle(answer, "answer", options);
            // An active peer is the DTLS client.
            const role = remote.description.setup === "active" ? "server" : "client";
            return await peer.connect(
              remote,
              role,
              label,
              AbortSignal.any([options.signal, signal]),
            );
          } catch (error) {
            await peer.close();
            throw error;
          }
        },
        addCandidate: lateCandidates(peer, options),
        [Symbol.asyncDispose]: () => peer.release(),
      };
    },
    async answer(offer, options): Promise<AnsweringPeer> {
      const remote = readBundle(offer, "offer", options);
      const peer = await gather("answerer", options, connectorOptions);
      // Passive wherever the offer lets us: every WebRTC stack can be the client.
      const setup: DtlsSetup = remote.description.setup === "passive" ? "active" : "passive";
      const role = setup === "passive" ? "server" : "client";
      return {
        answer: bundleOf(peer, "answer", setup, remote.description.mid),
        connect: (signal) =>
          peer.connect(remote, role, "", AbortSignal.any([options.signal, signal])),
        addCandidate: lateCandidates(peer, options),
        [Symbol.asyncDispose]: () => peer.release(),
      };
    },
  };
}

/** The connector that the program uses. */
export const connector: Connector = createConnector();

async function gather(
  role: Role,
  { scope, signal, onCandidate, transport }: ConnectOptions,
  { interfaces = Deno.networkInterfaces, ...hooks }: ConnectorOptions,
): Promise<Peer> {
  signal.throwIfAborted();
  const judge = () => judgeLocalAddresses(listInterfaces(interfaces), scope);
  const judged = judge();
  for (const { address, accepted, reason } of judged) {
    if (!accepted) onCandidate?.({ side: "local", accepted, address, reason });
  }
  const leftOut = tellLeftOut(judged);
  if (leftOut !== undefined) logFor("transport").info(leftOut);
  const addresses = () => judge().filter(({ accepted }) => accepted);
  const peer = await Peer.gather({
    role,
    scope,
    addresses,
    ...(transport === undefined ? {} : { transport }),
    ...hooks,
  });
  try {
    signal.throwIfAborted();
    const { candidates } = peer.local;
    if (candidates.length === 0) {
      throw new TransportError(
        "SETUP_FAILED",
        `no address of this machine is inside network scope ${scope}; choose a wider --network-scope`,
      );
    }
    for (const { address, port } of candidates) {
      onCandidate?.({ side: "local", accepted: true, address, port, reason: "" });
    }
    return peer;
  } catch (error) {
    await peer.close();
    throw error;
  }
}

function listInterfaces(
  interfaces: NonNullable<ConnectorOptions["interfaces"]>,
): ReturnType<typeof interfaces> {
  try {
    return interfaces();
  } catch (cause) {
    const why = isNotPermitted(cause)
      ? "the program was started without the permission for that"
      : systemReason(cause) ?? messageOf(cause);
    throw new TransportError(
      "SETUP_FAILED",
      `this machine's addresses can't be listed: ${why}`,
      { cause },
    );
  }
}

function bundleOf(peer: Peer, sdpType: SdpType, setup: DtlsSetup, mid: string): SignalBundle {
  const { iceUfrag, icePwd, fingerprints, candidates } = peer.local;
  const candidateLines = candidates.map(formatCandidate);
  const description: DataDescription = {
    iceUfrag,
    icePwd,
    iceLite: false,
    fingerprints,
    setup,
    mid,
    sctpPort: SCTP_PORT,
    maxMessageSize: MAX_MESSAGE_SIZE,
    // Only where TCP candidates are offered: over UDP a record is as long as a datagram.
    maxRecord: candidates.some(({ transport }) => transport === "tcp") ? MAX_CONTENT_BYTES : 0,
    candidateLines,
  };
  return {
    description: { sdpType, sdp: formatDescription(description) },
    candidates: candidateLines.map((candidate) => ({ candidate, mid })),
  };
}

/** Reads what the peer sent, and keeps only candidates inside the scope, each once. */
function readBundle(
  bundle: SignalBundle,
  expected: SdpType,
  options: ConnectOptions,
): RemoteParameters {
  const { sdpType, sdp } = bundle.description;
  if (sdpType !== expected) {
    throw new TransportError(
      "SDP_REFUSED",
      `the peer sent an ${sdpType} in place of an ${expected}`,
    );
  }
  const description = parseDescription(sdp, expected);
  const lines = [
    ...description.candidateLines,
    ...bundle.candidates.map(({ candidate }) => candidate),
  ];
  const { transport = "udp", onCandidate } = options;
  const reasons = new Set<string>();
  const candidates = judgeRemote(lines, {
    ...options,
    onCandidate: (verdict) => {
      reasons.add(verdict.reason);
      onCandidate?.(verdict);
    },
  });
  if (candidates.length === 0 && (reasons.has("not-udp") || reasons.has("not-tcp"))) {
    tellOtherTransport(transport);
  }
  return { description, candidates };
}

/** Nothing else would say why no path is found. */
function tellOtherTransport(transport: TransportChoice): void {
  const ours = transport.toUpperCase();
  logFor("transport").warn(
    `the peer offers no address by ${ours}, and this end takes no other; ` +
      "give both ends a --transport that goes together",
  );
}

/** Takes candidates that trickle, each judged, a bounded number of them. */
function lateCandidates(peer: Peer, options: ConnectOptions): (candidate: string) => void {
  let left = MAX_REMOTE_CANDIDATES;
  return (line) => {
    if (left-- <= 0) return;
    const judged = judgeRemote([line], options);
    for (const candidate of judged) peer.addCandidate(candidate);
  };
}

function judgeRemote(
  lines: readonly string[],
  { scope, transport = "udp", onCandidate }: ConnectOptions,
): Candidate[] {
  const candidates = new Map<string, Candidate>();
  // The same candidate in the description and in the list is passed on once.
  const unique = [...new Set(lines.map((line) => line.trim().replace(/^a=/, "")))];
  for (const [i, line] of unique.entries()) {
    const { candidate, address, port, reason } = judgeCandidate(line, scope);
    const refusal = candidate === undefined
      ? reason
      : i >= MAX_REMOTE_CANDIDATES
      ? "too-many-candidates"
      : unwanted(candidate, transport);
    if (candidate !== undefined && refusal === "") {
      candidates.set(`${candidate.transport} ${candidate.address} ${candidate.port}`, candidate);
    }
    onCandidate?.({
      side: "remote",
      accepted: refusal === "",
      address,
      ...(port === undefined ? {} : { port }),
      reason: refusal,
    });
  }
  return [...candidates.values()];
}

/** Why a candidate is of no use where only one transport is; empty when it is of use. */
function unwanted(candidate: Candidate, transport: TransportChoice): string {
  if (transport === "auto" || candidate.transport === transport) return "";
  return transport === "udp" ? "not-udp" : "not-tcp";
}
