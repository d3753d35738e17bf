/**
 * From a pair request to an open channel and the peer's ephemeral key: signaling and connecting.
 *
 * @module
 */
import { Deadline } from "../../../base/deadline.ts";
import { SignalError } from "../../../base/errors.ts";
import type { PairRequest } from "../../../ipc/schemas.ts";
import { logFor } from "../../../log/log.ts";
import type { EphemeralPublicKey } from "../../../protocol/crypto/keys.ts";
import { parseJsonObject } from "../../../protocol/json.ts";
import type { SdpType, SignalBundle } from "../../../protocol/signal/bundle.ts";
import type { SignalContext } from "../../../protocol/signal/daemon_payload.ts";
import { normalizePeerCode, type PeerCode } from "../../../protocol/signal/peer_code.ts";
import {
  encodeWebSignal,
  parseWebSignal,
  type WebDescription,
} from "../../../protocol/signal/web_payload.ts";
import { SignalFiles } from "../../../signaling/file/signal_files.ts";
import { DaemonHandshake } from "../../../signaling/rendezvous/daemon_handshake.ts";
import { RendezvousClient } from "../../../signaling/rendezvous/rendezvous_client.ts";
import type { Pace } from "../../../signaling/rendezvous/pace.ts";
import { WebHandshake } from "../../../signaling/rendezvous/web_handshake.ts";
import { whileConnecting } from "../../../signaling/rendezvous/while_connecting.ts";
import type { Channel } from "../../../transport/channel.ts";
import type { ConnectOptions, Connector } from "../../../transport/connector.ts";
import { candidateLogger } from "../../candidate_log.ts";

/** The label of a session's channel, as web clients name theirs. */
const CHANNEL_LABEL = "fileTransfer";
const DEFAULT_PHASE_SECS = 30;

const fileLog = logFor("session");
const rendezvousLog = logFor("rendezvous");

/** Options of {@linkcode openChannel}. */
export interface OpenChannelOptions {
  /** What the application asked for. */
  readonly request: PairRequest;
  /** Our half of the connection's keys. */
  readonly ephemeral: EphemeralPublicKey;
  /** Our code unless the request names one. */
  readonly selfCode: PeerCode;
  /** Shown to others at the rendezvous server. */
  readonly deviceName: string;
  /** Makes the connection. */
  readonly connector: Connector;
  /** Ends it all with its reason. */
  readonly signal: AbortSignal;
  /** Signaling is done: the connection is being made. */
  readonly onConnecting: () => void;
  /** Time and chance of what is done at the rendezvous server. @default {real ones} */
  readonly pace?: Pace;
}

/** An open channel and what signaling told of the peer. */
export interface OpenedChannel {
  /** Owned by the caller from here on. */
  readonly channel: Channel;
  /** The peer's half of the connection's keys. */
  readonly remoteEphemeral: EphemeralPublicKey;
  /** The code that the peer has at the rendezvous server; absent in file mode. */
  readonly peerCode?: PeerCode;
  /** What the peer calls itself: hostile text. */
  readonly deviceName: string;
}

type RequestOf<S extends PairRequest["signal"]> = Extract<PairRequest, { signal: S }>;

/**
 * Exchanges offer and answer as the request says, and connects.
 *
 * @throws {SignalError | TransportError | DeadlineError} What kept it from happening.
 */
export function openChannel(options: OpenChannelOptions): Promise<OpenedChannel> {
  const { request } = options;
  return request.signal === "file"
    ? openByFile(request, options)
    : openByRendezvous(request, options);
}

async function openByFile(
  request: RequestOf<"file">,
  options: OpenChannelOptions,
): Promise<OpenedChannel> {
  const { connector, selfCode, ephemeral } = options;
  const connectOptions = connectOptionsOf(options);
  const begin = phasesOf(options);
  const { deviceName } = options;
  const ours = { publicKey: ephemeral, peerCode: selfCode, from: selfCode, deviceName };
  const files = await openFiles(request, begin);
  if (request.role === "offerer") {
    await using peer = await connector.offer({ ...connectOptions, label: CHANNEL_LABEL });
    const { sdp } = peer.offer.description;
    using exchange = begin(`the answer at ${request.answer}`);
    const offer = { ...ours, type: "offer", sdp, to: selfCode } as const;
    await files.publish(JSON.stringify(encodeWebSignal(offer)), exchange.signal);
    const answer = await files.read(exchange.signal);
    options.onConnecting();
    using connecting = begin("the DataChannel to open");
    const channel = await peer.connect(bundleOf(answer), connecting.signal);
    return { channel, remoteEphemeral: answer.publicKey, deviceName: answer.deviceName ?? "" };
  }
  using exchange = begin(`the offer at ${request.offer}`);
  const offer = await files.read(exchange.signal);
  await using peer = await connector.answer(bundleOf(offer), connectOptions);
  const { sdp } = peer.answer.description;
  const answer = { ...ours, type: "answer", sdp, to: offer.from } as const;
  await files.publish(JSON.stringify(encodeWebSignal(answer)), exchange.signal);
  options.onConnecting();
  using connecting = begin("the DataChannel to open");
  const channel = await peer.connect(connecting.signal);
  return { channel, remoteEphemeral: offer.publicKey, deviceName: offer.deviceName ?? "" };
}

async function openFiles(
  { role, offer, answer, signalOwner = "any" }: RequestOf<"file">,
  begin: BeginPhase,
): Promise<SignalFiles<WebDescription>> {
  using preparing = begin("the disk or network share of the signal files");
  return await SignalFiles.open({
    ours: role === "offerer" ? "offer" : "answer",
    paths: { offer, answer },
    parse: parseFile,
    owner: signalOwner,
    warn: (message) => fileLog.warn(message),
  }, preparing.signal);
}

