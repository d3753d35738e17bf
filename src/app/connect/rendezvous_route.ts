/**
 * Offer and answer as signals that a rendezvous server relays.
 *
 * @module
 */
import { logFor } from "../../log/log.ts";
import type { PeerCode } from "../../protocol/signal/peer_code.ts";
import type { Pace } from "../../signaling/rendezvous/pace.ts";
import { RendezvousClient } from "../../signaling/rendezvous/rendezvous_client.ts";
import type { Exchange, ExchangeParts, Role, Route } from "./route.ts";
import type { Phases } from "./phases.ts";

const log = logFor("rendezvous");

/**
 * What is said once we are registered: all that comes before the offer, then the descriptions. It
 * decides which payloads are spoken: `daemon_v1.ts`, `web_v1.ts`.
 */
export type RendezvousDialect<Ours, Theirs> = (
  client: RendezvousClient,
  role: Role,
  phases: Phases,
) => Promise<Exchange<Ours, Theirs>>;

/** Options of a {@linkcode RendezvousRoute}. */
export interface RendezvousRouteOptions<Ours, Theirs> {
  /** The server's WebSocket URL. */
  readonly url: string;
  /** Our own code. */
  readonly self: PeerCode;
  /** The only peer that is listened to. */
  readonly remote: PeerCode;
  /** Shown to others at the server. */
  readonly deviceName: string;
  /** What is said. */
  readonly dialect: RendezvousDialect<Ours, Theirs>;
  /** Time and chance of what is done at the server. @default {real ones} */
  readonly pace?: Pace;
}

/** The way through a rendezvous server. */
export class RendezvousRoute<Ours, Theirs> implements Route<Ours, Theirs> {
  readonly #options: RendezvousRouteOptions<Ours, Theirs>;

  /** Connects to nothing yet. */
  constructor(options: RendezvousRouteOptions<Ours, Theirs>) {
    this.#options = options;
  }

  /** Registers, and says what comes before the offer. Leaves the server with `resources`. */
  async open(
    { role, phases, observer, resources }: ExchangeParts,
  ): Promise<Exchange<Ours, Theirs>> {
    const { dialect, ...server } = this.#options;
    const client = resources.use(await register(server, phases));
    observer.registered?.();
    return await dialect(client, role, phases);
  }
}

async function register(
  server: Omit<RendezvousRouteOptions<unknown, unknown>, "dialect">,
  phases: Phases,
): Promise<RendezvousClient> {
  using phase = phases.begin("the rendezvous server's answer");
  return await RendezvousClient.register({ ...server, signal: phase.signal, log });
}
