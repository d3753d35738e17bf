/**
 * The payload exchange over an open channel.
 *
 * @module
 */
import { abortable, Deadline } from "../../base/deadline.ts";
import { TransportError } from "../../base/errors.ts";
import type { Role } from "./options.ts";
import { logFor } from "../../log/log.ts";
import { checkGreeting, GREETING } from "../../protocol/payload_exchange.ts";
import type { Channel } from "../../transport/channel.ts";

const log = logFor("bolt-daemon");

/**
 * How long the answerer stays for the acknowledgement of its echo, in milliseconds: long enough for
 * lost packets to be sent again. A foreign offerer may have what it wants and be gone before.
 */
const ACKNOWLEDGEMENT_MS = 5000;
/**
 * How long the answerer then stays for the offerer's close, in milliseconds. A foreign offerer may
 * stay open; the exchange is complete by then.
 */
const LINGER_MS = 500;

/**
 * Exchanges the payload.
 *
 * @throws {PayloadError} The peer sent another payload.
 * @throws {TransportError} The channel ended before the exchange was complete.
 */
export async function exchangePayload(
  role: Role,
  channel: Channel,
  signal: AbortSignal,
): Promise<void> {
  if (role === "offerer") {
    await channel.send(GREETING, { signal });
    checkGreeting(await receive(channel, signal));
    log.info("SUCCESS: received matching payload");
    // In order, so that the answerer learns that its echo has arrived.
    await channel.close({ signal });
    return;
  }
  checkGreeting(await receive(channel, signal));
  await channel.send(GREETING, { signal });
  if (await isAcknowledged(channel, signal)) {
    log.info("SUCCESS: echoed matching payload");
    using linger = new Deadline(LINGER_MS, { parent: signal, what: "the offerer's close" });
    await abortable(channel.closed, linger.signal).catch(() => {});
  } else {
    log.warn("the offerer left without acknowledging the echo");
    log.info("SUCCESS: echoed matching payload");
  }
}

/** Waits until the offerer has the echo; false when it closes, or is silent for long. */
async function isAcknowledged(channel: Channel, signal: AbortSignal): Promise<boolean> {
  using wait = new Deadline(ACKNOWLEDGEMENT_MS, { parent: signal, what: "the echo's arrival" });
  try {
    await channel.drained({ signal: wait.signal });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TransportError && error.code !== "CHANNEL_CLOSED") throw error;
    return false;
  }
}

async function receive(channel: Channel, signal: AbortSignal): Promise<string | Uint8Array> {
  const message = await channel.receive({ signal });
  if (message !== undefined) return message;
  throw new TransportError("CHANNEL_CLOSED", "the peer closed before the payload was exchanged");
}
