/**
 * Offer and answer as signals that a rendezvous server relays.
 *
 * @module
 */
import type { RendezvousClient } from "../../signaling/rendezvous/rendezvous_client.ts";
import type { Phases } from "./phases.ts";
import type { Exchange, Route } from "./route.ts";
import type { Role } from "../../protocol/signal/bundle.ts";

/**
 * What is said once we are registered: all that comes before the offer, then the descriptions. It
 * decides which payloads are spoken: `daemon_v1.ts`, `web_v1.ts`.
 */
export type RendezvousDialect<Ours, Theirs> = (
  client: RendezvousClient,
  role: Role,
  phases: Phases,
) => Promise<Exchange<Ours, Theirs>>;

/**
 * The way through a rendezvous server, which is left when the exchange is over.
 *
 * @param join Has us registered there, for this exchange or for others already.
 */
export function rendezvousRoute<Ours, Theirs>(
  join: (signal: AbortSignal) => Promise<RendezvousClient>,
  dialect: RendezvousDialect<Ours, Theirs>,
): Route<Ours, Theirs> {
  return {
    async open({ role, phases, observer, resources }) {
      const client = resources.use(await registered(join, phases));
      observer.registered?.();
      return await dialect(client, role, phases);
    },
  };
}

async function registered(
  join: (signal: AbortSignal) => Promise<RendezvousClient>,
  phases: Phases,
): Promise<RendezvousClient> {
  using phase = phases.begin("the rendezvous server's answer");
  return await join(phase.signal);
}
