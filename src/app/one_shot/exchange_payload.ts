/**
 * The payload exchange over an open channel.
 *
 * @module
 */
import { abortable, Deadline } from "../../base/deadline.ts";
import { DeadlineError, TransportError } from "../../base/errors.ts";
import { LINGER_MS } from "../../base/timing.ts";
import { logFor } from "../../log/log.ts";
import { checkGreeting, GREETING } from "../../protocol/payload_exchange.ts";
import type { Channel } from "../../transport/channel.ts";
import type { Role } from "../../protocol/signal/bundle.ts";

const log = logFor("bolt-daemon");

/**
 * Exchanges the payload. Resolves only when the exchange is complete: for the offerer when it has
 * checked the echo, for the answerer when the peer's transport has acknowledged the echo.
 *
 * @param signal Ends each wait for the peer: the phase's deadline.
 * @throws {PayloadError} The peer sent another payload.
 * @throws {TransportError} The channel ended before the exchange was complete.
 * @throws {DeadlineError} The peer was silent for too long.
 */
export async function exchangePayload(
  role: Role,
  channel: Channel,
  signal: AbortSignal,
): Promise<void> {
  if (role === "offerer") await offerPayload(channel, signal);
  else await answerPayload(channel, signal);
}

async function offerPayload(channel: Channel, signal: AbortSignal): Promise<void> {
  await channel.send(GREETING, { signal });
  checkGreeting(await receive(channel, signal));
  log.info("SUCCESS: received matching payload");
  // In order: the answerer succeeds when it has our acknowledgement. A close that is cut short takes
  // nothing back of what was exchanged.
  await channel.close({ signal }).catch(() => {});
}

async function answerPayload(channel: Channel, signal: AbortSignal): Promise<void> {
  checkGreeting(await receive(channel, signal));
  await echo(channel, signal);
  log.info("SUCCESS: echoed matching payload");
  using linger = new Deadline(LINGER_MS, { parent: signal, what: "the offerer's close" });
  await abortable(channel.closed, linger.signal).catch(() => {});
}

/** Resolves when the peer's transport has the echo: before, nothing shows that it arrived. */
async function echo(channel: Channel, signal: AbortSignal): Promise<void> {
  try {
    await channel.send(GREETING, { signal });
    await channel.drained({ signal });
  } catch (error) {
    if (error instanceof DeadlineError) {
      throw new DeadlineError(`${error.message}: the peer has not acknowledged the echo`);
    }
    if (!(error instanceof TransportError)) throw error;
    throw new TransportError(
      error.code,
      "the peer left before it acknowledged the echo, so the exchange is not complete: " +
        `${error.message}; run both sides again`,
      { cause: error },
    );
  }
}

async function receive(channel: Channel, signal: AbortSignal): Promise<string | Uint8Array> {
  const message = await channel.receive({ signal });
  if (message !== undefined) return message;
  throw new TransportError("CHANNEL_CLOSED", "the peer closed before the payload was exchanged");
}
