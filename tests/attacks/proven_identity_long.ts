/**
 * Two machines that know each other's key, and a rendezvous server that is the attacker, a thousand
 * times: `deno task test:identity`. BOLT_SEED chooses other attacks, BOLT_ATTEMPTS another number.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { canMakeNamespaces } from "../support/network_namespace.ts";
import { machine, say } from "../faults/results.ts";
import { attemptBetweenHosts } from "./support/attempts_between_hosts.ts";

const seed = Deno.env.get("BOLT_SEED") ?? "a thousand";
const attempts = Number(Deno.env.get("BOLT_ATTEMPTS") ?? 1_000);

Deno.test({
  name:
    `of ${attempts} attempts each file arrives whole at the right daemon, or the session is refused`,
  ignore: !await canMakeNamespaces(),
  async fn() {
    const began = performance.now();
    const counts = await attemptBetweenHosts({ seed, attempts, pairs: 2 });
    assertEquals(counts.arrived + counts.refused, attempts);
    const minutes = ((performance.now() - began) / 60_000).toFixed(1);
    await say(
      `${machine()}; seed ${JSON.stringify(seed)}, ${minutes} min: ${JSON.stringify(counts)}`,
    );
  },
});
