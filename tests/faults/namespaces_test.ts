/**
 * Bad networks by the kernel's own hand: daemons in network namespaces, a cable between them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { canMakeNamespaces, canShape, NetworkNamespace } from "../support/network_namespace.ts";
import { DAEMON } from "../support/program.ts";
import {
  DaemonsOverRelay,
  type TransferResult,
  type Transport,
  TRANSPORTS,
} from "./daemons_over_relay.ts";
import { say } from "./results.ts";

const canCut = await canMakeNamespaces();
const NARROW = ["tbf", "rate", "2mbit", "burst", "16kb", "limit", "32kb"];
const canNarrow = canCut && await canShape(...NARROW);
const canEmulate = canCut && await canShape("netem", "delay", "1ms");
if (!canCut) {
  await say("Tests with network namespaces are skipped: they need Linux, root, iproute2.");
} else if (!canEmulate) {
  await say("Tests with tc netem are skipped: they need the module sch_netem.");
}
if (canCut && !canNarrow) await say("Tests with tc tbf are skipped: they need the module sch_tbf.");

/** Seconds of what a connection carries between two hosts of one machine: what is cut still flows. */
const MUCH_BYTES = 400_000_000;

/** Two hosts, a cable, and a daemon on each. */
async function hosts(stack: AsyncDisposableStack, transport: Transport) {
  const one = stack.use(await NetworkNamespace.make());
  const two = stack.use(await NetworkNamespace.make());
  await one.connect("10.78.0.1/24", two, "10.78.0.2/24");
  const programs = { alice: one.inside(DAEMON), bob: two.inside(DAEMON) };
  return { one, two, daemons: stack.use(await DaemonsOverRelay.make({ ...programs, transport })) };
}

function assertLostByBoth({ result, sender, receiver }: TransferResult): void {
  const lost = "CONNECTION_LOST";
  assertEquals([result, sender.code, receiver.code], ["ended", lost, lost]);
}

for (const transport of TRANSPORTS) {
  Deno.test(
    `by ${transport.toUpperCase()}: the cable is pulled while a file flows: both hosts say CONNECTION_LOST, and meet when it is back`,
    { ignore: !canCut },
    async () => {
      await using stack = new AsyncDisposableStack();
      const { two, daemons } = await hosts(stack, transport);
      const cut = await daemons.transferDirectly(
        { bytes: MUCH_BYTES, deadlineMs: 60_000 },
        () => two.ip("link", "set", "cable", "down"),
      );
      assertLostByBoth(cut);
      await two.ip("link", "set", "cable", "up");
      const again = await daemons.transferDirectly({ bytes: 200_000, deadlineMs: 60_000 });
      assertEquals(again.result, "arrived");
    },
  );

  Deno.test(
    `by ${transport.toUpperCase()}: a host that may send no more to the other says CONNECTION_LOST, and so does the other`,
    { ignore: !canCut },
    async () => {
      await using stack = new AsyncDisposableStack();
      const { one, daemons } = await hosts(stack, transport);
      const forbidden = await daemons.transferDirectly(
        { bytes: MUCH_BYTES, deadlineMs: 60_000 },
        // Each datagram is now an error of the socket.
        () => one.ip("route", "add", "prohibit", "10.78.0.2/32"),
      );
      assertLostByBoth(forbidden);
    },
  );

  Deno.test(
    `by ${transport.toUpperCase()}: a file arrives across a cable that takes 2 Mbit/s, drops what is over it, and takes no large packet`,
    { ignore: !canNarrow },
    async () => {
      await using stack = new AsyncDisposableStack();
      const { one, two, daemons } = await hosts(stack, transport);
      for (const host of [one, two]) {
        await host.shape("cable", ...NARROW);
        await host.ip("link", "set", "cable", "mtu", "1280");
      }
      const { result } = await daemons.transferDirectly({ bytes: 1_000_000, deadlineMs: 60_000 });
      assertEquals(result, "arrived");
    },
  );

  Deno.test(
    `by ${transport.toUpperCase()}: files arrive across delay, jitter, bursty loss, reordering and duplication by the kernel`,
    { ignore: !canEmulate },
    async () => {
      await using stack = new AsyncDisposableStack();
      const { one, two, daemons } = await hosts(stack, transport);
      for (
        const netem of [
          ["delay", "20ms", "5ms", "loss", "gemodel", "1%", "25%"],
          ["delay", "10ms", "reorder", "10%", "duplicate", "5%"],
        ]
      ) {
        for (const host of [one, two]) await host.shape("cable", "netem", ...netem);
        const { result } = await daemons.transferDirectly({ bytes: 200_000, deadlineMs: 60_000 });
        assertEquals(result, "arrived", netem.join(" "));
      }
    },
  );
}
