/**
 * From a pair request to an open channel and the keys of both sides.
 *
 * @module
 */
import { SignalError } from "../../../base/errors.ts";
import type { PairRequest } from "../../../ipc/api/schemas.ts";
import { logFor } from "../../../log/log.ts";
import type { DescriptionSecrets } from "../../../protocol/identity/proven_identity.ts";
import type { SignalContext } from "../../../protocol/signal/daemon_payload.ts";
import { normalizePeerCode, type PeerCode } from "../../../protocol/signal/peer_code.ts";
import type { WebDescription } from "../../../protocol/signal/web_payload.ts";
import type { Pace } from "../../../signaling/rendezvous/pace.ts";
import type { Connector } from "../../../transport/connector.ts";
import { candidateLogger } from "../../connect/candidate_log.ts";
import { connect, type Connected } from "../../connect/connect.ts";
import { fileRoute } from "../../connect/file_route.ts";
import { Phases } from "../../connect/phases.ts";
import { rendezvousRoute } from "../../connect/rendezvous_route.ts";
import { SESSION_DEFAULTS } from "../../../vocabulary/session_values.ts";
import type { Route } from "../../connect/route.ts";
import { type SessionMaterial, webText, webV1 } from "../../connect/web_v1.ts";

/** The label of a session's channel, as web clients name theirs. */
const CHANNEL_LABEL = "fileTransfer";

const log = logFor("session");
const rendezvousLog = logFor("rendezvous");

/** Options of {@linkcode connectSession}. */
export interface ConnectSessionOptions {
  /** What the application asked for. */
  readonly request: PairRequest;
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
  /** Ends it all with its reason. */
  readonly signal: AbortSignal;
  /** Signaling is done: the connection is being made. */
  readonly onConnecting: () => void;
  /** Time and chance of what is done at the rendezvous server. @default {real ones} */
  readonly pace?: Pace;
}

/** An open channel, what we made for it, and the peer's description. */
export type SessionConnection = Connected<DescriptionSecrets, WebDescription>;

/**
 * Exchanges offer and answer as the request says, and connects.
 *
 * @throws {SignalError | TransportError | DeadlineError} What kept it from happening.
 */
export async function connectSession(options: ConnectSessionOptions): Promise<SessionConnection> {
  const { request, signal, connector, freshSecrets, onConnecting } = options;
  const { role, networkScope: scope = SESSION_DEFAULTS.networkScope } = request;
  return await connect<DescriptionSecrets, WebDescription>({
    role,
    route: routeOf(options),
    phases: new Phases(phaseSecsOf(request), signal),
    observer: { warn: (message) => log.warn(message), connecting: onConnecting },
    fresh: freshSecrets,
    connector,
    connection: { scope, signal, label: CHANNEL_LABEL, onCandidate: candidateLogger("debug") },
  });
}

function routeOf(options: ConnectSessionOptions): Route<SessionMaterial, WebDescription> {
  const { request, selfCode, deviceName, commits, pace } = options;
  if (request.signal === "file") {
    const { offer, answer, signalOwner: owner = SESSION_DEFAULTS.signalOwner } = request;
    const schema = webText({ self: selfCode, deviceName, commits });
    return fileRoute({ offer, answer, owner, schema });
  }
  const context = contextOf(request, selfCode);
  const { self, remote } = context;
  const who = { self, remote, log: rendezvousLog };
  const greeting = { context, phaseTimeoutSecs: phaseSecsOf(request), log: rendezvousLog };
  return rendezvousRoute(
    { ...who, url: request.rendezvousUrl, deviceName, ...(pace === undefined ? {} : { pace }) },
    webV1({ ...who, commits, ...(request.web === true ? {} : { greeting }) }),
  );
}

function contextOf(
  request: Extract<PairRequest, { signal: "rendezvous" }>,
  selfCode: PeerCode,
): SignalContext {
  const remoteText = request.role === "offerer" ? request.to : request.expectPeer;
  const remote = normalizePeerCode(remoteText);
  const self = request.peerId === undefined ? selfCode : normalizePeerCode(request.peerId);
  if (remote === undefined || self === undefined || remote === self) {
    throw new SignalError(
      "PEER_MISMATCH",
      "the peer codes must be two, of 1 to 16 letters and digits",
    );
  }
  const { room, session, networkScope: scope = SESSION_DEFAULTS.networkScope } = request;
  return { room, session, scope, self, remote };
}

const phaseSecsOf = (
  { phaseTimeoutSecs = SESSION_DEFAULTS.phaseTimeoutSecs }: PairRequest,
): number => phaseTimeoutSecs;
