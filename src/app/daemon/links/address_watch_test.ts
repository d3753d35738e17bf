import { assertEquals } from "@std/assert";
import { LINK_ADDRESS_LOOK_MS } from "../../../base/timing.ts";
import { ManualPace } from "../../../signaling/testing/manual_pace.ts";
import { AddressWatch } from "./address_watch.ts";

/** A watch, what it sees, and how often it has looked and told. */
function watched() {
  const pace = new ManualPace();
  const seen = { addresses: ["127.0.0.1", "10.0.0.2"], isWanted: true, looks: 0, changes: 0 };
  const watch = new AddressWatch({
    addresses: () => {
      seen.looks++;
      return seen.addresses;
    },
    after: pace.timer,
    isWanted: () => seen.isWanted,
    onChange: () => seen.changes++,
  });
  return { pace, seen, watch };
}

Deno.test("a change of the addresses is told once, their order is none", () => {
  const { pace, seen, watch } = watched();
  watch.look();
  watch.look();
  seen.addresses = ["10.0.0.2", "127.0.0.1"];
  pace.pass(LINK_ADDRESS_LOOK_MS);
  assertEquals(seen.changes, 0);
  seen.addresses = ["127.0.0.1", "10.0.0.7"];
  pace.pass(3 * LINK_ADDRESS_LOOK_MS);
  assertEquals([seen.changes, seen.looks], [1, 5]);
});

Deno.test("nobody looks while nobody wants to know, and what changed meanwhile is no news", () => {
  const { pace, seen, watch } = watched();
  seen.isWanted = false;
  watch.look();
  pace.pass(10 * LINK_ADDRESS_LOOK_MS);
  assertEquals(seen.looks, 0);
  seen.isWanted = true;
  watch.look();
  seen.isWanted = false;
  pace.pass(10 * LINK_ADDRESS_LOOK_MS);
  assertEquals(seen.looks, 1);
  seen.addresses = ["10.0.0.7"];
  seen.isWanted = true;
  watch.look();
  pace.pass(LINK_ADDRESS_LOOK_MS);
  assertEquals(seen.changes, 0);
  watch.stop();
  pace.pass(10 * LINK_ADDRESS_LOOK_MS);
  assertEquals(seen.looks, 3);
});

Deno.test("a machine that does not tell its addresses has none that change", () => {
  const pace = new ManualPace();
  let changes = 0;
  const watch = new AddressWatch({
    addresses: () => {
      throw new Deno.errors.NotCapable("no permission");
    },
    after: pace.timer,
    isWanted: () => true,
    onChange: () => changes++,
  });
  watch.look();
  pace.pass(3 * LINK_ADDRESS_LOOK_MS);
  assertEquals(changes, 0);
});
