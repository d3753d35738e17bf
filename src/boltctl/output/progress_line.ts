/**
 * The line that shows how far a transfer is.
 *
 * @module
 */
import type { Transfer } from "../../ipc/api/schemas.ts";
import { isUnconfirmed, NOT_CONFIRMED } from "./confirmation.ts";
import { formatBytes, formatRate, formatSeconds, percent } from "./units.ts";
import { waitsFor } from "./waits_for.ts";
import { cutTo, fitTo } from "./width.ts";

/** How far a transfer is. */
export interface Progress {
  /** Its last known state. */
  readonly transfer: Transfer;
  /** Present rate; undefined while nothing is known. */
  readonly bytesPerSecond?: number;
}

/** Widest that the name is made. */
const WIDEST_NAME = 30;
/** Narrowest and widest bar, without its brackets. */
const BAR = { min: 8, max: 40 } as const;
/** Room for rate and time left, so that the bar keeps its width: `999 MiB/s  9:59:59 left`. */
const FACTS = 23;

/**
 * The line for a terminal, in at most `columns - 1` columns: the last one is left free, so that no
 * terminal wraps.
 */
export function progressLine(progress: Progress, columns: number): string {
  const { transfer } = progress;
  const width = columns - 1;
  const done = percentOf(transfer);
  const tail = ` ${String(done).padStart(3)} %  ${facts(progress)}`;
  const nameWidth = Math.min(WIDEST_NAME, Math.max(8, Math.floor(width / 4)));
  const name = fitTo(transfer.name, nameWidth);
  const bar = Math.min(BAR.max, width - nameWidth - "  [] 100 %  ".length - FACTS);
  if (bar < BAR.min) return cutTo(`${name} ${tail}`, width);
  return cutTo(`${name}  ${drawBar(done, bar)}${tail}`, width);
}

/** Whole percents of a transfer: 100 when it is completed, whatever was last heard of its bytes. */
export function percentOf({ state, transferred, size }: Transfer): number {
  if (state === "completed") return 100;
  return size === 0 ? 0 : percent(transferred, size);
}

function drawBar(done: number, width: number): string {
  const filled = Math.floor(done / 100 * width);
  const head = filled < width && filled > 0 ? ">" : "";
  return `[${"=".repeat(filled - head.length)}${head}${" ".repeat(width - filled)}]`;
}

/** Rate and time left while bytes flow, the state otherwise. */
function facts({ transfer, bytesPerSecond }: Progress): string {
  switch (transfer.state) {
    case "active": {
      // Below a byte a second, a time left would mean nothing.
      if (bytesPerSecond === undefined || transfer.transferred === 0) return "starting";
      if (bytesPerSecond < 1) return "stalled";
      const left = Math.max(0, transfer.size - transfer.transferred) / bytesPerSecond;
      return `${formatRate(bytesPerSecond)}  ${formatSeconds(left)} left`;
    }
    case "queued":
    case "paused": {
      // All of the file is read once before it is offered: its hash is a part of the offer.
      const { hashed, size } = transfer;
      if (hashed !== undefined) return `hashing, ${percent(hashed, size)} %`;
      const what = waitsFor(transfer);
      if (what !== undefined) return `waits for ${what}`;
      return transfer.state === "queued" ? "waiting" : "paused";
    }
    case "offered":
      return transfer.direction === "outgoing" ? "the peer is asked" : "offered";
    case "completed":
      return isUnconfirmed(transfer) ? NOT_CONFIRMED : `${formatBytes(transfer.size)}, done`;
    default:
      return transfer.state;
  }
}

/** The line for a log: no bar, nothing cut. */
export function plainProgressLine(progress: Progress): string {
  const { transfer } = progress;
  return `${transfer.name}: ${percentOf(transfer)} %, ${facts(progress)}`;
}
