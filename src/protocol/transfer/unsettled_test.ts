import { assertEquals } from "@std/assert";
import type { TransferId } from "../messages/transfer_id.ts";
import { Unsettled } from "./unsettled.ts";

const id = (n: number) => n.toString(16).padStart(32, "0") as TransferId;
const ping = (tsMs: number) => ({ type: "ping", tsMs }) as const;

Deno.test("a ping is answered when the files that came before it are settled, whatever came after", () => {
  const unsettled = new Unsettled();
  unsettled.add(id(1));
  unsettled.keep(ping(1));
  unsettled.add(id(2));
  unsettled.keep(ping(2));
  unsettled.add(id(3));
  assertEquals(unsettled.settle(id(1)), ping(1), "two files wait still");
  assertEquals(unsettled.settle(id(2)), ping(2));
  assertEquals(unsettled.settle(id(3)), undefined, "nobody has asked since");
  assertEquals(unsettled.any, false);
});

Deno.test("a file that is settled before an older one answers nothing, and the last ping answers for all", () => {
  const unsettled = new Unsettled();
  unsettled.add(id(1));
  unsettled.keep(ping(1));
  unsettled.add(id(2));
  unsettled.keep(ping(2));
  unsettled.keep(ping(3));
  assertEquals(unsettled.settle(id(2)), undefined);
  assertEquals(unsettled.settle(id(2)), undefined, "it is settled already");
  assertEquals(unsettled.settle(id(1)), ping(3));
});