function parseFile(text: string, kind: SdpType): WebDescription {
  const signal = parseWebSignal(parseJsonObject(text));
  if (signal.type === kind) return signal;
  throw new SignalError(
    "BUNDLE_INVALID",
    `the file holds no ${kind} of a session: check the paths`,
  );
}

async function openByRendezvous(
  request: RequestOf<"rendezvous">,
  options: OpenChannelOptions,
): Promise<OpenedChannel> {
  const { ephemeral, connector } = options;
  const begin = phasesOf(options);
  const context = contextOf(request, options);
  const { self, remote } = context;
  await using client = await register(request, options, context);
  if (request.web !== true) await shakeHands(request, options, client, context);
  const { web = false } = request;
  const handshake = new WebHandshake(client, { self, remote, web, log: rendezvousLog });
  const connectOptions = connectOptionsOf(options);
  const ours = { publicKey: ephemeral, peerCode: self };
  if (request.role === "offerer") {
    await using peer = await connector.offer({ ...connectOptions, label: CHANNEL_LABEL });
    using exchange = begin(`the answer of peer '${remote}'`);
    const { sdp } = peer.offer.description;
    const answer = await handshake.offer({ ...ours, sdp }, exchange.signal);
    options.onConnecting();
    const bundle = bundleOf(answer, handshake.earlyCandidates);
    const channel = await whileTrickling(
      handshake,
      begin,
      peer,
      (signal) => peer.connect(bundle, signal),
    );
    return opened(channel, answer, remote, client);
  }
  using exchange = begin(`the offer of peer '${remote}'`);
  const offer = await handshake.receiveOffer(exchange.signal);
  const bundle = bundleOf(offer, handshake.earlyCandidates);
  await using peer = await connector.answer(bundle, connectOptions);
  handshake.sendAnswer({ ...ours, sdp: peer.answer.description.sdp });
  options.onConnecting();
  const channel = await whileTrickling(handshake, begin, peer, (signal) => peer.connect(signal));
  return opened(channel, offer, remote, client);
}

async function register(
  request: RequestOf<"rendezvous">,
  options: OpenChannelOptions,
  { self, remote }: SignalContext,
): Promise<RendezvousClient> {
  using phase = phasesOf(options)("the rendezvous server's answer");
  return await RendezvousClient.register({
    url: request.rendezvousUrl,
    self,
    remote,
    deviceName: options.deviceName,
    signal: phase.signal,
    log: rendezvousLog,
    ...(options.pace === undefined ? {} : { pace: options.pace }),
  });
}

async function shakeHands(
  request: RequestOf<"rendezvous">,
  options: OpenChannelOptions,
  client: RendezvousClient,
  context: SignalContext,
): Promise<void> {
  const phaseTimeoutSecs = request.phaseTimeoutSecs ?? DEFAULT_PHASE_SECS;
  const handshake = new DaemonHandshake(client, { context, phaseTimeoutSecs, log: rendezvousLog });
  using phase = phasesOf(options)(`peer '${context.remote}' to shake hands`);
  if (request.role === "offerer") await handshake.hello(phase.signal);
  else await handshake.acknowledge(phase.signal);
}

/** Connects while candidates of the peer still come in. */
async function whileTrickling(
  handshake: WebHandshake,
  begin: BeginPhase,
  peer: { addCandidate(candidate: string): void },
  connect: (signal: AbortSignal) => Promise<Channel>,
): Promise<Channel> {
  using connecting = begin("the DataChannel to open");
  return await whileConnecting(
    (signal) => handshake.trickle((candidate) => peer.addCandidate(candidate), signal),
    () => connect(connecting.signal),
  );
}

function opened(
  channel: Channel,
  remote: WebDescription,
  peerCode: PeerCode,
  client: RendezvousClient,
): OpenedChannel {
  const { publicKey: remoteEphemeral } = remote;
  return { channel, remoteEphemeral, peerCode, deviceName: client.remoteDeviceName };
}

function contextOf(request: RequestOf<"rendezvous">, options: OpenChannelOptions): SignalContext {
  const remoteText = request.role === "offerer" ? request.to : request.expectPeer;
  const remote = normalizePeerCode(remoteText);
  const self = request.peerId === undefined ? options.selfCode : normalizePeerCode(request.peerId);
  if (remote === undefined || self === undefined || remote === self) {
    throw new SignalError(
      "PEER_MISMATCH",
      "the peer codes must be two, of 1 to 16 letters and digits",
    );
  }
  const { room, session, networkScope: scope = "lan" } = request;
  return { room, session, scope, self, remote };
}

function connectOptionsOf({ request, signal }: OpenChannelOptions): ConnectOptions {
  return { scope: request.networkScope ?? "lan", signal, onCandidate: candidateLogger("debug") };
}

function bundleOf(description: WebDescription, candidates: readonly string[] = []): SignalBundle {
  const { type: sdpType, sdp } = description;
  const listed = candidates.map((candidate) => ({ candidate, mid: "0" }));
  return { description: { sdpType, sdp }, candidates: listed };
}

type BeginPhase = (what: string) => Deadline;

function phasesOf({ request, signal }: OpenChannelOptions): BeginPhase {
  const ms = (request.phaseTimeoutSecs ?? DEFAULT_PHASE_SECS) * 1000;
  return (what) => new Deadline(ms, { parent: signal, what });
}
