/**
 * The line that tells how far a transfer is.
 *
 * @module
 */
import type { Transfer } from "../../ipc/schemas.ts";
import { formatBytes, formatRate, formatSeconds, percent } from "./units.ts";
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

/**
 * The line for a terminal, in at most `columns - 1` columns: the last one is left free, so that no
 * terminal wraps.
 */
export function progressLine(progress: Progress, columns: number): string {
  const { transfer } = progress;
  const room = columns - 1;
  const done = percent(transfer.transferred, transfer.size);
  const tail = ` ${String(done).padStart(3)} %  ${facts(progress)}`;
  const nameWidth = Math.min(WIDEST_NAME, Math.max(8, Math.floor(room / 4)));
  const name = fitTo(transfer.name, nameWidth);
  const bar = Math.min(BAR.max, room - nameWidth - tail.length - 4);
  if (bar < BAR.min) return cutTo(`${name} ${tail}`, room);
  return cutTo(`${name}  ${drawBar(done, bar)}${tail}`, room);
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
      if (bytesPerSecond === undefined || bytesPerSecond <= 0) return "starting";
      const left = Math.max(0, transfer.size - transfer.transferred) / bytesPerSecond;
      return `${formatRate(bytesPerSecond)}  ${formatSeconds(left)} left`;
    }
    case "queued":
      return "waiting";
    case "offered":
      return transfer.direction === "outgoing" ? "waiting for the peer to accept" : "offered";
    case "completed":
      return `${formatBytes(transfer.size)}, done`;
    default:
      return transfer.state;
  }
}

/** The line for a log: no bar, nothing cut. */
export function plainProgressLine(progress: Progress): string {
  const { transfer } = progress;
  const done = percent(transfer.transferred, transfer.size);
  return `${transfer.name}: ${done} %, ${facts(progress)}`;
}
