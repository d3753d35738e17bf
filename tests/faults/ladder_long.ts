/**
 * The whole ladder of bad networks, and outages, flaps and one-way cuts. Part of
 * `deno task test:faults`; `-- --write` puts the table into docs/TESTING.md.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type CrossingEnd, type CrossingOptions, Travellers } from "./crossing.ts";
import type { Family } from "./relay.ts";
import { machine, publish, say, tableOf } from "./results.ts";

const DELAYS_MS = [0, 20, 100, 300];
const LOSSES = [0, 0.01, 0.03, 0.08];
const BYTES = 200_000;
const DEADLINE_MS = 240_000;

interface Rung {
  readonly name: string;
  readonly options: Omit<CrossingOptions, "deadlineMs">;
}

type Row = readonly [Rung, CrossingEnd | Error];

const rungs = (family: Family): Rung[] =>
  DELAYS_MS.flatMap((delayMs) =>
    LOSSES.map((loss, at) => ({
      name: `${family}, ${delayMs} ms each way, ${loss * 100} % loss in bursts of 4`,
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

const faults = (family: Family): Rung[] =>
  FAULTS.map(({ name, options }) => ({
    name: `${family}, ${name}`,
    options: { family, ...options },
  }));

const FAULTS: readonly Rung[] = [
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
];

/** Climbs one after the other with one pair of daemons: each rung finds them as the last left them. */
async function climb(all: readonly Rung[]): Promise<Row[]> {
  await using travellers = await Travellers.make();
  const rows: Row[] = [];
  for (const rung of all) {
    const end = await travellers.cross({ ...rung.options, deadlineMs: DEADLINE_MS })
      .catch((error: Error) => error);
    await say(`${rung.name}: ${end instanceof Error ? end.message : resultOf(end)}`);
    rows.push([rung, end]);
    if (end instanceof Error) break;
  }
  return rows;
}

function resultOf({ result, sender, receiver }: CrossingEnd): string {
  return result === "arrived" && sender.code === undefined
    ? "arrived"
    : `${result}: sender ${sender.code ?? sender.state}, receiver ${
      receiver.code ?? receiver.state
    }`;
}

function tableRow([{ name }, end]: Row): string[] {
  if (end instanceof Error) return [name, "", "", "LOST"];
  return [name, (end.ms / 1000).toFixed(1), (end.lost * 100).toFixed(1), resultOf(end)];
}

Deno.test("each transfer of the ladder arrives whole, or ends on both sides with a named error", async () => {
  const families = ["IPv4", "IPv6"] as const;
  const climbed = await Promise.all(
    families.map((family) => climb([...rungs(family), ...faults(family)])),
  );
  const rows = climbed.flat();
  const lost = rows.filter(([, end]) => end instanceof Error);
  const arrived = rows.filter(([, end]) => !(end instanceof Error) && end.result === "arrived");
  const header = ["network", "seconds", "lost on the way, %", "result"];
  const text = `### The ladder

${machine()}. Two daemons, a relay between them, 200 kB a file (2 MB where the network changes
under way). ${rows.length} transfers: ${arrived.length} arrived whole,
${
    rows.length - arrived.length - lost.length
  } ended on both sides with a named error, ${lost.length} lost.

${tableOf([header, ...rows.map(tableRow)])}`;
  await publish({ mark: "ladder", document: "TESTING.md", title: "Testing" }, text);
  assertEquals(lost.map(([{ name }, end]) => `${name}: ${end}`), []);
});
