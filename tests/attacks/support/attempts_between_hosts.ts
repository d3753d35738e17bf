/**
 * Three hosts in network namespaces: two daemons on the outer ones, the attacker on the one between
 * them, which is their way to each other as well.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { NetworkNamespace } from "../../support/network_namespace.ts";
import { fromFileUrl } from "../../support/paths.ts";
import type { AttemptCounts } from "./attempts.ts";

/** What is asked of {@linkcode attemptBetweenHosts}. */
export interface AttemptOptions {
  /** Chooses the attacks. */
  readonly seed: string;
  readonly attempts: number;
  /** Pairs of daemons that are attacked at a time. @default {1} */
  readonly pairs?: number;
}

/** Makes attempts between three hosts of its own. Fails at the first that ends as it must not. */
export async function attemptBetweenHosts(
  { seed, attempts, pairs = 1 }: AttemptOptions,
): Promise<Omit<AttemptCounts, "attacks">> {
  await using stack = new AsyncDisposableStack();
  const [one, middle, two] = [
    stack.use(await NetworkNamespace.make()),
    stack.use(await NetworkNamespace.make()),
    stack.use(await NetworkNamespace.make()),
  ];
  for (const [outer, cable] of [[one, 1], [two, 2]] as const) {
    const addresses = [`10.79.${cable}.1/24`];
    await outer.lay(`cable${cable}`, addresses, middle, [`10.79.${cable}.2/24`]);
    await outer.ip("route", "add", "default", "via", `10.79.${cable}.2`);
  }
  const script = fromFileUrl(new URL("../identity/attempts_between_hosts.ts", import.meta.url));
  const { command, args } = middle.inside({
    command: Deno.execPath(),
    args: [
      ...["run", "--no-prompt", "-A", script, one.name, two.name, "10.79.1.2", "10.79.2.2"],
      ...[seed, String(attempts), String(pairs)],
    ],
  });
  const attacking = new Deno.Command(command, { args: [...args], stderr: "inherit" });
  const { code, stdout } = await attacking.output();
  assertEquals(code, 0, "an attempt ended as it must not: see above");
  return JSON.parse(new TextDecoder().decode(stdout));
}
