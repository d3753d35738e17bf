/**
 * Two hosts and a third between them, in network namespaces: the outer ones have no way to each
 * other but the relay that stands in the middle one.
 *
 * @module
 */
import { NetworkNamespace } from "../support/network_namespace.ts";
import type { Family, Standing } from "./relay.ts";

/** Addresses on a cable: of the outer host, and of the middle one. */
const CABLES = {
  one: { IPv4: ["10.78.1.1", "10.78.1.2"], IPv6: ["fd78:1::1", "fd78:1::2"] },
  two: { IPv4: ["10.78.2.1", "10.78.2.2"], IPv6: ["fd78:2::1", "fd78:2::2"] },
} as const;

const PREFIX = { IPv4: 24, IPv6: 64 } as const;

const addressesAt = (cable: keyof typeof CABLES, end: 0 | 1): string[] =>
  (["IPv4", "IPv6"] as const).map((family) => `${CABLES[cable][family][end]}/${PREFIX[family]}`);

/** The network namespaces of the three, with their cables. Disposing it removes them. */
export class ThreeHosts implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    readonly one: NetworkNamespace,
    readonly middle: NetworkNamespace,
    readonly two: NetworkNamespace,
    stack: AsyncDisposableStack,
  ) {
    this.#stack = stack;
  }

  /** Makes them and lays the cables. */
  static async make(): Promise<ThreeHosts> {
    await using stack = new AsyncDisposableStack();
    const [one, middle, two] = [
      stack.use(await NetworkNamespace.make()),
      stack.use(await NetworkNamespace.make()),
      stack.use(await NetworkNamespace.make()),
    ];
    for (const [name, outer] of [["one", one], ["two", two]] as const) {
      await outer.lay(name, addressesAt(name, 0), middle, addressesAt(name, 1));
    }
    return new ThreeHosts(one, middle, two, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** How a relay in the middle host stands to alice on the first and bob on the second. */
export function betweenHosts(family: Family): { readonly alice: Standing; readonly bob: Standing } {
  const [alice, toAlice] = CABLES.one[family];
  const [bob, toBob] = CABLES.two[family];
  return { alice: { peer: alice, relay: toAlice }, bob: { peer: bob, relay: toBob } };
}
