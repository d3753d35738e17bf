/**
 * The impaired networks that a file has to cross, one after the other: a matrix of delays and losses,
 * then outages, flaps, cuts and queues.
 *
 * @module
 */
import {
  DaemonsOverRelay,
  type DaemonsOverRelayOptions,
  type RelayedTransferOptions,
  type TransferResult,
  type Transport,
  TRANSPORTS,
} from "./daemons_over_relay.ts";
import type { Family } from "./relay.ts";

const DELAYS_MS = [0, 20, 100, 300];
const LOSSES = [0, 0.01, 0.03, 0.08];
const BYTES = 200_000;
const DEADLINE_MS = 240_000;

/** One impaired network. */
interface ImpairmentCase {
  readonly name: string;
  readonly options: Omit<RelayedTransferOptions, "deadlineMs">;
}

/** What came of a case; plain data, since it may have run in another process. */
export interface CaseResult {
  readonly name: string;
  /** Seconds; absent when it was lost. */
  readonly seconds?: number;
  /** Share of the datagrams or segments that the relay lost; absent when the file was. */
  readonly lostOnTheWay?: number;
  /** `lost`: neither arrived nor ended on both sides with a named error. */
  readonly result: "arrived" | "ended" | "lost";
  /** For people. */
  readonly text: string;
}

const matrix = (family: Family): ImpairmentCase[] =>
  DELAYS_MS.flatMap((delayMs) =>
    LOSSES.map((loss, at) => ({
      name: `${delayMs} ms each way, ${loss * 100} % loss in bursts of 4`,
      options: {
        family,
        conditions: { delayMs, jitterMs: delayMs / 5, loss, lossBurst: 4 },
        seed: delayMs * 10 + at,
        bytes: BYTES,
      },
    }))
  );

/** A file that takes ten seconds, so that what happens to the network happens to the file. */
const SLOW = { conditions: { bytesPerSecond: 200_000, delayMs: 10 }, bytes: 2_000_000 };

const FAULTS: readonly ImpairmentCase[] = [
  { name: "outage of 5 s", options: { ...SLOW, whenFlowing: (relay) => relay.outage(5000) } },
  { name: "outage of 10 s", options: { ...SLOW, whenFlowing: (relay) => relay.outage(10_000) } },
  { name: "outage of 40 s", options: { ...SLOW, whenFlowing: (relay) => relay.outage(40_000) } },
  {
    name: "flaps, 1 s gone of 3 s",
    options: { ...SLOW, whenFlowing: (relay) => relay.flap(1000, 2000) },
  },
  {
    name: "flaps, 4 s gone of 6 s",
    options: { ...SLOW, whenFlowing: (relay) => relay.flap(4000, 2000) },
  },
  {
    name: "only sender to receiver is cut",
    options: { ...SLOW, whenFlowing: ({ forth }) => forth.conditions = { cut: true } },
  },
  {
    name: "only receiver to sender is cut",
    options: { ...SLOW, whenFlowing: ({ back }) => back.conditions = { cut: true } },
  },
  { name: "cut from the beginning", options: { conditions: { cut: true }, bytes: 1000 } },
  {
    name: "reordering and duplication of 20 %",
    options: { conditions: { delayMs: 10, reorder: 0.2, duplicate: 0.2 }, bytes: BYTES },
  },
  {
    name: "20 kB/s with a queue of 8 kB",
    options: { conditions: { bytesPerSecond: 20_000, queueBytes: 8000 }, bytes: BYTES },
  },
  {
    name: "24 kB/s, a file of 1.5 MB",
    options: { conditions: { bytesPerSecond: 24_000, delayMs: 50 }, bytes: 1_500_000 },
  },
];

/**
 * Both address families and both transports at once, each with daemons of its own. Tells on stderr
 * how it goes.
 */
export async function runMatrix(
  daemonsOf: Omit<DaemonsOverRelayOptions, "transport"> = {},
): Promise<readonly CaseResult[]> {
  const families = ["IPv4", "IPv6"] as const;
  const both = TRANSPORTS.flatMap((transport) => families.map((family) => ({ transport, family })));
  const all = await Promise.all(both.map(async ({ transport, family }) => {
    await using daemons = await DaemonsOverRelay.make({ ...daemonsOf, transport });
    return await Array.fromAsync(runCases(daemons, family, transport), (result) => {
      Deno.stderr.writeSync(new TextEncoder().encode(`${result.name}: ${result.text}\n`));
      return result;
    });
  }));
  return all.flat();
}

/** One pair of daemons for all: each case finds them as the last left them. */
async function* runCases(
  daemons: DaemonsOverRelay,
  family: Family,
  transport: Transport,
): AsyncGenerator<CaseResult> {
  // Of a connection the system puts in order what comes.
  const faults = FAULTS.filter(({ options: { conditions } }) =>
    transport === "udp" || conditions?.reorder === undefined
  );
  const cases = [
    ...matrix(family),
    ...faults.map(({ name, options }) => ({ name, options: { family, ...options } })),
  ];
  for (const { name: what, options } of cases) {
    const name = `${transport.toUpperCase()}, ${family}, ${what}`;
    try {
      const end = await daemons.transfer({ ...options, deadlineMs: DEADLINE_MS });
      const { result, ms, lost } = end;
      yield { name, seconds: ms / 1000, lostOnTheWay: lost, result, text: textOf(end) };
    } catch (error) {
      // The daemons are in no known state any more.
      return yield { name, result: "lost", text: String(error) };
    }
  }
}

function textOf({ result, sender, receiver }: TransferResult): string {
  if (result === "arrived" && sender.code === undefined) return "arrived";
  const [ours, theirs] = [sender, receiver].map(({ code, state }) => code ?? state);
  return ours === theirs
    ? `${result}: both ${ours}`
    : `${result}: sender ${ours}, receiver ${theirs}`;
}
