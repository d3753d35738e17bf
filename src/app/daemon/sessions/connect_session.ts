/**
 * From a pair request to an open channel and the keys of both sides.
 *
 * @module
 */
import { SignalError } from "../../../base/errors.ts";
import type { PairParameters } from "../../../ipc/api/operations.ts";
import { logFor } from "../../../log/log.ts";
import type { DescriptionSecrets } from "../../../protocol/identity/proven_identity.ts";
import type { SignalContext } from "../../../protocol/signal/daemon_payload.ts";
import { distinctCodes, type PeerCode } from "../../../protocol/signal/peer_code.ts";
import type { WebDescription } from "../../../protocol/signal/web_payload.ts";
import type { Registrations } from "../../../signaling/rendezvous/registrations.ts";
import type { Connector, TransportChoice } from "../../../transport/connector.ts";
import { candidateLogger } from "../../connect/candidate_log.ts";
import { connect, type Connected, type Trial } from "../../connect/connect.ts";
import { fileRoute } from "../../connect/file_route.ts";
import { Phases } from "../../connect/phases.ts";
import { rendezvousRoute } from "../../connect/rendezvous_route.ts";
import { SESSION_DEFAULTS } from "../../../vocabulary/session_values.ts";
import type { Route } from "../../connect/route.ts";
import { type SessionMaterial, webText, webV1 } from "../../connect/web_v1.ts";

/** The label of a session's channel, as web clients name theirs. */
const CHANNEL_LABEL = "fileTransfer";

/**
 * A page that is offered another channel when nothing comes on the first. One that has much to do
 * is slow and has lost nothing: the last has the time that HELLO always has.
 */
const PAGE_TRIAL = {
  attempts: 3,
  problem: "the page has said nothing on the open channel: its browser may have lost it",
} as const;

const log = logFor("session");
const rendezvousLog = logFor("rendezvous");

/** Options of {@linkcode connectSession}. */
export interface ConnectSessionOptions {
  /** What the application asked for. */
  readonly request: PairParameters;
  /** Makes what is secret of one offer or answer: for one attempt to connect. */
  readonly freshSecrets: () => DescriptionSecrets;
  /** Whether our offer or answer binds us to our identity, so that both sides can prove theirs. */
  readonly commits: boolean;
  /** Our code unless the request names one. */
  readonly selfCode: PeerCode;
  /** Shown to others at the rendezvous server, and written in files. */
  readonly deviceName: string;
  /** Makes the peer connection. */
  readonly connector: Connector;
  /** What may carry it between daemons where the request does not say. @default {"udp"} */
  readonly transport?: TransportChoice;
  /** Ends it all with its reason. */
  readonly signal: AbortSignal;
  /** Signaling is done: the connection is being made. */
  readonly onConnecting: () => void;
  /** Begins the session on a page's channel that we have made; see {@linkcode Trial.run}. */
  readonly onPageChannel?: Trial<DescriptionSecrets, WebDescription>["run"];
  /** Has us registered at rendezvous servers. */
  readonly registrations: Registrations;
}

/** An open channel, what we made for it, and the peer's description. */
export type SessionConnection = Connected<DescriptionSecrets, WebDescription>;

/**
 * Exchanges offer and answer as the request says, and connects.
 *
 * @throws {SignalError | TransportError | DeadlineError} What kept it from happening.
 */
export async function connectSession(options: ConnectSessionOptions): Promise<SessionConnection> {
  const { request, signal, connector, freshSecrets, onConnecting, onPageChannel } = options;
  const isPage = request.signal === "rendezvous" && request.web === true;
  // Web clients know UDP.
  const transport = isPage ? "udp" : request.transport ?? options.transport ?? "udp";
  const { role, networkScope: scope = SESSION_DEFAULTS.networkScope } = request;
  return await connect<DescriptionSecrets, WebDescription>({
    role,
    route: routeOf(options),
    phases: new Phases(phaseSecsOf(request), signal),
    observer: { warn: (message) => log.warn(message), connecting: onConnecting },
    fresh: freshSecrets,
    connector,
    ...(isPage && onPageChannel !== undefined && request.role === "offerer"
      ? { trial: { ...PAGE_TRIAL, run: onPageChannel } }
      : {}),
    connection: {
      scope,
      transport,
      signal,
      label: CHANNEL_LABEL,
      onCandidate: candidateLogger("debug"),
    },
  });
}

function routeOf(options: ConnectSessionOptions): Route<SessionMaterial, WebDescription> {
  const { request, selfCode, deviceName, commits, registrations } = options;
  if (request.signal === "file") {
    const { offer, answer, signalOwner: owner = SESSION_DEFAULTS.signalOwner } = request;
    const schema = webText({ self: selfCode, deviceName, commits });
    return fileRoute({ offer, answer, owner, schema });
  }
  const context = contextOf(request, selfCode);
  const { self, remote } = context;
  const who = { self, remote, log: rendezvousLog };
  const greeting = { context, phaseTimeoutSecs: phaseSecsOf(request), log: rendezvousLog };
  const { webConsent = SESSION_DEFAULTS.webConsent } = request.role === "offerer" ? request : {};
  const asks = webConsent === "on" ? { asks: { deviceName, deviceType: "desktop" } } as const : {};
  const peer = request.web === true
    ? { kind: "web", ...asks } as const
    : { kind: "daemon", greeting } as const;
  const { room, session } = context;
  const party = peer.kind === "web" ? { remote } : { remote, topic: { room, session } };
  return rendezvousRoute(
    (signal) => registrations.join({ url: request.rendezvousUrl, self }, party, signal),
    webV1({ ...who, commits, peer }),
  );
}

function contextOf(
  request: Extract<PairParameters, { signal: "rendezvous" }>,
  selfCode: PeerCode,
): SignalContext {
  const { room, session, networkScope: scope = SESSION_DEFAULTS.networkScope } = request;
  const remote = request.role === "offerer" ? request.to : request.expectPeer;
  const codes = distinctCodes(request.peerId ?? selfCode, remote);
  if (codes !== undefined) return { room, session, scope, ...codes };
  throw new SignalError(
    "PEER_MISMATCH",
    `${remote} is this daemon's own peer code: name the other end's`,
  );
}

const phaseSecsOf = (
  { phaseTimeoutSecs = SESSION_DEFAULTS.phaseTimeoutSecs }: PairParameters,
): number => phaseTimeoutSecs;
