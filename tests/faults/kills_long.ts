/**
 * The long form of the kill tests. Part of `deno task test:faults`; `KILLS` and `SEED` in the
 * environment change the count (500) and the seed, `-- --write` puts the table into docs/TESTING.md.
 *
 * @module
 */
import { Killer } from "./kills.ts";
import { machine, publish, tableOf } from "./results.ts";

const KILLS = Number(Deno.env.get("KILLS") ?? 500);
const SEED = Number(Deno.env.get("SEED") ?? 1);

Deno.test(`${KILLS} times kill -9: no identity, pin or finished file is lost, no half file is left`, async () => {
  const killer = new Killer(SEED);
  let failure: unknown;
  await killer.run(Math.ceil(KILLS / 2)).catch((error) => failure = error);
  const { kills, restarts, finished, onlySent } = killer.counts;
  const all = [...kills.values()].reduce((a, b) => a + b, 0);
  const lost = failure === undefined ? "0" : "1, and the run ended";
  const text = `### Kills

${machine()}, seed ${SEED}. ${all} times \`kill -9\`, two daemons a round; ${restarts} starts were checked
after it: the identity and pins are the same, each file in the inbox is whole, each that was told
finished is there, the journal can be read and all in it has ended, the lock is free. ${finished} files were
finished on the way. ${onlySent} more were completed for their sender only, when their receiver died:
that may be where a disk takes longer than 4 s to keep a file.

${tableOf([["phase", "kills"], ...[...kills].map(([phase, count]) => [phase, String(count)])])}

Lost: ${lost}.`;
  await publish({ mark: "kills", document: "TESTING.md", title: "Testing" }, text);
  if (failure !== undefined) throw failure;
});
