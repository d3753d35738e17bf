/**
 * How the one-shot program connects: its routes, and the lines that it prints on the way.
 *
 * @module
 */
import type { FileOptions, OneShotOptions, RendezvousOptions } from "./options.ts";
import { shownUrl } from "../../base/shown_url.ts";
import { logFor } from "../../log/log.ts";
import { CHANNEL_LABEL } from "../../protocol/payload_exchange.ts";
import type { SdpType } from "../../protocol/signal/bundle.ts";
import { RendezvousClient } from "../../signaling/rendezvous/rendezvous_client.ts";
import type { Pace } from "../../signaling/rendezvous/pace.ts";
import type { Channel } from "../../transport/channel.ts";
import type { Connector } from "../../transport/connector.ts";
import { candidateLogger } from "../connect/candidate_log.ts";
import { connect } from "../connect/connect.ts";
import { BUNDLE_TEXT, daemonV1, nothing } from "../connect/daemon_v1.ts";
import { fileRoute } from "../connect/file_route.ts";
import type { Phases } from "../connect/phases.ts";
import { rendezvousRoute } from "../connect/rendezvous_route.ts";
import type { ConnectObserver, Route } from "../connect/route.ts";

const log = logFor("bolt-daemon");
const rendezvousLog = logFor("rendezvous");

/** What a run is given by the entry, so that tests can give something else. */
export interface RunParts {
  /** Starts deadlines. */
  readonly phases: Phases;
  /** Makes the peer connection. */
  readonly connector: Connector;
  /** Ends the run with its reason, at any time. */
  readonly signal: AbortSignal;
  /** Timers and randomness of the rendezvous client. @default {real ones} */
  readonly pace?: Pace;
}

/** Exchanges offer and answer as the options say, and connects. */
export async function connectOneShot(
  options: OneShotOptions,
  { phases, connector, signal, pace }: RunParts,
): Promise<Channel> {
  const { role, scope } = options;
  const isByFile = options.signal === "file";
  const { channel } = await connect({
    role,
    route: isByFile ? fileRoute({ ...options, schema: BUNDLE_TEXT }) : byServer(options, pace),
    phases,
    observer: isByFile ? fileLines(options) : serverLines(options),
    fresh: nothing,
    connector,
    connection: { scope, signal, label: CHANNEL_LABEL, onCandidate: candidateLogger("info") },
  });
  return channel;
}

function byServer(options: RendezvousOptions, pace: Pace | undefined): Route<unknown, undefined> {
  const { url, self, remote, phaseTimeoutSecs } = options;
  const own = { deviceName: "bolt-daemon", log: rendezvousLog };
  const server = { url, self, remote, ...own, ...(pace === undefined ? {} : { pace }) };
  return rendezvousRoute(
    (signal) => RendezvousClient.register({ ...server, signal }),
    daemonV1({ context: options, phaseTimeoutSecs, log: rendezvousLog }),
  );
}

function fileLines(paths: FileOptions): ConnectObserver {
  const nameOf = (half: SdpType, stream: string) => paths[half] === "-" ? stream : paths[half];
  return {
    warn: (message) => log.warn(message),
    published: (half) => log.info(`${half} written`, { to: nameOf(half, "stdout") }),
    received: (half) => log.info(`${half} read`, { from: nameOf(half, "stdin") }),
  };
}

function serverLines({ self, remote, url }: RendezvousOptions): ConnectObserver {
  return {
    warn: (message) => rendezvousLog.warn(message),
    registered: () => rendezvousLog.info("registered", { peer_id: self, url: shownUrl(url) }),
    received: (half) => rendezvousLog.info(`${half} received`, { peer: remote }),
  };
}
