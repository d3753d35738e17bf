/**
 * Why a connection goes by UDP or by TCP, in words for the log.
 *
 * @module
 */
import type { TransportChoice } from "../../connector.ts";

/** What the choice was between. */
export interface ChosenWay {
  /** What may carry the connection here. */
  readonly allowed: TransportChoice;
  /** What carries it. */
  readonly transport: "udp" | "tcp";
  /** Whether the peer offers TCP. */
  readonly isTcpOffered: boolean;
  /** Whether the choice was ours. */
  readonly isControlling: boolean;
}

/** The reason. */
export function whyChosen(
  { allowed, transport, isTcpOffered, isControlling }: ChosenWay,
): string {
  if (allowed !== "auto") return `only ${allowed.toUpperCase()} may carry it here`;
  if (transport === "udp" && !isTcpOffered) return "the peer offers no TCP";
  if (!isControlling) return "the peer has chosen it";
  return transport === "tcp"
    ? "it costs less than UDP, and was there in time"
    : "no TCP connection was there in time: a firewall may forbid it";
}
