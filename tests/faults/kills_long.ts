/**
 * The long form of the kill tests. Part of `deno task test:faults`; `KILLS` and `SEED` in the
 * environment change the count (500) and the seed, `-- --write` puts the table into docs/TESTING.md.
 *
 * @module
 */
import { TRANSPORTS } from "./daemons_over_relay.ts";
import { KILL_PHASES, type KillCounts, Killer } from "./kills.ts";
import { machine, publish, tableOf } from "./results.ts";

const KILLS = Number(Deno.env.get("KILLS") ?? 500);
const SEED = Number(Deno.env.get("SEED") ?? 1);

Deno.test(`${KILLS} times kill -9: no identity, pin or finished file is lost, no half file is left`, async () => {
  const killers = TRANSPORTS.map((transport) => new Killer(SEED, transport));
  let failure: unknown;
  for (const killer of killers) {
    await killer.run(Math.ceil(KILLS / 2 / killers.length)).catch((error) => failure ??= error);
  }
  const sum = (of: (counts: KillCounts) => number) =>
    killers.reduce((total, { counts }) => total + of(counts), 0);
  const all = sum(({ kills }) => [...kills.values()].reduce((a, b) => a + b, 0));
  const finished = sum((counts) => counts.finished);
  const restarts = sum((counts) => counts.restarts);
  const onlySent = sum((counts) => counts.onlySent);
  const lost = failure === undefined ? "0" : "1, and the run ended";
  const rows = KILL_PHASES.map((phase) => [
    phase,
    ...killers.map(({ counts }) => String(counts.kills.get(phase) ?? 0)),
  ]);
  const text = `### Kills

${machine()}, seed ${SEED}. ${all} times \`kill -9\`, two daemons a round; ${restarts} starts were checked
after it: the identity and pins are the same, each file in the inbox is whole, each that was told
finished is there, the journal can be read and all in it has ended, the lock is free. ${finished} files were
finished on the way. ${onlySent} more were completed for their sender only, when their receiver died:
that may be where a disk takes longer than 4 s to keep a file.

${tableOf([["phase", ...TRANSPORTS.map((one) => `kills by ${one.toUpperCase()}`)], ...rows])}

Lost: ${lost}.`;
  await publish({ mark: "kills", document: "TESTING.md", title: "Testing" }, text);
  if (failure !== undefined) throw failure;
});
