/**
 * The short form of `deno task test:identity`.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { canMakeNamespaces } from "../../support/network_namespace.ts";
import { say } from "../../faults/results.ts";
import { attemptBetweenHosts } from "../support/attempts_between_hosts.ts";

const canTry = await canMakeNamespaces();
if (!canTry) {
  await say("Attacks between hosts are skipped: they need Linux, root, iproute2.");
}

Deno.test({
  name:
    "of twelve attempts between two hosts each file arrives whole at the right daemon, or the session is refused",
  ignore: !canTry,
  async fn() {
    const { attempts, arrived, refused } = await attemptBetweenHosts({ seed: "ci", attempts: 12 });
    assertEquals([attempts, arrived + refused], [12, 12]);
    assert(arrived > 0 && refused > 0, "a seed that shows both");
  },
});
