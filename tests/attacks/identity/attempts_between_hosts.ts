/**
 * Attempts by an attacker on the middle one of three hosts, as a process there. What came of them
 * goes to standard output as JSON. The arguments: names of the outer hosts, seed, attempts, and how
 * many pairs of daemons are attacked at a time.
 *
 * @module
 */
import { inNamespace } from "../../support/network_namespace.ts";
import { DAEMON } from "../../support/program.ts";
import { attempt } from "../support/attempts.ts";

const [one = "", two = "", aliceReaches = "", bobReaches = "", seed = "", total, pairs] = Deno.args;
const place = {
  alice: inNamespace(one, DAEMON),
  bob: inNamespace(two, DAEMON),
  attacker: { alice: aliceReaches, bob: bobReaches },
};
// The two hosts reach each other by way of this one.
await Deno.writeTextFile("/proc/sys/net/ipv4/ip_forward", "1");
const lanes = Number(pairs);
const share = Math.ceil(Number(total) / lanes);
const counts = await Promise.all(
  Array.from({ length: lanes }, (_, lane) =>
    attempt(place, {
      seed,
      from: lane * share,
      to: Math.min(Number(total), (lane + 1) * share),
    })),
);
const sum = (what: "attempts" | "arrived" | "refused") =>
  counts.reduce((all, one) => all + one[what], 0);
const ends = { attempts: sum("attempts"), arrived: sum("arrived"), refused: sum("refused") };
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(ends)));
