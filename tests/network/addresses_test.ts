/**
 * Hosts with many addresses, and hosts whose address changes while a file flows.
 *
 * @module
 */
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { DaemonsOverRelay } from "../faults/daemons_over_relay.ts";
import { canMakeNamespaces, NetworkNamespace } from "../support/network_namespace.ts";
import { assertExchanged, byFile } from "../support/pairs.ts";
import { DAEMON, Run } from "../support/program.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";

const possible = await canMakeNamespaces();
if (!possible) skipped("network namespaces: they need Linux, root and iproute2");
const options = { ignore: !possible };

/** Bridges with an address each, as Docker makes one for each network; the same on every host. */
async function addBridges(host: NetworkNamespace, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const name = `br-${i}`;
    await host.ip("link", "add", name, "type", "bridge");
    await host.ip("link", "set", name, "addrgenmode", "none");
    await host.ip("addr", "add", `10.${100 + i}.0.1/16`, "dev", name);
    await host.ip("link", "set", name, "up");
  }
}

for (const [bridges, leftOut] of [[20, false], [40, true]] as const) {
  Deno.test(
    `two hosts with ${bridges} bridges each meet by the cable that is listed last` +
      (leftOut ? ", and tell which addresses are left out" : ""),
    options,
    async () => {
      await using folder = await TempFolder.make();
      await using one = await NetworkNamespace.make();
      await using two = await NetworkNamespace.make();
      for (const host of [one, two]) await addBridges(host, bridges);
      await one.connect("10.78.0.1/24", two, "10.78.0.2/24");
      const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
      await using offerer = new Run(one.inside(DAEMON), args.offerer);
      await using answerer = new Run(two.inside(DAEMON), args.answerer);
      const outcomes = await Promise.all([offerer.outcome(), answerer.outcome()]);
      assertExchanged("Offerer", outcomes[0]);
      assertExchanged("Answerer", outcomes[1]);
      for (const { stderr } of outcomes) {
        const left = "left out, as the least likely: 10.129.0.1, 10.130.0.1";
        assertEquals(stderr.includes(left), leftOut, stderr);
      }
      const offer = await Deno.readTextFile(folder.path("offer.json"));
      assertStringIncludes(offer, "10.78.0.1");
    },
  );
}

Deno.test(
  "two hosts meet that have nothing but link-local addresses of IPv6",
  options,
  async () => {
    await using folder = await TempFolder.make();
    await using one = await NetworkNamespace.make();
    await using two = await NetworkNamespace.make();
    await one.lay("cable", ["fe80::1/64"], two, ["fe80::2/64"]);
    const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
    await using offerer = new Run(one.inside(DAEMON), args.offerer);
    await using answerer = new Run(two.inside(DAEMON), args.answerer);
    const outcomes = await Promise.all([offerer.outcome(), answerer.outcome()]);
    assertExchanged("Offerer", outcomes[0]);
    assertExchanged("Answerer", outcomes[1]);
    assertStringIncludes(await Deno.readTextFile(folder.path("offer.json")), "fe80::1");
  },
);

/** Two hosts, a cable, and a daemon on each; alice, who offers and so controls ICE, is on the first. */
async function hosts(stack: AsyncDisposableStack) {
  const one = stack.use(await NetworkNamespace.make());
  const two = stack.use(await NetworkNamespace.make());
  await one.connect("10.78.0.1/24", two, "10.78.0.2/24");
  const programs = { alice: one.inside(DAEMON), bob: two.inside(DAEMON) };
  return { one, two, programs };
}

async function readdress(host: NetworkNamespace, from: string, to: string): Promise<void> {
  await host.ip("addr", "del", from, "dev", "cable");
  await host.ip("addr", "add", to, "dev", "cable");
}

for (
  const [who, host, from] of [
    ["the controlling sender's", "one", "10.78.0.1/24"],
    ["the controlled receiver's", "two", "10.78.0.2/24"],
  ] as const
) {
  Deno.test(
    `${who} address is replaced while a file flows: it arrives`,
    options,
    async () => {
      await using stack = new AsyncDisposableStack();
      const { programs, ...made } = await hosts(stack);
      const daemons = stack.use(await DaemonsOverRelay.make({ ...programs, transport: "udp" }));
      const { result } = await daemons.transferDirectly(
        { bytes: 30_000_000, deadlineMs: 60_000 },
        () => readdress(made[host], from, "10.78.0.9/24"),
      );
      assertEquals(result, "arrived");
    },
  );
}

Deno.test(
  "the cable is pulled while a file flows, and it arrives by another",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { programs, one, two } = await hosts(stack);
    await one.lay("second", ["10.79.0.1/24"], two, ["10.79.0.2/24"]);
    const daemons = stack.use(await DaemonsOverRelay.make({ ...programs, transport: "udp" }));
    const { result } = await daemons.transferDirectly(
      { bytes: 30_000_000, deadlineMs: 60_000 },
      () => two.ip("link", "set", "cable", "down"),
    );
    assertEquals(result, "arrived");
  },
);

/** Has the network change while a file flows; both must end soon after, not at 45 s of silence. */
async function assertLostInTime(
  daemons: DaemonsOverRelay,
  change: () => Promise<unknown>,
): Promise<void> {
  let changedAt = 0;
  const end = await daemons.transferDirectly({ bytes: 50_000_000, deadlineMs: 60_000 }, () => {
    changedAt = performance.now();
    return change();
  });
  const took = performance.now() - changedAt;
  const lost = "CONNECTION_LOST";
  assertEquals([end.result, end.sender.code, end.receiver.code], ["ended", lost, lost]);
  assertLess(took, 15_000);
}

Deno.test(
  "checks still come from a host's new address, but nothing can be sent there: both end in 10 s",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { programs, one, two } = await hosts(stack);
    const daemons = stack.use(await DaemonsOverRelay.make({ ...programs, transport: "udp" }));
    await assertLostInTime(daemons, async () => {
      await one.ip("route", "add", "prohibit", "10.78.0.9/32");
      await readdress(two, "10.78.0.2/24", "10.78.0.9/24");
    });
  },
);

Deno.test(
  "a host's new address is outside the scope: nothing more is sent from it, and both end in 10 s",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { programs, two } = await hosts(stack);
    const daemons = stack.use(await DaemonsOverRelay.make({ ...programs, transport: "udp" }));
    await assertLostInTime(daemons, async () => {
      await readdress(two, "10.78.0.2/24", "203.0.113.9/24");
      await two.ip("route", "add", "default", "dev", "cable");
    });
  },
);
