/**
 * Saying something to the peer until there is an answer, over a server that may lose it.
 *
 * @module
 */
import { BackOff } from "../../base/back_off.ts";
import type { Log } from "../../log/log.ts";
import { ABSENT, LIMITED } from "./pace.ts";
import type { InboundSignal, RendezvousClient } from "./rendezvous_client.ts";

/** What is said, and when it is said again. */
export interface Saying {
  /** Its name in the log, e.g. `hello`. */
  readonly name: string;
  /** The payload. */
  readonly payload: unknown;
  /**
   * When it is said again. `undelivered`: only when it surely has not arrived. `reconnected`: also
   * when the connection that it went over is lost. A number: also when nothing has come for so many
   * milliseconds. Saying it twice has to be harmless to the peer.
   */
  readonly again: "undelivered" | "reconnected" | number;
  /** Whether it was delivered already, as far as is known. @default {false} */
  readonly said?: boolean;
}

/**
 * Says it until `answer` has found the answer among the signals that come.
 *
 * @param answer Given each signal; undefined goes on waiting.
 * @throws {SignalError} What the client and `answer` throw; or the signal's reason.
 */
export async function sayUntil<T>(
  client: RendezvousClient,
  saying: Saying,
  { remote, log, signal }: {
    readonly remote: string;
    readonly log: Log;
    readonly signal: AbortSignal;
  },
  answer: (signal: InboundSignal) => T | undefined,
): Promise<T> {
  const { name, payload, again } = saying;
  const absent = new BackOff(ABSENT);
  const limited = new BackOff(LIMITED);
  let isDelivered = saying.said ?? false;
  let isDue = !isDelivered;
  try {
    for (;;) {
      if (isDue) {
        isDelivered = client.send(payload);
        client.remind(typeof again === "number" ? again : undefined);
        isDue = false;
      }
      const inbound = await client.receive(signal);
      switch (inbound.type) {
        case "signal": {
          const found = answer(inbound);
          if (found !== undefined) return found;
          break;
        }
        case "peer-not-found": {
          const ms = absent.next();
          log.info(`${name} retry: peer '${remote}' not found`, { next_ms: ms });
          isDelivered = false;
          client.remind(ms);
          break;
        }
        case "rate-limited": {
          const ms = limited.next();
          log.info(`${name} retry: the rendezvous server wants fewer messages`, { next_ms: ms });
          isDelivered = false;
          client.remind(ms);
          break;
        }
        case "peer-left":
          isDelivered = false;
          break;
        case "peer-joined":
          isDue = !isDelivered;
          break;
        case "registered-again":
          isDue = !isDelivered || again !== "undelivered";
          break;
        case "reminder":
          isDue = true;
      }
    }
  } finally {
    client.remind();
  }
}
